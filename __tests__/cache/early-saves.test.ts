import { describe, expect, test } from '@jest/globals'
import { join } from 'node:path'
import { newPack } from '../../src/cache/cache-keys.ts'
import { EarlySaves } from '../../src/cache/early-saves.ts'
import { blobFile, PackStore } from '../../src/cache/pack-store.ts'
import { backendRig, failure, type BackendRig, type SessionOptions } from '../support/backend-rig.ts'
import { digest } from '../support/target-caches.ts'

const MIB = 1 << 20
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
const NOW = Date.UTC(2026, 10, 20, 12)

interface Run {
  readonly saves: EarlySaves
  readonly calls: readonly string[]
}

/** A run whose spool holds a to h. Their files are small: how large they are is what `add` is told. */
async function run(rig: BackendRig, options: SessionOptions & { readonly writes?: boolean } = {}): Promise<Run> {
  const { root, backend, calls, write } = await rig.session(options)
  await write('blobs', Object.fromEntries(NAMES.map((name) => [blobFile(digest(name)), name])))
  const saves = new EarlySaves({
    ...{ backend, root, writes: options.writes ?? true, now: () => NOW },
    newPack: () => newPack('sb1-pack-0123456789abcdef-'),
    fileOf: (blob) => join(root, 'blobs', blobFile(blob)),
  })
  return { saves, calls }
}

/** What was saved in the end. */
async function packs({ saves }: Run): Promise<readonly string[]> {
  await saves.results()
  const names = new Map(NAMES.map((name) => [digest(name), name]))
  return saves.packs
    .map(({ blobs }) =>
      Object.keys(blobs)
        .map((blob) => names.get(blob) ?? '?')
        .join(''),
    )
    .sort()
}

describe('while the build runs', () => {
  test('a large blob is saved alone, and at once', async () => {
    await using rig = await backendRig()
    const begun = await run(rig)
    begun.saves.add(digest('a'), 32 * MIB)
    begun.saves.add(digest('b'), 32 * MIB - 1)
    expect(await packs(begun)).toEqual(['a'])
  })

  test('small blobs are saved together when they are enough', async () => {
    await using rig = await backendRig()
    const begun = await run(rig)
    begun.saves.add(digest('a'), 31 * MIB)
    begun.saves.add(digest('a'), 31 * MIB)
    begun.saves.add(digest('b'), 31 * MIB)
    begun.saves.add(digest('c'), 31 * MIB)
    expect(await packs(begun)).toEqual([])
    begun.saves.add(digest('d'), 3 * MIB)
    expect(await packs(begun)).toEqual(['abcd'])
    begun.saves.add(digest('e'), 31 * MIB)
    expect(await packs(begun)).toEqual(['abcd'])
  })

  test('twice at most, whatever comes', async () => {
    await using rig = await backendRig()
    const begun = await run(rig)
    for (const name of NAMES) begun.saves.add(digest(name), 40 * MIB)
    expect(await packs(begun)).toEqual(['a', 'b'])
    expect(begun.calls).toHaveLength(2)
  })

  test('not at all in a run that only reads', async () => {
    await using rig = await backendRig()
    const begun = await run(rig, { writes: false })
    begun.saves.add(digest('a'), 400 * MIB)
    expect([await packs(begun), begun.calls]).toEqual([[], []])
  })
})

describe('what was saved', () => {
  test('the next run can fetch, under the key that it was told', async () => {
    await using rig = await backendRig()
    const { saves } = await run(rig)
    saves.add(digest('a'), 40 * MIB)
    await saves.results()
    const [pack] = saves.packs
    if (pack === undefined) throw new Error('not saved')
    expect(pack).toEqual({
      key: pack.key,
      path: `packs/${pack.key.slice(-32)}`,
      blobs: { [digest('a')]: 40 * MIB },
      createdAt: '2026-11-20T12:00:00.000Z',
    })
    const store = new PackStore(await rig.session())
    const told = { key: pack.key, path: pack.path, blobs: new Map([[digest('a'), 1]]) }
    store.add(told)
    expect(await store.fileOf(digest('a'))).toBeDefined()
  })

  test('is not what the backend refused', async () => {
    await using rig = await backendRig()
    let refusals = 0
    const begun = await run(rig, { fails: () => (refusals++ === 0 ? failure('limited') : undefined) })
    begun.saves.add(digest('a'), 40 * MIB)
    begun.saves.add(digest('b'), 40 * MIB)
    expect(begun.saves.packs).toHaveLength(2)
    const done = await packs(begun)
    expect(done).toHaveLength(1)
    expect(['a', 'b']).toContain(done[0])
    const kinds = [...(await begun.saves.results()).values()].map(({ kind }) => kind)
    expect(kinds.sort()).toEqual(['failed', 'saved'])
  })

  test('is not what is no file any more, and nothing is thrown', async () => {
    await using rig = await backendRig()
    const begun = await run(rig)
    begun.saves.add(digest('not in the spool'), 40 * MIB)
    begun.saves.add(digest('b'), 40 * MIB)
    expect(await packs(begun)).toEqual(['b'])
    expect(begun.calls).toHaveLength(1)
  })
})
