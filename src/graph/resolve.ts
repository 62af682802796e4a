/**
 * From a Dockerfile to its stage graph, in BuildKit's order, with everything wrong on the way. Pure and synchronous: what
 * images hold is asked through `onBuildOf`.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (toDispatchState)
 */
import {
  DockerfileError,
  SyntaxFault,
  type DockerfileErrorFields,
  type DockerfileWarning,
  type LineRange,
} from '../dockerfile/dockerfile-error.ts'
import type { Dockerfile } from '../dockerfile/instructions.ts'
import { mendFor } from '../dockerfile/mends.ts'
import { assembleGraph } from './assemble.ts'
import { toCommand } from './commands.ts'
import { NamedContexts } from './contexts.ts'
import { findCircle } from './cycles.ts'
import { automaticArgs, globalArgs } from './global-args.ts'
import { lintDefaultArgs, lintNames, lintUndefinedArgs } from './lint.ts'
import { formatPlatform, HOST, normalizePlatform, parsePlatform, type Platform } from './platform.ts'
import { ImageSources } from './sources.ts'
import { draftStages, type StageDraft } from './stage-drafts.ts'
import type { StageGraph } from './stage-graph.ts'
import { StateList, type ImplicitState } from './state-list.ts'
import { missingTarget } from './targets.ts'
import { addTriggers } from './triggers.ts'

export interface ResolveOptions {
  readonly buildArgs: Readonly<Record<string, string>>
  /** The one target of this build, as `--target`; undefined or empty: the last stage. Some graphs depend on it. */
  readonly target?: string | undefined
  /** `os/arch[/variant]`. */
  readonly platform: string
  /** The builder's own platform; `linux/amd64` where it is not known. */
  readonly buildPlatform?: string | undefined
  /** The keys of `build-contexts`; of a map or record, its keys. */
  readonly contexts?: readonly string[] | ReadonlyMap<string, unknown> | Readonly<Record<string, unknown>> | undefined
  /** The ONBUILD triggers in an image's configuration; undefined where they are not known. */
  readonly onBuildOf?: ((image: string, platform: string) => readonly string[] | undefined) | undefined
  /** What an image's configuration says beside; undefined where it is not known. */
  readonly configOf?: ((image: string, platform: string) => BaseConfig | undefined) | undefined
  /** What a named context that is an image sets for a platform (`NAME=value`); undefined where it is not known. */
  readonly environmentOf?: ((context: string, platform: string) => readonly string[] | undefined) | undefined
  /** The ONBUILD triggers of such an image; undefined where they are not known. */
  readonly triggersOf?: ((context: string, platform: string) => readonly string[] | undefined) | undefined
  /**
   * The stages whose triggers are followed: those that these targets need (BuildKit: the target's). Default: `target`.
   * A name that is no stage's is passed over.
   */
  readonly triggersFor?: readonly string[] | 'all' | undefined
}

/** Of an image's configuration, what its stage begins with. */
export interface BaseConfig {
  /** `NAME=value` */
  readonly env: readonly string[]
  /** Empty where none is set. */
  readonly workingDir: string
}

export interface Resolution {
  /** Undefined where the file could not be read, or the target or a circle stops everything. */
  readonly graph: StageGraph | undefined
  /** In BuildKit's order; those of scope `reachable-only` count only for targets that need their stage (`errorsFor`). */
  readonly errors: readonly DockerfileError[]
  readonly warnings: readonly DockerfileWarning[]
  /** The stage that `target` names. */
  readonly target: number | undefined
  /** A FROM depends on TARGETSTAGE: the graph is right only for this target. */
  readonly dependsOnTarget: boolean
}

