/**
 * What multi-stage left behind: the stages that a target used without being based on them, and what they weigh on the
 * builder's disk. They are never exported, so it is an estimate, and told so.
 */
import { diskUsageArgs, runDocker, type Docker } from './build/buildx.ts'
import { bytesOnDisk, readDiskUsage, type DiskRecord } from './build/du.ts'
import type { Step } from './build/progress.ts'
import { stagesOf } from './graph/reachability.ts'
import type { StageGraph } from './graph/stage-graph.ts'
import type { Planned } from './planning.ts'
import type { StageLeftBehind } from './report/summary-data.ts'

/** By target. Never rejects: what cannot be told is unknown. */
export async function leftBehind(options: {
  readonly docker: Docker
  readonly builder: string | undefined
  readonly planned: Planned
  readonly steps: readonly Step[]
}): Promise<ReadonlyMap<string, readonly StageLeftBehind[]>> {
  const { docker, builder, planned, steps } = options
  const { graph, targets } = planned
  const behind = new Map(targets.map((target) => [target.name, stagesBehind(graph, target.stage)]))
  const stages = new Set([...behind.values()].flat())
  if (stages.size === 0) return new Map()
  const records = await diskRecords(docker, builder)
  const reports = new Map([...stages].map((stage) => [stage, report({ graph, stage, records, steps })]))
  return new Map([...behind].map(([name, indexes]) => [name, indexes.flatMap((index) => reports.get(index) ?? [])]))
}

async function diskRecords(docker: Docker, builder: string | undefined): Promise<readonly DiskRecord[]> {
  try {
    const { code, stdout } = await runDocker(docker, diskUsageArgs(builder))
    return code === 0 ? readDiskUsage(stdout) : []
  } catch {
    return []
  }
}

/**
 * The stages that a target copies or mounts from; a stage that another one of them is based on is counted in that one
 * and not named again.
 */
function stagesBehind(graph: StageGraph, target: number): readonly number[] {
  const kept = new Set(baseChain(graph, target))
  const left = stagesOf(graph, target).filter((stage) => !kept.has(stage))
  const beneath = new Set(left.flatMap((stage) => baseChain(graph, stage).slice(1)))
  return left.filter((stage) => !beneath.has(stage))
}

/** A stage and the stages it is based on, the uppermost first. */
function baseChain(graph: StageGraph, stage: number): readonly number[] {
  const chain: number[] = []
  for (let current = graph.stages[stage]; current !== undefined && !chain.includes(current.index);) {
    chain.push(current.index)
    current = current.from.kind === 'stage' ? graph.stages[current.from.stage] : undefined
  }
  return chain
}

function report(options: {
  readonly graph: StageGraph
  readonly stage: number
  readonly records: readonly DiskRecord[]
  readonly steps: readonly Step[]
}): StageLeftBehind | undefined {
  const { graph, stage: index, records, steps } = options
  const stage = graph.stages[index]
  if (stage === undefined) return undefined
  const chain = [...baseChain(graph, index)].reverse()
  const made = chain.flatMap((member) => stepsOf(steps, member))
  const lowest = graph.stages[chain[0] ?? index]
  return {
    stage: index,
    name: stage.name,
    line: stage.line,
    baseImage: lowest?.from.kind === 'image' ? lowest.fromText : undefined,
    metric: 'unpacked',
    size: bytesOnDisk(records, made),
    approximate: true,
    platform: made[0]?.platform,
  }
}

/** A stage's instructions in order; of several platforms, those of the first. */
function stepsOf(steps: readonly Step[], stage: number): readonly Step[] {
  const mine = steps.filter((step) => step.stage === stage && step.kind === 'stage' && !step.text.startsWith('FROM '))
  const [first] = mine
  return mine.filter((step) => step.platform === first?.platform).sort((a, b) => (a.place ?? 0) - (b.place ?? 0))
}
