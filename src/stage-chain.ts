/** The stages that a target is based on, one on the other: what is beneath them, and which instruction made which layer. Pure. */
import { baseChain } from './graph/join.ts'
import type { StageGraph } from './graph/stage-graph.ts'
import type { LayerSource } from './measure/sizes.ts'

/** An instruction that makes a layer. */
export interface LayerStep {
  readonly stage: number
  /** 1-based. */
  readonly line: number
  readonly text: string
}

/**
 * The instructions that make layers, from the base image up: those of the stages that the target is based on, then its
 * own. Each RUN, COPY, ADD and WORKDIR makes one, also where it changes nothing.
 * https://github.com/moby/buildkit/blob/v0.25.2/frontend/dockerfile/dockerfile2llb/convert.go (commitToHistory)
 * @returns undefined where a named context stands in the chain: its layers are not of this file
 */
export function layerSteps(graph: StageGraph, target: number): readonly LayerStep[] | undefined {
  const chain = baseChain(graph, target)
  const isElsewhere = chain.some(
    ({ replacedByContext, from }) => replacedByContext !== undefined || from.kind === 'context',
  )
  if (isElsewhere) return undefined
  return chain.flatMap(({ index, steps }) =>
    steps
      .filter(({ effect }) => effect === 'files' || effect === 'run')
      .map(({ line, text }) => ({ stage: index, line, text })),
  )
}

/**
 * The same as what layers are said to come from.
 * @param file POSIX, from the repository's root; in a graph of several files, each stage has its own
 */
export function layerSources(graph: StageGraph, target: number, file: string): readonly LayerSource[] | undefined {
  return layerSteps(graph, target)?.map(({ stage, line, text }) => ({
    file: graph.stages[stage]?.file ?? file,
    line,
    text,
  }))
}

export type StageBase = { readonly kind: 'image'; readonly image: string } | { readonly kind: 'scratch' | 'context' }

/** What a stage is based on in the end: an image, a named context, or nothing. */
export function baseOfStage(graph: StageGraph, stage: number): StageBase {
  const chain = baseChain(graph, stage)
  const from = chain.some(({ replacedByContext }) => replacedByContext !== undefined) ? undefined : chain[0]?.from
  if (from?.kind === 'image') return { kind: 'image', image: from.image }
  return { kind: from?.kind === 'scratch' ? 'scratch' : 'context' }
}
