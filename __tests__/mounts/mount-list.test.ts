/** What the helper's list of a mount comes to: the same in whatever order, another for another file, size or time. */
import { expect, test } from '@jest/globals'
import { readMountList, type MountContent } from '../../src/mounts/mount-list.ts'
import { workspace } from '../support/engine.ts'

const ENTRIES = ['d 4096 1.5 ', 'f 10 1.5 a b', 'f 200000 2.25 dir/with\nline', 'l 7 3.0 link', 'd 4096 9.0 dir']

async function read(entries: readonly string[]): Promise<MountContent> {
  await using space = await workspace({ list: entries.map((entry) => `${entry}\0`).join('') })
  return await readMountList(space.path('list'))
}

test('files and bytes are counted, directories are not', async () => {
  expect(await read(ENTRIES)).toMatchObject({ files: 3, bytes: 200_010 })
  expect(await read([])).toEqual({ files: 0, bytes: 0, digest: `sha256:${'0'.repeat(64)}` })
})

test('the digest tells content, in any order', async () => {
  const { digest } = await read(ENTRIES)
  expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/)
  expect((await read(ENTRIES.toReversed())).digest).toBe(digest)
  expect((await read(ENTRIES.map((entry) => entry.replace('d 4096 9.0', 'd 4096 8.0')))).digest).toBe(digest)
  for (const [from, to] of [
    ['f 10 1.5', 'f 11 1.5'],
    ['f 10 1.5', 'f 10 1.6'],
    ['a b', 'a c'],
    ['l 7', 'f 7'],
  ] as const) {
    expect((await read(ENTRIES.map((entry) => entry.replace(from, to)))).digest).not.toBe(digest)
  }
  expect((await read(ENTRIES.slice(0, 3))).digest).not.toBe(digest)
})

test('a long list is read in pieces', async () => {
  const many = Array.from({ length: 5_000 }, (_, index) => `f 1 1.0 ${'long-name-'.repeat(5)}${index}`)
  expect(await read(many)).toMatchObject({ files: 5_000, bytes: 5_000 })
})
