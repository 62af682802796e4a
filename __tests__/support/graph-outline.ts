/** A graph in the shape of `cases/stage-graph.json`: what it is without lines, for comparisons. */
import { parseDockerfile } from '../../src/dockerfile/parse.ts'
import { stagesOf } from '../../src/graph/reachability.ts'
import { resolveStageGraph, type Resolution, type ResolveOptions } from '../../src/graph/resolve.ts'
import type { StageGraph, StageSource } from '../../src/graph/stage-graph.ts'

export type OutlineSource = { stage: number } | { image: string } | { scratch: true }

export interface StageOutline {
  index: number
  name: string | null
  base: OutlineSource
  deps: ({ kind: string } & OutlineSource)[]
  reachable: boolean
  replacedByContext?: true
}

/** Reads and resolves a text; everything not given is empty, for linux/amd64. */
export function resolveText(text: string, options: Partial<ResolveOptions> = {}): Resolution {
  return resolveStageGraph(parseDockerfile(text), { buildArgs: {}, platform: 'linux/amd64', ...options })
}

/** The graph of a text that has one. */
export function graphOf(text: string, options: Partial<ResolveOptions> = {}): StageGraph {
  const { graph, errors } = resolveText(text, options)
  if (graph === undefined) throw new Error(`no graph: ${errors.map((error) => error.message).join('; ')}`)
  return graph
}

export function outline(graph: StageGraph, target: number): StageOutline[] {
  const reachable = new Set(stagesOf(graph, target))
  return graph.stages.map((stage) => ({
    index: stage.index,
    name: stage.name ?? null,
    base: source(stage.from),
    deps: stage.needs.map((need) => ({ kind: need.via, ...source(need.source) })),
    reachable: reachable.has(stage.index),
    ...(stage.replacedByContext === undefined ? {} : { replacedByContext: true as const }),
  }))
}

function source(of: StageSource): OutlineSource {
  if (of.kind === 'stage') return { stage: of.stage }
  return of.kind === 'scratch' ? { scratch: true } : { image: of.image }
}

/** BuildKit's message without its suggestion, whose ties it breaks at random. */
export function withoutSuggestion(message: string | undefined): string | undefined {
  return message?.replace(/ \(did you mean .*\?\)$/, '')
}
