/**
 * The build as the pipeline asks for it: a request in, what became of every target out. Ties one bake run to the
 * model of its progress, the live log and the reading of what it left; owns none of them.
 */
import type { Problem } from '../errors.ts'
import { bake, type BakeOptions, type BakeResult } from './bake.ts'
import type { BuildRequest } from './build-request.ts'
import type { Docker } from './buildx.ts'
import { CANCELLED, failureProblems, onlyPushesFailed } from './failure.ts'
import { readMetadata, type BuildMetadata } from './metadata.ts'
import { BuildProgress, type PushedImage, type Step } from './progress.ts'
import type { ProgressLog } from './progress-log.ts'
import type { WarningEvent } from './rawjson.ts'
import { mergeTwins } from './twin-steps.ts'
import type { SourcePolicy } from './source-policy.ts'
import type { SourceLines, StageLayout } from './stage-layout.ts'

export interface BuildOptions {
  /** Undefined: the current one. */
  readonly builder: string | undefined
  readonly policy: SourcePolicy | undefined
  readonly stages: readonly StageLayout[]
  readonly imageLines?: ReadonlyMap<string, SourceLines>
  /** The Dockerfile as problems name it (relative to the workspace). */
  readonly file: string
  readonly mask: (text: string) => string
  readonly log: ProgressLog
  readonly tempRoot: string
  readonly signal?: AbortSignal | undefined
  /**
   * What the layer registry could not give though it had promised it: the build may have failed for that alone.
   * @param errors what the build says
   */
  readonly cacheTrouble?: ((errors: readonly string[]) => string | undefined) | undefined
}

interface Ran {
  readonly steps: readonly Step[]
  /** Findings of the Dockerfile checks. */
  readonly checks: readonly WarningEvent[]
  readonly warnings: readonly Problem[]
}

export type BuildOutcome =
  | (Ran & {
      readonly kind: 'built'
      readonly metadata: BuildMetadata
      /** Every reference that was pushed, with its digest; the measured copies among them. */
      readonly pushed: readonly PushedImage[]
      /** False when the measured copies could not be pushed and the build was run again without them. */
      readonly measured: boolean
    })
  | (Ran & { readonly kind: 'failed'; readonly problems: readonly Problem[] })
  | (Ran & { readonly kind: 'cancelled'; readonly problems: readonly Problem[] })

const TICK_MS = 5_000

/**
 * Builds all targets of the request in one run. In a second one without what failed, if only that did: cached content
 * that was missing after all, or the measured copies, where the builder does not reach the layer registry.
 */
export async function build(docker: Docker, request: BuildRequest, options: BuildOptions): Promise<BuildOutcome> {
  const first = await runOnce(docker, request, options)
  if (first.outcome.kind !== 'failed') return first.outcome
  const host = request.measure?.host
  if (host !== undefined && onlyPushesFailed(first, host)) {
    const { outcome } = await runOnce(docker, withoutCache({ ...request, measure: undefined }), options)
    return { ...outcome, warnings: [UNREACHABLE, ...outcome.warnings] }
  }
  const errors = [...first.steps.flatMap((step) => step.error ?? []), ...first.text]
  const isCached = request.targets.some(({ cacheFrom = [] }) => cacheFrom.length > 0)
  const trouble = isCached ? options.cacheTrouble?.(errors.map(options.mask)) : undefined
  if (trouble === undefined) return first.outcome
  const targets = request.targets.map((target) => ({ ...target, cacheFrom: [] }))
  const { outcome } = await runOnce(docker, { ...request, targets }, options)
  const warning: Problem = { message: `${CACHE_MISSING} (${trouble}): it was run again without them.` }
  return { ...outcome, warnings: [warning, ...outcome.warnings] }
}

const UNREACHABLE: Problem = {
  message:
    'The builder could not reach the registry of this step on loopback: there is no layer cache, and sizes come from elsewhere or are unknown.',
  mend: 'Let stage-build choose the builder, or create yours with `driver-opts: network=host`.',
}

const CACHE_MISSING = 'Cached layers could not be had when the build needed them'

/** Whether `build` told of trouble with the layer cache. */
export function tellsOfCache(problems: readonly Problem[]): boolean {
  return problems.some((problem) => problem === UNREACHABLE || problem.message.startsWith(CACHE_MISSING))
}

function withoutCache(request: BuildRequest): BuildRequest {
  return { ...request, targets: request.targets.map((target) => ({ ...target, cacheFrom: [], cacheTo: [] })) }
}

interface OneRun {
  readonly outcome: BuildOutcome
  readonly steps: readonly Step[]
  readonly text: readonly string[]
}

async function runOnce(docker: Docker, request: BuildRequest, options: BuildOptions): Promise<OneRun> {
  const { signal, log } = options
  let progress: BuildProgress | undefined
  const bakeOptions: BakeOptions = {
    builder: options.builder,
    policy: options.policy,
    tempRoot: options.tempRoot,
    signal,
    onPlan: ({ targets }) => {
      progress = new BuildProgress({ targets, stages: options.stages, mask: options.mask, listener: log })
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
  const steps = mergeTwins(progress?.steps() ?? [])
  const ran: Ran = { steps, checks: progress?.warnings() ?? [], warnings: result.plan.warnings }
  return { outcome: outcomeOf(result, { ran, progress, request, options }), steps, text: result.text }
}

interface Context {
  readonly ran: Ran
  readonly progress: BuildProgress | undefined
  readonly request: BuildRequest
  readonly options: BuildOptions
}

function outcomeOf(result: BakeResult, { ran, progress, request, options }: Context): BuildOutcome {
  const { targets } = result.plan
  if (result.ok) {
    const metadata = readMetadata(result.metadata, targets)
    const measured = request.measure !== undefined
    return { kind: 'built', ...ran, metadata, pushed: progress?.pushed() ?? [], measured }
  }
  if (options.signal?.aborted === true) return { kind: 'cancelled', ...ran, problems: [CANCELLED] }
  const problems = failureProblems({
    steps: ran.steps,
    text: result.text,
    file: options.file,
    cancelled: false,
    mask: options.mask,
    targets,
    measureHost: request.measure?.host,
    ...(options.imageLines === undefined ? {} : { imageLines: options.imageLines }),
  })
  return { kind: 'failed', ...ran, problems }
}
