/** Entries in the stand-in of GitHub's cache service that stage-build would never write. */
import { zstdCompressSync } from 'node:zlib'
import type { CacheEntry } from './cache-entries.ts'
import type { CacheService } from './cache-service.ts'
import { unpack } from './cache-lab.ts'
import { replace } from './entry-transfer.ts'
import { rawTar, type RawEntry } from './raw-tar.ts'

/** What of an index is forged. */
export interface IndexJson {
  version: number
  packs: Record<string, { path: string; blobs: Record<string, number> }>
  targets: Record<string, unknown>
}

/** The entry that was saved last under a key that begins so. @throws when there is none */
export function lastEntry(service: CacheService, prefix: string): CacheEntry {
  const found = service.stats().entries.findLast(({ key }) => key.startsWith(prefix))
  if (found === undefined) throw new Error(`there is no entry ${prefix}`)
  return found
}

/** Changes the index that was saved last; its entry and file are called as before. */
export async function forgeIndex(service: CacheService, forge: (index: IndexJson) => unknown): Promise<void> {
  const entry = lastEntry(service, 'sb1-index-')
  const files = [...(await unpack(service, entry))].map(([path, bytes]) => {
    if (!path.endsWith('.json')) return { path, body: bytes }
    const index = JSON.parse(bytes.toString()) as IndexJson
    return { path, body: JSON.stringify(forge(index) ?? index) }
  })
  await replace(service, entry, zstdCompressSync(rawTar(files)))
}

/** Puts an archive in the place of the pack that was saved last; its files are called as before. */
export async function forgePack(
  service: CacheService,
  forge: (files: ReadonlyMap<string, Buffer>) => readonly RawEntry[],
): Promise<void> {
  const entry = lastEntry(service, 'sb1-pack-')
  await replace(service, entry, zstdCompressSync(rawTar(forge(await unpack(service, entry)))))
}
