import { describe, expect, test } from '@jest/globals'
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CacheBackend, RestoreResult, SaveResult } from '../../src/cache/cache-backend.ts'
import { openDirectoryBackend, type DirectoryBackendOptions } from '../../src/cache/directory-backend.ts'
import { runProcess } from '../../src/process.ts'
import { cacheFolder, type CacheFolder } from '../support/cache-folder.ts'

interface Rig extends AsyncDisposable {
  readonly folder: CacheFolder
  readonly directory: string
  readonly open: (options?: Partial<DirectoryBackendOptions>) => CacheBackend
  readonly save: (key: string, content: string, options?: Partial<DirectoryBackendOptions>) => Promise<SaveResult>
  readonly restore: (
    key: string,
    prefixes?: readonly string[],
    options?: Partial<DirectoryBackendOptions>,
  ) => Promise<RestoreResult>
  /** Makes the clock go on. */
  readonly wait: (ms: number) => void
  /** Everything that lies in the cache's directory. */
  readonly all: () => Promise<string[]>
}

const MAIN = { own: 'refs/heads/main', readable: ['refs/heads/main'] }
const timeoutMs = 5000

async function rig(): Promise<Rig> {
  const folder = await cacheFolder()
  const directory = await mkdtemp(join(tmpdir(), 'stage-build-cache-'))
  let time = Date.now()
  const open: Rig['open'] = (options) =>
    openDirectoryBackend({
      root: folder.root,
      directory,
      scopes: MAIN,
      mayWrite: true,
      maxBytes: 1 << 20,
      now: () => new Date(time),
      ...options,
    })
  return {
    folder,
    directory,
    open,
    save: async (key, content, options) => {
      await folder.write('packs/p', { 'data.bin': content, meta: key })
      return await open(options).save({ key, path: 'packs/p', timeoutMs })
    },
    restore: async (key, prefixes, options) =>
      await open(options).restore({ key, path: 'packs/p', prefixes, timeoutMs }),
    wait: (ms) => {
      time += ms
    },
    all: async () => (await readdir(directory, { recursive: true })).sort(),
    [Symbol.asyncDispose]: async () => {
      await folder[Symbol.asyncDispose]()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

describe('what is found', () => {
  test('what was saved, byte for byte, beside what lay there', async () => {
    await using at = await rig()
    expect(await at.save('key-1', 'first')).toEqual({ kind: 'saved' })
    await at.folder.write('packs/p', { other: 'x', meta: 'y' })
    expect(await at.restore('key-1')).toEqual({ kind: 'hit', key: 'key-1' })
    expect(await at.folder.read('packs/p')).toEqual({ 'data.bin': 'first', meta: 'key-1', other: 'x' })
    expect(await readdir(at.folder.root)).toEqual(['packs'])
  })

  test('nothing, where nothing was saved', async () => {
    await using at = await rig()
    expect(await at.restore('key-1', ['key-'])).toEqual({ kind: 'miss' })
    expect(await at.all()).toEqual([])
  })

  test('the key before a prefix, the first prefix before the second, the newest of a prefix', async () => {
    await using at = await rig()
    for (const key of ['a-1', 'a-3', 'a-2', 'b-1']) {
      await at.save(key, key)
      at.wait(1000)
    }
    // To be used does not make it newer.
    await at.restore('a-1')
    expect(await at.restore('a-1', ['b-', 'a-'])).toEqual({ kind: 'hit', key: 'a-1' })
    expect(await at.restore('a-9', ['a-', 'b-'])).toEqual({ kind: 'hit', key: 'a-2' })
    expect((await at.folder.read('packs/p'))?.['data.bin']).toBe('a-2')
    expect(await at.restore('a-9', ['c-', 'b-'])).toEqual({ kind: 'hit', key: 'b-1' })
    expect(await at.restore('a-', [])).toEqual({ kind: 'miss' })
  })

  test('own scope first, then base and default; no other branch’s', async () => {
    await using at = await rig()
    const own = (ref: string): Partial<DirectoryBackendOptions> => ({ scopes: { own: ref, readable: [ref] } })
    await at.save('k-2', 'main', own('refs/heads/main'))
    at.wait(1000)
    await at.save('k-1', 'topic', own('refs/heads/topic'))
    at.wait(1000)
    await at.save('k-3', 'else', own('refs/heads/elsewhere'))
    const scopes = { own: 'refs/pull/1/merge', readable: ['refs/pull/1/merge', 'refs/heads/topic', 'refs/heads/main'] }
    expect(await at.restore('none', ['k-'], { scopes })).toEqual({ kind: 'hit', key: 'k-1' })
    // As at GitHub a prefix in a nearer scope wins over the very key in a farther one.
    expect(await at.restore('k-2', ['k-'], { scopes })).toEqual({ kind: 'hit', key: 'k-1' })
    expect(await at.restore('k-2', [], { scopes })).toEqual({ kind: 'hit', key: 'k-2' })
    expect(await at.restore('k-3', [], { scopes })).toEqual({ kind: 'miss' })
  })

  test('a look-up fetches nothing', async () => {
    await using at = await rig()
    await at.save('key-1', 'first')
    await rm(join(at.folder.root, 'packs'), { recursive: true })
    expect(await at.open().lookUp({ key: 'key-1', path: 'packs/p', timeoutMs })).toEqual({ kind: 'hit', key: 'key-1' })
    expect(await at.open().lookUp({ key: 'key-2', path: 'packs/p', timeoutMs })).toEqual({ kind: 'miss' })
    expect(await at.folder.read('packs/p')).toBeUndefined()
  })

  test('deleting what was restored leaves the cache as it is', async () => {
    await using at = await rig()
    await at.save('key-1', 'first')
    await rm(join(at.folder.root, 'packs'), { recursive: true })
    for (let i = 0; i < 2; i++) {
      expect(await at.restore('key-1')).toEqual({ kind: 'hit', key: 'key-1' })
      expect(await at.folder.read('packs/p')).toEqual({ 'data.bin': 'first', meta: 'key-1' })
      await rm(join(at.folder.root, 'packs'), { recursive: true })
    }
  })
})

describe('what is kept', () => {
  test('a key that is taken stays as it is', async () => {
    await using at = await rig()
    await at.save('key-1', 'first')
    expect(await at.save('key-1', 'second')).toMatchObject({ kind: 'failed', why: 'exists' })
    await at.restore('key-1')
    expect((await at.folder.read('packs/p'))?.['data.bin']).toBe('first')
    expect((await at.all()).filter((name) => name.startsWith('v1/.tmp/'))).toEqual([])
  })

  test('the least recently used go, of all scopes, when there is too much', async () => {
    await using at = await rig()
    const maxBytes = 3500
    const other = { maxBytes, scopes: { own: 'refs/heads/other', readable: ['refs/heads/other'] } }
    await at.save('old-1', 'x'.repeat(1000), other)
    await at.save('old-2', 'x'.repeat(1000), { maxBytes })
    await at.save('old-3', 'x'.repeat(1000), { maxBytes })
    at.wait(1000)
    await at.open(other).lookUp({ key: 'old-1', path: 'packs/p', timeoutMs })
    await at.restore('old-3')
    at.wait(1000)
    await at.save('new-4', 'x'.repeat(1000), { maxBytes })
    expect([
      (await at.restore('old-1', [], other)).kind,
      (await at.restore('old-2')).kind,
      (await at.restore('old-3')).kind,
      (await at.restore('new-4')).kind,
    ]).toEqual(['hit', 'miss', 'hit', 'hit'])
    expect((await at.all()).filter((name) => name.startsWith('v1/.tmp/'))).toEqual([])
  })

  test('an entry larger than the whole cache is refused, and evicts nothing', async () => {
    await using at = await rig()
    await at.save('key-1', 'x')
    expect(await at.save('key-2', 'x'.repeat(5000), { maxBytes: 4000 })).toMatchObject({
      kind: 'failed',
      why: 'limited',
    })
    expect((await at.restore('key-1')).kind).toBe('hit')
    expect((await at.all()).filter((name) => name.startsWith('v1/.tmp/'))).toEqual([])
  })

  test('what killed processes left is removed after an hour', async () => {
    await using at = await rig()
    await at.save('key-1', 'x')
    const left = join(at.directory, 'v1/.tmp/.stage-build-1-left')
    const recent = join(at.directory, 'v1/.tmp/.stage-build-2-recent')
    for (const folder of [left, recent]) {
      await mkdir(join(folder, 'files'), { recursive: true })
      await writeFile(join(folder, 'files/a'), 'x')
    }
    const before = new Date(Date.now() - 3_700_000)
    await utimes(left, before, before)
    await at.save('key-2', 'x')
    expect(await readdir(join(at.directory, 'v1/.tmp'))).toEqual(['.stage-build-2-recent'])
  })

  test('a run that may not write saves nothing', async () => {
    await using at = await rig()
    expect(await at.save('key-1', 'x', { mayWrite: false })).toMatchObject({ kind: 'failed', why: 'denied' })
    expect(await at.all()).toEqual([])
  })

  test('several processes save, restore and evict at once, and every entry is whole or not there', async () => {
    await using at = await rig()
    const worker = join(import.meta.dirname, '../support/directory-worker.ts')
    const run = async (name: string): Promise<Record<string, number>> => {
      const result = await runProcess(process.execPath, [worker, at.directory, name, '60', '40000'])
      expect([result.code, result.stderr]).toEqual([0, ''])
      return JSON.parse(result.stdout) as Record<string, number>
    }
    const counts = await Promise.all(['a', 'b', 'c', 'd'].map(run))
    const sum = (what: string): number => counts.reduce((total, count) => total + (count[what] ?? 0), 0)
    expect(sum('saved') + sum('exists')).toBe(240)
    // An entry that was evicted may be saved again, so a shared key is saved once at least.
    expect(sum('saved')).toBeGreaterThanOrEqual(150)
    expect(sum('hit')).toBeGreaterThan(200)
    const files = (await at.all()).filter((name) => /\/files\/.$/.test(name))
    expect(files.length * 2000).toBeLessThanOrEqual(40_000)
    expect(await readdir(join(at.directory, 'v1/.tmp'))).toEqual([])
  })
})

describe('what others may have put there', () => {
  test.each(['../../etc', 'a/../b', '/etc', 'A', '.hidden', '', 'a//b', 'a b'])('no path %j', async (path) => {
    await using at = await rig()
    expect(await at.open().restore({ key: 'k', path, timeoutMs })).toMatchObject({ kind: 'failed' })
    expect(await at.open().save({ key: 'k', path, timeoutMs })).toMatchObject({ kind: 'failed', why: 'other' })
  })

  test.each(['../k', 'a/b', '', 'K', 'x'.repeat(513), 'a,b', '.'])('no key %j', async (key) => {
    await using at = await rig()
    expect(await at.open().restore({ key, path: 'p', timeoutMs })).toMatchObject({ kind: 'failed' })
    expect(await at.open().lookUp({ key, path: 'p', timeoutMs })).toMatchObject({ kind: 'failed' })
    expect(await at.save(key, 'x')).toMatchObject({ kind: 'failed', why: 'other' })
    expect(await at.all()).toEqual([])
  })

  test.each([
    [
      'a symbolic link',
      async (files: string) => {
        await symlink('/etc/passwd', join(files, 'link'))
      },
    ],
    [
      'a folder',
      async (files: string) => {
        await mkdir(join(files, 'folder'))
      },
    ],
    [
      'an odd name',
      async (files: string) => {
        await writeFile(join(files, 'Odd Name'), '')
      },
    ],
  ])('an entry with %s is not restored', async (_, add) => {
    await using at = await rig()
    await at.save('key-1', 'x')
    const files = (await at.all()).find((name) => name.endsWith('/files')) ?? ''
    await add(join(at.directory, files))
    await rm(join(at.folder.root, 'packs'), { recursive: true })
    expect(await at.restore('key-1')).toMatchObject({ kind: 'failed' })
    expect(await readdir(at.folder.root)).toEqual([])
  })

  test('a link in the place of an entry’s files is not followed', async () => {
    await using at = await rig()
    await at.save('key-1', 'x')
    const files = join(at.directory, (await at.all()).find((name) => name.endsWith('/files')) ?? '')
    await rm(files, { recursive: true })
    await symlink('/etc', files)
    expect(await at.restore('key-1')).toMatchObject({ kind: 'failed' })
  })

  test('what is saved holds plain files only', async () => {
    await using at = await rig()
    await at.folder.write('packs/q', { a: '' })
    await symlink('/etc/passwd', join(at.folder.root, 'packs/q/b'))
    expect(await at.open().save({ key: 'k', path: 'packs/q', timeoutMs })).toMatchObject({
      kind: 'failed',
      why: 'other',
    })
    expect((await at.all()).filter((name) => name.includes('files'))).toEqual([])
  })
})

describe('a disk that fails', () => {
  test('a directory that is a file', async () => {
    await using at = await rig()
    const directory = join(at.folder.root, 'file')
    await writeFile(directory, '')
    const reason = `the cache’s directory ${directory} is no directory`
    expect(await at.save('key-1', 'x', { directory })).toEqual({ kind: 'failed', why: 'other', reason })
    expect(await at.restore('key-1', ['key-'], { directory })).toEqual({ kind: 'failed', reason })
  })

  test('what is not there to be saved', async () => {
    await using at = await rig()
    expect(await at.open().save({ key: 'k', path: 'packs/none', timeoutMs })).toMatchObject({
      kind: 'failed',
      why: 'other',
      reason: expect.stringContaining('packs/none') as unknown,
    })
  })

  const isRoot = process.getuid?.() === 0
  const asUser = isRoot ? test.skip : test
  const asRoot = isRoot ? test : test.skip

  asUser('a directory that this user may not write to', async () => {
    await using at = await rig()
    await chmod(at.directory, 0o500)
    expect(await at.save('key-1', 'x')).toMatchObject({
      kind: 'failed',
      why: 'other',
      reason: `the cache’s directory ${at.directory} may not be used by this user`,
    })
  })

  asRoot('a full disk: what was written goes, and what was there stays', async () => {
    await using at = await rig()
    await using disk = await mount(at.directory, 'size=1m')
    expect(disk.error).toBe('')
    expect(await at.save('key-1', 'x'.repeat(600_000))).toEqual({ kind: 'saved' })
    expect(await at.save('key-2', 'y'.repeat(600_000))).toEqual({
      kind: 'failed',
      why: 'limited',
      reason: `there is no room left in ${at.directory}`,
    })
    expect(await readdir(join(at.directory, 'v1/.tmp'))).toEqual([])
    expect(await at.restore('key-1')).toEqual({ kind: 'hit', key: 'key-1' })
    expect((await at.folder.read('packs/p'))?.['data.bin']).toBe('x'.repeat(600_000))
    expect((await stat(join(at.folder.root, 'packs/p/data.bin'))).nlink).toBe(1)
  })

  asRoot('a disk that cannot be written to can be read', async () => {
    await using at = await rig()
    await at.save('key-1', 'x')
    await using disk = await mount(at.directory, 'bind')
    const remount = await runProcess('mount', ['-o', 'remount,bind,ro', at.directory])
    expect([disk.error, remount.stderr]).toEqual(['', ''])
    expect(await at.save('key-2', 'x')).toMatchObject({ kind: 'failed', why: 'other' })
    expect(await at.restore('key-1')).toEqual({ kind: 'hit', key: 'key-1' })
  })
})

async function mount(directory: string, options: string): Promise<AsyncDisposable & { readonly error: string }> {
  const what = options === 'bind' ? ['--bind', directory] : ['-t', 'tmpfs', '-o', options, 'tmpfs']
  const { stderr } = await runProcess('mount', [...what, directory])
  return {
    error: stderr,
    [Symbol.asyncDispose]: async () => {
      await runProcess('umount', [directory])
    },
  }
}
