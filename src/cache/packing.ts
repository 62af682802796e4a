/**
 * Which blobs a run saves together, and which older packs it still refers to. GitHub's service counts entries and knows
 * no deletion, so entries are few; what is garbage in a pack is downloaded with the rest, so packs with much of it are
 * rewritten. Pure.
 */

export interface KnownPack {
  readonly key: string
  /** Digest → bytes. */
  readonly blobs: ReadonlyMap<string, number>
}

export interface PackingQuestion {
  /** What the new index will refer to and no other branch's packs hold: digest → bytes. */
  readonly wanted: ReadonlyMap<string, number>
  readonly inSpool: ReadonlySet<string>
  /** Packs of this branch from earlier runs. */
  readonly ownPacks: readonly KnownPack[]
  /** Packs that this run saved while it built. */
  readonly alreadySaved: readonly KnownPack[]
  /** Bytes that the index may refer to. */
  readonly maxBytes: number
}

export interface Packing {
  /** Keys of packs that the index refers to. */
  readonly keep: readonly string[]
  /** Keys of packs whose blobs move into new ones: to be fetched first. */
  readonly rewrite: readonly string[]
  readonly newPacks: readonly (readonly string[])[]
  /** Blobs that there is no room for, the largest first. */
  readonly dropped: readonly string[]
}

/** A run saves at most this many packs, with the index four entries, up to `FEW_BYTES`. */
const FEW_PACKS = 3
const FEW_BYTES = 1e9
const LARGE_PACK_BYTES = 512e6
const LARGE_BLOB_BYTES = 32 << 20
/** A pack with more garbage than this is rewritten in any case. */
const MOST_GARBAGE = 0.5
/** Above this many bytes for each that is wanted, packs with some garbage are rewritten, too. */
const MOST_OVERHEAD = 1.35
const SOME_GARBAGE = 0.2
const MOST_MOVED_BYTES = 256e6
/** More packs than this are too many requests: small ones become one. */
const MOST_PACKS = 8
const MOST_MERGED_BYTES = 64e6

/** What is no more than this is saved with the index: that is an entry less to save and to ask for. */
export const WITH_INDEX_BYTES = 2 << 20

/** The pack that travels with the index, of those that are new: every later run fetches it, so it is small. */
export function packWithIndex<T extends ReadonlyMap<string, number>>(
  newPacks: readonly T[],
  mostBytes: number,
): T | undefined {
  return newPacks.find((blobs) => sum([...blobs.values()]) <= mostBytes)
}

interface Weighed {
  readonly key: string
  readonly total: number
  readonly live: readonly string[]
  readonly liveBytes: number
}

interface Trial {
  readonly packing: Packing
  readonly wantedBytes: number
  /** Of all packs that the index would refer to, garbage among them. */
  readonly bytes: number
}

/** Nothing but what `wanted` names is packed, and the packs that are kept or new weigh `maxBytes` at most. */
export function planPacks(question: PackingQuestion): Packing {
  const { maxBytes } = question
  let trial = plan(question, maxBytes)
  while (trial.bytes > maxBytes) {
    // Garbage takes room, too, where it cannot be left behind.
    trial = plan(question, trial.wantedBytes - (trial.bytes - maxBytes))
  }
  return trial.packing
}

function plan(question: PackingQuestion, room: number): Trial {
  const { maxBytes, inSpool, alreadySaved } = question
  const dropped = tooMuch(question.wanted, room)
  const wanted = new Map(question.wanted)
  for (const digest of dropped) wanted.delete(digest)
  const wantedBytes = sum([...wanted.values()])
  const placed = new Set<string>()
  const known = [...alreadySaved, ...question.ownPacks]
  const useful = known.map((pack) => weigh(pack, wanted, placed)).filter(({ live }) => live.length > 0)
  const rewrite = toRewrite(useful, { wantedBytes, maxBytes })
  const kept = useful.filter(({ key }) => !rewrite.has(key))
  const keys = new Set(kept.map(({ key }) => key))
  const there = new Set(known.filter(({ key }) => keys.has(key)).flatMap(({ blobs }) => [...blobs.keys()]))
  const moved = useful.filter(({ key }) => rewrite.has(key)).flatMap(({ live }) => live)
  const fresh = [...wanted.keys()].filter((digest) => !placed.has(digest) && inSpool.has(digest))
  const saved = [...moved.filter((digest) => !there.has(digest)), ...fresh]
  const newPacks = grouped(saved, {
    sizes: wanted,
    mostPacks: Math.max(1, FEW_PACKS - alreadySaved.length),
    savedBytes: sum(alreadySaved.flatMap(({ blobs }) => [...blobs.values()])),
  })
  return {
    packing: { keep: [...keys], rewrite: [...rewrite], newPacks, dropped },
    wantedBytes,
    bytes: sum(kept.map(({ total }) => total)) + sum(saved.map((digest) => wanted.get(digest) ?? 0)),
  }
}

