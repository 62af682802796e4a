/**
 * What a failed build can still give to the cache. BuildKit exports no cache for a failed target, and bake cancels the
 * others; but the builder has every step that was done, so a second run exports them at once. Here it is decided what
 * that run builds: the other targets, whole, and of the failed ones each stage as far as it came: a Dockerfile that ends
 * before its first instruction that was not done. Pure.
 */
import { stagesOf } from '../graph/reachability.ts'
import type { StageGraph } from '../graph/stage-graph.ts'
import type { RequestedTarget } from '../plan/targets.ts'
import type { Step } from './progress.ts'
import type { StageLayout } from './stage-layout.ts'

/** A stage, as far as it was built. */
export interface StagePart {
  readonly stage: number
  /** The part ends before this 1-based line. */
  readonly endsBefore: number
}

export interface Rescue {
  /** Targets that nothing stands against. */
  readonly siblings: readonly RequestedTarget[]
  readonly parts: readonly StagePart[]
}

export interface RescueFacts {
  readonly graph: StageGraph
  readonly layouts: readonly StageLayout[]
  /** The targets whose cache was not exported. */
  readonly targets: readonly RequestedTarget[]
  readonly steps: readonly Step[]
  /** `no-cache`: to finish a target would mean to run all of it again. */
  readonly noCache: boolean
}

/** Decides what a second run builds; nothing where the first one got nowhere. */
export function planRescue(facts: RescueFacts): Rescue {
  const { graph, targets, steps } = facts
  const failed = steps.filter((step) => step.status === 'failed')
  const failedStages = new Set(failed.flatMap((step) => step.stage ?? []))
  const blamed = new Set(failed.filter((step) => step.stage === undefined).flatMap((step) => step.targets))
  const isSound = (target: RequestedTarget): boolean =>
    !blamed.has(target.name) && !stagesOf(graph, target.stage).some((stage) => failedStages.has(stage))
  // Without a failed step nobody knows what stands against the targets.
  const siblings = failed.length === 0 || facts.noCache ? [] : targets.filter(isSound)
  const rest = targets.filter((target) => !siblings.includes(target))
  const wanted = new Set(rest.flatMap((target) => stagesOf(graph, target.stage)))
  const parts = [...wanted].flatMap((stage) => partOf(stage, facts) ?? [])
  return { siblings, parts: parts.filter((part) => !parts.some((other) => covers(other, part, graph))) }
}

function partOf(index: number, { graph, layouts, steps }: RescueFacts): StagePart | undefined {
  const stage = graph.stages[index]
  const layout = layouts[index]
  if (stage === undefined || layout === undefined || stage.replacedByContext !== undefined) return undefined
  const mine = steps.filter((step) => step.stage === index && !step.text.startsWith('FROM '))
  const isDone = (step: Step): boolean => step.status === 'done' || step.status === 'cached'
  const lines = mine.filter((step) => !isDone(step)).flatMap((step) => step.source?.line ?? [])
  const known = new Set(mine.flatMap((step) => step.source?.line ?? []))
  const unknown = layout.counted.filter(({ line }) => !known.has(line)).map(({ line }) => line)
  const endsBefore = Math.min(stage.endLine + 1, ...lines, ...unknown)
  const some = mine.some((step) => isDone(step) && (step.source?.line ?? Infinity) < endsBefore)
  return some ? { stage: index, endsBefore } : undefined
}

/** Whether to build one part builds the other, too. */
function covers(part: StagePart, other: StagePart, graph: StageGraph): boolean {
  const whole = other.endsBefore > (graph.stages[other.stage]?.endLine ?? Infinity)
  if (part.stage === other.stage || !whole) return false
  const stage = graph.stages[part.stage]
  const sources = [
    ...(stage === undefined ? [] : [stage.from]),
    ...(stage?.needs ?? []).filter((need) => need.line < part.endsBefore).map((need) => need.source),
  ]
  return sources.some((source) => source.kind === 'stage' && stagesOf(graph, source.stage).includes(other.stage))
}

/**
 * The Dockerfile's text up to the end of a part: its stage is the last, and so the one that is built.
 * @param above how many lines of its file stand above the text
 */
export function partialDockerfile(text: string, part: StagePart, above = 0): string {
  const lines = text.split('\n').slice(0, part.endsBefore - 1 - above)
  return `${lines.join('\n')}\n`
}
