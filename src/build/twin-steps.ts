/**
 * One instruction, several steps: where targets send different parts of the build context, BuildKit keeps an instruction
 * of a shared stage once per target under digests of their own, runs one, and finds the others in its cache. To a reader
 * it is one. Pure.
 */
import type { Step, StepStatus } from './progress.ts'

/** What steps of the same instruction have in common; steps beside the stages have no twins. */
export function twinKey(step: Step): string {
  if (step.kind !== 'stage' || step.place === undefined) return step.id
  return JSON.stringify([step.platform, step.stage, step.stageName, step.place, step.text])
}

/** The status that tells most of what happened comes first. */
const ORDER: readonly StepStatus[] = ['failed', 'done', 'running', 'canceled', 'cached', 'waiting']

/** Each instruction once, with all targets that need it: the step that really ran stands for its twins. */
export function mergeTwins(steps: readonly Step[]): readonly Step[] {
  return [...Map.groupBy(steps, twinKey).values()].map((twins) => {
    const [first] = twins.toSorted((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status))
    if (first === undefined) throw new Error('an empty group')
    return twins.length === 1 ? first : { ...first, targets: [...new Set(twins.flatMap((twin) => twin.targets))] }
  })
}
