/**
 * What targets need: stages in build order, stages that several share, images from outside, errors that count. Linear in
 * the size of the graph, and without recursion: a chain may be a thousand stages long.
 */
import type { DockerfileError } from '../dockerfile/dockerfile-error.ts'
import type { NeedVia, Stage, StageGraph, StageSource } from './stage-graph.ts'

/**
 * The target and every stage it needs, each after those that it needs itself; otherwise in the order of the file. A stage
 * replaced by a named context keeps what it copies, as in BuildKit.
 */
export function stagesOf(graph: StageGraph, target: number): readonly number[] {
  return buildOrder(graph, [target])
}

/** Every stage that any of the targets needs, in build order. */
export function stagesOfAll(graph: StageGraph, targets: readonly number[]): readonly number[] {
  return buildOrder(graph, targets)
}

function buildOrder(graph: StageGraph, targets: readonly number[]): readonly number[] {
  const reached = reachedFrom(graph, targets)
  const order: number[] = []
  const entered = new Set<number>()
  for (const root of [...reached].sort((a, b) => a - b)) {
    if (entered.has(root)) continue
    entered.add(root)
    const stack = [{ stage: root, needs: neededStages(graph, root), next: 0 }]
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const needed = top.needs[top.next++]
      if (needed === undefined) {
        order.push(top.stage)
        stack.pop()
      } else if (!entered.has(needed)) {
        // One that is entered but not ordered yet would be a circle: an error elsewhere, no endless walk here.
        entered.add(needed)
        stack.push({ stage: needed, needs: neededStages(graph, needed), next: 0 })
      }
    }
  }
  return order
}

function reachedFrom(graph: StageGraph, targets: readonly number[]): ReadonlySet<number> {
  const reached = new Set(targets.filter((target) => graph.stages[target] !== undefined))
  for (const stage of reached) for (const needed of neededStages(graph, stage)) reached.add(needed)
  return reached
}

/** The stages that a stage needs directly, in the order of the file. */
export function neededStages(graph: StageGraph, stage: number): readonly number[] {
  const found = new Set<number>()
  for (const source of sourcesOf(graph.stages[stage])) if (source.kind === 'stage') found.add(source.stage)
  return [...found].sort((a, b) => a - b)
}

function sourcesOf(stage: Stage | undefined): readonly StageSource[] {
  return stage === undefined ? [] : [stage.from, ...stage.needs.map((need) => need.source)]
}

/**
 * The stages that two or more of the targets need (a target that another one needs is shared, too), in build order.
 * @param sameAs of a stage that is built as another one is, that one
 */
export function sharedStages(
  graph: StageGraph,
  targets: readonly number[],
  sameAs: (stage: number) => number = (stage) => stage,
): readonly number[] {
  const counts = new Map<number, number>()
  for (const target of new Set(targets)) {
    const reached = new Set([...reachedFrom(graph, [target])].map(sameAs))
    for (const stage of reached) counts.set(stage, (counts.get(stage) ?? 0) + 1)
  }
  return buildOrder(graph, targets).filter((stage) => (counts.get(sameAs(stage)) ?? 0) > 1)
}

/** The errors that count for these targets, in BuildKit's order. */
export function errorsFor(
  errors: readonly DockerfileError[],
  graph: StageGraph | undefined,
  targets: readonly number[],
): readonly DockerfileError[] {
  const reached = graph === undefined ? new Set<number>() : reachedFrom(graph, targets)
  return errors.filter(({ scope, stage }) => scope !== 'reachable-only' || (stage !== undefined && reached.has(stage)))
}

/** Where an image is named. */
export interface ImageUse {
  readonly stage: number
  readonly line: number
  readonly via: 'from' | NeedVia
  /** The platform that it is wanted for. */
  readonly platform: string
}

export interface ExternalImage {
  /** Normalised: `docker.io/library/alpine:latest`. */
  readonly image: string
  /** Every platform that it is wanted for, each once. */
  readonly platforms: readonly string[]
  readonly uses: readonly ImageUse[]
}

/** Every image from outside that these stages (default: all) name, in the order of the file. */
export function externalImages(graph: StageGraph, stages?: readonly number[]): readonly ExternalImage[] {
  const wanted = stages === undefined ? undefined : new Set(stages)
  const uses = new Map<string, ImageUse[]>()
  const add = (source: StageSource, use: ImageUse): void => {
    if (source.kind !== 'image') return
    const known = uses.get(source.image)
    if (known === undefined) uses.set(source.image, [use])
    else known.push(use)
  }
  for (const { index, line, from, platform, needs } of graph.stages) {
    if (wanted?.has(index) === false) continue
    add(from, { stage: index, line, via: 'from', platform })
    for (const need of needs) {
      add(need.source, { stage: index, line: need.line, via: need.via, platform: graph.platform })
    }
  }
  return [...uses].map(([image, places]) => ({
    image,
    platforms: [...new Set(places.map((use) => use.platform))],
    uses: places,
  }))
}
