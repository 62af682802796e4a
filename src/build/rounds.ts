/**
 * One build, as many runs of bake as it takes. Bake stops all targets when one fails, so what can be finished is begun
 * again without it; and what a registry failed with may pass. Here it is decided what the next run is for: always for
 * less, or for one of a bounded number of further tries. Runs and waits nothing.
 */
import type { Problem } from '../errors.ts'
import type { BuildRequest } from './build-request.ts'
import { CACHE_MISSING, UNREACHABLE } from './cache-trouble.ts'
import { onlyPushesFailed, type BuildFailure } from './failure.ts'
import { judge, type Judgement } from './failure-judgement.ts'
import type { BuildMetadata } from './metadata.ts'
import type { PushedImage, Step } from './progress.ts'
import type { WarningEvent } from './rawjson.ts'
import { mergeRuns, wholeStages } from './round-steps.ts'
import type { StageLayout } from './stage-layout.ts'

export interface RoundsOptions {
  /** Of the graph. */
  readonly stages: readonly StageLayout[]
  /** The stages of a target's Dockerfile, where there are several. */
  readonly stagesOf?: ((target: string | undefined) => readonly StageLayout[]) | undefined
  /** Takes secrets out of a text. */
  readonly mask: (text: string) => string
  /** The targets that a step stands against when it fails, beside those that BuildKit tells of. */
  readonly targetsOf?: ((step: Pick<Step, 'stage' | 'text'>) => readonly string[]) | undefined
  /** One failure ends the build. */
  readonly failFast?: boolean | undefined
  /** How many more times a target is tried that a registry failed. Default: none. */
  readonly retries?: number | undefined
  /**
   * What the layer registry could not give though it had promised it: the build may have failed for that alone.
   * @param errors what the build says
   */
  readonly cacheTrouble?: ((errors: readonly string[]) => string | undefined) | undefined
}

/** One run of bake, when it is over. */
export interface Ran {
  readonly kind: 'built' | 'failed' | 'cancelled'
  readonly steps: readonly Step[]
  /** Findings of the Dockerfile checks. */
  readonly checks: readonly WarningEvent[]
  readonly warnings: readonly Problem[]
  /** What buildx said beside the progress. */
  readonly text: readonly string[]
  readonly metadata: BuildMetadata
  /** Every reference that was pushed, with its digest; the measured copies among them. */
  readonly pushed: readonly PushedImage[]
  /** Empty when it did not fail. */
  readonly failures: readonly BuildFailure[]
}

/** What is tried again, and why. */
export interface Retry {
  readonly failure: BuildFailure
  readonly targets: readonly string[]
  readonly judgement: Judgement & { readonly kind: 'passing' }
  /** The first is 1. */
  readonly retry: number
}

const LOST =
  'A layer of the builder’s own cache is gone from its disk: what was left to build was built without that cache.'

export class Rounds {
  readonly #request: BuildRequest
  readonly #options: RoundsOptions
  /** Targets that are neither built nor given up. */
  #left: readonly string[]
  /** Those that the present run is for. */
  #active: readonly string[] = []
  /** What a registry failed with, and the time before which it is not tried again. */
  readonly #resting = new Map<string, number>()
  #measures: boolean
  #imports = true
  #exports = true
  /** Nothing of the builder's own cache is used any more. */
  #anew = false
  readonly #runs: Ran[] = []
  readonly #tries = new Map<string, number>()
  readonly #failures: BuildFailure[] = []
  readonly #built = new Set<string>()
  readonly #warnings: Problem[] = []

  constructor(request: BuildRequest, options: RoundsOptions) {
    this.#request = request
    this.#options = options
    this.#left = request.targets.map(({ name }) => name)
    this.#measures = request.measure !== undefined
  }

  /** What is neither built nor given up. */
  get left(): readonly string[] {
    return this.#left
  }

  get failures(): readonly BuildFailure[] {
    return this.#failures
  }

  get built(): ReadonlySet<string> {
    return this.#built
  }

  /** Whether a copy of each image is sent to be measured. */
  get measures(): boolean {
    return this.#measures
  }

