/** What gathers in the cache over weeks: fifty commits and ten pull requests, planned by the real planner. */
import { describe, expect, test } from '@jest/globals'
import { parseIndex, serializeIndex, type CacheIndex } from '../../src/cache/cache-index.ts'
import { blobsPath, indexKeys, newIndexKey, newPack, packPrefix } from '../../src/cache/cache-keys.ts'
import {
  blobsOf,
  parseTargetCache,
  pruneTargetCache,
  renderTargetCache,
  type TargetCache,
} from '../../src/cache/cache-manifest.ts'
import type { SavedPack } from '../../src/cache/early-saves.ts'
import { WITH_INDEX_BYTES } from '../../src/cache/packing.ts'
import { planSave } from '../../src/cache/save-planning.ts'
import { chainCache, digest } from '../support/target-caches.ts'

interface Project {
  /** Bytes of the layers of the stage that all services share. */
  readonly shared: readonly number[]
  /** Bytes of the layers of each service. */
  readonly service: readonly number[]
}

/** How often the shared stage and each service were changed. */
interface Sources {
  readonly shared: string
  readonly services: readonly string[]
}

interface Run {
  readonly saves: number
  readonly index: CacheIndex
}

const SERVICES = 10
const MB = 1e6
const NOW = Date.UTC(2026, 10, 20)
const PREFIX = packPrefix({ id: 'shop', scope: '' })
const INDEXES = indexKeys({ id: 'shop', scope: '', ref: 'refs/heads/main', targets: [], platforms: [] }).prefix
const BASE = digest('base')

/** Numbers in [0, 1) that look random, the same for a seed. */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function build(project: Project, { shared, services }: Sources): ReadonlyMap<string, TargetCache> {
  return new Map(
    services.map((version, service) => [
      `service-${service}`,
      chainCache([
        ['from', 'base', 300 * MB],
        ...project.shared.map((size, layer) => [`${shared}/${layer}`, `${shared}/${layer}`, size] as const),
        ...project.service.map((size, layer) => [`${version}/${layer}`, `${version}/${layer}`, size] as const),
      ]),
    ]),
  )
}

/** Without the base image's layers, which its registry keeps. */
function wantedOf(caches: ReadonlyMap<string, TargetCache>): ReadonlyMap<string, number> {
  const blobs = new Map([...caches.values()].flatMap((cache) => [...blobsOf(cache)]))
  blobs.delete(BASE)
  return blobs
}

function saved(blobs: ReadonlyMap<string, number>, withIndex = false): SavedPack {
  const index = newIndexKey(INDEXES, { now: NOW })
  const place = withIndex ? { key: index, path: blobsPath(index) ?? '' } : newPack(PREFIX)
  return { ...place, createdAt: new Date(NOW).toISOString(), blobs: Object.fromEntries(blobs) }
}

/** One run of the action: what it saves early is what `early-saves.ts` would. */
function run(
  caches: ReadonlyMap<string, TargetCache>,
  {
    ref,
    own,
    others,
  }: { readonly ref: string; readonly own: CacheIndex | undefined; readonly others: readonly CacheIndex[] },
): Run {
  const held = (indexes: readonly CacheIndex[]): ReadonlySet<string> =>
    new Set(indexes.flatMap(({ packs }) => Object.values(packs)).flatMap(({ blobs }) => Object.keys(blobs)))
  const elsewhere = held(others)
  const mine = held(own === undefined ? [] : [own])
  const received = [...wantedOf(caches)].filter(([blob]) => !elsewhere.has(blob) && !mine.has(blob))
  const early = received
    .filter(([, size]) => size >= 32 << 20)
    .slice(0, 2)
    .map((entry) => saved(new Map([entry])))
  const decision = planSave({
    ...{
      ref,
      own,
      early,
      caches,
      commit: undefined,
      gone: new Set(),
      damaged: new Set(),
      maxBytes: 5e9,
      withIndexBytes: WITH_INDEX_BYTES,
    },
    createdAt: new Date(NOW).toISOString(),
    isKeptElsewhere: (blob) => blob === BASE || elsewhere.has(blob),
    spool: new Set(received.map(([blob]) => blob)),
    notes: { unpacked: new Map(), layers: new Map(), files: new Map() },
    ...{ records: {}, mounts: {} },
  })
  const packs = Object.fromEntries(
    decision.newPacks
      .map((blobs) => saved(blobs, blobs === decision.withIndex))
      .map(({ key, path, createdAt, blobs }) => [key, { path, createdAt, blobs }]),
  )
  const document: CacheIndex = { ...decision.document, packs: { ...decision.document.packs, ...packs } }
  const read = parseIndex(serializeIndex(document), NOW)
  if ('fault' in read) throw new Error(read.fault)
  return {
    saves: early.length + decision.newPacks.length + (decision.withIndex === undefined ? 1 : 0),
    index: read.index,
  }
}

function bytesOf(indexes: readonly CacheIndex[]): number {
  const packs = new Map(indexes.flatMap((index) => Object.entries(index.packs)))
  return sum([...packs.values()].flatMap(({ blobs }) => Object.values(blobs)))
}

