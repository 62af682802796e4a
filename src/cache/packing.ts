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
const MOST_PACKS = 8

interface Weighed {
  readonly key: string
  readonly total: number
  readonly live: readonly string[]
  readonly liveBytes: number
}

export function planPacks(question: PackingQuestion): Packing {
  const { maxBytes, inSpool } = question
  const dropped = tooMuch(question.wanted, maxBytes)
  const wanted = new Map([...question.wanted].filter(([digest]) => !dropped.includes(digest)))
  const placed = new Set<string>()
  const weighed = [...question.alreadySaved, ...question.ownPacks].map((pack) => weigh(pack, wanted, placed))
  const useful = weighed.filter(({ live }) => live.length > 0)
  const rewrite = toRewrite(useful, { wantedBytes: sum([...wanted.values()]), maxBytes })
  const moved = useful.filter(({ key }) => rewrite.has(key)).flatMap(({ live }) => live)
  const fresh = [...wanted.keys()].filter((digest) => !placed.has(digest) && inSpool.has(digest))
  return {
    keep: useful.filter(({ key }) => !rewrite.has(key)).map(({ key }) => key),
    rewrite: [...rewrite],
    newPacks: grouped([...moved, ...fresh], wanted, Math.max(1, FEW_PACKS - question.alreadySaved.length)),
    dropped,
  }
}

/** The largest blobs, until the rest fits. */
function tooMuch(wanted: ReadonlyMap<string, number>, maxBytes: number): readonly string[] {
  let total = sum([...wanted.values()])
  const dropped: string[] = []
  for (const [digest, size] of [...wanted].sort((a, b) => b[1] - a[1])) {
    if (total <= maxBytes) break
    dropped.push(digest)
    total -= size
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
  const overhead = (): number =>
    wantedBytes + sum(packs.filter(({ key }) => !rewrite.has(key)).map(({ total, liveBytes }) => total - liveBytes))
  const bound = Math.min(maxBytes, wantedBytes * MOST_OVERHEAD)
  for (const pack of packs.toSorted((a, b) => garbageOf(b) - garbageOf(a))) {
    if (overhead() <= bound || garbageOf(pack) < SOME_GARBAGE) break
    if (rewrite.has(pack.key) || moved + pack.liveBytes > MOST_MOVED_BYTES) continue
    rewrite.add(pack.key)
    moved += pack.liveBytes
  }
  // Many small packs are many requests: the smallest become one.
  const kept = packs.filter(({ key }) => !rewrite.has(key)).sort((a, b) => a.total - b.total)
  if (kept.length <= MOST_PACKS) return rewrite
  for (const pack of kept.slice(0, kept.length - MOST_PACKS / 2)) {
    if (moved + pack.liveBytes > MOST_MOVED_BYTES) break
    rewrite.add(pack.key)
    moved += pack.liveBytes
  }
  return rewrite
}

function garbageOf({ total, liveBytes }: Weighed): number {
  return total === 0 ? 0 : (total - liveBytes) / total
}

/** Large blobs alone, so that nobody fetches one for the sake of another; the rest together; few packs in all. */
function grouped(
  digests: readonly string[],
  sizes: ReadonlyMap<string, number>,
  mostPacks: number,
): readonly (readonly string[])[] {
  if (digests.length === 0) return []
  const sizeOf = (digest: string): number => sizes.get(digest) ?? 0
  const total = sum(digests.map(sizeOf))
  const most = Math.max(mostPacks, total > FEW_BYTES ? Math.ceil(total / LARGE_PACK_BYTES) + mostPacks : 0)
  const bySize = digests.toSorted((a, b) => sizeOf(b) - sizeOf(a))
  const large = bySize.filter((digest) => sizeOf(digest) >= LARGE_BLOB_BYTES)
  const alone = large.slice(0, large.length === digests.length ? most : most - 1)
  const groups: string[][] = alone.map((digest) => [digest])
  let group: string[] = []
  let bytes = 0
  for (const digest of bySize.slice(alone.length)) {
    if (group.length > 0 && bytes + sizeOf(digest) > LARGE_PACK_BYTES && groups.length + 1 < most) {
      groups.push(group)
      group = []
      bytes = 0
    }
    group.push(digest)
    bytes += sizeOf(digest)
  }
  return group.length === 0 ? groups : [...groups, group]
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
