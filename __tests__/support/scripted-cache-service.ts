/**
 * GitHub's cache service by a script: what a healthy one never answers, and archives that no client would make. Every
 * answer may be given by the test; the others are those of a service that has nothing and takes everything.
 */
import type { ServerResponse } from 'node:http'
import { zstdCompressSync } from 'node:zlib'
import { rawTar, type RawEntry } from './raw-tar.ts'
import { answerJson, startWireServer, type WireRequest } from './wire-server.ts'

type Answer = (response: ServerResponse, body: Readonly<Record<string, unknown>>) => void

export interface CacheScript {
  find?: Answer
  create?: Answer
  finish?: Answer
  upload?: (response: ServerResponse) => void
  download?: (response: ServerResponse) => void
}

export interface ScriptedCacheService extends AsyncDisposable {
  /** What an action's step has in its environment. */
  readonly env: NodeJS.ProcessEnv
  /** May be changed while it runs. */
  readonly script: CacheScript
  readonly requests: readonly WireRequest[]
}

const SERVICE = '/twirp/github.actions.results.api.v1.CacheService'

export async function startScriptedCacheService(script: CacheScript = {}): Promise<ScriptedCacheService> {
  const server = await startWireServer(({ path, body, method }, response) => {
    const url = `http://${server.host}/entries/blob?sig=secret-signature`
    const json = (): Record<string, unknown> => JSON.parse(body) as Record<string, unknown>
    if (path === `${SERVICE}/GetCacheEntryDownloadURL`) (script.find ?? answerWith({ ok: false }))(response, json())
    else if (path === `${SERVICE}/CreateCacheEntry`) {
      ;(script.create ?? answerWith({ ok: true, signed_upload_url: url }))(response, json())
    } else if (path === `${SERVICE}/FinalizeCacheEntryUpload`) {
      ;(script.finish ?? answerWith({ ok: true, entry_id: '7' }))(response, json())
    } else if (path.startsWith('/entries/blob') && method === 'PUT') (script.upload ?? taken)(response)
    else if (path.startsWith('/entries/blob') && script.download !== undefined) script.download(response)
    else response.writeHead(404).end()
  })
  return {
    env: {
      ACTIONS_CACHE_SERVICE_V2: 'true',
      ACTIONS_RESULTS_URL: `http://${server.host}/`,
      ACTIONS_RUNTIME_TOKEN: 'runtime-token',
      PATH: process.env['PATH'],
    },
    script,
    requests: server.requests,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]()
    },
  }
}

/** An answer with JSON; 200 unless told otherwise. */
export function answerWith(value: unknown, status = 200, headers: Record<string, string> = {}): Answer {
  return (response) => {
    answerJson(response, status, value, headers)
  }
}

/** A service that has an archive for whatever key is asked, or the key given. */
export function holding(archive: Buffer, key?: string): CacheScript {
  return {
    find: (response, body) => {
      const host = String(response.req.headers.host)
      const signed_download_url = `http://${host}/entries/blob?sig=secret-signature`
      answerJson(response, 200, { ok: true, signed_download_url, matched_key: key ?? body['key'] })
    },
    download: (response) => {
      response.writeHead(200, { 'content-length': archive.length }).end(archive)
    },
  }
}

/** An archive as the toolkit makes them, with anything in it. */
export function archiveOf(entries: readonly RawEntry[]): Buffer {
  return zstdCompressSync(rawTar(entries))
}

function taken(response: ServerResponse): void {
  const headers = { 'x-ms-request-id': '1', etag: '"1"', 'last-modified': new Date().toUTCString() }
  response.writeHead(201, headers).end()
}
