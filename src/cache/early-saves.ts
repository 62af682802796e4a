/**
 * Packs that are saved while the build still runs: as soon as enough bytes lie in the spool. There are few of them, since
 * a service counts entries and refuses too many.
 */
import type { CacheBackend, SaveResult } from './cache-backend.ts'
import { fillPack, savingTimeout, unsaved, type PackContent } from './saving.ts'

export interface EarlySavesOptions {
  readonly backend: CacheBackend
  readonly root: string
  readonly writes: boolean
  readonly now: () => number
  readonly newPack: () => { readonly key: string; readonly path: string }
  readonly fileOf: (digest: string) => string
}

export interface SavedPack extends PackContent {
  readonly createdAt: string
}

/** How the saves that were begun ended, by the packs' keys. */
export type EarlyResults = ReadonlyMap<string, SaveResult>

/** Enough to be worth an entry of its own: small blobs together, or a large one alone. */
const ENOUGH_BYTES = 96 << 20
const LARGE_BYTES = 32 << 20
/** Of the three packs that a run may save, one is left for what comes last. */
const MOST = 2

export class EarlySaves {
  readonly #options: EarlySavesOptions
  readonly #waiting = new Map<string, number>()
  readonly #begun = new Map<string, SavedPack>()
  readonly #saves: Promise<readonly [string, SaveResult]>[] = []
  #bytes = 0
  /** One after another: each is sent in many parts at once already, which take their memory. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: EarlySavesOptions) {
    this.#options = options
  }

  /** A blob is complete. */
  add(digest: string, size: number): void {
    if (!this.#options.writes || this.#saves.length >= MOST || this.#waiting.has(digest)) return
    if (size >= LARGE_BYTES) {
      this.#saves.push(this.#save({ [digest]: size }))
      return
    }
    this.#waiting.set(digest, size)
    this.#bytes += size
    if (this.#bytes < ENOUGH_BYTES) return
    this.#saves.push(this.#save(Object.fromEntries(this.#waiting)))
    this.#waiting.clear()
    this.#bytes = 0
  }

  /** The packs whose saves were begun and have not failed so far. */
  get packs(): readonly SavedPack[] {
    return [...this.#begun.values()]
  }

  /** Settles when all that were begun are through. Never rejects. */
  async results(): Promise<EarlyResults> {
    return new Map(await Promise.all(this.#saves))
  }

  async #save(blobs: Readonly<Record<string, number>>): Promise<readonly [string, SaveResult]> {
    const { now, newPack } = this.#options
    const pack = { ...newPack(), blobs, createdAt: new Date(now()).toISOString() }
    this.#begun.set(pack.key, pack)
    const result = await this.#send(pack).catch(unsaved)
    if (result.kind === 'failed') this.#begun.delete(pack.key)
    return [pack.key, result]
  }

  async #send({ key, path, blobs }: SavedPack): Promise<SaveResult> {
    const { backend, root, fileOf } = this.#options
    const bytes = Object.values(blobs).reduce((sum, size) => sum + size, 0)
    await fillPack(root, path, new Map(Object.keys(blobs).map((digest) => [digest, fileOf(digest)])))
    const saved = this.#last.then(() => backend.save({ key, path, timeoutMs: savingTimeout(bytes) }))
    this.#last = saved.catch(() => undefined)
    return await saved
  }
}