/** The largest blobs, until the rest fits. */
function tooMuch(wanted: ReadonlyMap<string, number>, room: number): readonly string[] {
  let total = sum([...wanted.values()])
  const dropped: string[] = []
  for (const digest of largestFirst(wanted.keys(), wanted)) {
    if (total <= room) break
    dropped.push(digest)
    total -= wanted.get(digest) ?? 0
  }
  return dropped
}

/** What a pack has that is wanted and that no pack before it has. */
function weigh(pack: KnownPack, wanted: ReadonlyMap<string, number>, placed: Set<string>): Weighed {
  const live = [...pack.blobs.keys()].filter((digest) => wanted.has(digest) && !placed.has(digest))
  for (const digest of live) placed.add(digest)
  const sizes = live.map((digest) => pack.blobs.get(digest) ?? 0)
  return { key: pack.key, total: sum([...pack.blobs.values()]), live, liveBytes: sum(sizes) }
}

function toRewrite(
  packs: readonly Weighed[],
  { wantedBytes, maxBytes }: { readonly wantedBytes: number; readonly maxBytes: number },
): ReadonlySet<string> {
  const rewrite = new Set(packs.filter((pack) => garbageOf(pack) > MOST_GARBAGE).map(({ key }) => key))
  let moved = sum(packs.filter(({ key }) => rewrite.has(key)).map(({ liveBytes }) => liveBytes))
  const referenced = (): number =>
    wantedBytes + sum(packs.filter(({ key }) => !rewrite.has(key)).map(({ total, liveBytes }) => total - liveBytes))
  for (const pack of packs.toSorted((a, b) => garbageOf(b) - garbageOf(a))) {
    // Rather move much for little than leave a blob out.
    const enough = referenced() > maxBytes ? Number.MIN_VALUE : SOME_GARBAGE
    if (referenced() <= Math.min(maxBytes, wantedBytes * MOST_OVERHEAD) || garbageOf(pack) < enough) break
    if (rewrite.has(pack.key) || moved + pack.liveBytes > MOST_MOVED_BYTES) continue
    rewrite.add(pack.key)
    moved += pack.liveBytes
  }
  for (const { key } of toMerge(packs.filter(({ key }) => !rewrite.has(key)))) rewrite.add(key)
  return rewrite
}

/** The smallest packs where there are many; a large one is worth an entry of its own. */
function toMerge(packs: readonly Weighed[]): readonly Weighed[] {
  if (packs.length <= MOST_PACKS) return []
  const small = packs.filter(({ total }) => total < LARGE_BLOB_BYTES).sort((a, b) => a.total - b.total)
  const merged: Weighed[] = []
  let moved = 0
  for (const pack of small.slice(0, packs.length - MOST_PACKS / 2)) {
    moved += pack.liveBytes
    if (moved > MOST_MERGED_BYTES) break
    merged.push(pack)
  }
  return merged.length > 1 ? merged : []
}

function garbageOf({ total, liveBytes }: Weighed): number {
  return total === 0 ? 0 : (total - liveBytes) / total
}

/** Large blobs alone, so that nobody fetches one for the sake of another; the rest together; few packs in all. */
function grouped(
  digests: readonly string[],
  given: {
    readonly sizes: ReadonlyMap<string, number>
    readonly mostPacks: number
    /** Saved in this run before. */
    readonly savedBytes: number
  },
): readonly (readonly string[])[] {
  if (digests.length === 0) return []
  const { sizes, mostPacks } = given
  const sizeOf = (digest: string): number => sizes.get(digest) ?? 0
  const bySize = largestFirst(digests, sizes)
  const large = bySize.filter((digest) => sizeOf(digest) >= LARGE_BLOB_BYTES).length
  const total = sum(digests.map(sizeOf))
  const isMuch = total + given.savedBytes > FEW_BYTES
  const most = mostPacks + (isMuch ? Math.ceil(total / LARGE_PACK_BYTES) : 0)
  const alone = digests.length <= most && large === digests.length ? large : Math.min(large, most - 1)
  const rest = bySize.slice(alone)
  return [
    ...bySize.slice(0, alone).map((digest) => [digest]),
    ...(isMuch ? filled(rest, sizeOf) : rest.length > 0 ? [rest] : []),
  ]
}

/** As few groups as come of putting each blob, the largest first, where it fits first. */
function filled(bySize: readonly string[], sizeOf: (digest: string) => number): readonly (readonly string[])[] {
  const groups: { readonly digests: string[]; bytes: number }[] = []
  for (const digest of bySize) {
    const size = sizeOf(digest)
    const group = groups.find(({ bytes }) => bytes + size <= LARGE_PACK_BYTES)
    if (group === undefined) groups.push({ digests: [digest], bytes: size })
    else {
      group.digests.push(digest)
      group.bytes += size
    }
  }
  return groups.map((group) => group.digests)
}

function largestFirst(digests: Iterable<string>, sizes: ReadonlyMap<string, number>): readonly string[] {
  const sizeOf = (digest: string): number => sizes.get(digest) ?? 0
  return [...digests].sort((a, b) => sizeOf(b) - sizeOf(a) || (a < b ? -1 : 1))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