  get runs(): readonly Ran[] {
    return this.#runs
  }

  /** Every step of all runs, each once. */
  steps(): readonly Step[] {
    const final = new Set(this.#failures.map(({ step }) => step?.id))
    const runs = this.#runs.map(({ steps }) => steps)
    return mergeRuns(runs, ({ id }) => final.has(id))
  }

  warnings(): readonly Problem[] {
    const told = this.#runs.flatMap(({ warnings }) => warnings)
    return [...this.#warnings, ...new Map(told.map((problem) => [problem.message, problem])).values()]
  }

  /** What goes on at once, beside what is tried again later. */
  get ready(): readonly string[] {
    return this.#left.filter((name) => !this.#resting.has(name))
  }

  /** The time before which there is nothing to do, as `tryAgain` was told it. */
  get restsUntil(): number {
    return this.ready.length > 0 ? 0 : Math.max(0, ...this.#left.map((name) => this.#resting.get(name) ?? 0))
  }

  /**
   * Begins the next run: what it builds. What is tried again has to wait for the others, so that it cannot stop them
   * once more.
   */
  begin(): BuildRequest {
    this.#active = this.ready.length > 0 ? this.ready : this.#left
    for (const name of this.#active) this.#resting.delete(name)
    return this.#activeRequest()
  }

  #activeRequest(): BuildRequest {
    const targets = this.#request.targets
      .filter(({ name }) => this.#active.includes(name))
      .map((target) => ({
        ...target,
        ...(this.#imports ? {} : { cacheFrom: [] }),
        ...(this.#exports ? {} : { cacheTo: [] }),
      }))
    const request = { ...this.#request, targets, ...(this.#measures ? {} : { measure: undefined }) }
    // What earlier runs took from there may be what is lost: all of it is carried out.
    if (this.#anew) return { ...withoutImports(request), noCache: true, noCacheFilters: [] }
    return this.#runs.length === 0 ? request : this.#withoutRepeating(request)
  }

  /** Takes what came of a run. What is to be tried again is told, so that it can be waited before that. */
  take(run: Ran): readonly Retry[] {
    this.#runs.push(run)
    if (run.kind === 'built') {
      for (const name of this.#active) this.#built.add(name)
      this.#left = this.#left.filter((name) => !this.#built.has(name))
    }
    if (run.kind !== 'failed') return []
    const host = this.#measures ? this.#request.measure?.host : undefined
    if (host !== undefined && onlyPushesFailed(run, host)) {
      this.#measures = this.#imports = this.#exports = false
      this.#warnings.unshift(UNREACHABLE)
      return []
    }
    const retries: Retry[] = []
    const others: BuildFailure[] = []
    let isLost = false
    const left = this.#left.length
    // A layer that is known to be gone comes no second time.
    const isGone = this.#imported && this.#options.cacheTrouble?.([]) !== undefined
    for (const failure of run.failures) {
      const judgement = judgementOf(failure)
      const targets = this.#against(failure).filter((name) => this.#active.includes(name))
      const tried = this.#triesOf(targets)
      if (judgement.kind === 'command') this.giveUp(failure)
      else if (judgement.kind === 'lost' && !this.#anew) isLost = true
      else if (judgement.kind !== 'passing' || isGone || tried >= (this.#options.retries ?? 0)) others.push(failure)
      else retries.push({ failure, targets, judgement, retry: tried + 1 })
    }
    const goesWithout = this.#goesOnWithoutCache(others, run)
    if (!goesWithout) for (const failure of others) this.giveUp(failure)
    const again = retries.filter(({ targets }) => targets.some((name) => this.#left.includes(name)))
    const [first] = run.failures
    if (isLost) {
      this.#anew = true
      this.#warnings.unshift({ message: LOST })
    }
    // Nothing was learned: another run would end in the same way.
    if (!goesWithout && !isLost && again.length === 0 && this.#left.length === left && first !== undefined) {
      this.giveUp({ ...first, targets: [] })
    }
    return again
  }

  /** Accepts what `take` told of, not to begin before a time (ms). */
  tryAgain({ targets, retry }: Retry, notBefore: number): void {
    for (const name of targets.filter((target) => this.#left.includes(target))) {
      this.#tries.set(name, retry)
      this.#resting.set(name, notBefore)
    }
  }

  /** Leaves out what failed for good; with `failFast` that ends the build. */
  giveUp(failure: BuildFailure, because = ''): void {
    const targets = this.#against(failure)
    const tried = this.#triesOf(targets)
    if (targets.length === 0) return
    const { message } = failure.problem
    const told = tried === 0 ? message : `${message} It was tried ${tried + 1} times.`
    this.#failures.push({ ...failure, targets, problem: { ...failure.problem, message: `${told}${because}` } })
    this.#left = this.#options.failFast === true ? [] : this.#left.filter((name) => !targets.includes(name))
  }

  /** What is left of the targets that a failure stands against. */
  #against({ targets, step, problem }: BuildFailure): readonly string[] {
    const mine = this.#left.filter((name) => targets.includes(name))
    if (targets.length === 0) return this.#active.filter((name) => this.#left.includes(name))
    if (step !== undefined) return mine
    // It has one target's name, but where it comes back in the same words, it is not one target's.
    return this.#runs.slice(0, -1).some(({ failures }) => failures.some((old) => wordsOf(old.problem) === wordsOf(problem)))
      ? this.#left
      : mine
  } // prettier-ignore

  /** Whether the run that is over was given cached content of ours. */
  get #imported(): boolean {
    return this.#activeRequest().targets.some(({ cacheFrom = [] }) => cacheFrom.length > 0)
  }

  #isNeeded(stage: number): boolean {
    const needing = this.#options.targetsOf?.({ stage, text: '' })
    return needing === undefined || this.#active.some((name) => needing.includes(name))
  }

  #triesOf(targets: readonly string[]): number {
    return Math.max(0, ...targets.map((name) => this.#tries.get(name) ?? 0))
  }

  /** Cached content that was missing after all: everything but that may be in order. */
  #goesOnWithoutCache(failures: readonly BuildFailure[], { text }: Ran): boolean {
    if (!this.#imported || failures.length === 0) return false
    const errors = [...failures.flatMap(({ step }) => step?.error ?? []), ...text]
    const trouble = this.#options.cacheTrouble?.(errors.map(this.#options.mask))
    if (trouble === undefined) return false
    this.#imports = false
    this.#warnings.unshift({ message: `${CACHE_MISSING} (${trouble}): it was run again without them.` })
    return true
  }

  /**
   * With `no-cache`, what this build has carried out is taken from the builder's cache, where nothing of it is newer. A
   * stage that was broken off is carried out anew: an older result could stand in for the rest of it. So is everything
   * where that stage has no name to call it by, and for several platforms, where progress does not tell of all of them in
   * time.
   */
  #withoutRepeating(request: BuildRequest): BuildRequest {
    const { noCache = false, noCacheFilters = [], platforms = [] } = request
    if ((!noCache && noCacheFilters.length === 0) || platforms.length > 1) return request
    const { stages } = this.#options
    const whole = wholeStages(stages, this.steps())
    if (!noCache) {
      const done = new Set(stages.flatMap(({ index, name }) => (whole.has(index) ? (name ?? []) : [])))
      return { ...request, noCacheFilters: noCacheFilters.filter((name) => !done.has(name.toLowerCase())) }
    }
    const broken = stages.filter(({ index }) => !whole.has(index) && this.#isNeeded(index))
    const names = broken.flatMap(({ name }) => name ?? [])
    const isNamed = names.length === broken.length
    return { ...withoutImports(request), ...(isNamed ? { noCache: false, noCacheFilters: names } : {}) }
  }
}

function withoutImports(request: BuildRequest): BuildRequest {
  return { ...request, targets: request.targets.map((target) => ({ ...target, cacheFrom: [] })), cacheFrom: [] }
}

function judgementOf({ step }: BuildFailure): Judgement {
  return step === undefined ? { kind: 'lasting' } : judge(step)
}

function wordsOf({ message }: Problem): string {
  return message.replace(/^Target `.*?`: /, '')
}
