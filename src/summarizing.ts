/** From plan and build to what the job summary is made from. Pure. */
import { isInstruction, type Step } from './build/progress.ts'
import type { Built } from './built.ts'
import { sinceText } from './decision.ts'
import type { Inputs } from './inputs.ts'
import type { RequestedTarget } from './plan/targets.ts'
import type { BuiltImage } from './outputs.ts'
import type { Planned, PlannedPart } from './planning.ts'
import type { Project } from './project.ts'
import {
  MAX_STAGE,
  stageName,
  type Failure,
  type PlatformReport,
  type SummaryData,
  type TargetReport,
  type TargetStatus,
  type TimelineEntry,
} from './report/summary-data.ts'

interface Sources {
  readonly inputs: Inputs
  readonly project: Project
  readonly planned: Planned
  /** Undefined where nothing was built (`mode: plan`). */
  readonly built: Built | undefined
  readonly durationMs: number
}

/** What the summary shows. */
export function summaryData({ inputs, project, planned, built, durationMs }: Sources): SummaryData {
  return {
    title: project.id,
    file: project.dockerfileName,
    context: inputs.context,
    targets: planned.targets.map((target) => targetReport(target, planned, built)),
    durationMs,
    graph: planned.graph,
    sharedStages: planned.plan.shared,
    externalImages: planned.images.entries().map(({ image, digest, mapped }) => ({
      image,
      digest,
      mapped,
      before: movedFrom(planned.before, image, digest),
    })),
    timeline: built === undefined ? [] : timelineOf(built.steps, planned),
    cache: built?.cache,
    missing: built?.missing ?? [],
    notes: [],
    warnings: [...planned.warnings, ...(built?.warnings ?? [])],
    failures: (built?.problems ?? []).map((problem): Failure => ({ problem, lastLines: problem.lastLines ?? [] })),
  }
}

function targetReport(target: RequestedTarget, planned: Planned, built: Built | undefined): TargetReport {
  const { name, stage } = target
  const steps = (built?.steps ?? []).filter((step) => step.targets.includes(name))
  const image = built?.images.find((candidate) => candidate.target === name)
  const instructions = steps.filter(isInstruction)
  return {
    name,
    stage,
    status: statusOf(target, { image, built }),
    tags: planned.tagsOf.get(name) ?? [],
    digest: image?.digest,
    platforms: built?.measured.sizes.get(name)?.platforms ?? unknownSizes(planned.partOf(name), built),
    durationMs: durationOf(steps),
    steps: built?.unchanged.has(name) === true ? undefined : countSteps(instructions),
    leftBehind: image === undefined ? [] : (built?.measured.leftBehind.get(name) ?? []),
    ...whyOf(target, planned),
  }
}

function countSteps(instructions: readonly Step[]): TargetReport['steps'] {
  return {
    run: instructions.filter((step) => step.status === 'done').length,
    cached: instructions.filter((step) => step.status === 'cached').length,
  }
}

function statusOf(
  { name }: RequestedTarget,
  found: { readonly image: BuiltImage | undefined; readonly built: Built | undefined },
): TargetStatus {
  if (found.built?.unchanged.has(name) === true) return 'unchanged'
  if (found.image !== undefined) return 'built'
  return found.built?.failed.has(name) === true ? 'failed' : 'skipped'
}

function whyOf({ name }: RequestedTarget, { decisions, graph }: Planned): Pick<TargetReport, 'reasons' | 'since'> {
  const decision = decisions.get(name)
  if (decision === undefined) return { reasons: [], since: undefined }
  if (decision.status === 'unchanged') return { reasons: [], since: sinceText(decision) }
  const reasons = decision.reasons.map(({ text, stage: index, line }) => {
    const stage = index === undefined ? undefined : graph.stages[index]
    const file = stage?.file === undefined ? {} : { file: stage.file }
    return { text, line, stage: stage === undefined ? undefined : stageName(stage, 60), ...file }
  })
  return { reasons, since: undefined }
}

/** The digest of the last build, where another one is built on now. */
function movedFrom(before: ReadonlyMap<string, string>, image: string, digest: string | undefined): string | undefined {
  const known = before.get(image)
  return digest === undefined || known === digest ? undefined : known
}

function unknownSizes(
  { platforms }: Pick<PlannedPart, 'platforms'>,
  built: Built | undefined,
): readonly PlatformReport[] {
  const unknown = { total: undefined, own: undefined, inherited: undefined }
  if (built === undefined || built.images.length === 0) return []
  return platforms.map((platform) => ({
    platform,
    transfer: unknown,
    unpacked: unknown,
    unknownReason: built.measured.unknownReason,
  }))
}

function durationOf(steps: readonly Step[]): number | undefined {
  const started = steps.flatMap((step) => step.startedMs ?? [])
  if (started.length === 0) return undefined
  const ended = steps.map((step) => (step.startedMs ?? 0) + step.durationMs)
  return Math.max(...ended) - Math.min(...started)
}

function timelineOf(steps: readonly Step[], planned: Planned): readonly TimelineEntry[] {
  const shown = steps.filter(
    (step) => step.startedMs !== undefined && (step.kind === 'stage' || step.kind === 'export'),
  )
  const zero = Math.min(...shown.map((step) => step.startedMs ?? Infinity))
  return shown.map((step) => {
    const stage = step.stage === undefined ? undefined : planned.graph.stages[step.stage]
    const start = (step.startedMs ?? zero) - zero
    return {
      // A mapped image goes by the name that the Dockerfile gives it.
      label: stage !== undefined && step.text.startsWith('FROM ') ? `FROM ${stage.fromText}` : step.text,
      stage: stage === undefined ? step.targets.join(', ') : stageName(stage, MAX_STAGE),
      target: step.targets.length === 1 ? step.targets[0] : undefined,
      startMs: start,
      endMs: start + step.durationMs,
      cached: step.status === 'cached',
    }
  })
}
