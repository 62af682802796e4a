import { expect, test } from '@jest/globals'
import { symlink } from 'node:fs/promises'
import { readInputs } from '../src/inputs.ts'
import { missingContexts } from '../src/named-contexts.ts'
import { workspace } from './support/engine.ts'

const DIGEST = `sha256:${'a'.repeat(64)}`

async function missing(value: string): Promise<readonly string[]> {
  await using space = await workspace({ 'dir/x': '', 'layout/index.json': '{}', file: '' })
  await symlink('dir', space.path('link'))
  await symlink('gone', space.path('dangling'))
  const { inputs } = readInputs((name) => (name === 'build-contexts' ? `src=${value}` : ''), {})
  return (await missingContexts(inputs, space.directory)).map(({ message }) => message)
}

test.each([
  ...['dir', './dir', 'link', 'layout', 'docker-image://x', 'https://x.example/a.git', 'git@x.example:a.git', 'target:x'],
  ...['oci-layout://layout', 'oci-layout://./layout:1', `oci-layout://link/../layout@${DIGEST}`, 'docker-image://Bad Ref'],
])('%s is left to the build', async (value) => {
  expect(await missing(value)).toEqual([])
}) // prettier-ignore

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
