import { describe, expect, test } from '@jest/globals'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { indexKeys, packPrefix } from '../../src/cache/cache-keys.ts'
import type { TargetCache } from '../../src/cache/cache-manifest.ts'
import { blobsOf, parseTargetCache } from '../../src/cache/cache-manifest.ts'
import type { ImageNotes } from '../../src/cache/image-notes.ts'
import type { IndexPlace } from '../../src/cache/index-loader.ts'
import { LayerCache, type Offer, type Saving } from '../../src/cache/layer-cache.ts'
import { blobFile } from '../../src/cache/pack-store.ts'
import { executeSave, type SaveReport } from '../../src/cache/saving.ts'
import {
  backendRig,
  failure,
  MAIN,
  type BackendRig,
  type Session,
  type SessionOptions,
} from '../support/backend-rig.ts'
import { chainCache, digest } from '../support/target-caches.ts'

const PULL = 'refs/pull/7/merge'
const HOUR = 3_600_000
const NOW = Date.UTC(2026, 10, 20, 12)
const NO_NOTES: ImageNotes = { unpacked: new Map(), layers: new Map(), files: new Map() }
const BASE = digest('base image')

interface RunOptions extends SessionOptions {
  /** A pull request to the main branch. */
  readonly isPull?: boolean
  readonly hoursLater?: number
  readonly writes?: boolean
  readonly maxBytes?: number
  readonly withIndexBytes?: number
}

interface Run {
  readonly session: Session
  readonly cache: LayerCache
  /** Blobs (called by their own text) that BuildKit pushes. */
  readonly push: (...contents: readonly string[]) => Promise<void>
  readonly finish: (targets: Readonly<Record<string, TargetCache>>, notes?: ImageNotes) => Promise<Saving>
  /** Finishes and saves. */
  readonly save: (targets: Readonly<Record<string, TargetCache>>) => Promise<SaveReport>
  readonly offers: (target?: string) => Promise<readonly Offer[]>
  /** What the registry would give of a blob. */
  readonly get: (content: string) => Promise<string | undefined>
}

async function run(rig: BackendRig, options: RunOptions = {}): Promise<Run> {
  const ref = options.isPull === true ? PULL : MAIN
  const session = await rig.session({ ...options, ref, readable: options.isPull === true ? [PULL, MAIN] : [MAIN] })
  const identity = { id: 'shop', scope: '' }
  const place = (source: IndexPlace['source'], of: string): IndexPlace => ({
    ...{ source, ref: of },
    ...indexKeys({ ...identity, ref: of, targets: ['app'], platforms: [] }),
  })
  const cache = new LayerCache({
    ...{ backend: session.backend, root: session.root, commit: 'c'.repeat(40), packPrefix: packPrefix(identity) },
    places: [place('own', ref), ...(options.isPull === true ? [place('base', MAIN)] : [])],
    writes: options.writes ?? true,
    maxBytes: options.maxBytes ?? 1e9,
    withIndexBytes: options.withIndexBytes ?? 0,
    now: () => NOW + (options.hoursLater ?? 0) * HOUR,
  })
  cache.begin()
  const isBase = (blob: string): boolean => blob === BASE
  const finish: Run['finish'] = (targets, notes = NO_NOTES) =>
    cache.finish(new Map(Object.entries(targets)), { isBase, notes, records: { json: {}, areNew: false } })
  return {
    ...{ session, cache, finish },
    push: async (...contents) => {
      for (const content of contents) {
        for (const sink of cache.openSinks()) {
          await sink.write(Buffer.from(content))
          await sink.finish(digest(content), content.length)
        }
      }
    },
    save: async (targets) => {
      const saving = await finish(targets)
      if (saving.kind !== 'plan') throw new Error('nothing to save')
      return await executeSave(saving.plan, { ...session, begun: saving.begun })
    },
    offers: (target = 'app') => cache.offers(target, isBase),
    get: async (content) => {
      for (const source of cache.sources) {
        if ((await source.promised(digest(content))) === undefined) continue
        const blob = await source.open(digest(content))
        if (blob !== undefined && 'open' in blob) return await text(await blob.open(undefined))
      }
      return undefined
    },
  }
}

