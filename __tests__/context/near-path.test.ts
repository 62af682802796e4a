import { expect, test } from '@jest/globals'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fromHere } from '../../src/context/near-path.ts'
import { runProcess } from '../../src/process.ts'

test('a path below this directory begins here; no other does', () => {
  const here = process.cwd()
  expect(fromHere(here)).toBe('.')
  expect(fromHere(join(here, 'a/b'))).toBe('a/b')
  expect(fromHere(`${here}-beside/a`)).toBe(`${here}-beside/a`)
  expect(fromHere('/')).toBe('/')
})

test('where the own directory is gone, paths stay as they are', async () => {
  const gone = await mkdtemp(join(tmpdir(), 'stage-build-gone-'))
  const source = resolve(import.meta.dirname, '../../src/context/near-path.ts')
  const program = `require('fs').rmdirSync('${gone}'); console.log(require('${source}').fromHere('/a/b'))`
  const { stdout, stderr } = await runProcess(process.execPath, ['-e', program], { cwd: gone })
  expect([stdout, stderr]).toEqual(['/a/b\n', ''])
})
