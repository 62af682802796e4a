/**
 * The steps of a build that bake was run for several times: what the runs tell of them, made one, and what of the build
 * is done for good. Pure.
 */
import { stagesOf } from '../graph/reachability.ts'
import type { StageGraph } from '../graph/stage-graph.ts'
import type { RequestedTarget } from '../plan/targets.ts'
import type { Step } from './progress.ts'
import type { StageLayout } from './stage-layout.ts'
import { twinKey } from './twin-steps.ts'

/**
 * Each instruction once. What ran in an earlier run is found in the builder's cache by the next one, but it did run; what
 * was stopped there went on later. The last run is told as it is.
 * @param isFinal whether a failed step is what the build ends with, not one that was tried again
 */
export function mergeRuns(runs: readonly (readonly Step[])[], isFinal: (step: Step) => boolean): readonly Step[] {
  return runs.reduce((earlier, later) => mergeTwo(earlier, later, isFinal), [])
}

function mergeTwo(earlier: readonly Step[], later: readonly Step[], isFinal: (step: Step) => boolean): readonly Step[] {
  const known = new Map(earlier.map((step) => [twinKey(step), step]))
  const seen = new Set(later.map(twinKey))
  const isKept = (step: Step): boolean => {
    if (seen.has(twinKey(step))) return false
    if (step.status === 'failed') return isFinal(step)
    // Housekeeping and exports that were stopped begin anew under other digests.
    return step.kind === 'stage' || step.status === 'done' || step.status === 'cached'
  }
  const merged = later.map((now) => {
    const before = known.get(twinKey(now))
    if (before === undefined) return now
    const hasEnded = before.status === 'done' || (before.status === 'failed' && isFinal(before))
    const isNews = now.status === 'done' || now.status === 'failed' || !hasEnded
    return { ...(isNews ? now : before), targets: [...new Set([...before.targets, ...now.targets])] }
  })
  return [...earlier.filter(isKept), ...merged]
}

/** The stages that were carried out to their last instruction, on a builder for one platform. */
export function wholeStages(layouts: readonly StageLayout[], steps: readonly Step[]): ReadonlySet<number> {
  const byStage = Map.groupBy(steps, ({ stage }) => stage)
  const whole = layouts.filter(({ index, counted }) => {
    const mine = (byStage.get(index) ?? []).filter(({ text }) => !text.startsWith('FROM '))
    const lines = new Set(mine.map(({ source }) => source?.line))
    const areDone = mine.every(({ status }) => status === 'done' || status === 'cached')
    return areDone && counted.every(({ line }) => lines.has(line))
  })
  return new Set(whole.map(({ index }) => index))
}

/** The targets that a step stands against when it fails: all that need its stage, or the image that it asks for. */
export function targetsNeeding(
  graph: StageGraph,
  targets: readonly RequestedTarget[],
): (step: Pick<Step, 'stage' | 'text'>) => readonly string[] {
  const stages = new Map(targets.map(({ name, stage }) => [name, stagesOf(graph, stage)]))
  return ({ stage, text }) => {
    const image = /^load metadata for (\S+)$/.exec(text)?.[1]
    const isMeant = (index: number): boolean =>
      index === stage || (image !== undefined && imagesOf(graph, index).includes(image))
    return [...stages].flatMap(([name, needed]) => (needed.some(isMeant) ? [name] : []))
  }
}

function imagesOf({ stages }: StageGraph, index: number): readonly string[] {
  const stage = stages[index]
  if (stage === undefined || stage.replacedByContext !== undefined) return []
  const sources = [stage.from, ...stage.needs.map(({ source }) => source)]
  return sources.flatMap((source) => (source.kind === 'image' ? [source.image] : []))
}
