/**
 * The blobs that earlier runs saved. A pack is fetched when one of its blobs is asked for, once; a blob is checked
 * against its digest before the first byte of it is given away. What is gone or damaged is simply not there.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { BlobSource, OpenedBlob } from './blob-source.ts'
import type { CacheBackend, RestoreResult } from './cache-backend.ts'
import type { CacheIndex } from './cache-index.ts'
import { INDEX_KEY, INDEX_PATH } from './cache-keys.ts'

export interface Pack {
  /** Of the entry that it is, or of the index that it came with. */
  readonly key: string
  /** Where its blobs lie when they are fetched. */
  readonly path: string
  /** Digest → bytes. */
  readonly blobs: ReadonlyMap<string, number>
}

export interface PackStoreOptions {
  readonly backend: CacheBackend
  /** The session's folder, which paths of packs are relative to. */
  readonly root: string
}

export interface PackStats {
  /** Packs that were fetched, and their bytes. */
  readonly fetched: number
  readonly bytesFetched: number
  /** Packs that an index names and the backend has no more. */
  readonly gone: number
  /** Packs that the backend could not give. */
  readonly failed: number
  /** Blobs whose bytes are not those of their digest. */
  readonly damaged: number
}

/** A fetch is given up when it is slower than this for long. */
const SLOWEST_BYTES_PER_SECOND = 2_000_000
const PATIENCE_MS = 20_000

/** A blob's file within the directory of its pack. */
export function blobFile(digest: string): string {
  return digest.replace(':', '-')
}

/** The packs that an index names. */
export function packsOf({ packs }: Pick<CacheIndex, 'packs'>): readonly (Pack & { readonly createdAt: string })[] {
  return Object.entries(packs).map(([key, pack]) => ({ key, ...pack, blobs: new Map(Object.entries(pack.blobs)) }))
}

/** Small blobs are saved with the index that is new, and their pack bears its key. */
function cameWithIndex({ key }: Pack): boolean {
  return INDEX_KEY.test(key)
}

function entryPath(pack: Pack): string {
  return cameWithIndex(pack) ? INDEX_PATH : pack.path
}

export class PackStore implements BlobSource {
  readonly #options: PackStoreOptions
  readonly #packOf = new Map<string, Pack>()
  readonly #restores = new Map<string, Promise<RestoreResult>>()
  readonly #lookUps = new Map<string, Promise<RestoreResult>>()
  readonly #checks = new Map<string, Promise<boolean>>()
  readonly #lost = new Map<string, 'gone' | 'spoilt' | 'failed'>()
  readonly #missed = new Set<string>()
  readonly #damaged = new Set<string>()
  #bytesFetched = 0
  #fetched = 0

  constructor(options: PackStoreOptions) {
    this.#options = options
  }

