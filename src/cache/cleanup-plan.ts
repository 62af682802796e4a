/**
 * Which entries of the cache service are of no use to anybody: those of closed pull requests, indexes that a later one
 * stands in for, and packs that no index names. Only what is surely so; what cannot be known stays. Pure.
 */
import { INDEX_KEY, PACK_KEY } from './cache-keys.ts'

/** An entry as the service lists it. */
export interface StoredEntry {
  readonly id: number
  /** `refs/heads/main`, `refs/pull/7/merge` */
  readonly ref: string
  readonly key: string
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  /** Bytes. */
  readonly size: number
}

export type UselessReason =
  | { readonly kind: 'closed'; readonly pull: number }
  | { readonly kind: 'superseded' }
  | { readonly kind: 'unreferenced' }

export interface UselessEntry {
  readonly entry: StoredEntry
  readonly why: UselessReason
}

export interface CleanupFacts {
  readonly entries: readonly StoredEntry[]
  /** Of pull requests that are open; undefined where it could not be looked up. */
  readonly openPulls: ReadonlySet<number> | undefined
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** An index that a later one stands in for is kept for so long: pull requests are compared with it, and start from it. */
const KEPT_MS = 3 * 24 * 60 * 60 * 1_000
/** What is younger may belong to a run that is not over: its packs are saved before its index. */
const YOUNG_MS = 6 * 60 * 60 * 1_000

/** Whether stage-build made an entry: no other is ever touched. */
export function isOurs({ key }: Pick<StoredEntry, 'key'>): boolean {
  return INDEX_KEY.test(key) || PACK_KEY.test(key)
}

/** Entries of pull requests that are not open, and indexes that others stand in for. */
export function uselessAtSight({ entries, openPulls, now }: CleanupFacts): readonly UselessEntry[] {
  const ours = entries.filter(isOurs)
  const closed = ours.flatMap((entry): readonly UselessEntry[] => {
    const pull = pullOf(entry)
    const isClosed = pull !== undefined && openPulls?.has(pull) === false
    return isClosed ? [{ entry, why: { kind: 'closed', pull } }] : []
  })
  const gone = new Set(closed.map(({ entry }) => entry))
  const superseded = supersededOf(
    ours.filter((entry) => !gone.has(entry)),
    now,
  )
  return [...closed, ...superseded.map((entry): UselessEntry => ({ entry, why: { kind: 'superseded' } }))]
}

/** The pull request whose scope an entry is in. */
export function pullOf({ ref }: Pick<StoredEntry, 'ref'>): number | undefined {
  const [, number] = /^refs\/pull\/(\d{1,15})\//.exec(ref) ?? []
  return number === undefined ? undefined : Number(number)
}

function supersededOf(entries: readonly StoredEntry[], now: number): readonly StoredEntry[] {
  const latest = new Map<string, StoredEntry>()
  const indexes = entries.flatMap((entry) => {
    const [, place = '', , commit = ''] = INDEX_KEY.exec(entry.key) ?? []
    return place === '' ? [] : [{ entry, place: `${entry.ref} ${place}`, ofCommit: `${entry.ref} ${place} ${commit}` }]
  })
  for (const { entry, place, ofCommit } of indexes) {
    for (const name of [place, ofCommit]) if (isLater(entry, latest.get(name))) latest.set(name, entry)
  }
  return indexes.flatMap(({ entry, place, ofCommit }) => {
    const age = now - entry.createdAt
    if (latest.get(place) === entry || age < YOUNG_MS) return []
    // Nobody is compared with what a pull request's earlier commits left.
    const isWanted = pullOf(entry) === undefined && latest.get(ofCommit) === entry && age < KEPT_MS
    return isWanted ? [] : [entry]
  })
}

function isLater(entry: StoredEntry, other: StoredEntry | undefined): boolean {
  if (other === undefined) return true
  return entry.createdAt > other.createdAt || (entry.createdAt === other.createdAt && entry.key > other.key)
}

/** Keys of the indexes that must be read to judge the packs of these refs. */
export function indexesToRead(
  { entries }: Pick<CleanupFacts, 'entries'>,
  useless: readonly UselessEntry[],
  refs: readonly string[],
): readonly string[] {
  const gone = new Set(useless.map(({ entry }) => entry))
  return entries
    .filter((entry) => refs.includes(entry.ref) && INDEX_KEY.test(entry.key) && !gone.has(entry))
    .map(({ key }) => key)
}

/**
 * Of what is useless at sight, without indexes that others stand in for and that still name what came with them: their
 * blobs are in use.
 * @param named as for {@link unreferencedPacks}
 */
export function withoutNamed(
  useless: readonly UselessEntry[],
  refs: readonly string[],
  named: ReadonlyMap<string, readonly string[] | undefined>,
): readonly UselessEntry[] {
  const { live, unknown } = readingOf(named)
  return useless.filter(({ entry, why }) => {
    if (why.kind !== 'superseded') return true
    const project = INDEX_KEY.exec(entry.key)?.[2] ?? ''
    // What the indexes of another branch name cannot be read from here.
    return refs.includes(entry.ref) && !live.has(entry.key) && !unknown.has(project)
  })
}

/**
 * Packs of these refs that none of the indexes there names.
 * @param named of each index that stays, by key, the keys of its packs; undefined where it could not be read: the packs of
 * its project stay then
 */
export function unreferencedPacks(
  { entries, now }: Pick<CleanupFacts, 'entries' | 'now'>,
  refs: readonly string[],
  named: ReadonlyMap<string, readonly string[] | undefined>,
): readonly UselessEntry[] {
  const { live, unknown } = readingOf(named)
  return entries.flatMap((entry): readonly UselessEntry[] => {
    const [, project] = PACK_KEY.exec(entry.key) ?? []
    if (project === undefined || !refs.includes(entry.ref)) return []
    const stays = live.has(entry.key) || unknown.has(project) || now - entry.createdAt < YOUNG_MS
    return stays ? [] : [{ entry, why: { kind: 'unreferenced' } }]
  })
}

/** The packs that the indexes name, and the projects of those that could not be read. */
function readingOf(named: ReadonlyMap<string, readonly string[] | undefined>): {
  readonly live: ReadonlySet<string>
  readonly unknown: ReadonlySet<string>
} {
  const unread = [...named].filter(([, keys]) => keys === undefined)
  return {
    live: new Set([...named.values()].flatMap((keys) => keys ?? [])),
    unknown: new Set(unread.map(([key]) => INDEX_KEY.exec(key)?.[2] ?? '')),
  }
}
