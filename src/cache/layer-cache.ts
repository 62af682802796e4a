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
import { blobsPath, INDEX_PATH, indexFile, newIndexKey, newPack } from './cache-keys.ts'
import {
  blobsOf,
  pruneTargetCache,
  renderTargetCache,
  shrinkToImport,
  type RenderedCache,
  type TargetCache,
} from './cache-manifest.ts'
import { EarlySaves, type EarlyResults } from './early-saves.ts'
import { mergeNotes, readNotes, type ImageNotes } from './image-notes.ts'
import {
  blobsElsewhere,
  loadIndexes,
  recordsIn,
  type FoundRecords,
  type IndexPlace,
  type LoadedIndexes,
} from './index-loader.ts'
import { archivesOf, type FoundMount, type IndexedMount } from './mount-archives.ts'
import { layersBeneath, type Beneath } from './needed-layers.ts'
import { packsOf, PackStore, type PackStats } from './pack-store.ts'
import { PARTIAL, planSave, type StillNamed } from './save-planning.ts'
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
  /** Blobs of so many bytes are saved with the index. */
  readonly withIndexBytes: number
  readonly now: () => number
}

/** A cache manifest that BuildKit may import. */
export interface Offer {
  readonly ref: string
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  readonly rendered: RenderedCache
}

/** What the index remembers besides; unchecked here. */
export interface NewRecords {
  readonly json: Readonly<Record<string, unknown>>
  /** Whether the index that was read does not say it already. */
  readonly areNew: boolean
}

export type Saving =
  /** There is nothing that the indexes that were read do not say. */
  | { readonly kind: 'unchanged' }
  | {
      readonly kind: 'plan'
      readonly plan: SavePlan
      /** The saves of packs that the plan counts as saved; it never rejects. */
      readonly begun: Promise<EarlyResults>
      readonly bytes: number
      readonly droppedBytes: number
      readonly droppedMounts: readonly string[]
    }

/** A pack older than this is asked for before it is counted on: it may have been evicted. */
const TRUSTED_MS = 24 * 60 * 60 * 1_000

export class LayerCache {
  readonly #options: LayerCacheOptions
  readonly #packs: PackStore
  readonly #spool: Spool
  readonly #early: EarlySaves
  readonly #mounts = new Map<string, IndexedMount>()
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