/** A target on a base image, each step's layer called by its text. */
function target(...contents: readonly string[]): TargetCache {
  return chainCache([
    ['FROM', 'base image', 9],
    ...contents.map((content) => [`make ${content}`, content, content.length] as const),
  ])
}

/** The layers that an offer names, base image aside. */
function named({ rendered }: Offer): readonly string[] {
  const cache = parseTargetCache(rendered.manifest, rendered.config)
  if (cache === undefined) throw new Error('BuildKit would not read it')
  return [...blobsOf(cache).keys()].filter((blob) => blob !== BASE)
}

function digests(...contents: readonly string[]): readonly string[] {
  return contents.map(digest)
}

function packsOf(saving: Saving): readonly (readonly string[])[] {
  return saving.kind === 'plan' ? saving.plan.packs.map(({ blobs }) => Object.keys(blobs).sort()) : []
}

describe('from run to run', () => {
  test('what one run saves the next one is offered, and it saves nothing', async () => {
    await using rig = await backendRig()
    const first = await run(rig)
    expect(await first.offers()).toEqual([])
    expect(await first.get('one')).toBeUndefined()
    await first.push('one', 'two')
    expect(await first.get('two')).toBe('two')
    expect([first.cache.hasReceived(digest('one')), first.cache.hasReceived(BASE)]).toEqual([true, false])
    expect(await first.save({ app: target('one', 'two') })).toEqual({
      ...{ entries: 2, bytes: 6, indexSaved: true, failures: [] },
    })

    const second = await run(rig, { hoursLater: 1 })
    const [offer, ...others] = await second.offers()
    if (offer === undefined) throw new Error('no offer')
    expect({ ref: offer.ref, createdAt: offer.createdAt, others }).toEqual({ ref: MAIN, createdAt: NOW, others: [] })
    expect([...named(offer)].sort()).toEqual([...digests('one', 'two')].sort())
    expect(await second.get('two')).toBe('two')
    expect(await second.finish({ app: target('one', 'two') })).toEqual({ kind: 'unchanged' })
    // The pack is young, so nobody asks for it in advance; it is asked for once when it is promised, and fetched once.
    const calls = second.session.calls.map((call) => call.split(' ')[0])
    expect(calls).toEqual(['restore', 'lookUp', 'restore'])
    expect(second.cache.stats()).toEqual({ fetched: 1, bytesFetched: 6, gone: 0, failed: 0, damaged: 0 })
    expect(await second.cache.searches()).toEqual([{ source: 'own', ref: MAIN, outcome: 'found' }])
  })

  test('of what changed only the new layers are saved', async () => {
    await using rig = await backendRig()
    const first = await run(rig)
    await first.push('one', 'two and a lot more')
    await first.save({ app: target('two and a lot more', 'one') })
    const second = await run(rig)
    await second.push('three')
    const saving = await second.finish({ app: target('two and a lot more', 'three') })
    expect(packsOf(saving)).toEqual([digests('three')])
    expect(saving).toMatchObject({ bytes: 5, droppedBytes: 0 })
  })

  test('layers of base images are never saved, and not offered when nobody keeps them', async () => {
    await using rig = await backendRig()
    const first = await run(rig)
    await first.push('one')
    expect(packsOf(await first.finish({ app: target('one') }))).toEqual([digests('one')])
    await first.save({ app: target('one') })
    const second = await run(rig)
    const [offer] = await second.cache.offers('app', () => false)
    expect(offer?.rendered.layers).toBe(0)
  })

  test('a run that only reads takes nothing in and saves nothing', async () => {
    await using rig = await backendRig()
    const reading = await run(rig, { writes: false })
    expect(reading.cache.openSinks()).toEqual([])
    expect(await reading.finish({ app: target('one') })).toEqual({ kind: 'unchanged' })
    expect((await run(rig)).cache.openSinks()).toHaveLength(1)
  })

  test('a run in which nothing was exported saves nothing', async () => {
    await using rig = await backendRig()
    const failed = await run(rig)
    await failed.push('one')
    expect(await failed.finish({})).toEqual({ kind: 'unchanged' })
  })

  test('a target that is not built keeps its cache', async () => {
    await using rig = await backendRig()
    const first = await run(rig)
    await first.push('one', 'two')
    await first.save({ app: target('one'), other: target('two') })
    const second = await run(rig)
    await second.push('three')
    await second.save({ app: target('three') })
    const third = await run(rig)
    expect((await third.offers('other')).map(named)).toEqual([digests('two')])
    expect((await third.offers('app')).map(named)).toEqual([digests('three')])
    expect(await third.get('two')).toBe('two')
  })

  test('what a failed build left is offered to every target, until the next save', async () => {
    await using rig = await backendRig()
    const failed = await run(rig)
    await failed.push('one', 'part')
    await failed.save({ app: target('one'), '~2': target('part') })
    const second = await run(rig)
    expect((await second.offers('app')).map(named)).toEqual([digests('one'), digests('part')])
    await second.push('two')
    await second.save({ app: target('one', 'two') })
    expect((await (await run(rig)).offers('app')).map(named)).toHaveLength(1)
  })

  test('notes of layers are kept, the own branch’s before the base’s', async () => {
    await using rig = await backendRig()
    const note = (bytes: number, ...contents: string[]): ImageNotes => ({
      unpacked: new Map(contents.map((content) => [digest(content), bytes])),
      layers: new Map([['app', digests(...contents)]]),
      files: new Map(),
    })
    const save = async (isPull: boolean, notes: ImageNotes, content: string): Promise<void> => {
      const made = await run(rig, { isPull })
      await made.push('one', content)
      const saving = await made.finish({ app: target('one', content) }, notes)
      if (saving.kind === 'plan') await executeSave(saving.plan, made.session)
    }
    await save(false, note(10, 'one', 'main'), 'main')
    await save(true, note(20, 'one', 'pull', 'forgotten'), 'pull')
    const { unpacked, layers } = await (await run(rig, { isPull: true })).cache.notes()
    expect([unpacked.get(digest('one')), unpacked.get(digest('main'))]).toEqual([20, 10])
    expect(unpacked.has(digest('forgotten'))).toBe(false)
    expect(layers.get('app')).toEqual(digests('one', 'pull', 'forgotten'))
  })
})

