/**
 * Fingerprints of stages: first the data, which can be compared and told about, then the digest over it. What is in, and
 * why: BuildKit's cache key of each operation, so that equal prints mean that BuildKit would find every step in its cache.
 * Sources: https://github.com/moby/buildkit/blob/v0.25.0/solver/llbsolver/ops/exec.go (CacheMap), …/ops/file.go,
 * …/source/containerimage/pull.go, https://github.com/moby/buildkit/blob/v0.25.0/cache/contenthash/filehash.go
 */
import { createHash } from 'node:crypto'
import type { ContextRead, Stage, StageGraph, StageSource, StageStep } from '../graph/stage-graph.ts'
import { stagesOf } from '../graph/reachability.ts'
import { unknownRemotes, unknownSources, type UnknownInput } from './unknown-inputs.ts'

/** Something that a step or a stage takes from elsewhere. */
export interface PrintedSource {
  readonly kind: 'image' | 'stage' | 'context' | 'scratch'
  /** The image as the Dockerfile names it, the context's name; of a stage, its number in the graph. */
  readonly name: string
  /** Undefined where it cannot be known beforehand. */
  readonly digest: string | undefined
}

export interface PrintedSetting {
  /** `$NAME` for variables; `user`, `shell`. */
  readonly name: string
  /** Digest of the value: values may be confidential. */
  readonly value: string
  /** Where it was set; not part of the digest. */
  readonly stage: number
  readonly line: number
}

export interface StepPrint {
  readonly keyword: string
  readonly line: number
  readonly endLine: number
  /** The instruction as written, shortened, and a digest of all of it; not part of the fingerprint. */
  readonly text: string
  readonly written: string
  /** Digest of what is done; empty where nothing is done to files. */
  readonly words: string
  /**
   * What ARG, ENV, USER and SHELL set; of others, the settings that they are the first to be shaped by: BuildKit's key of
   * a RUN holds the environment.
   */
  readonly settings: readonly PrintedSetting[]
  /** Contents of the build context, images, other stages. */
  readonly sources: readonly PrintedSource[]
  /** Digest of what the image's configuration and history say of it. */
  readonly history: string
}

export interface StagePrint {
  readonly index: number
  readonly name: string | undefined
  readonly line: number
  readonly platform: string
  readonly base: PrintedSource
  readonly steps: readonly StepPrint[]
  /** Options of the build that are in its keys. */
  readonly options: readonly PrintedOption[]
  /** Of the files in the stage's result, which is what others copy; undefined where it cannot be known. */
  readonly files: string | undefined
  /** Of the files, the settings and the configuration: all that the stage's image depends on. */
  readonly fingerprint: string | undefined
  /** Why there is no fingerprint: this stage's own inputs that cannot be known beforehand. */
  readonly unknown: readonly UnknownInput[]
}

export interface PrintedOption {
  readonly name: string
  /** Digest of the value. */
  readonly value: string
}

/** What was looked up before. */
export interface PrintInputs {
  /** Of an external image as pinned; undefined where no registry told it. */
  readonly imageDigest: (image: string) => string | undefined
  /** Of what an instruction reads of a context; `context` undefined: the build context. Undefined: it cannot be known. */
  readonly readDigest: (read: ContextRead, context: string | undefined) => string | undefined
  /** Of a named context that stands for an image. */
  readonly contextDigest: (context: string) => string | undefined
  /** Build-wide options that are in the keys of every operation, and in those of RUN (`network`, names of hosts, …). */
  readonly options: readonly BuildOption[]
  readonly runOptions: readonly BuildOption[]
}

export type BuildOption = readonly [name: string, value: string]

interface Ending {
  readonly print: StagePrint
  readonly pending: ReadonlyMap<string, PrintedSetting>
  readonly config: string
}

/** Prints the stages of one graph; a stage that several targets need is printed once. */
export class StagePrinter {
  readonly #graph: StageGraph
  readonly #inputsOf: (stage: Stage) => PrintInputs
  readonly #endings = new Map<number, Ending>()

  /** @param inputsOf those of the stage's Dockerfile */
  constructor(graph: StageGraph, inputsOf: (stage: Stage) => PrintInputs) {
    this.#graph = graph
    this.#inputsOf = inputsOf
  }

  /** Of the stages that a target needs, in build order. */
  print(target: number): readonly StagePrint[] {
    return stagesOf(this.#graph, target).flatMap((index) => {
      const stage = this.#graph.stages[index]
      if (stage === undefined) return []
      const ending = this.#endings.get(index) ?? printStage(stage, this.#endings, this.#inputsOf(stage))
      this.#endings.set(index, ending)
      return [ending.print]
    })
  }
}

function printStage(stage: Stage, endings: ReadonlyMap<number, Ending>, inputs: PrintInputs): Ending {
  const { index, name, line, platform } = stage
  const unknown: UnknownInput[] = []
  const below = stage.from.kind === 'stage' ? endings.get(stage.from.stage) : undefined
  const base = sourceOf(stage.from, undefined, endings, inputs)
  unknown.push(...unknownSources(line, [base]))
  const chain = new Chain(below?.pending)
  chain.add(['base', base.kind, base.digest ?? '', platform, inputs.options])
  if (base.digest === undefined) chain.lose()
  let config = digestOf([below?.config ?? base.digest ?? ''])
  const steps = stage.steps.map((step) => {
    const printed = printStep(step, { index, chain, endings, inputs })
    const remotes = unknownRemotes(step)
    unknown.push(...unknownSources(step.line, printed.sources), ...remotes)
    if (remotes.length > 0) chain.lose()
    config = digestOf([config, printed.history])
    return printed
  })
  const files = chain.digest
  const pending = chain.pending
  const fingerprint =
    files === undefined
      ? undefined
      : digestOf([files, [...pending.values()].map(({ name: key, value }) => [key, value]), config])
  const hasRun = stage.steps.some(({ effect }) => effect === 'run')
  const options = [...inputs.options, ...(hasRun ? inputs.runOptions : [])].map(([key, value]) => ({
    name: key,
    value: digestOf(value),
  }))
  const print = { index, name, line, platform, base, steps, options, files, fingerprint, unknown }
  return { print, pending, config }
}

