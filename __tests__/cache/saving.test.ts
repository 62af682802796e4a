import { describe, expect, test } from '@jest/globals'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { SaveResult } from '../../src/cache/cache-backend.ts'
import type { CacheIndex } from '../../src/cache/cache-index.ts'
import { newPack } from '../../src/cache/cache-keys.ts'
import { INDEX_PATH, indexFile } from '../../src/cache/cache-keys.ts'
import { loadIndexes, type LoadedIndexes } from '../../src/cache/index-loader.ts'
import { blobFile, PackStore } from '../../src/cache/pack-store.ts'
import {
  executeSave,
  fillPack,
  savingTimeout,
  type PackContent,
  type PackJob,
  type SavePlan,
} from '../../src/cache/saving.ts'
import { backendRig, failure, MAIN, saveEntry, type BackendRig, type Session } from '../support/backend-rig.ts'
import { cacheFolder } from '../support/cache-folder.ts'
import { chainCache, digest } from '../support/target-caches.ts'

const THEN = '2026-11-20T11:00:00.000Z'
const NOW = Date.UTC(2026, 10, 20, 12)
const PREFIX = 'sb1-index-test-'

/** Blobs that are called by their own text. */
function content(...texts: readonly string[]): PackContent {
  return {
    ...newPack('sb1-pack-0123456789abcdef-'),
    blobs: Object.fromEntries(texts.map((text) => [digest(text), text.length])),
  }
}

function files(...texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(texts.map((text) => [blobFile(digest(text)), text]))
}

function job(texts: readonly string[], from: readonly PackContent[] = []): PackJob {
  return { ...content(...texts), createdAt: THEN, from }
}

function planOf(packs: readonly PackJob[], saved: readonly PackContent[] = []): SavePlan {
  const key = `${PREFIX}${'0'.repeat(8)}`
  const document: CacheIndex = {
    ...{ version: 1, createdAt: THEN, ref: MAIN, mounts: {}, records: {} },
    packs: Object.fromEntries(saved.map(({ key: name, path, blobs }) => [name, { path, createdAt: THEN, blobs }])),
    targets: { app: { createdAt: THEN, ...chainCache([['step', 'one', 3]]) } },
  }
  return { packs, document, index: { key, path: INDEX_PATH, file: indexFile(key) } }
}

/** What the next run finds. */
async function next(rig: BackendRig): Promise<{ readonly loaded: LoadedIndexes; readonly session: Session }> {
  const session = await rig.session()
  const place = { source: 'own', ref: MAIN, prefix: PREFIX, anyLeg: PREFIX } as const
  return { loaded: await loadIndexes([place], { ...session, now: NOW }), session }
}

async function readable(rig: BackendRig, texts: readonly string[]): Promise<readonly string[]> {
  const { loaded, session } = await next(rig)
  const store = new PackStore(session)
  for (const [key, { path, blobs }] of Object.entries(loaded.found[0]?.index.packs ?? {})) {
    store.add({ key, path, blobs: new Map(Object.entries(blobs)) })
  }
  const found = await Promise.all(
    texts.map(async (text) => ((await store.fileOf(digest(text))) === undefined ? [] : [text])),
  )
  return found.flat()
}

describe('a plan that is carried out', () => {
  test('the next run finds packs and index', async () => {
    await using rig = await backendRig()
    const session = await rig.session()
    const packs = [job(['one', 'two']), job(['three'])]
    const [first, second] = packs
    if (first === undefined || second === undefined) throw new Error('no packs')
    await session.write(first.path, files('one', 'two'))
    await session.write(second.path, files('three'))
    const plan = planOf(packs)
    expect(await executeSave(plan, session)).toEqual({ entries: 3, bytes: 11, indexSaved: true, failures: [] })
    expect(session.calls.at(-1)).toBe(`save ${plan.index.key}`)
    const { loaded } = await next(rig)
    expect(Object.keys(loaded.found[0]?.index.packs ?? {}).sort()).toEqual([first.key, second.key].sort())
    expect(await readable(rig, ['one', 'two', 'three', 'four'])).toEqual(['one', 'two', 'three'])
  })

  test('survives the way through the action’s state as JSON', async () => {
    await using rig = await backendRig()
    const session = await rig.session()
    const pack = job(['one'])
    await session.write(pack.path, files('one'))
    const plan = JSON.parse(JSON.stringify(planOf([pack]))) as SavePlan
    expect(await executeSave(plan, session)).toMatchObject({ entries: 2, indexSaved: true })
    expect(await readable(rig, ['one'])).toEqual(['one'])
  })

  test('an index alone is saved: its packs were before', async () => {
    await using rig = await backendRig()
    const early = content('one')
    await saveEntry(rig, early, files('one'))
    const session = await rig.session()
    expect(await executeSave(planOf([], [early]), session)).toMatchObject({ entries: 1, bytes: 0, indexSaved: true })
    expect(await readable(rig, ['one'])).toEqual(['one'])
  })

  test('of the index’s folder nothing but the new index is saved', async () => {
    await using rig = await backendRig()
    const session = await rig.session()
    await session.write(INDEX_PATH, { 'another.json': '{}', 'third.json': 'x' })
    const plan = planOf([])
    expect((await executeSave(plan, session)).indexSaved).toBe(true)
    const { session: after } = await next(rig)
    expect(await readdir(join(after.root, INDEX_PATH))).toEqual([plan.index.file])
  })
})

