/** Keeps a cache directory within its bound, beside other processes that do the same. */
import { readdir, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { discard, entryBytes, entryKeys, temporaryName } from './directory-entry.ts'

/** In the base folder: what is being written, or on its way out. No scope's name begins with a dot. */
export const TEMPORARY = '.tmp'

const LEFTOVER_MS = 3_600_000

/** Removes what processes left that were killed while they wrote or removed an entry. */
export async function removeLeftovers(base: string, now: Date): Promise<void> {
  const folder = join(base, TEMPORARY)
  for (const name of await readdir(folder)) {
    const about = await stat(join(folder, name)).catch(() => undefined)
    if (about !== undefined && now.getTime() - about.mtimeMs > LEFTOVER_MS) await discard(join(folder, name))
  }
}

/** Removes the least recently used entries while all take more than `maxBytes`. */
export async function evict(base: string, maxBytes: number, debug: (line: string) => void): Promise<void> {
  const entries = await listEntries(base)
  let total = entries.reduce((sum, { bytes }) => sum + bytes, 0)
  for (const { key, place, bytes } of entries.sort((a, b) => a.used - b.used)) {
    if (total <= maxBytes) return
    total -= bytes
    const away = join(base, TEMPORARY, temporaryName())
    // Out of sight first, whole; where that fails another process was faster.
    const isOurs = await rename(place, away).then(
      () => true,
      () => false,
    )
    if (!isOurs) continue
    debug(`${key} is evicted from the cache (${bytes} bytes)`)
    await discard(away)
  }
}

interface Entry {
  readonly key: string
  readonly place: string
  readonly bytes: number
  /** Last use, in ms. */
  readonly used: number
}

async function listEntries(base: string): Promise<Entry[]> {
  const entries: Entry[] = []
  for (const scope of await readdir(base)) {
    if (scope === TEMPORARY) continue
    for (const key of await entryKeys(join(base, scope))) {
      const place = join(base, scope, key)
      const about = await stat(place).catch(() => undefined)
      if (about !== undefined) entries.push({ key, place, bytes: await entryBytes(place), used: about.mtimeMs })
    }
  }
  return entries
}
