/**
 * The layer cache of one run: what earlier runs saved is offered to BuildKit, what BuildKit exports is taken in, and in
 * the end it is decided what is saved. Ties the indexes, the packs and the spool together; serves no requests itself.
 * Nothing here can fail a build: whatever cannot be had is not offered.
 */
import { join } from 'node:path'
import type { BlobSink } from './blob-uploads.ts'
import type { BlobSource } from './blob-source.ts'
import type { CacheBackend } from './cache-backend.ts'
import { mergeIndexes, type CacheIndex, type IndexView } from './cache-index.ts'
import { newIndexKey, newPack } from './cache-keys.ts'
import {
  blobsOf,
  covers,
  pruneTargetCache,
  renderTargetCache,
  shrinkToImport,
  type RenderedCache,
  type TargetCache,
} from './cache-manifest.ts'
import { EarlySaves } from './early-saves.ts'
import { INDEX_PATH, indexFile, loadIndexes, type IndexPlace, type LoadedIndexes } from './index-loader.ts'
import { PackStore, type PackStats } from './pack-store.ts'
import { planPacks } from './packing.ts'
import { fillPack, type PackJob, type SavePlan } from './saving.ts'
import { Spool } from './spool.ts'

export interface LayerCacheOptions {
  readonly backend: CacheBackend
  /** A folder of this session's own. */
  readonly root: string
  /** Own branch first. */
  readonly places: readonly IndexPlace[]
  readonly packPrefix: string
  readonly commit: string | undefined
  readonly writes: boolean
  /** Bytes that the saved index may refer to. */
  readonly maxBytes: number
  readonly now: () => number
}

/** A cache manifest that BuildKit may import. */
export interface Offer {
  readonly ref: string
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  readonly rendered: RenderedCache
}

/** What was learned of the images, for the runs to come. */
export interface ImageNotes {
  /** Digest of a layer → bytes of the files in it. */
  readonly unpacked: ReadonlyMap<string, number>
  /** Target → digests of its image's own layers. */
  readonly layers: ReadonlyMap<string, readonly string[]>
}

export type Saving =
  /** There is nothing that the indexes that were read do not say. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'plan'; readonly plan: SavePlan; readonly bytes: number; readonly droppedBytes: number }

/** Caches of stages of a failed build: they belong to no target, so every target is offered them. */
export const PARTIAL = '~'

/** A pack older than this is asked for before it is counted on: it may have been evicted. */
const TRUSTED_MS = 24 * 60 * 60 * 1_000

export class LayerCache {
  readonly #options: LayerCacheOptions
  readonly #packs: PackStore
  readonly #spool: Spool
  readonly #early: EarlySaves
  #loaded: Promise<LoadedIndexes> | undefined
  #view: IndexView | undefined

