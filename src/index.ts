/**
 * The entry: a thread begins to list a large workspace while the action is loaded. With `post-step.ts` the only file that does
 * work when it is loaded.
 */
import { startScout } from './context/scout.ts'

const scout = startScout(process.env)
const { runAction } = await import('./action.ts')
await runAction(scout)
