/**
 * What multi-stage left behind: the stages that a target used without being based on them, and what they weigh on the
 * builder's disk. They are never exported, so it is an estimate, and told so.
 */
import { diskUsage, type Docker } from './build/buildx.ts'
import { bytesOnDisk, type DiskRecord } from './build/du.ts'
import { isInstruction, type Step } from './build/progress.ts'
import { stagesOf } from './graph/reachability.ts'
import type { StageGraph } from './graph/stage-graph.ts'
import type { Planned } from './planning.ts'
import type { StageLeftBehind } from './report/summary-data.ts'

export interface LeftBehindOptions {
  readonly planned: Planned
  readonly steps: readonly Step[]
  /** File bytes of an image's layers, where they are known: better than what its files take on a disk. */
  readonly imageSize: (image: string) => number | undefined
}

/** By target. Never rejects: what cannot be told is unknown. */
export async function leftBehind(
  usage: DiskUsage,
  options: LeftBehindOptions,
): Promise<ReadonlyMap<string, readonly StageLeftBehind[]>> {
  const first = reports(await usage.records(), options)
  // What was asked for while images were exported may lack the last steps of another target.
  const complete = [...first.values()].flat().every((stage) => stage.size !== undefined)
  return complete ? first : reports(await usage.askAgain(), options)
}

function reports(
  records: readonly DiskRecord[],
  options: LeftBehindOptions,
): ReadonlyMap<string, readonly StageLeftBehind[]> {
  const { graph, targets } = options.planned
  return new Map(
    targets.map(({ name, stage: target }) => [
      name,
      stagesBehind(graph, target).flatMap((stage) => report(stage, { ...options, records }) ?? []),
    ]),
  )
}

/** What the builder keeps on its disk. Nothing is asked where no target leaves a stage behind. Never rejects. */
export class DiskUsage {
  readonly #docker: Docker
  readonly #builder: string | undefined
  readonly #needed: boolean
  /** Targets whose images are not yet being exported. */
  readonly #missing: Set<string>
  #early: Promise<readonly DiskRecord[]> | undefined

  constructor(docker: Docker, options: { readonly builder: string | undefined; readonly planned: Planned }) {
    const { graph, targets } = options.planned
    this.#docker = docker
    this.#builder = options.builder
    this.#needed = targets.some((target) => stagesBehind(graph, target.stage).length > 0)
    this.#missing = new Set(targets.map(({ name }) => name))
  }

  /**
   * The images of these targets begin to be exported. When that holds for all targets it is known what the builder keeps;
   * to ask for it then costs no time of its own.
   */
  expect(targets: readonly string[]): void {
    for (const name of targets) this.#missing.delete(name)
    if (this.#missing.size === 0) this.#early ??= this.#ask()
  }

  async records(): Promise<readonly DiskRecord[]> {
    return await (this.#early ??= this.#ask())
  }

  async askAgain(): Promise<readonly DiskRecord[]> {
    return await this.#ask()
  }

  async #ask(): Promise<readonly DiskRecord[]> {
    if (!this.#needed) return []
    try {
      return (await diskUsage(this.#docker, this.#builder)) ?? []
    } catch {
      return []
    }
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

function report(
  index: number,
  options: LeftBehindOptions & { readonly records: readonly DiskRecord[] },
): StageLeftBehind | undefined {
  const { graph } = options.planned
  const stage = graph.stages[index]
  if (stage === undefined) return undefined
  const chain = [...baseChain(graph, index)].reverse()
  const made = chain.flatMap((member) => stepsOf(options.steps, member))
  const lowest = graph.stages[chain[0] ?? index]
  const onDisk = bytesOnDisk(options.records, made)
  const base = lowest?.from.kind === 'image' ? options.imageSize(lowest.from.image) : undefined
  return {
    stage: index,
    name: stage.name,
    line: stage.line,
    baseImage: lowest?.from.kind === 'image' ? lowest.fromText : undefined,
    metric: 'unpacked',
    size: onDisk === undefined ? undefined : onDisk.own + (base ?? onDisk.base),
    approximate: true,
    platform: made[0]?.platform,
  }
}

/** A stage's instructions in order; of several platforms, those of the first. */
function stepsOf(steps: readonly Step[], stage: number): readonly Step[] {
  const mine = steps.filter((step) => step.stage === stage && isInstruction(step))
  const [first] = mine
  return mine.filter((step) => step.platform === first?.platform).sort((a, b) => (a.place ?? 0) - (b.place ?? 0))
}
