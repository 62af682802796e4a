/** What the main step leaves to the post step: the runner hands it over as variables. */
import { existsSync } from 'node:fs'

/** The state that tells the post step from the main step, and hands it what to save and to remove. */
export const STATE = { isPost: 'is-post', builder: 'builder', cache: 'cache', mounts: 'mounts' } as const

/**
 * Whether the main step left anything to be done; its folder is named before it is made, and most runs remove it themselves.
 * https://github.com/actions/toolkit/blob/main/packages/core/src/core.ts (getState)
 */
export function isAnythingLeft(env: NodeJS.ProcessEnv): boolean {
  const [builder = '', cache = '', mounts = ''] = [STATE.builder, STATE.cache, STATE.mounts].map(
    (name) => env[`STATE_${name}`],
  )
  return builder !== '' || mounts !== '' || (cache !== '' && existsSync(cache))
}
