import { expect, test } from '@jest/globals'
import { join } from 'node:path'
import { runProcess } from '../../src/process.ts'

/** Peak of a process that reads 400 MB through a hash, with young garbage collected meanwhile or not. */
async function peak(how: 'collecting' | 'not'): Promise<number> {
  const module = join(import.meta.dirname, '../../src/cache/young-garbage.ts')
  const work = `async () => { await pipeline(createReadStream('/dev/zero', { end: 400e6 }), createHash('sha256')) }`
  const code = `
    import { YoungGarbage } from ${JSON.stringify(module)}
    import { createReadStream, readFileSync } from 'node:fs'
    import { createHash } from 'node:crypto'
    import { pipeline } from 'node:stream/promises'
    const work = ${work}
    await ${how === 'not' ? 'work()' : 'new YoungGarbage().during(work)'}
    // Not resourceUsage().maxRSS, which begins with that of the process that started this one.
    console.log(/VmHWM:\\s*(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1])
  `
  const { code: exit, stdout } = await runProcess(process.execPath, ['--input-type=module', '--eval', code])
  expect(exit).toBe(0)
  return Number(stdout) * 1024
}

test('buffers that streams are done with do not pile up', async () => {
  const [collecting, not] = [await peak('collecting'), await peak('not')]
  expect(not - collecting).toBeGreaterThan(15e6)
})
