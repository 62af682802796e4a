import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { chmod, mkdir, mkdtemp, realpath, rm, symlink, unlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ignoreFileOf } from '../../src/context/ignore-file.ts'
import { IgnoreMatcher } from '../../src/context/ignore-matcher.ts'
import { LookAhead } from '../../src/context/look-ahead.ts'
import { type ContextSnapshot, type ReadEntry, snapshotContext } from '../../src/context/snapshot.ts'
import { runProcess } from '../../src/process.ts'

const ALL = { via: 'copy', paths: ['/'], exclude: [], parents: false } as const
const FOLDERS = 260

let root: string
let env: NodeJS.ProcessEnv

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'stage-build-ahead-')))
  env = { PATH: process.env['PATH'], HOME: join(root, 'nowhere'), GIT_CONFIG_NOSYSTEM: '1' }
  // Of each folder one file is known to git, and one is not.
  for (let index = 0; index < FOLDERS; index++) {
    const folder = join(root, `a/${index % 7}/${index}`)
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'known.ts'), `${index}\n`)
    await utimes(join(folder, 'known.ts'), 1e9, 1e9)
    await writeFile(join(folder, `new ${index}.js`), `// ${index}\n`)
  }
  await symlink('0/0', join(root, 'a/link'))
  await mkdir(join(root, 'empty'))
  await mkdir(join(root, 'left-out/below'), { recursive: true })
  await writeFile(join(root, 'left-out/below/kept'), 'x')
  await writeFile(join(root, 'left-out/file'), 'x')
  await writeFile(join(root, '.dockerignore'), '.git\nleft-out\n!left-out/below\n')
  for (const args of [
    ['init', '--quiet'],
    ['add', '*.ts'],
    ['update-index', '--refresh'],
  ])
    expect(await runProcess('git', args, { cwd: root, env })).toMatchObject({ code: 0 })
})

afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

async function snapshot(ahead?: LookAhead): Promise<ContextSnapshot> {
  const matcher = new IgnoreMatcher(ignoreFileOf(root))
  return await snapshotContext({ directory: root, matcher, env, ahead })
}

async function read(ahead?: LookAhead): Promise<{ readonly digest: string; readonly entries: readonly ReadEntry[] }> {
  const { digest, entries } = await (await snapshot(ahead)).read(ALL)
  return { digest, entries: [...entries] }
}

test('what was listed ahead is what a walk finds, whenever the walk begins', async () => {
  const expected = await read()
  expect(expected.entries).toContainEqual({ path: 'left-out/below/kept', type: 'file', mode: 0o644, content: expect.any(String) }) // prettier-ignore
  expect(expected.entries.filter(({ path }) => path.endsWith('.ts'))).toHaveLength(FOLDERS)
  for (const turns of [0, 1, 5, 1_000]) {
    await using ahead = new LookAhead(env, { largeIndexBytes: 0 })
    const beginning = ahead.beginAt(root)
    if (turns > 0) await beginning
    // Threads list in any order.
    const areListed = (): boolean =>
      ['left-out/below', 'a/6/258'].every((path) => ahead.listing(join(root, path)) !== undefined)
    for (let turn = 0; turn < turns && !areListed(); turn++) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(await read(ahead)).toEqual(expected)
    if (turns === 1_000) expect(ahead.listing(join(root, 'a/6/258'))?.names).toEqual(['known.ts', 'new 258.js'])
    await beginning
  }
})

test('files that go, or cannot be listed, between the look and the reading are found as they are then', async () => {
  await using ahead = new LookAhead(env, { largeIndexBytes: 0 })
  await ahead.beginAt(root)
  while (ahead.listing(join(root, 'a/6/258')) === undefined) await new Promise((resolve) => setTimeout(resolve, 5))
  await unlink(join(root, 'a/6/258/new 258.js'))
  await writeFile(join(root, 'a/0/0/new 0.js'), 'x'.repeat(100_000))
  await chmod(join(root, 'a/1/1/new 1.js'), 0o600)
  const { entries } = await read(ahead)
  const now = await read()
  expect(entries).toEqual(now.entries)
})

test('who waits for a helper that is ended goes on without it', async () => {
  const expected = await read()
  const ahead = new LookAhead(env, { largeIndexBytes: 0 })
  await ahead.beginAt(root)
  const reading = read(ahead)
  await ahead[Symbol.asyncDispose]()
  expect(await reading).toEqual(expected)
  await ahead[Symbol.asyncDispose]()
})

test('a small repository, and a directory without one, is not looked at ahead', async () => {
  await using small = new LookAhead(env)
  await small.beginAt(root)
  expect(small.helpers).toBeUndefined()
  await using none = new LookAhead(env, { largeIndexBytes: 0 })
  await none.beginAt(join(root, 'nothing/here'))
  expect(none.helpers).toBeUndefined()
})
