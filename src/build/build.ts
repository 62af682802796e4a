/**
 * The build as the pipeline asks for it: a request in, what became of every target out. Ties runs of bake to the model
 * of their progress, the live log and the reading of what they left; owns none of them. What the next run is for is
 * decided in `rounds.ts`.
 */
import { pause, retryLine, waitBeforeRetry } from '../backoff.ts'
import type { Problem } from '../errors.ts'
import { bake, type BakeOptions, type BakeResult } from './bake.ts'
import type { BuildRequest } from './build-request.ts'
import type { Docker } from './buildx.ts'
import { buildFailures, CANCELLED, problemsOf, type BuildFailure } from './failure.ts'
import { readMetadata, type BuildMetadata } from './metadata.ts'
import { BuildProgress, type PushedImage, type Step } from './progress.ts'
import type { ProgressLog } from './progress-log.ts'
import type { WarningEvent } from './rawjson.ts'
import { Rounds, type Ran, type Retry, type RoundsOptions } from './rounds.ts'
import { mergeTwins } from './twin-steps.ts'
import type { SourcePolicy } from './source-policy.ts'
import type { SourceLines } from './stage-layout.ts'

export interface BuildOptions extends RoundsOptions {
  /** Undefined: the current one. */
  readonly builder: string | undefined
  readonly policy: SourcePolicy | undefined
  readonly imageLines?: ReadonlyMap<string, SourceLines>
  /** The Dockerfile as problems name it (relative to the workspace). */
  readonly file: string
  readonly log: ProgressLog
  readonly tempRoot: string
  readonly signal?: AbortSignal | undefined
  /** Writes a line about the course of the build. */
  readonly say?: ((line: string) => void) | undefined
  /** Seconds that an image's registry now asks to wait; undefined where it does not. Never rejects. */
  readonly retryAfter?: ((image: string) => Promise<number | undefined>) | undefined
}

export interface BuildOutcome {
  /** `failed`: not every target is built. */
  readonly kind: 'built' | 'failed' | 'cancelled'
  readonly steps: readonly Step[]
  /** Findings of the Dockerfile checks. */
  readonly checks: readonly WarningEvent[]
  readonly warnings: readonly Problem[]
  /** Targets that are built, whatever became of the others. */
  readonly built: ReadonlySet<string>
  /** Of what is built. */
  readonly metadata: BuildMetadata
  /** Every reference that was pushed, with its digest; the measured copies among them. */
  readonly pushed: readonly PushedImage[]
  /** False when the measured copies could not be pushed and the build was run again without them. */
  readonly measured: boolean
  /** What stands against the other targets. */
  readonly failures: readonly BuildFailure[]
  /** The same as problems; never empty where something is not built. */
  readonly problems: readonly Problem[]
}

const TICK_MS = 5_000

/**
 * Builds all targets of the request: in one run of bake where nothing fails, otherwise in as many as it takes to finish
 * what can be finished.
 */
export async function build(docker: Docker, request: BuildRequest, options: BuildOptions): Promise<BuildOutcome> {
  const rounds = new Rounds(request, options)
  let isCancelled = false
  while (rounds.left.length > 0 && !isCancelled) {
    const known = rounds.failures.length
    const run = await runOnce(docker, rounds.begin(), { ...options, several: request.targets.length > 1 })
    await plan(rounds.take(run), rounds, options)
    isCancelled = run.kind === 'cancelled' || !(await rest(rounds, options.signal))
    if (rounds.failures.length > known && rounds.left.length > 0 && !isCancelled) options.say?.(goingOn(rounds, known))
  }
  const { runs } = rounds
  const problems = isCancelled ? [CANCELLED] : problemsOf(rounds.failures)
  return {
    kind: isCancelled ? 'cancelled' : problems.length > 0 ? 'failed' : 'built',
    steps: rounds.steps(),
    checks: [...new Map(runs.flatMap(({ checks }) => checks).map((check) => [`${check.line ?? ''}:${check.text}`, check])).values()],
    warnings: rounds.warnings(),
    built: rounds.built,
    metadata: {
      results: runs.flatMap(({ metadata }) => metadata.results),
      output: Object.assign({}, ...runs.map(({ metadata }) => metadata.output)) as BuildMetadata['output'],
    },
    pushed: runs.flatMap(({ pushed }) => pushed),
    measured: rounds.measures,
    failures: rounds.failures,
    problems,
  }
} // prettier-ignore