describe('a pull request', () => {
  test('reads the base branch’s layers and saves only its own', async () => {
    await using rig = await backendRig()
    const main = await run(rig)
    await main.push('one', 'two')
    await main.save({ app: target('one', 'two') })
    const pull = await run(rig, { isPull: true })
    expect((await pull.offers()).map(({ ref }) => ref)).toEqual([MAIN])
    expect(await pull.get('one')).toBe('one')
    expect(await pull.finish({ app: target('one', 'two') })).toEqual({ kind: 'unchanged' })
    await pull.push('pull')
    const saving = await pull.finish({ app: target('one', 'pull') })
    expect(packsOf(saving)).toEqual([digests('pull')])
    await pull.save({ app: target('one', 'pull') })

    const again = await run(rig, { isPull: true })
    expect((await again.offers()).map(({ ref }) => ref)).toEqual([PULL, MAIN])
    expect((await again.offers()).map((offer) => named(offer).length)).toEqual([2, 2])
    expect([await again.get('one'), await again.get('pull')]).toEqual(['one', 'pull'])
    // Nobody else finds what it saved.
    expect((await (await run(rig)).offers()).flatMap(named)).not.toContain(digest('pull'))
  })

  test('whose base lost a pack saves these layers itself', async () => {
    await using rig = await backendRig()
    const main = await run(rig)
    await main.push('one')
    const saving = await main.finish({ app: target('one') })
    if (saving.kind !== 'plan') throw new Error('nothing to save')
    await executeSave(saving.plan, main.session)
    await rig.evict(saving.plan.packs[0]?.key ?? '')
    const pull = await run(rig, { isPull: true, hoursLater: 48 })
    expect((await pull.offers()).flatMap(named)).toEqual([])
    await pull.push('one', 'two')
    expect(packsOf(await pull.finish({ app: target('one', 'two') }))).toEqual([[...digests('one', 'two')].sort()])
  })
})

