/** What a build did, by target and stage: for the end of the log and for the report. Pure. */
import { isInstruction, type Step } from './progress.ts'
import { seconds } from './progress-log.ts'

export interface StageSummary {
  /** Index in the Dockerfile; undefined for steps beside the stages (exports). */
  readonly stage: number | undefined
  readonly name: string
  readonly ran: number
  readonly cached: number
  readonly failed: number
  /** Time of the steps that ran, summed. */
  readonly durationMs: number
}

export interface TargetSummary {
  readonly target: string
  readonly stages: readonly StageSummary[]
}

/** Instructions by target and stage, in the order in which BuildKit met them; images and housekeeping left out. */
export function summarize(steps: readonly Step[], targets: readonly string[]): readonly TargetSummary[] {
  const instructions = steps.filter(isInstruction)
  return targets.map((target) => {
    const mine = instructions.filter((step) => step.targets.includes(target))
    const groups = Map.groupBy(mine, (step) => step.stage ?? step.stageName ?? '')
    const stages = [...groups.values()].map((group) => stageSummary(group))
    return { target, stages: stages.toSorted((a, b) => (a.stage ?? 0) - (b.stage ?? 0)) }
  })
}

function stageSummary(steps: readonly Step[]): StageSummary {
  const count = (status: Step['status']): number => steps.filter((step) => step.status === status).length
  return {
    stage: steps[0]?.stage,
    name: steps[0]?.stageName ?? '',
    ran: count('done'),
    cached: count('cached'),
    failed: count('failed'),
    durationMs: steps.reduce((sum, step) => sum + (step.status === 'cached' ? 0 : step.durationMs), 0),
  }
}

/** One line a target: `prod: builder 4 run 31.0s, 2 cached · prod 3 cached`. */
export function summaryLines(summaries: readonly TargetSummary[]): readonly string[] {
  return summaries.map(({ target, stages }) => {
    const parts = stages.map((stage) => [stage.name, counts(stage)].filter((part) => part !== '').join(' '))
    return `${target}: ${parts.length === 0 ? 'nothing to run' : parts.join(' · ')}`
  })
}

function counts(stage: StageSummary): string {
  return [
    stage.ran > 0 ? `${stage.ran} run ${seconds(stage.durationMs)}` : '',
    stage.cached > 0 ? `${stage.cached} cached` : '',
    stage.failed > 0 ? `${stage.failed} failed` : '',
  ]
    .filter((part) => part !== '')
    .join(', ')
}
