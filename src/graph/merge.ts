/**
 * One graph from several resolutions of the same Dockerfile: for several platforms, or for several targets where a
 * FROM depends on TARGETSTAGE. Stages are the same in all; a stage may have another base or other needs in each.
 */
import type { Stage, StageGraph, StageNeed, StageStep } from './stage-graph.ts'

/**
 * The first graph, its stages' needs completed by what the other graphs' stages need; a base that differs becomes a
 * need, since the stage is built on either.
 */
export function mergeGraphs(graphs: readonly [StageGraph, ...StageGraph[]]): StageGraph {
  const [first, ...others] = graphs
  return {
    ...first,
    stages: first.stages.map((stage) =>
      mergeStage(
        stage,
        others.flatMap((graph) => graph.stages[stage.index] ?? []),
      ),
    ),
  }
}

function mergeStage(stage: Stage, variants: readonly Stage[]): Stage {
  const needs = [...stage.needs]
  const seen = new Set([baseKey(stage.from), ...needs.map(key)])
  const add = (need: StageNeed): void => {
    if (seen.has(key(need))) return
    seen.add(key(need))
    needs.push(need)
  }
  for (const variant of variants) {
    const base = baseKey(variant.from)
    if (!seen.has(base) && variant.from.kind !== 'scratch') {
      seen.add(base)
      needs.push({ via: 'from', source: variant.from, line: variant.line })
    }
    variant.needs.forEach(add)
  }
  return { ...stage, needs, steps: stage.steps.map((step, index) => withCaches(step, index, variants)) }
}

/** Ids of cache mounts may hold the platform (`id=go-$TARGETARCH`). */
function withCaches(step: StageStep, index: number, variants: readonly Stage[]): StageStep {
  const caches = new Map(step.caches.map((mount) => [JSON.stringify(mount), mount]))
  for (const mount of variants.flatMap(({ steps }) => steps[index]?.caches ?? []))
    caches.set(JSON.stringify(mount), mount)
  return { ...step, caches: [...caches.values()] }
}

function baseKey(source: Stage['from']): string {
  return `from ${JSON.stringify(source)}`
}

function key(need: StageNeed): string {
  return `${need.via} ${JSON.stringify(need.source)}`
}
