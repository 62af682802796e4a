/**
 * The index: one small entry per step that says which packs hold which blobs, and for each target what BuildKit knows of
 * it. It names packs of its own branch only: those of other branches are found through their own indexes, so that an
 * index never keeps alive what its branch does not own. Read strictly, for others may have written it. Pure.
 */
import { field } from '../json-fields.ts'
import { blobsPath } from './cache-keys.ts'
import { parseConfig, parseLayers } from './cache-manifest-parse.ts'
import type { CacheConfig, LayerDescriptor, TargetCache } from './cache-manifest.ts'
import { covers } from './cache-covers.ts'
import { parseMountArchive, type IndexedMounts } from './mount-archives.ts'
import { isDigest } from './registry-route.ts'

export interface IndexedPack {
  /** Where its blobs lie when they are fetched. */
  readonly path: string
  /** ISO 8601 */
  readonly createdAt: string
  /** Digest → bytes. */
  readonly blobs: Readonly<Record<string, number>>
}

export interface IndexedTarget {
  readonly createdAt: string
  readonly layers: readonly LayerDescriptor[]
  readonly config: CacheConfig
}

export interface CacheIndex {
  readonly version: 1
  readonly createdAt: string
  /** `refs/heads/main` */
  readonly ref: string
  readonly commit?: string
  /** By key. */
  readonly packs: Readonly<Record<string, IndexedPack>>
  /** By name. */
  readonly targets: Readonly<Record<string, IndexedTarget>>
  /** Archives of cache mounts, by what the mounts are told apart by. */
  readonly mounts: IndexedMounts
  /** What else is remembered; unchecked. */
  readonly records: Readonly<Record<string, unknown>>
}

const MAX_BYTES = 64 << 20
const MAX_TARGETS = 500
const MAX_PACKS = 2_000
const MAX_MOUNTS = 500
const MAX_BLOBS = 20_000
const MAX_BLOB_BYTES = 20e9
const MAX_NAME = 200
/** Clocks of runners differ a little. */
const MAX_AHEAD_MS = 24 * 60 * 60 * 1_000

/** Reads an index, or says (as a clause) what is wrong with it. */
export function parseIndex(bytes: Buffer, now: number): { readonly index: CacheIndex } | { readonly fault: string } {
  if (bytes.length > MAX_BYTES) return { fault: 'it is too large' }
  let json: unknown
  try {
    json = JSON.parse(bytes.toString('utf8'))
  } catch {
    return { fault: 'it is no JSON' }
  }
  const version = field(json, 'version')
  if (typeof version === 'number' && version > 1) return { fault: 'a newer version of stage-build wrote it' }
  if (version !== 1) return { fault: 'it has no version' }
  const isTime = (value: unknown): value is string =>
    typeof value === 'string' && value.length <= 40 && Date.parse(value) <= now + MAX_AHEAD_MS
  const [createdAt, ref, commit] = [field(json, 'createdAt'), field(json, 'ref'), field(json, 'commit')]
  const packs = mapOf(field(json, 'packs'), MAX_PACKS, (value, key) => packOf(value, key, isTime))
  const targets = mapOf(field(json, 'targets'), MAX_TARGETS, (value, name) => targetOf(value, name, isTime))
  const mounts = mapOf(field(json, 'mounts') ?? {}, MAX_MOUNTS, (value, key) => parseMountArchive(value, key, isTime))
  const records = field(json, 'records')
  if (!isTime(createdAt) || typeof ref !== 'string' || ref.length > 500) return { fault: 'its head is malformed' }
  if (packs === undefined) return { fault: 'its packs are malformed' }
  if (blobCount(packs) > MAX_BLOBS) return { fault: 'its packs hold too many blobs' }
  if (targets === undefined) return { fault: 'its targets are malformed' }
  if (mounts === undefined) return { fault: 'its mounts are malformed' }
  return {
    index: {
      ...{ version, createdAt, ref, packs, targets, mounts },
      ...(typeof commit === 'string' && /^[0-9a-f]{40,64}$/.test(commit) ? { commit } : {}),
      records: typeof records === 'object' && records !== null ? (records as Readonly<Record<string, unknown>>) : {},
    },
  }
}

