import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createHash } from 'node:crypto'
import { appendFileSync, closeSync, openSync, writeSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { ContextReadQuery } from '../../src/context/context-selection.ts'
import { readIgnoreFile } from '../../src/context/ignore-file.ts'
import { IgnoreMatcher } from '../../src/context/ignore-matcher.ts'
import { type ContextSnapshot, snapshotContext } from '../../src/context/snapshot.ts'

let root: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'stage-build-snapshot-'))
})

afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

async function write(files: Readonly<Record<string, string | Buffer>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true })
    await writeFile(join(root, name), content)
  }
}

async function snapshot(ignore = ''): Promise<ContextSnapshot> {
  const matcher = new IgnoreMatcher({ name: '.dockerignore', patterns: readIgnoreFile(ignore) })
  return await snapshotContext({ directory: root, matcher, env: process.env })
}

function copy(...paths: readonly string[]): ContextReadQuery {
  return { via: 'copy', paths, exclude: [], parents: false }
}

async function read(query: ContextReadQuery, ignore = ''): Promise<readonly string[]> {
  const { entries } = await (await snapshot(ignore)).read(query)
  return Array.from(entries, ({ path }) => path)
}

async function digest(query: ContextReadQuery, ignore = ''): Promise<string> {
  return (await (await snapshot(ignore)).read(query)).digest
}

function blob(content: string | Buffer): string {
  return createHash('sha1')
    .update(`blob ${Buffer.byteLength(content)}\0`)
    .update(content)
    .digest('hex')
}

