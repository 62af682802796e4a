/**
 * Targets of which something runs again whatever is cached, since `no-cache` or a filter of it is set for a Dockerfile that
 * they are built from. Pure.
 */
import { stagesOf } from './graph/reachability.ts'
import type { StageGraph } from './graph/stage-graph.ts'
import type { Inputs } from './inputs.ts'
import type { PlanReason } from './plan/plan.ts'
import type { RequestedTarget } from './plan/targets.ts'

type Said = Pick<Inputs, 'noCache' | 'noCacheFilters'>

/** A Dockerfile with what is said of it. */
export interface SaidPart {
  readonly inputs: Said
  /** Its stages in the graph of the question. */
  readonly stages: readonly number[]
  /** The same ones as the plan numbers them. */
  readonly planned: readonly number[]
}

/** What is asked for, in the graph in which every Dockerfile has stages of its own. */
export interface RunningAgainQuestion {
  readonly graph: StageGraph
  readonly targets: readonly RequestedTarget[]
  readonly parts: readonly SaidPart[]
  /** The index of a target's part. */
  readonly partOf: (target: string) => number
  /** The step's own inputs: what is not in them stands in bake files. */
  readonly given: Said
}

/** By target, why it is built. */
export function runningAgain(question: RunningAgainQuestion): ReadonlyMap<string, PlanReason> {
  const { graph, targets, parts, partOf, given } = question
  const input = given.noCacheFilters.length > 0 ? 'no-cache-filters' : 'no-cache-filter'
  return new Map(
    targets.flatMap((target) => {
      const needed = new Set(stagesOf(graph, target.stage))
      const own = parts[partOf(target.name)]
      for (const part of new Set([own, ...parts])) {
        if (part === undefined) continue
        const stages = part.stages.flatMap((index) => (needed.has(index) ? (graph.stages[index] ?? []) : []))
        const again = stages.filter(({ name }) => isSaid(part.inputs, name))
        const [first] = again
        if (first === undefined) continue
        const stage = part.planned[part.stages.indexOf(part === own ? target.stage : first.index)] ?? target.stage
        const text = part.inputs.noCache ? '`no-cache` is set' : `\`${input}\` is set${namesOf(again)}`
        return [[target.name, { kind: 'requested', stage, text } as const] as const]
      }
      return []
    }),
  )
}

/**
 * Whether a stage's steps run again. Filters name stages in any letters; an empty one alone stands for all of them, as
 * `no-cache` does, and among others for those without a name.
 * https://github.com/moby/buildkit/blob/v0.25.2/frontend/dockerui/config.go (IsNoCache)
 */
function isSaid({ noCache, noCacheFilters }: Said, name = ''): boolean {
  const filters = noCacheFilters.join(',').toLowerCase()
  return noCache || (noCacheFilters.length > 0 && (filters === '' || filters.split(',').includes(name)))
}

function namesOf(stages: readonly { readonly name: string | undefined }[]): string {
  const names = [...new Set(stages.flatMap(({ name }) => name ?? []))]
  return names.length === 0 ? '' : ` (${names.join(', ')})`
}
