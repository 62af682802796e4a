/** The `matrix` output: one leg for each changed target, or for each of its platforms, ready for `strategy.matrix`. */
import { UserError } from '../errors.ts'
import type { Plan } from './plan.ts'

export interface Matrix {
  readonly include: readonly { readonly target: string; readonly platform: string }[]
}

/** GitHub's own limit of jobs per matrix and workflow run. */
const MAX_LEGS = 256

/** Whether GitHub takes the plan as a matrix. A step that builds by itself need not care. */
export function fitsMatrix(plan: Plan): boolean {
  return legsOf(plan).length <= MAX_LEGS
}

function legsOf({ targets, platforms, matrixBy }: Plan): Matrix['include'] {
  const legs = (of: readonly string[]): readonly string[] => (matrixBy === 'platform' ? of : [of.join(',')])
  return targets.flatMap(({ name, status, platforms: own = platforms }) =>
    status === 'changed' ? legs(own).map((platform) => ({ target: name, platform })) : [],
  )
}

/**
 * The changed targets as a matrix; empty `include` when none changed. No tags in it: the runner drops an output that
 * holds masked text, and registries' names are masked often.
 * @throws UserError over 256 legs.
 */
export function matrixOf(plan: Plan): Matrix {
  const include = legsOf(plan)
  if (include.length > MAX_LEGS) {
    const changed = plan.targets.filter((target) => target.status === 'changed').length
    const platforms = plan.matrixBy === 'platform' ? ` on ${plan.platforms.length} platforms` : ''
    throw new UserError({
      input: 'targets',
      message: `${changed} changed targets${platforms} make more than the ${MAX_LEGS} legs that GitHub allows in a matrix.`,
      mend: 'Split `targets` over several plan steps, or build them in one step without a matrix.',
    })
  }
  return { include }
}