/** Resolves the graph; never throws for what a Dockerfile says. */
export function resolveStageGraph(dockerfile: Dockerfile, options: ResolveOptions): Resolution {
  const errors = [...dockerfile.errors]
  const warnings: DockerfileWarning[] = [...dockerfile.warnings, ...lintNames(dockerfile)]
  const nothing = { graph: undefined, errors, target: undefined, dependsOnTarget: false }
  if (errors.length > 0) return { ...nothing, warnings: kept(warnings, dockerfile) }
  const fail = (fault: SyntaxFault, fields: DockerfileErrorFields, text = ''): void => {
    errors.push(new DockerfileError(fault.message, { mend: mendFor(fault.message, text), ...fields }))
  }
  const platforms = readPlatforms(options, (fault) => {
    fail(fault, { phase: 'states' })
  })
  if (platforms === undefined) return { ...nothing, warnings: kept(warnings, dockerfile) }

  const buildArgs = new Map(Object.entries(options.buildArgs))
  const wanted = options.target ?? ''
  const targetName = wanted === '' ? (dockerfile.stages.at(-1)?.from.name ?? '') : wanted
  const automatic = automaticArgs({ buildArgs, ...platforms, targetName })
  warnings.push(...lintDefaultArgs(dockerfile, automatic))
  const args = globalArgs(dockerfile, automatic, buildArgs)
  for (const { fault, ...range } of args.faults) fail(fault, { phase: 'meta-args', range })

  const states = new StateList()
  const contexts = new NamedContexts(contextKeys(options.contexts))
  const drafts = draftStages(dockerfile, {
    ...{ states, args, contexts, ...platforms },
    fail: (fault, stage, range) => {
      fail(fault, { phase: 'states', range, stage }, range.text)
    },
  })
  warnings.push(...lintUndefinedArgs(drafts, args))
  const target = wanted === '' ? drafts.length - 1 : states.findName(wanted)
  if (target === undefined) errors.push(missingTarget(wanted, drafts.map(displayName)))

  const circular = linkCommands(drafts, dockerfile, states, fail)
  const sources = new ImageSources(contexts)
  const resolved = new Set<ImplicitState>()
  const check = (range: LineRange, step: () => unknown, stage?: number): void => {
    guarded(step, (fault) => {
      fail(fault, { phase: 'resolve', range, stage })
    })
  }
  const checkImplicit = (): void => {
    for (const state of states.implicit()) {
      if (!resolved.has(state)) check(state, () => sources.find(state.text, platforms.targetPlatform))
      resolved.add(state)
    }
  }
  for (const draft of drafts) {
    if (draft.base !== undefined || draft.broken) continue
    const { fromText: text, platform, replacedBy, index } = draft
    const step = replacedBy === undefined ? () => sources.find(text, platform) : () => sources.normalize(text)
    check(draft.block.from, step, index)
  }
  checkImplicit()
  addTriggers(drafts, {
    ...{ states, escape: dockerfile.escape, seeds: seeds(options.triggersFor, target, states, drafts.length) },
    ofImage: (draft) => imageTriggers(draft, sources, options),
    fail: (fault, { index, block }) => {
      fail(fault, { phase: 'resolve', range: block.from, stage: index })
    },
  })
  checkImplicit()

  const graph = assembleGraph(drafts, {
    ...{ dockerfile, sources, buildArgs, globalArgs: args.values, targetPlatform: platforms.targetPlatform },
    configOf: (image, platform) => options.configOf?.(image, platform),
    environmentOf: (context, platform) => options.environmentOf?.(context, platform),
    stageNames: drafts.length + resolved.size === 1 ? [''] : drafts.map(displayName),
    fail: (fault, stage, { line, endLine, text }) => {
      fail(fault, { phase: 'dispatch', scope: 'reachable-only', range: { line, endLine }, stage }, text)
    },
  })
  const shown = kept(warnings, dockerfile)
  failLint(shown, dockerfile, fail)
  const usesTarget = args.usesTargetStage || drafts.some(usesTargetStage)
  return {
    ...{ errors, warnings: shown, target, dependsOnTarget: usesTarget },
    graph: target === undefined || circular ? undefined : graph,
  }
}

type Fail = (fault: SyntaxFault, fields: DockerfileErrorFields, text?: string) => void

function guarded(step: () => unknown, fail: (fault: SyntaxFault) => void): void {
  try {
    step()
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error
    fail(error)
  }
}