describe('a pack that is gone', () => {
  async function lost(rig: BackendRig, hoursLater: number): Promise<Run> {
    const first = await run(rig)
    await first.push('one', 'two')
    const saving = await first.finish({ app: target('one', 'two') })
    if (saving.kind !== 'plan') throw new Error('nothing to save')
    await executeSave(saving.plan, first.session)
    await rig.evict(saving.plan.packs[0]?.key ?? '')
    return await run(rig, { hoursLater })
  }

  test('is noticed before it is offered when it is older than a day', async () => {
    await using rig = await backendRig()
    const second = await lost(rig, 25)
    expect((await second.offers()).flatMap(named)).toEqual([])
    expect(second.cache.stats()).toMatchObject({ gone: 1 })
    // The builder had it all: nothing is new, yet the next run must find it.
    await second.push('one', 'two')
    expect(await second.save({ app: target('one', 'two') })).toMatchObject({ entries: 2, bytes: 6 })
    const third = await run(rig, { hoursLater: 50 })
    expect((await third.offers()).flatMap(named)).toHaveLength(2)
    expect(await third.get('one')).toBe('one')
  })

  test('is noticed when it is asked for when it is younger; the layer is told as missed', async () => {
    await using rig = await backendRig()
    const second = await lost(rig, 1)
    expect((await second.offers()).flatMap(named)).toHaveLength(2)
    const packs = second.cache.sources[1]
    expect(await packs?.open(digest('one'))).toBeUndefined()
    expect([...second.cache.missed]).toEqual([digest('one')])
    // The retry is offered nothing of it.
    expect((await second.offers()).flatMap(named)).toEqual([])
  })

  test('and not built again: what rests on it is forgotten', async () => {
    await using rig = await backendRig()
    const second = await lost(rig, 25)
    await second.offers()
    await second.push('two')
    const saving = await second.finish({ app: target('one', 'two') })
    expect(saving.kind).toBe('plan')
    if (saving.kind !== 'plan') return
    expect(saving.plan.packs).toEqual([])
    expect(Object.keys(saving.plan.document.packs)).toEqual([])
  })
})

describe('a layer whose bytes are others', () => {
  test('is not given, and replaced when it was pushed again', async () => {
    await using rig = await backendRig()
    const first = await run(rig)
    await first.push('one', 'two')
    await first.save({ app: target('one', 'two') })
    const second = await run(rig, {
      onRestored: async (directory) => {
        const name = blobFile(digest('one'))
        if (!(await readdir(directory)).includes(name)) return
        await rm(join(directory, name))
        await writeFile(join(directory, name), 'eno')
      },
    })
    await second.offers()
    expect(await second.cache.sources[1]?.open(digest('one'))).toBeUndefined()
    expect(second.cache.stats()).toMatchObject({ damaged: 1 })
    expect((await second.offers()).flatMap(named)).toEqual([])
    await second.push('one')
    const saving = await second.finish({ app: target('one', 'two') })
    expect(packsOf(saving).flat()).toContain(digest('one'))
    if (saving.kind === 'plan') await executeSave(saving.plan, second.session)
    const third = await run(rig)
    expect((await third.offers()).flatMap(named)).toHaveLength(2)
    expect([await third.get('one'), await third.get('two')]).toEqual(['one', 'two'])
  })
})

test('beyond cache-max-size the largest layers are left out, and what rests on them', async () => {
  await using rig = await backendRig()
  const first = await run(rig, { maxBytes: 20 })
  const large = 'x'.repeat(50)
  await first.push('one', large, 'two')
  const saving = await first.finish({ app: target('one', large, 'two') })
  expect(saving).toMatchObject({ kind: 'plan', bytes: 3, droppedBytes: 53 })
  expect(packsOf(saving)).toEqual([digests('one')])
  if (saving.kind === 'plan') await executeSave(saving.plan, first.session)
  const second = await run(rig)
  expect((await second.offers()).flatMap(named)).toEqual(digests('one'))
})

