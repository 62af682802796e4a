/**
 * Makes one stage of those that are the same: of one Dockerfile, which bake builds with several sets of options, the stages
 * that these do not reach. What is the same is told by fingerprints, never by names. Pure.
 */
import { mapSources } from '../graph/join.ts'
import type { Stage, StageGraph } from '../graph/stage-graph.ts'
import type { PrintedSource, StagePrint } from './stage-print.ts'
import type { TargetPrint } from './target-print.ts'
import type { RequestedTarget } from './targets.ts'

export interface United {
  readonly graph: StageGraph
  /** Of each Dockerfile with its options, the numbers of its stages. */
  readonly stages: readonly (readonly number[])[]
  readonly targets: readonly RequestedTarget[]
  readonly linked: readonly RequestedTarget[]
  readonly prints: ReadonlyMap<string, TargetPrint>
}

/** Unites; a graph of one part stays as it is. */
export function unite(joined: United): United {
  if (joined.stages.length < 2) return joined
  const { graph, prints } = joined
  const leaders = leadersOf(joined)
  const leaderOf = (index: number): number => leaders.get(index) ?? index
  const kept = [...new Set(graph.stages.map(({ index }) => leaderOf(index)))]
  const numbers = new Map(kept.map((leader, number) => [leader, number]))
  const at = (index: number): number => numbers.get(leaderOf(index)) ?? index
  const stages = kept.flatMap((index): readonly Stage[] => {
    const stage = graph.stages[index]
    if (stage === undefined) return []
    const moved = mapSources(stage, (source) =>
      source.kind === 'stage' ? { kind: 'stage', stage: at(source.stage) } : source,
    )
    return [{ ...moved, index: at(index) }]
  })
  const move = (target: RequestedTarget): RequestedTarget => ({ ...target, stage: at(target.stage) })
  return {
    graph: { ...graph, stages, defaultTarget: at(graph.defaultTarget) },
    stages: joined.stages.map((all) => all.map(at)),
    targets: joined.targets.map(move),
    linked: joined.linked.map(move),
    prints: new Map([...prints].map(([name, print]) => [name, renumbered(print, at)])),
  }
}

/** Of each stage the one that stands for it: itself, or an equal one. */
function leadersOf({ graph, stages, prints }: United): ReadonlyMap<number, number> {
  const known = fingerprintsOf([...prints.values()])
  const places = stages.flatMap((all) => all.map((index, place) => ({ index, place })))
  const keyOf = ({ index, place }: (typeof places)[number]): string | undefined => {
    const fingerprint = known.get(index)
    const stage = graph.stages[index]
    // Cache mounts are in no fingerprint.
    const mounts = stage?.steps.flatMap(({ caches }) => caches)
    return fingerprint === undefined
      ? undefined
      : JSON.stringify([stage?.file, stage?.line, place, fingerprint, mounts])
  }
  const groups = new Map<string, number>()
  const leaders = new Map<number, number>()
  for (const entry of places) {
    const key = keyOf(entry)
    const leader = (key === undefined ? undefined : groups.get(key)) ?? entry.index
    if (key !== undefined) groups.set(key, leader)
    leaders.set(entry.index, leader)
  }
  // Nobody needs it here: any of the file's stages at this place stands for it.
  const reached = new Set(
    [...prints.values()].flatMap(({ platforms }) => platforms.flatMap((one) => one.stages.map(({ index }) => index))),
  )
  const standIns = new Map<string, number>()
  const placeKey = ({ index, place }: (typeof places)[number]): string =>
    JSON.stringify([graph.stages[index]?.file, graph.stages[index]?.line, place])
  for (const entry of [...places.filter(({ index }) => reached.has(index)), ...places]) {
    if (!standIns.has(placeKey(entry))) standIns.set(placeKey(entry), leaders.get(entry.index) ?? entry.index)
  }
  for (const entry of places.filter(({ index }) => !reached.has(index))) {
    leaders.set(entry.index, standIns.get(placeKey(entry)) ?? entry.index)
  }
  return leaders
}

/** Of stages whose results are known on every platform. */
function fingerprintsOf(prints: readonly TargetPrint[]): ReadonlyMap<number, string> {
  const found = new Map<number, Map<string, string | undefined>>()
  for (const { platform, stages } of prints.flatMap(({ platforms }) => platforms)) {
    for (const { index, fingerprint } of stages) {
      const known = found.get(index) ?? new Map<string, string | undefined>()
      found.set(index, known.set(platform, fingerprint))
    }
  }
  return new Map(
    [...found].flatMap(([index, all]) =>
      [...all.values()].includes(undefined) ? [] : [[index, JSON.stringify([...all].sort())] as const],
    ),
  )
}

function renumbered(print: TargetPrint, at: (index: number) => number): TargetPrint {
  const source = (one: PrintedSource): PrintedSource =>
    one.kind === 'stage' ? { ...one, name: String(at(Number(one.name))) } : one
  const stage = (one: StagePrint): StagePrint => ({
    ...one,
    index: at(one.index),
    base: source(one.base),
    steps: one.steps.map((step) => ({
      ...step,
      settings: step.settings.map((setting) => ({ ...setting, stage: at(setting.stage) })),
      sources: step.sources.map(source),
    })),
  })
  const platforms = print.platforms.map(({ platform, stages }) => ({ platform, stages: stages.map(stage) }))
  return { ...print, platforms }
}
