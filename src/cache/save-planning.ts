/** From what BuildKit exported to what is saved: the new index, and the packs that it refers to. Pure. */
import type { CacheIndex, IndexedPack } from './cache-index.ts'
import { blobsOf, pruneTargetCache, type TargetCache } from './cache-manifest.ts'
import type { SavedPack } from './early-saves.ts'
import { writeNotes, type ImageNotes } from './image-notes.ts'
import { holdsMounts, planMounts, type IndexedMounts } from './mount-archives.ts'
import { packWithIndex, planPacks, type KnownPack, type Packing } from './packing.ts'

/** Caches of stages of a failed build: they belong to no target, so every target is offered them. */
export const PARTIAL = '~'

export interface SaveQuestion {
  readonly ref: string
  readonly commit: string | undefined
  /** ISO 8601 */
  readonly createdAt: string
  /** What BuildKit exported, by target. */
  readonly caches: ReadonlyMap<string, TargetCache>
  /** The branch's index that this run read. */
  readonly own: CacheIndex | undefined
  /** Keys of its packs that are gone. */
  readonly gone: ReadonlySet<string>
  /** Packs that this run saved while it built. */
  readonly early: readonly SavedPack[]
  /** Blobs that need not be saved: a base image's registry keeps them, or a base branch's packs. */
  readonly isKeptElsewhere: (digest: string) => boolean
  /** Digests of earlier runs' blobs that turned out to be damaged. */
  readonly damaged: ReadonlySet<string>
  /** Digests of the blobs that this run received. */
  readonly spool: ReadonlySet<string>
  readonly notes: ImageNotes
  /** What else the index remembers, as JSON. */
  readonly records: Readonly<Record<string, unknown>>
  readonly maxBytes: number
  /** A pack of so many bytes is saved with the index. */
  readonly withIndexBytes: number
  /** Archives of cache mounts that this run made. */
  readonly mounts: IndexedMounts
  readonly named?: StillNamed | undefined
}

/** What is still of use, beside the layers of the caches. */
export interface StillNamed {
  /** Cache mounts that the Dockerfile names; undefined: that is not known. */
  readonly mounts?: ReadonlySet<string> | undefined
  /** Layers of images that records tell of. */
  readonly layers?: ReadonlySet<string> | undefined
}

export interface SaveDecision {
  /** The index without the packs that are still to be saved. */
  readonly document: CacheIndex
  /** Blobs of each pack to be saved: digest → bytes. */
  readonly newPacks: readonly ReadonlyMap<string, number>[]
  /** The one of them that is saved with the index. */
  readonly withIndex: ReadonlyMap<string, number> | undefined
  /** Older packs whose blobs move into new ones. */
  readonly moved: readonly (IndexedPack & { readonly key: string })[]
  /** Bytes that are new in the cache. */
  readonly bytes: number
  /** Bytes that there was no room for. */
  readonly droppedBytes: number
  /** Keys of archives of cache mounts that there was no room for. */
  readonly droppedMounts: readonly string[]
}