describe('what was read', () => {
  test('has path, type, mode and content', async () => {
    await write({ 'dir/a': '1', 'dir/sub/b': '2' })
    await chmod(join(root, 'dir/a'), 0o4755)
    await mkdir(join(root, 'dir/empty'), { mode: 0o711 })
    await symlink('../nowhere', join(root, 'dir/link'))
    const { entries, digest } = await (await snapshot()).read(copy('/dir'))
    expect(Array.from(entries)).toEqual([
      { path: 'dir', type: 'directory', mode: 0o755, content: '' },
      { path: 'dir/a', type: 'file', mode: 0o4755, content: blob('1') },
      { path: 'dir/empty', type: 'directory', mode: 0o711, content: '' },
      { path: 'dir/link', type: 'symlink', mode: 0o777, content: '../nowhere' },
      { path: 'dir/sub', type: 'directory', mode: 0o755, content: '' },
      { path: 'dir/sub/b', type: 'file', mode: 0o644, content: blob('2') },
    ])
    expect(Array.from(entries)).toHaveLength(6)
    expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/)
  })

  test('of files large and small, and of those around the limit between them', async () => {
    const sizes = [0, 1, 65_535, 65_536, 65_537, 3_000_000]
    await write(Object.fromEntries(sizes.map((size) => [`${size}`, Buffer.alloc(size, 'x')])))
    const { entries } = await (await snapshot()).read(copy('/'))
    const found = Array.from(entries, ({ path, content }) => [path, content])
    expect(Object.fromEntries(found)).toEqual(
      Object.fromEntries(sizes.map((size) => [`${size}`, blob(Buffer.alloc(size, 'x'))])),
    )
  })

  test.each<[string, ContextReadQuery, readonly string[]]>([
    ['a file', copy('/a.txt'), ['a.txt']],
    ['several, one of them twice and one not there', copy('/a.txt', '/none', '/d/b.md', '/a.txt'), ['a.txt', 'd/b.md']],
    ['a path with detours', copy('/./d//../a.txt'), ['a.txt']],
    ['by a wildcard', copy('/*.txt'), ['a.txt']],
    ['by a wildcard below', copy('/*/*.md'), ['d/b.md']],
    ['by a wildcard that matches a directory', copy('/d/s*'), ['d/s', 'd/s/c.txt', 'd/s/d.md']],
    ['by a wildcard of another depth', copy('/*.md'), []],
    ['by a class that matches a slash', copy('/d[^x]s'), ['d/s', 'd/s/c.txt', 'd/s/d.md']],
    ['by a broken wildcard', copy('/[a'), []],
    ['a link to a file', copy('/file'), ['a.txt']],
    ['a link to a directory', copy('/rooted'), ['d/s', 'd/s/c.txt', 'd/s/d.md']],
    ['through a link', copy('/rooted/c.txt'), ['d/s/c.txt']],
    ['through a link, by a wildcard', copy('/rooted/*.txt'), ['d/s/c.txt']],
    ['a link by a wildcard', copy('/fil?'), ['a.txt']],
    ['a link that leads to itself', copy('/round'), []],
    ['a link out of the context, which stays in it', copy('/out'), ['a.txt']],
    ['a mount with what looks like a wildcard', { ...copy('/*.txt'), via: 'mount' }, []],
    ['without excluded files', { ...copy('/d'), exclude: ['**/*.md'] }, ['d', 'd/s', 'd/s/c.txt']],
    [
      'without an excluded directory but for a part',
      { ...copy('/d'), exclude: ['s', '!s/c.txt'] },
      ['d', 'd/b.md', 'd/s', 'd/s/c.txt'],
    ],
    [
      'all, where a pattern to exclude is broken',
      { ...copy('/d/s'), exclude: ['['] },
      ['d/s', 'd/s/c.txt', 'd/s/d.md'],
    ],
    ['with parents', { ...copy('/d/s/c.txt'), parents: true }, ['d', 'd/s', 'd/s/c.txt']],
    ['with parents, from a pivot', { ...copy('/d/./s/c.txt'), parents: true }, ['d', 'd/s', 'd/s/c.txt']],
    ['with parents, by a pattern', { ...copy('/**/*.md'), parents: true }, ['d', 'd/b.md', 'd/s', 'd/s/d.md']],
    ['with parents, without some', { ...copy('/**/*.md'), parents: true, exclude: ['**/d.md'] }, ['d', 'd/b.md']],
  ])('is %s', async (_what, query, expected) => {
    await write({ 'a.txt': '1', 'd/b.md': '2', 'd/s/c.txt': '3', 'd/s/d.md': '4', z: '5' })
    for (const [name, target] of [
      ['file', 'a.txt'],
      ['rooted', '/d/s'],
      ['round', 'round'],
      ['out', '../../a.txt'],
    ] as const) {
      await symlink(target, join(root, name))
    }
    expect(await read(query)).toEqual(expected)
  })

  test('is not what .dockerignore leaves out, but the directories of its exceptions', async () => {
    await write({ 'a/1': '', 'a/b/2': '', 'a/b/3': '', 'c/4': '', 'd.md': '' })
    await symlink('d.md', join(root, 'link'))
    const ignore = 'a\n!a/b/2\nc\n*.md\n'
    expect(await read(copy('/'), ignore)).toEqual(['a', 'a/b', 'a/b/2', 'link'])
    expect(await read(copy('/a'), ignore)).toEqual(['a', 'a/b', 'a/b/2'])
    for (const path of ['/c', '/c/4', '/a/1', '/d.md', '/link']) expect(await read(copy(path), ignore)).toEqual([])
    // A link that is named leads to what is left out.
    expect(await read(copy('/*'), ignore)).toEqual(['a', 'a/b', 'a/b/2'])
    expect(await digest(copy('/c'), ignore)).toBe(await digest(copy('/nothing'), ignore))
  })
})

describe('a digest', () => {
  test('does not change with the time, the mode of the root, or what the instruction does not read', async () => {
    await write({ 'd/a': '1', b: '2' })
    const before = await digest(copy('/d'))
    await write({ 'd/a': '1', b: 'changed', c: 'new' })
    await chmod(root, 0o711)
    expect(await digest(copy('/d'))).toBe(before)
  })

  test('changes with everything else', async () => {
    await write({ 'd/a': '1', 'd/s/b': '2' })
    const seen = new Set([await digest(copy('/d'))])
    const steps: readonly (() => Promise<unknown>)[] = [
      async () => {
        await write({ 'd/a': 'x' })
      },
      async () => {
        await chmod(join(root, 'd/a'), 0o600)
      },
      async () => {
        await chmod(join(root, 'd/s'), 0o700)
      },
      async () => {
        await chmod(join(root, 'd'), 0o700)
      },
      async () => {
        await mkdir(join(root, 'd/empty'))
      },
      async () => {
        await symlink('a', join(root, 'd/link'))
      },
      async () => {
        await rm(join(root, 'd/link'))
        await symlink('s', join(root, 'd/link'))
      },
      async () => {
        await rm(join(root, 'd/s/b'))
      },
    ]
    for (const [index, step] of steps.entries()) {
      await step()
      seen.add(await digest(copy('/d')))
      expect(seen.size).toBe(index + 2)
    }
  })

  test.each([
    ['a file’s name from its neighbour’s', { ab: 'x', c: 'y' }, { a: 'x', bc: 'y' }],
    ['a directory from its files', { 'a/b': '' }, { 'a b': '' }],
    ['which file has which content', { a: '1', b: '2' }, { a: '2', b: '1' }],
  ])('tells %s', async (_what, first, second) => {
    await write(first)
    const one = await digest(copy('/'))
    for (const name of Object.keys(first))
      await rm(join(root, name.split('/')[0] ?? ''), { recursive: true, force: true })
    await write(second)
    expect(await digest(copy('/'))).not.toBe(one)
  })

  test('tells a link’s target from the name after it', async () => {
    await symlink('a b', join(root, 'c'))
    const one = await digest(copy('/'))
    await rm(join(root, 'c'))
    await symlink('a', join(root, 'b c'))
    expect(await digest(copy('/'))).not.toBe(one)
  })

  test('of a single file is the same under another name, which the instruction says', async () => {
    await write({ a: '1', b: '1' })
    const context = await snapshot()
    expect((await context.read(copy('/a'))).digest).toBe((await context.read(copy('/b'))).digest)
  })
})

