/** What a build says of trouble with the layer cache, and how that is known again. */
import type { Problem } from '../errors.ts'

export const UNREACHABLE: Problem = {
  message:
    'The builder could not reach the registry of this step on loopback: there is no layer cache, and sizes come from elsewhere or are unknown.',
  mend: 'Let stage-build choose the builder, or create yours with `driver-opts: network=host`.',
}

export const CACHE_MISSING = 'Cached layers could not be had when the build needed them'

/** Whether `build` told of trouble with the layer cache. */
export function tellsOfCache(problems: readonly Problem[]): boolean {
  return problems.some((problem) => problem === UNREACHABLE || problem.message.startsWith(CACHE_MISSING))
}
