import { expect, test } from '@jest/globals'
import { symlink } from 'node:fs/promises'
import { readInputs } from '../src/inputs.ts'
import { missingContexts } from '../src/named-contexts.ts'
import { workspace } from './support/engine.ts'

const DIGEST = `sha256:${'a'.repeat(64)}`

async function missing(value: string, mode = 'build'): Promise<readonly string[]> {
  await using space = await workspace({ 'dir/x': '', 'layout/index.json': '{}', file: '' })
  await symlink('dir', space.path('link'))
  await symlink('gone', space.path('dangling'))
  const given: Readonly<Record<string, string>> = { mode, 'build-contexts': `src=${value}` }
  const { inputs } = readInputs((name) => given[name] ?? '', {})
  return (await missingContexts(inputs, space.directory)).map(({ message }) => message)
}

test.each([
  ...['dir', './dir', 'link', 'layout', 'docker-image://x', 'https://x.example/a.git', 'git@x.example:a.git', 'target:x'],
  ...['oci-layout://layout', 'oci-layout://./layout:1', `oci-layout://link/../layout@${DIGEST}`, 'docker-image://Bad Ref'],
])('%s is left to the build', async (value) => {
  expect(await missing(value)).toEqual([])
}) // prettier-ignore

test('a plan can do without a layout, which an earlier job may make, but not without what it is to read', async () => {
  expect(await missing('oci-layout://gone:1', 'plan')).toEqual([])
  expect(await missing('oci-layout://', 'plan')).toHaveLength(1)
  expect(await missing('./gone', 'plan')).toHaveLength(1)
})

const MISSING = 'there is no such directory'

// What docker answers to each: `failed to get build context`, `oci-layout reference … could not be resolved`.
test.each([
  ['./gone', MISSING],
  ['dir/gone', MISSING],
  ['dangling', MISSING],
  ['file', 'it is a file, not a directory'],
  ['file/x', MISSING],
  ['docker-image:x', `${MISSING}, and it is no address that docker knows`],
  ['docker-img://x', `${MISSING}, and it is no address that docker knows`],
  ['oci-layout://gone:1', MISSING],
  [`oci-layout://gone@${DIGEST}`, MISSING],
  ['oci-layout://file', MISSING],
  ['oci-layout://dir', 'the directory is no OCI layout: it has no `index.json`'],
  ['oci-layout://', 'an oci-layout:// source needs the path of a directory'],
])('%s is refused: %s', async (value, why) => {
  expect(await missing(value)).toEqual([`\`build-contexts\`: \`src=${value}\`: ${why}.`])
})