describe('a few small layers travel with the index', () => {
  const withIndexBytes = 9

  test('an entry is saved and asked for, and the next commits find them through the index that had them', async () => {
    await using rig = await backendRig()
    const first = await run(rig, { withIndexBytes })
    await first.push('one', 'two')
    expect(await first.save({ app: target('one', 'two') })).toMatchObject({ entries: 1, bytes: 6, indexSaved: true })

    const second = await run(rig, { withIndexBytes, hoursLater: 1 })
    expect((await second.offers()).flatMap(named)).toEqual(digests('one', 'two'))
    expect([await second.get('one'), await second.get('two')]).toEqual(['one', 'two'])
    expect(second.session.calls.map((call) => call.split(' ')[0])).toEqual(['restore'])
    expect(await second.finish({ app: target('one', 'two') })).toEqual({ kind: 'unchanged' })
    await second.push('three')
    expect(await second.save({ app: target('one', 'two', 'three') })).toMatchObject({ entries: 1, bytes: 5 })

    const third = await run(rig, { withIndexBytes, hoursLater: 2 })
    expect((await third.offers()).flatMap(named)).toEqual(digests('one', 'two', 'three'))
    expect([await third.get('three'), await third.get('one')]).toEqual(['three', 'one'])
    expect(third.session.calls.map((call) => call.split(' ')[0])).toEqual(['restore', 'lookUp', 'restore'])
    expect(third.cache.stats()).toMatchObject({ fetched: 1, bytesFetched: 6, damaged: 0 })
  })

  test('beside a large one, which is a pack', async () => {
    await using rig = await backendRig()
    const first = await run(rig, { withIndexBytes })
    const large = 'x'.repeat(33 << 20)
    await first.push('one', large)
    expect(await first.save({ app: target('one', large) })).toMatchObject({ entries: 1, bytes: 3, indexSaved: true })
    expect(first.session.calls.filter((call) => call.startsWith('save'))).toHaveLength(2)
    const second = await run(rig, { withIndexBytes })
    expect((await second.offers()).flatMap(named)).toEqual(digests('one', large))
    expect(await second.get('one')).toBe('one')
    expect((await second.get(large))?.length).toBe(large.length)
  })

  test('and where that index is gone, they are told as missed, and saved again', async () => {
    await using rig = await backendRig()
    const first = await run(rig, { withIndexBytes })
    await first.push('one')
    const saving = await first.finish({ app: target('one') })
    if (saving.kind !== 'plan') throw new Error('nothing to save')
    await executeSave(saving.plan, first.session)
    const second = await run(rig, { withIndexBytes, hoursLater: 1 })
    await second.offers()
    await second.push('two')
    await second.save({ app: target('one', 'two') })
    await rig.evict(saving.plan.index.key)

    const third = await run(rig, { withIndexBytes, hoursLater: 2 })
    expect((await third.offers()).flatMap(named)).toEqual(digests('one', 'two'))
    expect(await third.cache.sources[1]?.open(digest('one'))).toBeUndefined()
    expect([...third.cache.missed]).toEqual([digest('one')])
    await third.push('one')
    expect(await third.save({ app: target('one', 'two') })).toMatchObject({ entries: 1, bytes: 3 })
    const fourth = await run(rig, { withIndexBytes, hoursLater: 3 })
    await fourth.offers()
    expect([await fourth.get('one'), await fourth.get('two')]).toEqual(['one', 'two'])
  })
})

test('what could not be saved is saved by the next run that has it', async () => {
  await using rig = await backendRig()
  const large = 'x'.repeat(33 << 20)
  const fails: SessionOptions['fails'] = (_, { path }) => (path.startsWith('packs/') ? failure() : undefined)
  const first = await run(rig, { withIndexBytes: 9, fails })
  await first.push('one', large)
  expect(await first.save({ app: target('one', large) })).toMatchObject({ entries: 1, bytes: 3, indexSaved: true })
  const second = await run(rig, { withIndexBytes: 9 })
  expect((await second.offers()).flatMap(named)).toEqual([digest('one')])
  await second.push(large)
  expect(await second.save({ app: target('one', large) })).toMatchObject({ indexSaved: true })
  const third = await run(rig, { withIndexBytes: 9 })
  expect((await third.offers()).flatMap(named)).toEqual(digests('one', large))
})

test('what is surely needed is fetched ahead', async () => {
  await using rig = await backendRig()
  const first = await run(rig)
  await first.push('one', 'two')
  await first.save({ app: target('one', 'two') })
  const second = await run(rig)
  await second.offers()
  await second.cache.prefetch([digest('one')])
  expect(second.session.calls.filter((call) => call.startsWith('restore'))).toHaveLength(2)
  expect(await second.get('two')).toBe('two')
  expect(second.cache.stats()).toMatchObject({ fetched: 1, bytesFetched: 6 })
})