/** The files of a stage as they come to be, step by step. */
class Chain {
  readonly pending: Map<string, PrintedSetting>
  #digest: string | undefined = ''

  constructor(pending: ReadonlyMap<string, PrintedSetting> | undefined) {
    this.pending = new Map(pending)
  }

  get digest(): string | undefined {
    return this.#digest
  }

  add(part: unknown): void {
    if (this.#digest !== undefined) this.#digest = digestOf([this.#digest, part])
  }

  /** From here on the result cannot be known beforehand. */
  lose(): void {
    this.#digest = undefined
  }

  set(setting: PrintedSetting): void {
    // As in BuildKit's environment, what is set again goes to the end.
    this.pending.delete(setting.name)
    this.pending.set(setting.name, setting)
  }

  take(isWanted: (name: string) => boolean): readonly PrintedSetting[] {
    const taken = [...this.pending.values()].filter(({ name }) => isWanted(name))
    for (const { name } of taken) this.pending.delete(name)
    return taken
  }
}

const LONGEST_TEXT = 200

function printStep(
  step: StageStep,
  context: {
    readonly index: number
    readonly chain: Chain
    readonly endings: ReadonlyMap<number, Ending>
    readonly inputs: PrintInputs
  },
): StepPrint {
  const { keyword, line, endLine, effect } = step
  const text = step.text.length <= LONGEST_TEXT ? step.text : `${step.text.slice(0, LONGEST_TEXT)}…`
  const written = digestOf([step.text, step.bodies])
  const { index, chain, endings, inputs } = context
  const set = settingsOf(step, index)
  for (const setting of set) chain.set(setting)
  const history = digestOf([keyword, step.words, step.history])
  const base = { keyword, line, endLine, text, written, history }
  if (effect === 'setting' || effect === 'config') return { ...base, words: '', settings: set, sources: [] }
  const reads = step.reads.map((read) => readOf(read, undefined, inputs))
  const sources = [...reads, ...step.sources.map(({ source, read }) => sourceOf(source, read, endings, inputs))]
  // A new directory belongs to the user.
  const settings =
    effect === 'run' ? chain.take(() => true) : keyword === 'WORKDIR' ? chain.take((name) => name === 'user') : []
  const words = digestOf(step.words)
  chain.add([
    words,
    settings.map(({ name, value }) => [name, value]),
    sources.map(({ kind, digest }) => [kind, digest ?? '']),
    effect === 'run' ? inputs.runOptions : [],
  ])
  if (sources.some(({ digest }) => digest === undefined)) chain.lose()
  return { ...base, words, settings, sources }
}

/** An ARG without a value leaves what was set before. */
function settingsOf({ keyword, line, settings }: StageStep, stage: number): readonly PrintedSetting[] {
  const sign = keyword === 'ARG' || keyword === 'ENV' ? '$' : ''
  return settings.flatMap(([name, value]) =>
    value === undefined ? [] : [{ name: `${sign}${name}`, value: digestOf([name, value]), stage, line }],
  )
}

function readOf(read: ContextRead, context: string | undefined, inputs: PrintInputs): PrintedSource {
  return { kind: 'context', name: context ?? '', digest: inputs.readDigest(read, context) }
}

function sourceOf(
  source: StageSource,
  read: ContextRead | undefined,
  endings: ReadonlyMap<number, Ending>,
  inputs: PrintInputs,
): PrintedSource {
  switch (source.kind) {
    case 'scratch':
      return { kind: 'scratch', name: 'scratch', digest: 'scratch' }
    case 'image':
      return { kind: 'image', name: source.image, digest: inputs.imageDigest(source.image) }
    case 'stage': {
      const ending = endings.get(source.stage)
      // What settings the stage below leaves comes along with `pending`.
      return { kind: 'stage', name: String(source.stage), digest: ending?.print.files }
    }
    case 'context': {
      const whole = inputs.contextDigest(source.context)
      if (whole !== undefined) return { kind: 'context', name: source.context, digest: whole }
      return readOf(read ?? WHOLE, source.context, inputs)
    }
  }
}

/** A context that stands for a stage: all of it. */
const WHOLE: ContextRead = { line: 0, via: 'copy', paths: ['/'], exclude: [], parents: false }

/** Equal reads of one context have equal keys. */
export function readKey({ via, paths, exclude, parents }: ContextRead, context: string | undefined): string {
  return JSON.stringify([context ?? '', via, paths, exclude, parents])
}

/** Every read of a context that the prints of these stages ask for, each once. */
export function readsOf(
  stages: readonly Stage[],
): readonly { readonly read: ContextRead; readonly context: string | undefined }[] {
  const found = new Map<string, { readonly read: ContextRead; readonly context: string | undefined }>()
  const add = (read: ContextRead, context: string | undefined): void => {
    found.set(readKey(read, context), { read, context })
  }
  for (const { from, steps } of stages) {
    if (from.kind === 'context') add(WHOLE, from.context)
    for (const step of steps) {
      for (const read of step.reads) add(read, undefined)
      for (const { source, read } of step.sources) if (source.kind === 'context') add(read, source.context)
    }
  }
  return [...found.values()]
}

/** `sha256:…` of a value as JSON. */
export function digestOf(value: unknown): string {
  return `sha256:${createHash('sha256').update(JSON.stringify(value)).digest('hex')}`
}
