/**
 * Calls of the real `@actions/cache` in a process of their own, since it takes folders from the environment and the
 * working directory: `cache-toolkit-worker.ts '[{"op":"save","key":"k","path":"p"}]'`. One after the other; the last
 * line on stdout is `RESULTS` with one answer each: a key, null (undefined), -1, an id, or `Error: …`.
 */
import { restoreCache, saveCache } from '@actions/cache'

/** `lookup` downloads nothing. */
export interface ToolkitCall {
  readonly op: 'save' | 'restore' | 'lookup'
  readonly key: string
  readonly path: string
  readonly restoreKeys?: readonly string[]
}

async function carryOut({ op, key, path, restoreKeys = [] }: ToolkitCall): Promise<unknown> {
  try {
    if (op === 'save') return await saveCache([path], key)
    return (await restoreCache([path], key, [...restoreKeys], { lookupOnly: op === 'lookup' })) ?? null
  } catch (error) {
    return String(error)
  }
}

const results: unknown[] = []
for (const call of JSON.parse(process.argv[2] ?? '[]') as readonly ToolkitCall[]) results.push(await carryOut(call))
console.log(`\nRESULTS ${JSON.stringify(results)}`)
// What the toolkit's connections still wait for is nobody's any more.
process.exit(0)
