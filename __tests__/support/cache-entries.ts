/** What the stand-in of GitHub's cache service has: entries in memory, their bytes in files. */
import { rm } from 'node:fs/promises'
import type { CacheScope } from './cache-token.ts'

/** A piece of an upload. */
export interface BlobPart {
  readonly file: string
  readonly size: number
}

export interface CacheEntry {
  readonly id: number
  readonly key: string
  readonly version: string
  readonly scope: string
  readonly size: number
  /** Milliseconds since 1970; no two entries have the same. */
  readonly createdAt: number
  readonly lastUsed: number
}

interface Stored {
  readonly id: number
  readonly key: string
  readonly version: string
  readonly scope: string
  readonly createdAt: number
  lastUsed: number
  /** Blocks that are not yet part of the blob, by their id. */
  readonly blocks: Map<string, BlobPart>
  parts: readonly BlobPart[]
  isFinal: boolean
}

export type Reservation =
  | { readonly kind: 'reserved'; readonly id: number }
  | { readonly kind: 'denied' | 'exists' }
  | { readonly kind: 'limited'; readonly retryAfter: number }

export class CacheEntries {
  readonly #maxBytes: number
  readonly #uploadsPerMinute: number
  readonly #entries: Stored[] = []
  #uploads: readonly number[] = []
  #lastId = 0
  #lastTime = 0

  constructor(limits: { readonly maxBytes: number; readonly uploadsPerMinute: number }) {
    this.#maxBytes = limits.maxBytes
    this.#uploadsPerMinute = limits.uploadsPerMinute
  }

