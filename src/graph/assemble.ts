/**
 * From drafts whose commands are known to the stages of the graph: edges, platforms, what is read.
 */
import { SyntaxFault } from '../dockerfile/dockerfile-error.ts'
import { rootedPath } from '../dockerfile/go-text.ts'
import type { Dockerfile, StageInstruction } from '../dockerfile/instructions.ts'
import type { Command } from './commands.ts'
import { dispatchStage } from './dispatch.ts'
import { Environment } from './environment.ts'
import { formatPlatform, normalizePlatform, type Platform } from './platform.ts'
import type { ImageSources } from './sources.ts'
import type { StageDraft } from './stage-drafts.ts'
import type { NeedVia, Stage, StageGraph, StageNeed, StageSource } from './stage-graph.ts'
import type { State } from './state-list.ts'

export interface AssembleOptions {
  readonly dockerfile: Dockerfile
  readonly sources: ImageSources
  readonly buildArgs: ReadonlyMap<string, string>
  readonly globalArgs: ReadonlyMap<string, string>
  readonly targetPlatform: Platform
  readonly configOf: (
    image: string,
    platform: string,
  ) => { readonly env: readonly string[]; readonly workingDir: string } | undefined
  /** What a named context that is another build's image sets; undefined where it is not known. */
  readonly environmentOf: (context: string, platform: string) => readonly string[] | undefined
  /** As BuildKit calls the stages in messages. */
  readonly stageNames: readonly string[]
  readonly fail: (fault: SyntaxFault, stage: number, instruction: StageInstruction) => void
}

/** What a stage hands on to those based on it. */
interface Inherited {
  readonly environment: Environment
  readonly workdir: string | undefined
}

/** The finished graph; faults that only needed stages have are passed to `fail`. */
export function assembleGraph(drafts: readonly StageDraft[], options: AssembleOptions): StageGraph {
  const inherited: Inherited[] = []
  const stages = drafts.map((draft): Stage => {
    const base = draft.base === undefined ? undefined : inherited[draft.base]
    const from = stageFrom(draft, options)
    const platform = formatPlatform(normalizePlatform(draft.platform))
    const config = from.kind === 'image' ? options.configOf(from.image, platform) : undefined
    const given = from.kind === 'context' ? options.environmentOf(from.context, platform) : config?.env
    const environment = base?.environment.child() ?? Environment.initial(given)
    const dispatched = dispatchStage(draft.replacedBy === undefined ? draft.commands : [], {
      ...{ stage: draft.index, stageName: options.stageNames[draft.index] ?? '', environment },
      ...{ escape: options.dockerfile.escape, globalArgs: options.globalArgs, buildArgs: options.buildArgs },
      isBefore: (stage) => stage < draft.index || drafts[stage]?.replacedBy !== undefined,
      workdir: base === undefined ? workdirOf(from, config) : base.workdir,
      sourceOf: (state) => sourceOf(state, options),
    })
    const { faults, workdir, ...found } = dispatched
    inherited.push({ environment, workdir })
    for (const { fault, command } of faults) options.fail(fault, draft.index, command.instruction)
    const { block, index, fromText, replacedBy } = draft
    return {
      ...{ index, name: block.from.name, line: block.from.line, endLine: lastLine(draft) },
      ...{ from, fromText, platform },
      ...{ needs: needsOf(draft, options), replacedByContext: replacedBy, ...found },
    }
  })
  const platform = formatPlatform(options.targetPlatform)
  return { stages, defaultTarget: stages.length - 1, platform }
}

/** Undefined where the base image decides and is not known. */
function workdirOf(from: StageSource, config: { readonly workingDir: string } | undefined): string | undefined {
  if (from.kind === 'scratch') return '/'
  return config === undefined ? undefined : rootedPath(config.workingDir)
}

function lastLine({ block }: StageDraft): number {
  return block.instructions.at(-1)?.endLine ?? block.from.endLine
}

function stageFrom(draft: StageDraft, { sources }: AssembleOptions): StageSource {
  const { base, fromText, replacedBy, platform } = draft
  if (base !== undefined) return { kind: 'stage', stage: base }
  if (replacedBy === undefined) return sourceOrText(sources, fromText, platform)
  const image = sourceOrText(sources, fromText, platform)
  return { kind: 'context', context: replacedBy, image: 'image' in image ? image.image : fromText }
}

/** A name that is no reference stands as it is: the graph is shown beside the error. */
function sourceOrText(
  sources: ImageSources,
  text: string,
  platform: Platform,
): Exclude<StageSource, { kind: 'stage' }> {
  try {
    return sources.find(text, platform)
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error
    return { kind: 'image', image: text }
  }
}

function needsOf({ commands }: StageDraft, options: AssembleOptions): readonly StageNeed[] {
  const needs = new Map<string, StageNeed>()
  for (const command of commands) {
    for (const [index, state] of command.sources.entries()) {
      const via = viaOf(command, index, state)
      if (via === undefined) continue
      const source = sourceOf(state, options)
      const key = `${via} ${JSON.stringify(source)}`
      if (!needs.has(key)) needs.set(key, { via, source, line: command.instruction.line })
    }
  }
  return [...needs.values()]
}

function viaOf({ instruction, isTrigger }: Command, index: number, state: State): NeedVia | undefined {
  if (instruction.keyword !== 'RUN') return isTrigger ? 'onbuild-copy' : 'copy'
  if (instruction.mounts[index]?.from === '') return typeof state === 'number' ? 'mount-phantom' : undefined
  return isTrigger ? 'onbuild-mount' : 'mount'
}

function sourceOf(state: State, { sources, targetPlatform }: AssembleOptions): StageSource {
  if (typeof state === 'number') return { kind: 'stage', stage: state }
  return sourceOrText(sources, state.text, targetPlatform)
}
