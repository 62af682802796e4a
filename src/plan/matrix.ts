/** The `matrix` output: one leg for each changed target, ready for `strategy.matrix`. */
import { UserError } from '../errors.ts'
import type { Plan } from './plan.ts'

export interface Matrix {
  readonly include: readonly { readonly target: string; readonly platform: string }[]
}

/** GitHub's own limit of jobs per matrix and workflow run. */
const MAX_LEGS = 256

/** Whether GitHub takes the plan as a matrix. A step that builds by itself need not care. */
export function fitsMatrix(plan: Plan): boolean {
  return plan.targets.filter((target) => target.status === 'changed').length <= MAX_LEGS
}

/**
 * The changed targets as a matrix; empty `include` when none changed. No tags in it: the runner drops an output that
 * holds masked text, and registries' names are masked often.
 * @throws UserError over 256 legs.
 */
export function matrixOf(plan: Plan): Matrix {
  const changed = plan.targets.filter((target) => target.status === 'changed')
  if (!fitsMatrix(plan)) {
    throw new UserError({
      input: 'targets',
      message: `${changed.length} changed targets make more than the ${MAX_LEGS} legs that GitHub allows in a matrix.`,
      mend: 'Split `targets` over several plan steps, or build them in one step without a matrix.',
    })
  }
  return { include: changed.map((target) => ({ target: target.name, platform: plan.platforms.join(',') })) }
}