  /** Takes a key and version for good in the scope that the token may write, finished or not. */
  reserve(scopes: readonly CacheScope[], key: string, version: string): Reservation {
    const scope = writable(scopes)
    if (scope === undefined) return { kind: 'denied' }
    const now = Date.now()
    this.#uploads = this.#uploads.filter((time) => now - time < 60_000)
    const [oldest = now] = this.#uploads
    if (this.#uploads.length >= this.#uploadsPerMinute) {
      return { kind: 'limited', retryAfter: Math.ceil((oldest + 60_000 - now) / 1_000) }
    }
    if (this.#entries.some((entry) => isSame(entry, { key, version, scope }))) return { kind: 'exists' }
    this.#uploads = [...this.#uploads, now]
    const time = this.#tick()
    const id = ++this.#lastId
    const rest = { blocks: new Map<string, BlobPart>(), parts: [], isFinal: false }
    this.#entries.push({ id, key, version, scope, createdAt: time, lastUsed: time, ...rest })
    return { kind: 'reserved', id }
  }

  /** Makes an upload an entry. @returns its id, or why not */
  finalize(scopes: readonly CacheScope[], key: string, version: string, size: number): number | 'unknown' | 'size' {
    const scope = writable(scopes)
    const entry = this.#entries.find((one) => !one.isFinal && isSame(one, { key, version, scope }))
    if (entry === undefined) return 'unknown'
    if (sizeOf(entry) !== size) return 'size'
    entry.isFinal = true
    entry.lastUsed = this.#tick()
    this.#shrink(entry)
    return entry.id
  }

  /** In each scope in the token's order: the key, then the newest that begins with it, then with each restore key. */
  find(
    scopes: readonly CacheScope[],
    version: string,
    [key, ...restoreKeys]: readonly [string, ...string[]],
  ): CacheEntry | undefined {
    for (const { Scope, Permission } of scopes) {
      if ((Permission & 1) === 0) continue
      const here = this.#entries
        .filter((entry) => entry.isFinal && entry.scope === Scope && entry.version === version)
        .sort((a, b) => b.createdAt - a.createdAt)
      const exact = here.find((entry) => entry.key === key)
      const found = [key, ...restoreKeys].reduce(
        (best, prefix) => best ?? here.find((entry) => entry.key.startsWith(prefix)),
        exact,
      )
      if (found === undefined) continue
      found.lastUsed = this.#tick()
      return shown(found)
    }
    return undefined
  }

  byId(
    id: number,
  ): { readonly key: string; readonly isFinal: boolean; readonly parts: readonly BlobPart[] } | undefined {
    return this.#entries.find((entry) => entry.id === id)
  }

  use(id: number): void {
    const entry = this.#entries.find((one) => one.id === id)
    if (entry !== undefined) entry.lastUsed = this.#tick()
  }

  /** The whole blob at once. */
  async put(id: number, part: BlobPart): Promise<void> {
    await this.#replace(id, [part])
  }

  async putBlock(id: number, block: string, part: BlobPart): Promise<void> {
    const entry = this.#entries.find((one) => one.id === id)
    const before = entry?.blocks.get(block)
    entry?.blocks.set(block, part)
    await remove(entry === undefined ? [part] : before === undefined ? [] : [before])
  }

  /** Makes the blob of blocks. @returns false when one of them was never uploaded */
  async commit(id: number, blocks: readonly string[]): Promise<boolean> {
    const entry = this.#entries.find((one) => one.id === id)
    const parts = blocks.flatMap((block) => entry?.blocks.get(block) ?? [])
    if (entry === undefined || parts.length !== blocks.length) return false
    for (const block of blocks) entry.blocks.delete(block)
    await this.#replace(id, parts)
    return true
  }

  /** Finished entries; oldest first. */
  list(): readonly CacheEntry[] {
    return this.#entries.filter(({ isFinal }) => isFinal).map(shown)
  }

  /** Keys that were reserved and are not finished. */
  reserved(): readonly string[] {
    return this.#entries.filter(({ isFinal }) => !isFinal).map(({ key }) => key)
  }

  /** Takes finished entries away. @returns how many */
  async evict(isVictim: (entry: CacheEntry) => boolean): Promise<number> {
    const victims = this.#entries.filter((entry) => entry.isFinal && isVictim(shown(entry)))
    for (const victim of victims) this.#entries.splice(this.#entries.indexOf(victim), 1)
    await remove(victims.flatMap(({ parts, blocks }) => [...parts, ...blocks.values()]))
    return victims.length
  }

  #shrink(newest: Stored): void {
    const byUse = this.#entries
      .filter((entry) => entry.isFinal && entry !== newest)
      .sort((a, b) => a.lastUsed - b.lastUsed)
    let total = byUse.reduce((sum, entry) => sum + sizeOf(entry), sizeOf(newest))
    const victims = byUse.filter((entry) => {
      const isVictim = total > this.#maxBytes
      if (isVictim) total -= sizeOf(entry)
      return isVictim
    })
    const ids = new Set(victims.map(({ id }) => id))
    void this.evict(({ id }) => ids.has(id))
  }

  async #replace(id: number, parts: readonly BlobPart[]): Promise<void> {
    const entry = this.#entries.find((one) => one.id === id)
    const before = entry?.parts ?? []
    if (entry !== undefined) entry.parts = parts
    await remove(entry === undefined ? parts : before)
  }

  /** A time later than all before, however quick the calls come. */
  #tick(): number {
    this.#lastTime = Math.max(Date.now(), this.#lastTime + 1)
    return this.#lastTime
  }
}

function writable(scopes: readonly CacheScope[]): string | undefined {
  return scopes.find(({ Permission }) => (Permission & 2) !== 0)?.Scope
}

interface Identity {
  readonly key: string
  readonly version: string
  readonly scope: string | undefined
}

function isSame(a: Identity, b: Identity): boolean {
  return a.key === b.key && a.version === b.version && a.scope === b.scope
}

function sizeOf({ parts }: Stored): number {
  return parts.reduce((sum, { size }) => sum + size, 0)
}

function shown(entry: Stored): CacheEntry {
  const { id, key, version, scope, createdAt, lastUsed } = entry
  return { id, key, version, scope, createdAt, lastUsed, size: sizeOf(entry) }
}

async function remove(parts: readonly BlobPart[]): Promise<void> {
  await Promise.all(parts.map(async ({ file }) => { await rm(file, { force: true }) })) // prettier-ignore
}