test('a snapshot stays what it was', async () => {
  await write({ 'd/a': '1', b: '2' })
  const context = await snapshot()
  const first = await context.read(copy('/'))
  await write({ 'd/a': 'changed', c: 'new' })
  await rm(join(root, 'b'))
  const again = await context.read({ ...copy('/'), exclude: ['none'] })
  expect(Array.from(again.entries)).toEqual(Array.from(first.entries))
  expect((await context.read(copy('/d/a'))).digest).not.toBe(await digest(copy('/d/a')))
})

test('a file that goes away before it is read is not there', async () => {
  await write({ 'd/a': '1', 'd/b': '2' })
  const context = await snapshot()
  // Walks, and reads nothing yet of what it walks beside the wanted.
  await context.read({ ...copy('/'), exclude: ['d/a'] })
  await rm(join(root, 'd/a'))
  const { entries } = await context.read(copy('/d'))
  expect(Array.from(entries, ({ path }) => path)).toEqual(['d', 'd/b'])
})

test.each([100, 3_000_000])('a file of %d bytes that is written without end is an error', async (size) => {
  await write({ a: Buffer.alloc(size) })
  const context = await snapshot()
  const fd = openSync(join(root, 'a'), 'r+')
  const writing = { goesOn: true }
  const writer = (async () => {
    for (let at = 0; writing.goesOn; at++) {
      writeSync(fd, Buffer.from([at]), 0, 1, 0)
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  // The large one is read in pieces, between which it changes; the small one in one go, which nothing here can disturb.
  const reading = context.read(copy('/a'))
  if (size > 1_000_000) await expect(reading).rejects.toThrow('changes while it is read')
  else expect((await reading).digest).toMatch(/^sha256:/)
  writing.goesOn = false
  await writer
  closeSync(fd)
})

test('a file that has grown or shrunk since it was listed has the id of what is there', async () => {
  await write({ 'd/a': '1', 'd/b': Buffer.alloc(100_000) })
  const context = await snapshot()
  await context.read({ ...copy('/'), exclude: ['d/*'] })
  appendFileSync(join(root, 'd/a'), Buffer.alloc(100_000))
  await truncate(join(root, 'd/b'), 3)
  const { entries } = await context.read(copy('/d'))
  const found = Object.fromEntries(Array.from(entries, ({ path, content }) => [path, content]))
  expect(found['d/a']).toBe(blob(await readFile(join(root, 'd/a'))))
  expect(found['d/b']).toBe(blob(Buffer.alloc(3)))
})

test('a file in place of which a link has come is an error', async () => {
  await write({ 'd/a': '1' })
  const context = await snapshot()
  await context.read({ ...copy('/'), exclude: ['d/a'] })
  await rm(join(root, 'd/a'))
  await symlink('/etc/passwd', join(root, 'd/a'))
  await expect(context.read(copy('/d'))).rejects.toThrow('changes while it is read')
})

test('a name that is not UTF-8 is an error that names it', async () => {
  await writeFile(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x66, 0xff])]), '')
  await expect(digest(copy('/'))).rejects.toThrow('not valid UTF-8: "f\uFFFD"')
})