export function planSave(question: SaveQuestion): SaveDecision {
  const { own, early, spool, isKeptElsewhere, maxBytes } = question
  const ownPacks = Object.entries(own?.packs ?? {})
    .filter(([key, pack]) => !question.gone.has(key) && !holdsMounts(pack, own))
    .map(([key, pack]) => ({ key, ...pack }))
  const packed = new Set([...ownPacks, ...early].flatMap(({ blobs }) => Object.keys(blobs)))
  const canBeHad = (digest: string): boolean =>
    isKeptElsewhere(digest) || spool.has(digest) || (packed.has(digest) && !question.damaged.has(digest))
  const asKnown = (pack: SavedPack | (IndexedPack & { readonly key: string })): KnownPack => ({
    key: pack.key,
    // A damaged blob that was received again goes into a new pack.
    blobs: new Map(Object.entries(pack.blobs).filter(([digest]) => !question.damaged.has(digest))),
  })
  const pack = (wanted: ReadonlyMap<string, number>): Packing =>
    planPacks({
      ...{ wanted, maxBytes, inSpool: spool },
      ownPacks: ownPacks.map(asKnown),
      alreadySaved: early.map(asKnown),
    })
  const first = contentOf(targetsOf(question), canBeHad, isKeptElsewhere)
  const draft = pack(first.wanted)
  // What rests on a layer that there is no room for is of no use either.
  const dropped = new Set(draft.dropped)
  const { targets, blobs, wanted } =
    dropped.size === 0 ? first : contentOf(first.targets, (digest) => !dropped.has(digest), isKeptElsewhere)
  const packing = dropped.size === 0 ? draft : pack(wanted)
  const kept = new Set(packing.keep)
  const { createdAt, ref, commit } = question
  const sizeOf = (digest: string): number => wanted.get(digest) ?? 0
  const isNamed = (digest: string): boolean => blobs.has(digest) || question.named?.layers?.has(digest) === true
  const newPacks = packing.newPacks.map((digests) => new Map(digests.map((digest) => [digest, sizeOf(digest)])))
  const ofLayers = [...ownPacks, ...early].filter(({ key }) => kept.has(key))
  const layerBytes = sum([
    ...ofLayers.flatMap((one) => Object.values(one.blobs)),
    ...newPacks.flatMap((one) => [...one.values()]),
  ])
  const mounts = planMounts({
    ...{ own, gone: question.gone, damaged: question.damaged },
    ...{ fresh: question.mounts, named: question.named?.mounts, room: maxBytes - layerBytes },
  })
  const fresh = [
    ...newPacks.flatMap((pack) => [...pack.keys()]).filter((digest) => spool.has(digest)),
    ...early.flatMap((pack) => Object.keys(pack.blobs)),
  ]
  return {
    newPacks: [...newPacks, ...mounts.newPacks],
    // Archives of mounts are others every time, and most runs need none.
    withIndex: packWithIndex(newPacks, question.withIndexBytes),
    droppedMounts: mounts.dropped,
    moved: ownPacks.filter(({ key }) => packing.rewrite.includes(key)),
    bytes: sum([...new Set(fresh)].map(sizeOf)) + mounts.bytes,
    droppedBytes: sum([...first.wanted].filter(([digest]) => !wanted.has(digest)).map(([, size]) => size)),
    document: {
      ...{ version: 1, createdAt, ref },
      ...(commit === undefined ? {} : { commit }),
      packs: {
        ...Object.fromEntries(
          ofLayers.map(({ key, path, createdAt: since, blobs: content }) => [
            key,
            { path, createdAt: since, blobs: content },
          ]),
        ),
        ...mounts.packs,
      },
      mounts: mounts.mounts,
      targets: Object.fromEntries([...targets].map(([name, cache]) => [name, { createdAt, ...cache }])),
      records: {
        ...question.records,
        ...writeNotes({
          unpacked: new Map([...question.notes.unpacked].filter(([digest]) => isNamed(digest))),
          layers: question.notes.layers,
          files: new Map([...question.notes.files].filter(([digest]) => isNamed(digest))),
        }),
      },
    },
  }
}

/** The targets without what cannot be had, all that they name, and what of it must be saved by this branch. */
function contentOf(
  caches: ReadonlyMap<string, TargetCache>,
  canBeHad: (digest: string) => boolean,
  isKeptElsewhere: (digest: string) => boolean,
): {
  readonly targets: ReadonlyMap<string, TargetCache>
  readonly blobs: ReadonlyMap<string, number>
  readonly wanted: ReadonlyMap<string, number>
} {
  const targets = new Map([...caches].map(([name, cache]) => [name, pruneTargetCache(cache, canBeHad)]))
  const blobs = new Map([...targets.values()].flatMap((cache) => [...blobsOf(cache)]))
  return { targets, blobs, wanted: new Map([...blobs].filter(([digest]) => !isKeptElsewhere(digest))) }
}

/** A target whose cache was not exported keeps the one that it had. */
function targetsOf({ own, caches }: SaveQuestion): ReadonlyMap<string, TargetCache> {
  const old = Object.entries(own?.targets ?? {}).filter(([name]) => !name.startsWith(PARTIAL))
  return new Map([...old.map(([name, { layers, config }]) => [name, { layers, config }] as const), ...caches])
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