/** Sets when what failed is tried again, as its registry asks for, and says so. */
async function plan(retries: readonly Retry[], rounds: Rounds, options: BuildOptions): Promise<void> {
  const asked = await Promise.all(
    retries.map(async ({ judgement: { image } }) =>
      image === undefined ? undefined : await options.retryAfter?.(image),
    ),
  )
  const plans = retries.map((retry, index) => {
    const retryAfter = asked[index]
    return { retry, retryAfter, waitMs: waitBeforeRetry(retry.retry, { retryAfter }) }
  })
  for (const { retry, retryAfter, waitMs } of plans) {
    if (waitMs === undefined) {
      rounds.giveUp(retry.failure, ` The registry asks to wait ${retryAfter ?? '?'} s, which is too long.`)
    } else rounds.tryAgain(retry, performance.now() + waitMs)
  }
  const others = rounds.ready
  const lines = plans.flatMap(({ retry: { targets, judgement, retry }, retryAfter, waitMs }) => {
    const facts = { what: targets.join(', '), why: judgement.why, retry, retries: options.retries ?? 0, retryAfter }
    return waitMs === undefined ? [] : [retryLine({ ...facts, waitMs, others })]
  })
  for (const line of new Set(lines)) options.say?.(line)
}

/** Waits while there is nothing to do. False when that was cancelled. */
async function rest({ restsUntil }: Rounds, signal: AbortSignal | undefined): Promise<boolean> {
  const waitMs = restsUntil - performance.now()
  if (waitMs <= 0) return signal?.aborted !== true
  try {
    await pause(waitMs, signal)
    return true
  } catch {
    return false
  }
}

function goingOn(rounds: Rounds, known: number): string {
  const failed = new Set(rounds.failures.slice(known).flatMap(({ targets }) => targets))
  return `✗ ${[...failed].join(', ')} failed; going on with ${rounds.left.join(', ')}`
}

async function runOnce(
  docker: Docker,
  request: BuildRequest,
  options: BuildOptions & { readonly several: boolean },
): Promise<Ran> {
  const { signal, log } = options
  let progress: BuildProgress | undefined
  const bakeOptions: BakeOptions = {
    builder: options.builder,
    policy: options.policy,
    tempRoot: options.tempRoot,
    signal,
    onPlan: ({ targets, linked }) => {
      const { mask, stagesOf = () => options.stages } = options
      progress = new BuildProgress({ targets: [...targets, ...linked], stagesOf, mask, listener: log })
    },
    onEvents: (events) => progress?.apply(events),
  }
  const timer = setInterval(() => {
    log.tick()
  }, TICK_MS)
  let result: BakeResult
  try {
    result = await bake(docker, request, bakeOptions)
  } finally {
    clearInterval(timer)
    progress?.end()
    log.finish()
  }
  const { plan, ok, text } = result
  const steps = mergeTwins(progress?.steps() ?? [])
  const isCancelled = !ok && signal?.aborted === true
  return {
    kind: ok ? 'built' : isCancelled ? 'cancelled' : 'failed',
    steps,
    checks: progress?.warnings() ?? [],
    warnings: plan.warnings,
    text,
    metadata: ok ? readMetadata(result.metadata, plan.targets) : { results: [], output: {} },
    pushed: progress?.pushed() ?? [],
    failures:
      ok || isCancelled
        ? []
        : buildFailures({
            ...{ steps, text, file: options.file, mask: options.mask, targets: plan.targets },
            ...{ several: options.several, measureHost: request.measure?.host },
            placeOf: (target) => (target === undefined ? undefined : options.stagesOf?.(target)[0]),
            ...(options.imageLines === undefined ? {} : { imageLines: options.imageLines }),
            ...(options.targetsOf === undefined ? {} : { targetsOf: options.targetsOf }),
          }),
  }
}
