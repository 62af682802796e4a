import { describe, expect, test } from '@jest/globals'
import { readFile, rm, stat, symlink, writeFile, mkdir, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { newPack } from '../../src/cache/cache-keys.ts'
import { blobFile, PackStore, type Pack } from '../../src/cache/pack-store.ts'
import {
  backendRig,
  failure,
  saveEntry,
  type BackendRig,
  type Session,
  type SessionOptions,
} from '../support/backend-rig.ts'
import { digest } from '../support/target-caches.ts'

/** A pack of blobs that are called by their own text. */
function packOf(...contents: readonly string[]): Pack {
  return {
    ...newPack('sb1-pack-0123456789abcdef-'),
    blobs: new Map(contents.map((content) => [digest(content), content.length])),
  }
}

async function save(rig: BackendRig, pack: Pack, ...contents: readonly string[]): Promise<void> {
  await saveEntry(rig, pack, Object.fromEntries(contents.map((content) => [blobFile(digest(content)), content])))
}

async function open(
  rig: BackendRig,
  packs: readonly Pack[],
  options?: SessionOptions,
): Promise<Session & { readonly store: PackStore }> {
  const session = await rig.session(options)
  const store = new PackStore(session)
  for (const pack of packs) store.add(pack)
  return { ...session, store }
}

async function read(
  store: PackStore,
  content: string,
  range?: { readonly start: number; readonly end: number },
): Promise<string | undefined> {
  const blob = await store.open(digest(content))
  if (blob === undefined) return undefined
  if ('redirect' in blob) throw new Error('sent elsewhere')
  expect(blob.size).toBe(content.length)
  return await text(await blob.open(range))
}

const NOTHING = { fetched: 0, bytesFetched: 0, gone: 0, failed: 0, damaged: 0 }

describe('a pack', () => {
  test('is fetched once, however many ask for its blobs at once', async () => {
    await using rig = await backendRig()
    const pack = packOf('one', 'three')
    await save(rig, pack, 'one', 'three')
    const { store, calls } = await open(rig, [pack])
    const asked = Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? 'one' : 'three'))
    expect(await Promise.all(asked.map((content) => read(store, content)))).toEqual(asked)
    expect(await read(store, 'three', { start: 1, end: 2 })).toBe('hr')
    expect(calls).toEqual([`restore ${pack.key}`])
    expect(store.stats()).toEqual({ ...NOTHING, fetched: 1, bytesFetched: 8 })
  })

  test('is fetched ahead for the blobs that are named, and no other is', async () => {
    await using rig = await backendRig()
    const [first, second, third] = [packOf('a', 'b'), packOf('c'), packOf('d')]
    await save(rig, first, 'a', 'b')
    await save(rig, second, 'c')
    await save(rig, third, 'd')
    const { store, calls } = await open(rig, [first, second, third])
    await store.prefetch([digest('a'), digest('b'), digest('c'), digest('in none')])
    expect(calls.toSorted()).toEqual([`restore ${first.key}`, `restore ${second.key}`].sort())
    expect(await read(store, 'b')).toBe('b')
    expect(calls).toHaveLength(2)
    expect(store.stats()).toEqual({ ...NOTHING, fetched: 2, bytesFetched: 3 })
  })

  test('that another step fetched is not fetched again', async () => {
    await using rig = await backendRig()
    const pack = packOf('one')
    const { store, calls, write } = await open(rig, [pack])
    await write(pack.path, { [blobFile(digest('one'))]: 'one' })
    store.assumeFetched(pack)
    expect(await read(store, 'one')).toBe('one')
    expect(await store.fileOf(digest('one'))).toMatch(/sha256-[0-9a-f]{64}$/)
    expect([calls, store.stats()]).toEqual([[], NOTHING])
  })

  test('added first is where a blob is looked for', async () => {
    await using rig = await backendRig()
    const [own, base] = [packOf('one'), packOf('one', 'two')]
    await save(rig, own, 'one')
    await save(rig, base, 'one', 'two')
    const { store, calls } = await open(rig, [own, base])
    expect(await read(store, 'one')).toBe('one')
    expect(calls).toEqual([`restore ${own.key}`])
    expect(await read(store, 'two')).toBe('two')
  })

  test('has the more time the more there is of it', async () => {
    const requests: number[] = []
    const store = new PackStore({
      root: '/nowhere',
      backend: {
        kind: 'github',
        restore: ({ timeoutMs }) => {
          requests.push(timeoutMs)
          return Promise.resolve({ kind: 'miss' })
        },
        lookUp: () => Promise.resolve({ kind: 'miss' }),
        save: () => Promise.resolve(failure()),
        close: () => Promise.resolve(),
      },
    })
    await store.restore({ key: 'small', path: 'packs/s', blobs: new Map([[digest('s'), 1]]) })
    await store.restore({ key: 'large', path: 'packs/l', blobs: new Map([[digest('l'), 2e9]]) })
    const [small = 0, large = 0] = requests
    expect(small).toBeGreaterThan(5_000)
    expect(small).toBeLessThan(60_000)
    expect(large - small).toBeGreaterThan(600_000)
  })
})