  /** Blobs of a pack that was added before keep their place there. */
  add(pack: Pack): void {
    for (const digest of pack.blobs.keys()) if (!this.#packOf.has(digest)) this.#packOf.set(digest, pack)
  }

  /** Whether a blob is in a pack that is not known to be gone. */
  has(digest: string): boolean {
    const pack = this.#packOf.get(digest)
    return pack !== undefined && !this.#lost.has(pack.key) && !this.#damaged.has(digest)
  }

  /** Digests that were asked for and could not be given. */
  get missed(): ReadonlySet<string> {
    return this.#missed
  }

  /** Digests of blobs whose bytes were others. */
  get damaged(): ReadonlySet<string> {
    return this.#damaged
  }

  /** Whether the pack is there no more, or spoilt. One that only could not be fetched may be there the next time. */
  isGone(key: string): boolean {
    return ['gone', 'spoilt'].includes(this.#lost.get(key) ?? '')
  }

  stats(): PackStats {
    const lost = [...this.#lost.values()]
    return {
      fetched: this.#fetched,
      bytesFetched: this.#bytesFetched,
      gone: lost.filter((why) => why === 'gone').length,
      failed: lost.filter((why) => why !== 'gone').length,
      damaged: this.#damaged.size,
    }
  }

  async promised(digest: string): Promise<number | undefined> {
    const pack = this.#packOf.get(digest)
    if (pack === undefined || !this.has(digest)) return undefined
    if (this.#restores.has(pack.key)) return (await this.#checked(pack, digest)) ? pack.blobs.get(digest) : undefined
    return (await this.isThere(pack)) ? pack.blobs.get(digest) : undefined
  }

  async open(digest: string): Promise<OpenedBlob | undefined> {
    const pack = this.#packOf.get(digest)
    const size = pack?.blobs.get(digest)
    if (pack === undefined || size === undefined) return undefined
    if (!(await this.#checked(pack, digest))) {
      this.#missed.add(digest)
      return undefined
    }
    return { size, open: (range) => createReadStream(this.#file(pack, digest), range ?? {}) }
  }

  /** Asks, once, whether the backend still has a pack; it counts as used then. */
  async isThere(pack: Pack): Promise<boolean> {
    const { key } = pack
    if (this.#restores.has(key)) return (await this.restore(pack)).kind === 'hit'
    let asked = this.#lookUps.get(key)
    if (asked === undefined) {
      asked = this.#options.backend.lookUp({ key, path: entryPath(pack), timeoutMs: PATIENCE_MS })
      this.#lookUps.set(key, asked)
    }
    return this.#noted(pack, await asked)
  }

  /** Tells that a pack was fetched into its place before, by another step of this run. */
  assumeFetched({ key }: Pack): void {
    this.#restores.set(key, Promise.resolve({ kind: 'hit', key }))
  }

  /** Takes the blobs that came with an index that was restored. */
  takeFromIndex(pack: Pack): void {
    this.add(pack)
    this.#restores.set(pack.key, this.#settled(pack, { kind: 'hit', key: pack.key }))
  }

  /** Fetches a pack, once. */
  async restore(pack: Pack): Promise<RestoreResult> {
    const { key } = pack
    let restored = this.#restores.get(key)
    if (restored === undefined) {
      const bytes = [...pack.blobs.values()].reduce((sum, size) => sum + size, 0)
      const timeoutMs = PATIENCE_MS + (bytes / SLOWEST_BYTES_PER_SECOND) * 1_000
      restored = this.#fetch(pack, timeoutMs)
      this.#restores.set(key, restored)
      if ((await restored).kind === 'hit') {
        this.#bytesFetched += bytes
        this.#fetched++
      }
    }
    const result = await restored
    this.#noted(pack, result)
    return result
  }

  /** Fetches the packs that hold these blobs, before anybody asks for them. */
  async prefetch(digests: Iterable<string>): Promise<void> {
    const packs = new Set([...digests].flatMap((digest) => this.#packOf.get(digest) ?? []))
    await Promise.all([...packs].map((pack) => this.restore(pack)))
  }

  /** The path of a blob that was fetched and is what its digest says; undefined where it cannot be had. */
  async fileOf(digest: string): Promise<string | undefined> {
    const pack = this.#packOf.get(digest)
    return pack !== undefined && (await this.#checked(pack, digest)) ? this.#file(pack, digest) : undefined
  }

  async #fetch(pack: Pack, timeoutMs: number): Promise<RestoreResult> {
    const result = await this.#options.backend.restore({ key: pack.key, path: entryPath(pack), timeoutMs })
    return result.kind === 'hit' ? await this.#settled(pack, result) : result
  }

  /** Moves blobs that came with an index out of its directory, which the next index is saved from. */
  async #settled(pack: Pack, result: RestoreResult): Promise<RestoreResult> {
    if (!cameWithIndex(pack)) return result
    const place = join(this.#options.root, pack.path)
    try {
      await mkdir(place, { recursive: true })
    } catch {
      return result // each of its blobs is found missing
    }
    const files = [...pack.blobs.keys()].map(blobFile)
    await Promise.all(
      files.map(async (file) => {
        await rename(join(this.#options.root, INDEX_PATH, file), join(place, file)).catch(() => undefined)
      }),
    )
    return result
  }

  #noted(pack: Pack, result: RestoreResult): boolean {
    if (result.kind === 'hit') return true
    const isSpoilt = result.kind === 'failed' && result.isSpoilt === true
    this.#lost.set(pack.key, result.kind === 'miss' ? 'gone' : isSpoilt ? 'spoilt' : 'failed')
    return false
  }

  async #checked(pack: Pack, digest: string): Promise<boolean> {
    if ((await this.restore(pack)).kind !== 'hit') return false
    let check = this.#checks.get(digest)
    if (check === undefined) {
      check = this.#isSound(pack, digest)
      this.#checks.set(digest, check)
    }
    return await check
  }

  async #isSound(pack: Pack, digest: string): Promise<boolean> {
    const path = this.#file(pack, digest)
    try {
      const found = await lstat(path)
      if (found.isFile() && found.size === pack.blobs.get(digest)) {
        const hash = createHash('sha256')
        await pipeline(createReadStream(path), hash)
        if (`sha256:${hash.digest('hex')}` === digest) return true
      }
    } catch {
      // As good as damaged.
    }
    this.#damaged.add(digest)
    await rm(path, { force: true, recursive: true }).catch(() => undefined)
    return false
  }

  #file(pack: Pack, digest: string): string {
    return join(this.#options.root, pack.path, blobFile(digest))
  }
}
