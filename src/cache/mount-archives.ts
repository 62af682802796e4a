/**
 * Archives of cache mounts in the layer cache: what an index says of them, and which of them a save keeps. Each is the
 * only blob of a pack, so that nobody fetches one for the sake of a layer. Pure.
 */
import { field } from '../json-fields.ts'
import type { CacheIndex, IndexedPack } from './cache-index.ts'
import { isDigest } from './registry-route.ts'

export interface IndexedMount {
  readonly digest: string
  readonly bytes: number
  /** Digest of the paths, sizes and times of what is in it. */
  readonly content: string
  /** ISO 8601 */
  readonly savedAt: string
}

export type IndexedMounts = Readonly<Record<string, IndexedMount>>

/** Reads one mount of an index; undefined where it is malformed. */
export function parseMountArchive(
  value: unknown,
  key: string,
  isTime: (value: unknown) => value is string,
): IndexedMount | undefined {
  const [digest, content] = [field(value, 'digest'), field(value, 'content')]
  const [bytes, savedAt] = [field(value, 'bytes'), field(value, 'savedAt')]
  if (!/^[0-9a-f]{32}$/.test(key) || !isTime(savedAt)) return undefined
  if (typeof digest !== 'string' || !isDigest(digest)) return undefined
  if (typeof content !== 'string' || !isDigest(content)) return undefined
  return typeof bytes === 'number' && Number.isSafeInteger(bytes) && bytes > 0
    ? { digest, bytes, content, savedAt }
    : undefined
}

/** An archive that earlier runs saved. */
export interface FoundMount extends IndexedMount {
  readonly ref: string
  readonly isOwn: boolean
}

/**
 * The archives of a mount that can be had, own branch first.
 * @param indexes own branch first
 */
export function archivesOf(
  key: string,
  indexes: readonly { readonly ref: string; readonly source: string; readonly index: CacheIndex }[],
  canBeHad: (digest: string) => boolean,
): readonly FoundMount[] {
  return indexes.flatMap(({ ref, source, index }) => {
    const found = Object.hasOwn(index.mounts, key) ? index.mounts[key] : undefined
    return found !== undefined && canBeHad(found.digest) ? [{ ...found, ref, isOwn: source === 'own' }] : []
  })
}

export interface MountQuestion {
  readonly own: CacheIndex | undefined
  /** Keys of its packs that are gone. */
  readonly gone: ReadonlySet<string>
  /** Digests of blobs that turned out to be damaged. */
  readonly damaged: ReadonlySet<string>
  /** Archives that this run made. */
  readonly fresh: IndexedMounts
  /** Mounts that the Dockerfile names; undefined: that is not known. */
  readonly named: ReadonlySet<string> | undefined
  /** Bytes that layers leave. */
  readonly room: number
}

export interface MountDecision {
  readonly mounts: IndexedMounts
  /** Packs of earlier runs that are still referred to, by key. */
  readonly packs: Readonly<Record<string, IndexedPack>>
  /** Blobs of each pack to be saved. */
  readonly newPacks: readonly ReadonlyMap<string, number>[]
  readonly bytes: number
  /** Keys of archives of this run that there is no room for. */
  readonly dropped: readonly string[]
}

/** Whether a pack holds archives of mounts and no layers. */
export function holdsMounts({ blobs }: IndexedPack, index: CacheIndex | undefined): boolean {
  const archives = new Set(Object.values(index?.mounts ?? {}).map(({ digest }) => digest))
  const digests = Object.keys(blobs)
  return digests.length > 0 && digests.every((digest) => archives.has(digest))
}

/** Keeps what fits beside the layers: the newest first, of equals the smallest. */
export function planMounts({ own, gone, damaged, fresh, named, room }: MountQuestion): MountDecision {
  const packs = Object.entries(own?.packs ?? {}).filter(([key, pack]) => !gone.has(key) && holdsMounts(pack, own))
  const packOf = (digest: string): readonly [string, IndexedPack] | undefined =>
    packs.find(([, { blobs }]) => digest in blobs && !damaged.has(digest))
  const kept = Object.entries(own?.mounts ?? {}).filter(
    ([key, { digest }]) => !(key in fresh) && named?.has(key) !== false && packOf(digest) !== undefined,
  )
  const wanted = [...Object.entries(fresh), ...kept].sort(([, a], [, b]) =>
    a.savedAt === b.savedAt ? a.bytes - b.bytes : a.savedAt < b.savedAt ? 1 : -1,
  )
  const fitting: (readonly [string, IndexedMount])[] = []
  let left = room
  for (const [key, mount] of wanted) {
    if (mount.bytes > left) continue
    fitting.push([key, mount])
    left -= mount.bytes
  }
  const isNew = ([key]: readonly [string, IndexedMount]): boolean => key in fresh
  const newDigests = new Map(fitting.filter(isNew).map(([, { digest, bytes }]) => [digest, bytes]))
  const used = fitting.filter((one) => !isNew(one)).flatMap(([, { digest }]) => [packOf(digest)])
  return {
    mounts: Object.fromEntries(fitting),
    packs: Object.fromEntries(used.filter((one) => one !== undefined)),
    newPacks: [...newDigests].map((one) => new Map([one])),
    bytes: [...newDigests.values()].reduce((sum, bytes) => sum + bytes, 0),
    dropped: Object.keys(fresh).filter((key) => !fitting.some(([name]) => name === key)),
  }
}