describe('a promise', () => {
  test('asks once whether the pack is there, and fetches nothing', async () => {
    await using rig = await backendRig()
    const pack = packOf('one', 'three')
    await save(rig, pack, 'one', 'three')
    const { store, calls } = await open(rig, [pack])
    const sizes = await Promise.all(['one', 'three', 'one'].map((content) => store.promised(digest(content))))
    expect(sizes).toEqual([3, 5, 3])
    expect(calls).toEqual([`lookUp ${pack.key}`])
    expect(store.stats()).toEqual(NOTHING)
    expect(store.missed.size).toBe(0)
  })

  test('of what no pack holds is none, without a question', async () => {
    await using rig = await backendRig()
    const { store, calls } = await open(rig, [packOf('one')])
    expect(await store.promised(digest('two'))).toBeUndefined()
    expect(await read(store, 'two')).toBeUndefined()
    expect([store.has(digest('two')), store.missed.size, calls]).toEqual([false, 0, []])
  })

  test('of a blob in a pack that was fetched is one only if the blob is sound', async () => {
    await using rig = await backendRig()
    const pack = packOf('one', 'two')
    await save(rig, { ...pack }, 'one')
    const { store, calls } = await open(rig, [pack])
    await store.prefetch([digest('one')])
    expect(await store.promised(digest('one'))).toBe(3)
    expect(await store.promised(digest('two'))).toBeUndefined()
    expect(calls).toEqual([`restore ${pack.key}`])
  })

  test('is none when the pack was evicted, also for whoever asks next', async () => {
    await using rig = await backendRig()
    const pack = packOf('one', 'two')
    await save(rig, pack, 'one', 'two')
    await rig.evict(pack.key)
    const { store, calls } = await open(rig, [pack])
    expect(store.has(digest('one'))).toBe(true)
    expect(await store.promised(digest('one'))).toBeUndefined()
    expect([store.has(digest('one')), store.has(digest('two')), store.isGone(pack.key)]).toEqual([false, false, true])
    expect(await store.promised(digest('two'))).toBeUndefined()
    expect(calls).toEqual([`lookUp ${pack.key}`])
    expect(store.stats()).toEqual({ ...NOTHING, gone: 1 })
  })
})

describe('what cannot be had', () => {
  test('a pack that goes between the promise and the fetch', async () => {
    await using rig = await backendRig()
    const pack = packOf('one')
    await save(rig, pack, 'one')
    const { store } = await open(rig, [pack])
    expect(await store.promised(digest('one'))).toBe(3)
    await rig.evict(pack.key)
    expect(await read(store, 'one')).toBeUndefined()
    expect([...store.missed]).toEqual([digest('one')])
    expect([store.isGone(pack.key), store.has(digest('one'))]).toEqual([true, false])
  })

  test.each(['lookUp', 'restore'] as const)('a %s that fails: not used, but not taken for gone', async (broken) => {
    await using rig = await backendRig()
    const pack = packOf('one')
    await save(rig, pack, 'one')
    const { store } = await open(rig, [pack], { fails: (call) => (call === broken ? failure() : undefined) })
    if (broken === 'lookUp') expect(await store.promised(digest('one'))).toBeUndefined()
    else expect(await read(store, 'one')).toBeUndefined()
    expect([store.isGone(pack.key), store.has(digest('one'))]).toEqual([false, false])
    expect(store.stats()).toEqual({ ...NOTHING, failed: 1 })
  })

  test.each<[string, (file: string, directory: string) => Promise<void>]>([
    ['with other bytes', (file) => writeFile(file, 'eno')],
    ['that is cut off', (file) => truncate(file, 2)],
    ['that is longer', (file) => writeFile(file, 'one and more')],
    ['that is missing', (file) => rm(file)],
    [
      'that is a link to the right bytes',
      async (file, directory) => {
        await rm(file)
        await writeFile(join(directory, 'elsewhere'), 'one')
        await symlink(join(directory, 'elsewhere'), file)
      },
    ],
    [
      'that is a link to what must not be touched',
      async (file) => {
        await rm(file)
        await symlink('/etc/passwd', file)
      },
    ],
    [
      'that is a directory',
      async (file) => {
        await rm(file)
        await mkdir(file)
        await writeFile(join(file, 'inner'), 'one')
      },
    ],
  ])('a blob %s; the others of its pack can', async (_, damage) => {
    await using rig = await backendRig()
    const pack = packOf('one', 'three')
    await save(rig, pack, 'one', 'three')
    const name = blobFile(digest('one'))
    const { store, root } = await open(rig, [pack], {
      // Restored files may be the cache's own, so another file takes the place.
      onRestored: async (directory) => {
        const file = join(directory, name)
        const content = await readFile(file)
        await rm(file)
        await writeFile(file, content)
        await damage(file, directory)
      },
    })
    const opened = await Promise.all([read(store, 'one'), read(store, 'one'), read(store, 'three')])
    expect(opened).toEqual([undefined, undefined, 'three'])
    expect([...store.damaged]).toEqual([digest('one')])
    expect([...store.missed]).toEqual([digest('one')])
    expect([store.has(digest('one')), store.has(digest('three'))]).toEqual([false, true])
    expect([await store.promised(digest('one')), await store.fileOf(digest('one'))]).toEqual([undefined, undefined])
    expect(store.stats()).toEqual({ ...NOTHING, fetched: 1, bytesFetched: 8, damaged: 1 })
    // It must not get into a pack again.
    await expect(stat(join(root, pack.path, name))).rejects.toThrow('ENOENT')
    expect((await readFile('/etc/passwd', 'utf8')).length).toBeGreaterThan(0)
  })
})