function readPlatforms(
  options: ResolveOptions,
  fail: (fault: SyntaxFault) => void,
): { readonly targetPlatform: Platform; readonly buildPlatform: Platform } | undefined {
  try {
    const buildPlatform = normalizePlatform(parsePlatform(options.buildPlatform ?? formatPlatform(HOST), HOST))
    return { buildPlatform, targetPlatform: normalizePlatform(parsePlatform(options.platform, buildPlatform)) }
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error
    fail(new SyntaxFault(`failed to parse target platform ${options.platform}: ${error.message}`))
    return undefined
  }
}

function contextKeys(contexts: ResolveOptions['contexts']): Iterable<string> {
  if (contexts === undefined) return []
  if (Array.isArray(contexts)) return contexts as readonly string[]
  return contexts instanceof Map ? (contexts as ReadonlyMap<string, unknown>).keys() : Object.keys(contexts)
}

/** Fills in the commands; says whether stages need each other in a circle. */
function linkCommands(drafts: readonly StageDraft[], { escape }: Dockerfile, states: StateList, fail: Fail): boolean {
  for (const draft of drafts) {
    for (const instruction of draft.block.instructions) {
      guarded(
        () => draft.commands.push(toCommand(instruction, states, { escape, isTrigger: false })),
        (fault) => {
          fail(fault, { phase: 'graph', range: instruction, stage: draft.index }, instruction.text)
        },
      )
    }
  }
  const circle = findCircle(
    drafts.map(({ commands }) =>
      commands.flatMap(({ instruction: { line }, sources }) =>
        sources.flatMap((stage) => (typeof stage === 'number' ? [{ stage, line }] : [])),
      ),
    ),
  )
  if (circle === undefined) return false
  const { stage, line } = circle
  const name = drafts[stage] === undefined ? '' : displayName(drafts[stage])
  const fault = new SyntaxFault(`circular dependency detected on stage: ${name}`)
  fail(fault, { phase: 'graph', range: { line, endLine: line }, stage })
  return true
}

/** The name in BuildKit's messages. */
function displayName({ block, index }: StageDraft): string {
  return block.from.name ?? `stage-${index}`
}

function seeds(
  wanted: ResolveOptions['triggersFor'],
  target: number | undefined,
  states: StateList,
  count: number,
): readonly number[] {
  if (wanted === 'all') return Array.from({ length: count }, (_, index) => index)
  const named = wanted?.flatMap((name) => (name === '' ? count - 1 : (states.findName(name) ?? [])))
  return named ?? (target === undefined ? [] : [target])
}

function imageTriggers(
  draft: StageDraft,
  sources: ImageSources,
  { onBuildOf, triggersOf }: ResolveOptions,
): readonly string[] {
  if (draft.base !== undefined || draft.replacedBy !== undefined || draft.broken) return []
  try {
    const source = sources.find(draft.fromText, draft.platform)
    const platform = formatPlatform(normalizePlatform(draft.platform))
    if (source.kind === 'context') return triggersOf?.(source.context, platform) ?? []
    return source.kind === 'image' ? (onBuildOf?.(source.image, platform) ?? []) : []
  } catch (error) {
    // Said already, when the reference was checked.
    if (error instanceof SyntaxFault) return []
    throw error
  }
}

function usesTargetStage({ expansions }: StageDraft): boolean {
  return expansions.some(({ matched }) => matched.has('TARGETSTAGE'))
}

function kept(warnings: readonly DockerfileWarning[], { check }: Dockerfile): readonly DockerfileWarning[] {
  return warnings.filter(({ rule }) => rule.startsWith('Unknown') || !(check.skipAll || check.skip.has(rule)))
}

function failLint(warnings: readonly DockerfileWarning[], { check }: Dockerfile, fail: Fail): void {
  const rules = new Set(warnings.flatMap(({ rule }) => (rule.startsWith('Unknown') ? [] : [rule])))
  const [first] = warnings.filter(({ rule }) => rules.has(rule))
  if (!check.error || first === undefined) return
  const fault = new SyntaxFault(`lint violation found for rules: ${[...rules].join(', ')}`)
  const mend = 'Mend what the warnings say, or remove `error=true` from `# check=`.'
  fail(fault, { phase: 'finalize', scope: 'lint', range: first, mend })
}