function sum(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total + size, 0)
}

/** A pull request: what it changes of main, and what it saved last. */
interface Pull {
  readonly started: number
  readonly service: number
  pushes: number
  index: CacheIndex | undefined
  caches: ReadonlyMap<string, TargetCache>
}

/** Lets the weeks pass; `look` sees every run. Returns the most bytes that live indexes referred to, in clean builds. */
function weeks(
  project: Project,
  seed: number,
  look: (run: Run, caches: ReadonlyMap<string, TargetCache>, others: readonly CacheIndex[]) => void,
): number {
  const random = numbers(seed)
  const pick = (count: number): number => Math.floor(random() * count)
  const starts = new Set<number>()
  while (starts.size < 10) starts.add(pick(50))
  let sources: Sources = { shared: 'shared', services: Array.from({ length: SERVICES }, (_, service) => `s${service}`) }
  const change = (from: Sources, changed: number, name: string): Sources => ({
    ...from,
    services: from.services.map((version, service) => (service === changed ? name : version)),
  })
  let main: CacheIndex | undefined
  const pulls: Pull[] = []
  let most = 0
  for (let commit = 0; commit < 50; commit++) {
    if (commit > 0) {
      sources =
        random() < 0.1 ? { ...sources, shared: `shared@${commit}` } : change(sources, pick(SERVICES), `main@${commit}`)
    }
    const caches = build(project, sources)
    const clean = sum([...wantedOf(caches).values()])
    const done = run(caches, { ref: 'refs/heads/main', own: main, others: [] })
    const base = done.index
    main = base
    look(done, caches, [])
    const measure = (): void => {
      most = Math.max(most, bytesOf([base, ...pulls.flatMap(({ index }) => index ?? [])]) / clean)
      // Whatever became of main meanwhile, what an index names and nobody has is not offered.
      for (const pull of pulls) if (pull.index !== undefined) expectOffers(pull.index, base)
    }
    measure()
    if (starts.has(commit)) {
      pulls.push({ started: commit, service: pick(SERVICES), pushes: 0, index: undefined, caches })
    }
    for (const pull of pulls) {
      // The first push at once, two or three more later, on what main is then.
      if (pull.pushes > 0 && (pull.pushes > 3 || random() > 0.3)) continue
      const changed = build(project, change(sources, pull.service, `pull@${pull.started}/${pull.pushes++}`))
      const pushed = run(changed, { ref: `refs/pull/${pull.started}/merge`, own: pull.index, others: [base] })
      pull.index = pushed.index
      look(pushed, changed, [base])
      measure()
    }
  }
  return most
}

/** BuildKit reads what is left of an index's caches; every layer in it is in a pack of its own branch or of the base. */
function expectOffers(index: CacheIndex, base: CacheIndex): void {
  const there = new Set([BASE, ...blobsIn(index), ...blobsIn(base)])
  for (const cache of Object.values(index.targets)) {
    const offer = pruneTargetCache(cache, (blob) => there.has(blob))
    const { manifest, config } = renderTargetCache(offer)
    const read = parseTargetCache(manifest, config)
    if (read === undefined) throw new Error('BuildKit would not read it')
    if ([...blobsOf(read).keys()].some((blob) => !there.has(blob))) throw new Error('an offer names what nobody has')
  }
}

function blobsIn({ packs }: CacheIndex): readonly string[] {
  return Object.values(packs).flatMap(({ blobs }) => Object.keys(blobs))
}

const PROJECTS: readonly (readonly [string, Project])[] = [
  ['small services on a shared stage', { shared: [25 * MB, 14 * MB, 1 * MB], service: [3 * MB, 2 * MB, 1000] }],
  ['large layers', { shared: [400 * MB, 90 * MB], service: [40 * MB, 5 * MB] }],
  ['a gigabyte and more', { shared: [900 * MB, 300 * MB, 50 * MB], service: [70 * MB, 33 * MB, 1 * MB] }],
]

describe('fifty commits and ten pull requests', () => {
  test.each(PROJECTS)('%s: the cache stays small', (name, project) => {
    const measured = Array.from({ length: 8 }, (_, seed) =>
      weeks(project, seed, ({ saves, index }, caches, others) => {
        const blobs = Object.values(index.packs).flatMap((pack) => Object.keys(pack.blobs))
        expect(new Set(blobs).size).toBe(blobs.length)
        const elsewhere = new Set(
          others.flatMap(({ packs }) => Object.values(packs)).flatMap((pack) => Object.keys(pack.blobs)),
        )
        expect(blobs.filter((blob) => elsewhere.has(blob))).toEqual([])
        const due = [...wantedOf(caches).keys()].filter((blob) => !elsewhere.has(blob))
        expect(blobs).toEqual(expect.arrayContaining(due))
        if (name !== 'a gigabyte and more') expect(saves).toBeLessThanOrEqual(4)
      }),
    )
    const most = Math.max(...measured)
    console.info(`${name}: live indexes refer to ${most.toFixed(2)} clean builds at most`)
    expect(most).toBeLessThanOrEqual(2)
  })
})
