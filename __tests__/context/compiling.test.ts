import { expect, test } from '@jest/globals'
import { join } from 'node:path'
import { runProcess } from '../../src/process.ts'

const MODULE = join(import.meta.dirname, '../../src/context/compiling.ts')

/** Fewer than V8 waits for in that mode. */
const FEW_CALLS = 14_000
/** More than it waits for else, on a busy machine, too. */
const MANY_CALLS = 2_000_000

/** What V8 says of a function that is called so often, and then many times, by a program that is told of so many processors. */
async function compiled(
  processors: number,
  calls: number,
): Promise<{ readonly first: boolean; readonly then: boolean }> {
  const program = `
    const { putOffCompiling } = await import(${JSON.stringify(MODULE)})
    function often(count) { let sum = 0; for (let i = 0; i < 20; i++) sum += i % count; return sum }
    let sum = 0
    const resume = putOffCompiling(${processors})
    for (let count = 1; count < ${calls}; count++) sum += often(count)
    console.log('half')
    resume()
    for (let count = 1; count < ${MANY_CALLS}; count++) sum += often(count)
    if (sum === 0) throw new Error('nothing was done')`
  const args = ['--trace-opt', '--no-use-osr', '--input-type=module', '--eval', program]
  const { code, stdout, stderr } = await runProcess(process.execPath, args)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const halves = stdout.split('half\n')
  const isCompiled = (text = ''): boolean => /compiling method .*<JSFunction often .*target TURBOFAN/.test(text)
  expect(halves).toHaveLength(2)
  return { first: isCompiled(halves[0]), then: isCompiled(halves[1]) }
}

test('puts V8’s second compiler off on a machine with few processors, and not for good', async () => {
  expect(await compiled(2, FEW_CALLS)).toEqual({ first: false, then: true })
})

test('leaves it be where there are some to spare', async () => {
  expect(await compiled(4, MANY_CALLS)).toMatchObject({ first: true })
})