  /** Whether a blob was pushed in this run, since nobody had it. */
  hasReceived(digest: string): boolean {
    return this.#spool.blobs.has(digest)
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

  /** What earlier runs' indexes remember besides, own branch first. */
  async records(): Promise<readonly FoundRecords[]> {
    return recordsIn(await this.#indexes())
  }

  /** What the indexes in other places remember: those of the legs of a matrix. Never rejects. */
  async recordsAt(places: readonly IndexPlace[]): Promise<readonly FoundRecords[]> {
    const { backend, root, now } = this.#options
    return recordsIn(await loadIndexes(places, { backend, root, now: now() }))
  }

  /** What earlier runs learned of layers. */
  async notes(): Promise<ImageNotes> {
    const { found } = await this.#indexes()
    return mergeNotes(found.toReversed().map(({ index }) => readNotes(index.records)))
  }

  /**
   * What BuildKit may import for a target, own branch first; only layers that can be had are named.
   * @param isBase whether a base image's registry keeps a blob
   */
  async offers(target: string, isBase: (digest: string) => boolean): Promise<readonly Offer[]> {
    const view = await this.#merged()
    await this.#askForOldPacks()
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

  /** What earlier runs saved of a cache mount, own branch first. */
  async mountArchives(key: string): Promise<readonly FoundMount[]> {
    await this.#merged()
    return archivesOf(key, (await this.#indexes()).found, (digest) => this.#packs.has(digest))
  }

  /** The path of a blob that earlier runs saved; undefined where it cannot be had. */
  async fileOf(digest: string): Promise<string | undefined> {
    return await this.#packs.fileOf(digest)
  }

  /** Takes the archive of a cache mount in, to be saved with the rest. @throws Error when the file cannot be moved */
  async takeMount(key: string, mount: IndexedMount, path: string): Promise<void> {
    await this.#spool.adopt(path, mount.digest, mount.bytes)
    this.#mounts.set(key, mount)
  }

  /** Fetches what lies beneath steps that will run. Never rejects. */
  async prefetchBeneath(places: readonly Beneath[]): Promise<void> {
    const view = await this.#merged()
    await this.prefetch(
      places.flatMap((place) => view.cachesOf(place.target).flatMap(({ cache }) => layersBeneath(cache, place))),
    )
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
    options: {
      readonly isBase: (digest: string) => boolean
      readonly notes: ImageNotes
      readonly records: NewRecords
      readonly named?: StillNamed | undefined
    },
  ): Promise<Saving> {
    const isNews = options.records.areNew || this.#mounts.size > 0
    if (!this.#options.writes || (caches.size === 0 && !isNews)) return { kind: 'unchanged' }
    const { found, searches } = await this.#indexes()
    // Without the index that is there, all that it names would be saved again.
    if (searches.some(({ source, outcome }) => source === 'own' && outcome === 'failed')) return { kind: 'unchanged' }
    const own = found.find(({ source }) => source === 'own')?.index
    const view = await this.#merged()
    const isHad = (digest: string): boolean => options.isBase(digest) || this.#packs.has(digest)
    // A save may have failed for some of the blobs that an index names.
    const isKnown = view.says(caches) && allBlobs(caches).every(isHad) && !this.#hasLostPacks(own)
    if (isKnown && !isNews) return { kind: 'unchanged' }

    const [place] = this.#options.places
    if (place === undefined) return { kind: 'unchanged' }
    const { now, commit, packPrefix, maxBytes, withIndexBytes } = this.#options
    const createdAt = new Date(now()).toISOString()
    const elsewhere = blobsElsewhere(found, (key) => this.#packs.isGone(key))
    const decision = planSave({
      ...{ caches, own, early: this.#early.packs, createdAt, commit, maxBytes, withIndexBytes, ref: place.ref },
      gone: new Set(Object.keys(own?.packs ?? {}).filter((key) => this.#packs.isGone(key))),
      isKeptElsewhere: (digest) => options.isBase(digest) || elsewhere.has(digest),
      damaged: this.#packs.damaged,
      spool: new Set(this.#spool.blobs.keys()),
      notes: mergeNotes([await this.notes(), options.notes]),
      records: options.records.json,
      mounts: Object.fromEntries(this.#mounts),
      named: options.named,
    })
    const indexKey = newIndexKey(place.prefix, { now: now(), commit })
    const packs = await Promise.all(
      decision.newPacks.map(async (blobs): Promise<PackJob> => {
        const { key, path } =
          blobs === decision.withIndex ? { key: indexKey, path: blobsPath(indexKey) ?? '' } : newPack(packPrefix)
        const spooled = [...blobs.keys()].filter((digest) => this.#spool.blobs.has(digest))
        await fillPack(this.#options.root, path, new Map(spooled.map((digest) => [digest, this.#spool.pathOf(digest)])))
        const from = decision.moved.filter((pack) => [...blobs.keys()].some((digest) => digest in pack.blobs))
        return { key, path, createdAt, blobs: Object.fromEntries(blobs), from }
      }),
    )
    const { document, bytes, droppedBytes, droppedMounts } = decision
    const plan = { packs, document, index: { key: indexKey, path: INDEX_PATH, file: indexFile(indexKey) } }
    return { kind: 'plan', plan, begun: this.#early.results(), bytes, droppedBytes, droppedMounts }
  }

  #indexes(): Promise<LoadedIndexes> {
    const { places, backend, root, now } = this.#options
    this.#loaded ??= loadIndexes(places, { backend, root, now: now() })
    return this.#loaded
  }

  async #merged(): Promise<IndexView> {
    if (this.#view !== undefined) return this.#view
    const { found } = await this.#indexes()
    for (const { index, key: own } of found) {
      for (const pack of packsOf(index)) {
        if (pack.key === own) this.#packs.takeFromIndex(pack)
        else this.#packs.add(pack)
      }
    }
    this.#view = mergeIndexes(found)
    return this.#view
  }

  async #askForOldPacks(): Promise<void> {
    const { found } = await this.#indexes()
    const packs = found.flatMap(({ index, key: own }) => packsOf(index).filter(({ key }) => key !== own))
    const old = packs.filter(({ createdAt }) => this.#options.now() - Date.parse(createdAt) > TRUSTED_MS)
    await Promise.all(old.map((pack) => this.#packs.isThere(pack)))
  }

  #hasLostPacks(own: CacheIndex | undefined): boolean {
    return this.#packs.damaged.size > 0 || Object.keys(own?.packs ?? {}).some((key) => this.#packs.isGone(key))
  }
}

function allBlobs(caches: ReadonlyMap<string, TargetCache>): readonly string[] {
  return [...caches.values()].flatMap((cache) => [...blobsOf(cache).keys()])
}