describe('a pack that is not saved', () => {
  test('is not in the index, the others are', async () => {
    await using rig = await backendRig()
    const [good, bad] = [job(['one']), job(['two'])]
    const session = await rig.session({ fails: (_, { key }) => (key === bad.key ? failure('limited') : undefined) })
    await session.write(good.path, files('one'))
    await session.write(bad.path, files('two'))
    expect(await executeSave(planOf([bad, good]), session)).toEqual({
      ...{ entries: 2, bytes: 3, indexSaved: true },
      failures: [failure('limited')],
    })
    expect(await readable(rig, ['one', 'two'])).toEqual(['one'])
  })

  test('is not in the index, though its save was begun before the plan was made', async () => {
    await using rig = await backendRig()
    const [good, bad, last] = [content('one'), content('two'), job(['three'])]
    await saveEntry(rig, good, files('one'))
    const session = await rig.session()
    await session.write(last.path, files('three'))
    const begun = Promise.resolve(
      new Map<string, SaveResult>([
        [good.key, { kind: 'saved' }],
        [bad.key, failure('limited')],
      ]),
    )
    expect(await executeSave(planOf([last], [good, bad]), { ...session, begun })).toEqual({
      ...{ entries: 2, bytes: 5, indexSaved: true },
      failures: [failure('limited')],
    })
    const { loaded } = await next(rig)
    expect(Object.keys(loaded.found[0]?.index.packs ?? {}).sort()).toEqual([good.key, last.key].sort())
    expect(await readable(rig, ['one', 'two', 'three'])).toEqual(['one', 'three'])
  })

  test('nor is an index saved where all failed that were begun before', async () => {
    await using rig = await backendRig()
    const bad = content('two')
    const session = await rig.session()
    const begun = Promise.resolve(new Map<string, SaveResult>([[bad.key, failure('limited')]]))
    const report = await executeSave(planOf([], [bad]), { ...session, begun })
    expect([report.indexSaved, session.calls]).toEqual([false, []])
  })

  test('none saved: the older index stays the newest', async () => {
    await using rig = await backendRig()
    const packs = [job(['one']), job(['two'])]
    const session = await rig.session({ fails: () => failure('denied') })
    for (const { path } of packs) await session.write(path, files('one', 'two'))
    expect(await executeSave(planOf(packs), session)).toEqual({
      ...{ entries: 0, bytes: 0, indexSaved: false },
      failures: [failure('denied'), failure('denied')],
    })
    expect(session.calls.toSorted()).toEqual(packs.map(({ key }) => `save ${key}`).sort())
    expect((await next(rig)).loaded.searches).toEqual([{ source: 'own', ref: MAIN, outcome: 'none' }])
  })

  test('an index that is not saved is told', async () => {
    await using rig = await backendRig()
    const pack = job(['one'])
    const session = await rig.session({ fails: (_, { path }) => (path === INDEX_PATH ? failure('exists') : undefined) })
    await session.write(pack.path, files('one'))
    expect(await executeSave(planOf([pack]), session)).toEqual({
      ...{ entries: 1, bytes: 3, indexSaved: false },
      failures: [failure('exists')],
    })
  })

  test('a folder that cannot be written to is told, not thrown', async () => {
    await using folder = await cacheFolder()
    await using rig = await backendRig()
    const { backend } = await rig.session()
    const root = join(folder.root, 'file')
    await writeFile(root, '')
    const report = await executeSave(planOf([]), { backend, root })
    expect(report).toMatchObject({ entries: 0, indexSaved: false, failures: [{ kind: 'failed', why: 'limited' }] })
    expect(report.failures[0]?.reason).toContain('ENOTDIR')
    expect(await executeSave(planOf([job(['one'])]), { backend, root })).toMatchObject({ entries: 0, failures: [] })
  })

  test('one blob is missing or cut off: the pack does without it', async () => {
    await using rig = await backendRig()
    const pack = job(['one', 'three', 'missing'])
    const session = await rig.session()
    await session.write(pack.path, { ...files('one'), [blobFile(digest('three'))]: 'thr' })
    expect(await executeSave(planOf([pack]), session)).toMatchObject({ entries: 2, bytes: 3 })
    const { loaded } = await next(rig)
    expect(loaded.found[0]?.index.packs[pack.key]?.blobs).toEqual({ [digest('one')]: 3 })
  })
})

