/**
 * Finds the indexes that this run can read: its own branch's, the base branch's, the default branch's, side by side.
 * An index that is unreadable, hostile or of a later version is as good as none, and the reason is told.
 */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { CacheBackend } from './cache-backend.ts'
import { parseIndex, type CacheIndex } from './cache-index.ts'
import { commitPrefix, INDEX_PATH, indexFile } from './cache-keys.ts'

export type IndexSource = 'own' | 'base' | 'default'

/** Where an index is looked for. */
export interface IndexPlace {
  readonly source: IndexSource
  /** `refs/heads/main` */
  readonly ref: string
  /** Prefixes of keys: of this very set of targets first, then of any of the project's. */
  readonly prefix: string
  readonly anyLeg: string
  /** Commits whose indexes are wanted above later ones, the first above all: what a pull request is compared with. */
  readonly commits?: readonly string[] | undefined
}

export interface LoadedIndex {
  readonly source: IndexSource
  readonly ref: string
  /** It is of this very set of targets. */
  readonly isExact: boolean
  readonly key: string
  readonly index: CacheIndex
}

export interface IndexSearch {
  readonly source: IndexSource
  readonly ref: string
  readonly outcome: 'found' | 'none' | 'failed' | 'unusable'
  /** Why it failed or is unusable. */
  readonly reason?: string | undefined
}

export interface LoadedIndexes {
  readonly found: readonly LoadedIndex[]
  readonly searches: readonly IndexSearch[]
}

/** What an index remembers besides. */
export interface FoundRecords {
  readonly source: IndexSource
  readonly ref: string
  /** Of the index of this very set of targets. */
  readonly isExact: boolean
  /** Unchecked. */
  readonly records: unknown
}

export function recordsIn({ found }: LoadedIndexes): readonly FoundRecords[] {
  return found.map(({ source, ref, isExact, index: { records } }) => ({ source, ref, isExact, records }))
}

const MAX_INDEX_BYTES = 64 << 20
const PATIENCE_MS = 10_000
/** The service takes ten keys a look-up, the first of which has to be whole. */
const MOST_COMMITS = 7

/** Never rejects. */
export async function loadIndexes(
  places: readonly IndexPlace[],
  options: { readonly backend: CacheBackend; readonly root: string; readonly now: number },
): Promise<LoadedIndexes> {
  const results = await Promise.all(places.map((place) => load(place, options)))
  return {
    found: results.flatMap(({ loaded }) => loaded ?? []),
    searches: results.map(({ search }) => search),
  }
}

/** One index by its whole key; undefined where it cannot be had or is of no use. Never rejects. */
export async function readIndexEntry(
  key: string,
  { backend, root, now }: { readonly backend: CacheBackend; readonly root: string; readonly now: number },
): Promise<CacheIndex | undefined> {
  const result = await backend.restore({ key, path: INDEX_PATH, timeoutMs: PATIENCE_MS })
  if (result.kind !== 'hit' || result.key !== key) return undefined
  const parsed = await readIndex(join(root, INDEX_PATH, indexFile(key)), now)
  return 'fault' in parsed ? undefined : parsed.index
}

/** Digests of all blobs in packs of other branches that are not gone. */
export function blobsElsewhere(found: readonly LoadedIndex[], isGone: (key: string) => boolean): ReadonlySet<string> {
  const packs = found
    .filter(({ source }) => source !== 'own')
    .flatMap(({ index }) => Object.entries(index.packs))
    .filter(([key]) => !isGone(key))
  return new Set(packs.flatMap(([, { blobs }]) => Object.keys(blobs)))
}

async function load(
  { source, ref, prefix, anyLeg, commits = [] }: IndexPlace,
  { backend, root, now }: { readonly backend: CacheBackend; readonly root: string; readonly now: number },
): Promise<{ readonly search: IndexSearch; readonly loaded?: LoadedIndex }> {
  const ofCommits = commits.slice(0, MOST_COMMITS).map((commit) => commitPrefix(prefix, commit))
  const request = { key: prefix, prefixes: [...ofCommits, prefix, anyLeg], path: INDEX_PATH, timeoutMs: PATIENCE_MS }
  const result = await backend.restore(request)
  if (result.kind === 'failed') {
    // One that is spoilt would be found again and again: it must not keep the next from being saved.
    const outcome = result.isSpoilt === true ? 'unusable' : 'failed'
    return { search: { source, ref, outcome, reason: result.reason } }
  }
  if (result.kind === 'miss') return { search: { source, ref, outcome: 'none' } }
  const parsed = await readIndex(join(root, INDEX_PATH, indexFile(result.key)), now)
  if ('fault' in parsed) return { search: { source, ref, outcome: 'unusable', reason: parsed.fault } }
  return {
    search: { source, ref, outcome: 'found' },
    loaded: { source, ref, isExact: result.key.startsWith(prefix), key: result.key, index: parsed.index },
  }
}

async function readIndex(path: string, now: number): Promise<ReturnType<typeof parseIndex>> {
  try {
    // What was unpacked is not trusted: a link leads elsewhere, and a pipe would be waited for.
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const found = await file.stat()
    if (!found.isFile()) return { fault: 'it is no file' }
    if (found.size > MAX_INDEX_BYTES) return { fault: 'it is too large' }
    return parseIndex(await file.readFile(), now)
  } catch (error) {
    return { fault: `it cannot be read: ${error instanceof Error ? error.message : String(error)}` }
  }
}