/** The same bytes for the same index, in whatever order it was put together. */
export function serializeIndex({ packs, targets, mounts, records, ...head }: CacheIndex): Buffer {
  const { version, createdAt, ref, commit } = head
  const maps = { packs: sorted(packs), targets: sorted(targets), mounts: sorted(mounts) }
  return Buffer.from(JSON.stringify({ version, createdAt, ref, commit, ...maps, records }))
}

/** A cache that an index has for a target. */
export interface FoundCache {
  readonly ref: string
  readonly createdAt: string
  readonly cache: TargetCache
}

/** What several indexes say together. */
export interface IndexView {
  readonly targets: () => readonly string[]
  /** Own branch first; what another says already is left out. For a target that no index knows: those of the others. */
  readonly cachesOf: (target: string) => readonly FoundCache[]
  /** Whether all of these caches, by target, are known already. */
  readonly says: (caches: ReadonlyMap<string, TargetCache>) => boolean
}

/** How many other targets' caches a target that is new may try. */
const MAX_STRANGERS = 5

/** @param indexes own branch first */
export function mergeIndexes(indexes: readonly { readonly ref: string; readonly index: CacheIndex }[]): IndexView {
  const byTarget = new Map<string, FoundCache[]>()
  for (const { ref, index } of indexes) {
    for (const [name, { createdAt, layers, config }] of Object.entries(index.targets)) {
      const found = byTarget.get(name) ?? []
      const cache = { layers, config }
      if (!found.some((known) => covers(known.cache, cache))) found.push({ ref, createdAt, cache })
      byTarget.set(name, found)
    }
  }
  const strangers = [...byTarget.values()].flatMap(([first]) => first ?? [])
  const cachesOf = (target: string): readonly FoundCache[] => byTarget.get(target) ?? strangers.slice(0, MAX_STRANGERS)
  return {
    cachesOf,
    targets: () => [...byTarget.keys()],
    says: (caches) => [...caches].every(([name, cache]) => cachesOf(name).some((known) => covers(known.cache, cache))),
  }
}

function blobCount(packs: Readonly<Record<string, IndexedPack>>): number {
  return Object.values(packs).reduce((count, { blobs }) => count + Object.keys(blobs).length, 0)
}

function sorted<T>(map: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function packOf(value: unknown, key: string, isTime: (value: unknown) => value is string): IndexedPack | undefined {
  const [path, createdAt] = [field(value, 'path'), field(value, 'createdAt')]
  const blobs = mapOf(field(value, 'blobs'), MAX_BLOBS, (size, digest) =>
    isDigest(digest) && typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 && size <= MAX_BLOB_BYTES
      ? size
      : undefined,
  )
  const place = blobsPath(key)
  return place !== undefined && path === place && isTime(createdAt) && blobs !== undefined
    ? { path: place, createdAt, blobs }
    : undefined
}

function targetOf(
  value: unknown,
  name: string,
  isTime: (value: unknown) => value is string,
): IndexedTarget | undefined {
  const createdAt = field(value, 'createdAt')
  const layers = parseLayers(value)
  const config = parseConfig(field(value, 'config'))
  if (name.length > MAX_NAME || !isTime(createdAt) || layers === undefined || config === undefined) return undefined
  const named = new Set(layers.map(({ digest }) => digest))
  return config.layers.every(({ blob }) => named.has(blob)) ? { createdAt, layers, config } : undefined
}

/** An object whose values can all be read; it has no prototype, for its keys are anybody's. */
function mapOf<T>(
  value: unknown,
  max: number,
  read: (value: unknown, key: string) => T | undefined,
): Readonly<Record<string, T>> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const entries = Object.entries(value)
  if (entries.length > max) return undefined
  const result = Object.create(null) as Record<string, T>
  for (const [key, item] of entries) {
    const parsed = read(item, key)
    if (parsed === undefined) return undefined
    result[key] = parsed
  }
  return result
}