describe('a pack that is rewritten', () => {
  test('takes from older packs what is still of use, and new blobs beside', async () => {
    await using rig = await backendRig()
    const [old, older] = [content('one', 'garbage'), content('two', 'waste')]
    await saveEntry(rig, old, files('one', 'garbage'))
    await saveEntry(rig, older, files('two', 'waste'))
    const session = await rig.session()
    const pack = job(['one', 'two', 'new'], [old, older])
    await session.write(pack.path, files('new'))
    expect(await executeSave(planOf([pack]), session)).toMatchObject({ entries: 2, bytes: 9 })
    expect(session.calls.filter((call) => call.startsWith('restore')).sort()).toEqual(
      [old, older].map(({ key }) => `restore ${key}`).sort(),
    )
    await rig.evict(old.key)
    await rig.evict(older.key)
    expect(await readable(rig, ['one', 'two', 'new', 'garbage'])).toEqual(['one', 'two', 'new'])
  })

  test('does not fetch what the main step fetched', async () => {
    await using rig = await backendRig()
    const old = content('one', 'garbage')
    const session = await rig.session()
    await session.write(old.path, files('one', 'garbage'))
    const pack = job(['one'], [old])
    expect(await executeSave(planOf([pack]), session)).toMatchObject({ entries: 2, bytes: 3 })
    expect(session.calls).toEqual([`save ${pack.key}`, `save ${planOf([]).index.key}`])
    expect(await readable(rig, ['one'])).toEqual(['one'])
  })

  test('does without a pack that is gone, and without a blob that is damaged', async () => {
    await using rig = await backendRig()
    const [gone, damaged] = [content('one'), content('two', 'three')]
    await saveEntry(rig, damaged, { ...files('three'), [blobFile(digest('two'))]: 'owt' })
    const session = await rig.session()
    const pack = job(['one', 'two', 'three'], [gone, damaged])
    expect(await executeSave(planOf([pack]), session)).toMatchObject({ entries: 2, bytes: 5, failures: [] })
    expect(await readable(rig, ['one', 'two', 'three'])).toEqual(['three'])
  })

  test('that nothing can be had of is no pack', async () => {
    await using rig = await backendRig()
    const session = await rig.session()
    const report = await executeSave(planOf([job(['one'], [content('one')])]), session)
    expect(report).toEqual({ entries: 0, bytes: 0, indexSaved: false, failures: [] })
    expect(session.calls.filter((call) => call.startsWith('save'))).toEqual([])
  })
})

test('fillPack puts blobs into place without a copy', async () => {
  await using folder = await cacheFolder()
  await folder.write('blobs', { a: 'one' })
  await fillPack(folder.root, 'packs/x', new Map([[digest('one'), join(folder.root, 'blobs/a')]]))
  expect(await folder.read('packs/x')).toEqual(files('one'))
  await writeFile(join(folder.root, 'blobs/a'), 'same file')
  expect(Object.values((await folder.read('packs/x')) ?? {})).toEqual(['same file'])
})

test('what is more may take longer', () => {
  expect(savingTimeout(0)).toBeGreaterThan(10_000)
  expect(savingTimeout(4e9) - savingTimeout(2e9)).toBeGreaterThan(600_000)
})