  constructor(options: LayerCacheOptions) {
    this.#options = options
    this.#packs = new PackStore(options)
    this.#spool = new Spool({
      folder: join(options.root, 'blobs'),
      onBlob: (digest, size) => {
        this.#early.add(digest, size)
      },
    })
    this.#early = new EarlySaves({
      ...options,
      newPack: () => newPack(options.packPrefix),
      fileOf: (digest) => this.#spool.pathOf(digest),
    })
  }

  /** Begins to look for the indexes. */
  begin(): void {
    void this.#indexes()
  }

  /** Where the layer registry finds blobs. */
  get sources(): readonly BlobSource[] {
    return [this.#spool, this.#packs]
  }

  openSinks(): readonly BlobSink[] {
    return this.#options.writes && this.#spool.fault === undefined ? [this.#spool.openSink()] : []
  }

  /** Blobs that were promised and could not be given. */
  get missed(): ReadonlySet<string> {
    return this.#packs.missed
  }

  get spoolFault(): unknown {
    return this.#spool.fault
  }

  stats(): PackStats {
    return this.#packs.stats()
  }

  async searches(): Promise<LoadedIndexes['searches']> {
    return (await this.#indexes()).searches
  }

  /** What earlier runs learned of layers. */
  async notes(): Promise<ImageNotes> {
    const { found } = await this.#indexes()
    const unpacked = new Map<string, number>()
    const layers = new Map<string, readonly string[]>()
    for (const { index } of found.toReversed()) readNotes(index.records, { unpacked, layers })
    return { unpacked, layers }
  }

  /**
   * What BuildKit may import for a target, own branch first; only layers that can be had are named.
   * @param isBase whether a base image's registry keeps a blob
   */
  async offers(target: string, isBase: (digest: string) => boolean): Promise<readonly Offer[]> {
    const view = await this.#merged()
    await this.#askForOldPacks(view)
    const partial = view.targets().filter((name) => name.startsWith(PARTIAL))
    const caches = [target, ...partial].flatMap((name) => view.cachesOf(name))
    return caches.map(({ ref, createdAt, cache }) => ({
      ref,
      createdAt: Date.parse(createdAt),
      rendered: renderTargetCache(
        shrinkToImport(pruneTargetCache(cache, (digest) => isBase(digest) || this.#packs.has(digest))),
      ),
    }))
  }

  /** Fetches what holds these blobs before anybody asks. */
  async prefetch(digests: Iterable<string>): Promise<void> {
    await this.#packs.prefetch(digests)
  }

  /**
   * Decides what to save after the build, and puts it into its place.
   * @param caches what BuildKit exported, by target
   */
  async finish(
    caches: ReadonlyMap<string, TargetCache>,
    options: { readonly isBase: (digest: string) => boolean; readonly notes: ImageNotes },
  ): Promise<Saving> {
    if (!this.#options.writes || caches.size === 0) return { kind: 'unchanged' }
    const { found } = await this.#indexes()
    const own = found.find(({ source }) => source === 'own')?.index
    const early = await this.#early.done()
    if (this.#isKnown(caches, await this.#merged()) && !this.#hasLostPacks(own)) return { kind: 'unchanged' }

    const { isBase } = options
    const isElsewhere = await this.#inOtherScopes()
    const can = (digest: string): boolean =>
      isBase(digest) || isElsewhere(digest) || this.#spool.blobs.has(digest) || this.#packs.has(digest)
    const targets = this.#targets(own, caches, can)
    const wanted = new Map<string, number>()
    for (const cache of targets.values()) {
      for (const [digest, size] of blobsOf(cache)) {
        if (!isBase(digest) && !isElsewhere(digest)) wanted.set(digest, size)
      }
    }
    const ownPacks = Object.entries(own?.packs ?? {})
      .filter(([key]) => !this.#packs.isLost(key))
      .map(([key, pack]) => ({
        ...{ key, path: pack.path, createdAt: pack.createdAt },
        blobs: new Map(Object.entries(pack.blobs)),
        restored: this.#packs.isRestored(key),
      }))
    const packing = planPacks({
      wanted,
      inSpool: new Set(this.#spool.blobs.keys()),
      ownPacks,
      alreadySaved: early.map(({ key, path, createdAt, blobs }) => ({
        ...{ key, path, createdAt, restored: false },
        blobs: new Map(Object.entries(blobs)),
      })),
      maxBytes: this.#options.maxBytes,
    })
    const dropped = new Set(packing.dropped)
    const kept = new Set(packing.keep)
    const moved = ownPacks.filter(({ key }) => packing.rewrite.includes(key))
    const jobs = await Promise.all(packing.newPacks.map((digests) => this.#job(digests, wanted, moved)))
    const [place] = this.#options.places
    if (place === undefined) return { kind: 'unchanged' }
    const key = newIndexKey(place.prefix, this.#options.now())
    const document: CacheIndex = {
      version: 1,
      createdAt: new Date(this.#options.now()).toISOString(),
      ref: place.ref,
      ...(this.#options.commit === undefined ? {} : { commit: this.#options.commit }),
      packs: Object.fromEntries(
        [...ownPacks, ...early.map((pack) => ({ ...pack, blobs: new Map(Object.entries(pack.blobs)) }))]
          .filter((pack) => kept.has(pack.key))
          .map(({ key: packKey, path, createdAt, blobs }) => [
            packKey,
            { path, createdAt, blobs: Object.fromEntries(blobs) },
          ]),
      ),
      targets: Object.fromEntries(
        [...targets].map(([name, cache]) => [
          name,
          {
            createdAt: new Date(this.#options.now()).toISOString(),
            ...pruneTargetCache(cache, (digest) => !dropped.has(digest)),
          },
        ]),
      ),
      records: writeNotes(options.notes),
    }
    const bytes = jobs.reduce((sum, job) => sum + sumOf(Object.values(job.blobs)), 0)
    return {
      kind: 'plan',
      plan: { packs: jobs, index: { key, path: INDEX_PATH, file: indexFile(key) }, document },
      bytes: bytes + sumOf(early.flatMap((pack) => Object.values(pack.blobs))),
      droppedBytes: sumOf(packing.dropped.map((digest) => wanted.get(digest) ?? 0)),
    }
  }

  #indexes(): Promise<LoadedIndexes> {
    const { places, backend, root, now } = this.#options
    this.#loaded ??= loadIndexes(places, { backend, root, now: now() })
    return this.#loaded
  }

  async #merged(): Promise<IndexView> {
    if (this.#view !== undefined) return this.#view
    const { found } = await this.#indexes()
    for (const { index } of found) {
      for (const [key, { path, blobs }] of Object.entries(index.packs)) {
        this.#packs.add({ key, path, blobs: new Map(Object.entries(blobs)) })
      }
    }
    this.#view = mergeIndexes(found)
    return this.#view
  }

  async #askForOldPacks(view: IndexView): Promise<void> {
    const old = [...view.packs.values()].filter(
      ({ createdAt }) => this.#options.now() - Date.parse(createdAt) > TRUSTED_MS,
    )
    await Promise.all(old.map((pack) => this.#packs.isThere(pack)))
  }

  /** Whether the indexes that were read say all this already. */
  #isKnown(caches: ReadonlyMap<string, TargetCache>, view: IndexView): boolean {
    return [...caches].every(([name, cache]) => view.cachesOf(name).some((known) => covers(known.cache, cache)))
  }

  #hasLostPacks(own: CacheIndex | undefined): boolean {
    return Object.keys(own?.packs ?? {}).some((key) => this.#packs.isLost(key))
  }

  async #inOtherScopes(): Promise<(digest: string) => boolean> {
    const { found } = await this.#indexes()
    const digests = new Set<string>()
    for (const { source, index } of found) {
      if (source === 'own') continue
      for (const [key, { blobs }] of Object.entries(index.packs)) {
        if (!this.#packs.isLost(key)) for (const digest of Object.keys(blobs)) digests.add(digest)
      }
    }
    return (digest) => digests.has(digest)
  }

  /** A target whose cache was not exported keeps the one that it had. */
  #targets(
    own: CacheIndex | undefined,
    caches: ReadonlyMap<string, TargetCache>,
    can: (digest: string) => boolean,
  ): ReadonlyMap<string, TargetCache> {
    const old = Object.entries(own?.targets ?? {}).filter(([name]) => !name.startsWith(PARTIAL))
    const all = new Map<string, TargetCache>([
      ...old.map(([name, { layers, config }]) => [name, { layers, config }] as const),
      ...caches,
    ])
    return new Map([...all].map(([name, cache]) => [name, pruneTargetCache(cache, can)]))
  }

  async #job(
    digests: readonly string[],
    wanted: ReadonlyMap<string, number>,
    moved: readonly { readonly key: string; readonly path: string; readonly blobs: ReadonlyMap<string, number> }[],
  ): Promise<PackJob> {
    const { key, path } = newPack(this.#options.packPrefix)
    const spooled = digests.filter((digest) => this.#spool.blobs.has(digest))
    await fillPack(this.#options.root, path, new Map(spooled.map((digest) => [digest, this.#spool.pathOf(digest)])))
    const from = moved.filter(({ blobs }) => digests.some((digest) => blobs.has(digest) && !spooled.includes(digest)))
    return {
      ...{ key, path, createdAt: new Date(this.#options.now()).toISOString() },
      blobs: Object.fromEntries(digests.map((digest) => [digest, wanted.get(digest) ?? 0])),
      from: from.map((pack) => ({ ...pack, blobs: Object.fromEntries(pack.blobs) })),
    }
  }
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0)
}
