/** Reasons that came to a target through another one that it uses, said so. Pure. */
import type { Decision } from './decision.ts'
import { stagesOf } from './graph/reachability.ts'
import type { StageGraph } from './graph/stage-graph.ts'
import type { PlanReason } from './plan/plan.ts'
import type { RequestedTarget } from './plan/targets.ts'
import type { Part } from './project.ts'

interface LinkedPart {
  readonly part: Pick<Part, 'links'>
  readonly stages: readonly number[]
}

/** The decisions, each reason in a stage that is another target's with `through target`. */
export function withLinks(
  decisions: ReadonlyMap<string, Decision>,
  plan: {
    readonly graph: StageGraph
    readonly targets: readonly RequestedTarget[]
    readonly linked: readonly RequestedTarget[]
    readonly partOf: (target: string) => LinkedPart
  },
): ReadonlyMap<string, Decision> {
  const all = new Map([...plan.targets, ...plan.linked].map((target) => [target.name, target]))
  const explain = (name: string, reason: PlanReason): PlanReason => {
    const own = plan.partOf(name)
    const { stage } = reason
    if (own.part.links.size === 0 || stage === undefined || own.stages.includes(stage)) return reason
    const through = [...own.part.links.values()].find((link) => {
      const target = all.get(link)
      return target !== undefined && stagesOf(plan.graph, target.stage).includes(stage)
    })
    return through === undefined ? reason : { ...reason, text: `${reason.text}, through target ${through}` }
  }
  return new Map(
    [...decisions].map(([name, decision]) => [
      name,
      decision.status === 'unchanged'
        ? decision
        : { ...decision, reasons: decision.reasons.map((reason) => explain(name, reason)) },
    ]),
  )
}
