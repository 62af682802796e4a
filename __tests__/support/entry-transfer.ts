/** Takes entries of the stand-in of GitHub's cache service out as they are, and puts others in their place. */
import type { CacheEntry } from './cache-entries.ts'
import type { CacheService } from './cache-service.ts'
import { cacheToken } from './cache-token.ts'

/** An entry's archive as it is. */
export async function download(service: CacheService, { key, version, scope }: CacheEntry): Promise<Buffer> {
  const answer = await call(service, scope, 'GetCacheEntryDownloadURL', { key, version, restore_keys: [] })
  return Buffer.from(await (await fetch(String(answer['signed_download_url']))).arrayBuffer())
}

/** Puts an archive in place of an entry's; it becomes the newest. */
export async function replace(service: CacheService, entry: CacheEntry, archive: Buffer): Promise<void> {
  const { id, key, version, scope } = entry
  await service.evict((one) => one.id === id)
  const { signed_upload_url: url } = await call(service, scope, 'CreateCacheEntry', { key, version })
  const headers = { 'x-ms-blob-type': 'BlockBlob' }
  const put = await fetch(String(url), { method: 'PUT', headers, body: new Uint8Array(archive) })
  if (!put.ok) throw new Error(`the archive was not taken: ${put.status}`)
  await call(service, scope, 'FinalizeCacheEntryUpload', { key, version, size_bytes: String(archive.length) })
}

async function call(
  { url }: CacheService,
  scope: string,
  method: string,
  body: object,
): Promise<Readonly<Record<string, unknown>>> {
  const answer = await fetch(`${url}twirp/github.actions.results.api.v1.CacheService/${method}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${cacheToken({ ref: scope })}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const json = (await answer.json()) as Readonly<Record<string, unknown>>
  if (json['ok'] !== true) throw new Error(`${method}: ${answer.status} ${JSON.stringify(json)}`)
  return json
}
