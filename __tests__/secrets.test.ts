import { expect, test } from '@jest/globals'
import type { SecretSource } from '../src/build/build-request.ts'
import { githubRunner } from '../src/runner.ts'
import { hideSecrets } from '../src/secrets.ts'
import { workspace } from './support/engine.ts'

interface Hidden {
  readonly mask: (text: string) => string
  readonly masked: readonly string[]
}

async function hide(
  secrets: readonly SecretSource[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly directory?: string; readonly token?: string } = {},
): Promise<Hidden> {
  const masked: string[] = []
  const runner = { ...githubRunner({}), mask: (value: string) => masked.push(value) }
  const { env = {}, directory = '/nonexistent', token } = options
  return { mask: await hideSecrets(secrets, { env, workspace: directory, runner, token }), masked }
}

test('values, variables, files and the token are taken out of every text, and told to the runner', async () => {
  await using space = await workspace({ 'key.txt': 'from-file\n' })
  const { mask, masked } = await hide(
    [
      { kind: 'value', id: 'a', value: 'from-input' },
      { kind: 'env', id: 'b', env: 'B' },
      { kind: 'file', id: 'c', path: 'key.txt' },
    ],
    { env: { B: 'from-env' }, directory: space.directory, token: 'ghs_token' },
  )
  expect(mask('from-input, from-env, from-file, ghs_token, from-')).toBe('***, ***, ***, ***, from-')
  expect([...masked].sort()).toEqual(['from-env', 'from-file', 'from-input', 'ghs_token'])
})

test('a secret of several lines is hidden line by line, too, but not by its brackets', async () => {
  const { mask } = await hide([{ kind: 'value', id: 'k', value: '{\n  "key": "abc",\n}\n' }])
  expect(mask('} "key": "abc", {')).toBe('} *** {')
})

test('of two secrets of which one holds the other nothing is left over', async () => {
  const { mask } = await hide([
    { kind: 'value', id: 'short', value: 'pass' },
    { kind: 'value', id: 'long', value: 'password1' },
  ])
  expect(mask('password1 pass')).toBe('*** ***')
})

test('what is empty, unset or not there hides nothing', async () => {
  const { mask, masked } = await hide([
    { kind: 'value', id: 'a', value: '' },
    { kind: 'value', id: 'b', value: ' \n' },
    { kind: 'env', id: 'c', env: 'UNSET' },
    { kind: 'file', id: 'd', path: 'missing' },
  ])
  expect(mask('any text')).toBe('any text')
  expect(masked).toEqual([])
})
