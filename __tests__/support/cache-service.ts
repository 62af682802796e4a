/**
 * GitHub's cache service on loopback, as `@actions/cache` and BuildKit's `type=gha` speak to it: Twirp calls and Azure's
 * blob storage; scopes, immutable keys, prefixes newest first, uploads per minute, eviction. It can be slow, and can
 * fail on demand. Facts: ../shared/facts/caching.md §1.3–1.7, §2.6.
 */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Blobs, refuse } from './cache-blobs.ts'
import { CacheEntries, type CacheEntry } from './cache-entries.ts'
import { breakOff, FaultBook, type Fault, type FaultEffect, type FaultRule } from './cache-faults.ts'
import { cacheToken, scopesOf, type CacheScope, type TokenOptions } from './cache-token.ts'
import { Throttle } from './throttle.ts'
import { failureOf, listen, ok, readJson, retryAfter, sendAnswer, text, twirpError, type Answer } from './twirp.ts'

export const OPERATIONS = ['create', 'finalize', 'lookup', 'put', 'head', 'get'] as const
export type CacheOperation = (typeof OPERATIONS)[number]

export interface CacheServiceOptions {
  /** Added to each request, Twirp or blob. Default 0. */
  readonly latencyMs?: number
  /** Shared by all transfers of a direction. Default 0: no limit. */
  readonly bytesPerSecond?: number
  /** New entries a minute in the repository; GitHub's is 200, the default. */
  readonly uploadsPerMinute?: number
  /** When entries have more, the least recently used go. Default 10 GB. */
  readonly maxBytes?: number
  /** Addresses of blobs are in `*.blob.core.windows.net`, where the toolkit downloads in parts; `env` names the proxy. */
  readonly azureHost?: boolean
  /** Default: a free one. */
  readonly port?: number
}

export interface CacheServiceStats {
  readonly calls: Readonly<Record<CacheOperation, number>>
  /** Bytes of blobs. */
  readonly bytesUp: number
  readonly bytesDown: number
  /** Bytes in finished entries. */
  readonly stored: number
  readonly entries: readonly CacheEntry[]
  /** Keys that were reserved and never finished. */
  readonly reserved: readonly string[]
}

export interface CacheService extends AsyncDisposable {
  /** `http://127.0.0.1:PORT/` */
  readonly url: string
  /** What a step of an action finds in its environment. */
  env(token: TokenOptions): Readonly<Record<string, string>>
  /** `type=gha` for `--cache-to` and `--cache-from`; `scope` is BuildKit's own, default `buildkit`. */
  ghaOptions(token: TokenOptions, scope?: string): { readonly cacheTo: string; readonly cacheFrom: string }
  stats(): CacheServiceStats
  /** Calls and bytes count from zero; entries stay. */
  reset(): void
  fail(rule: FaultRule<CacheOperation>): Fault
  /** Nothing listens any more, and open connections break. */
  vanish(): Promise<void>
  /** No rule is in force any more, and it listens again. */
  heal(): Promise<void>
  /** Takes finished entries away, as GitHub does where there is no room. @returns how many */
  evict(isVictim: (entry: CacheEntry) => boolean): Promise<number>
  evictAll(): Promise<number>
}

interface Call {
  readonly key: string
  readonly version: string
  readonly scopes: readonly CacheScope[]
  readonly body: Readonly<Record<string, unknown>>
}

const METHODS: Readonly<Record<string, CacheOperation>> = {
  CreateCacheEntry: 'create',
  FinalizeCacheEntryUpload: 'finalize',
  GetCacheEntryDownloadURL: 'lookup',
}
const TWIRP = '/twirp/github.actions.results.api.v1.CacheService/'
const AZURE_ORIGIN = 'http://stg.blob.core.windows.net'

/** Starts it on a free port; its files are in a temporary folder, which goes with it. */
export async function startCacheService(options: CacheServiceOptions = {}): Promise<CacheService> {
  const server = createServer()
  // A throttled upload may take its time.
  server.requestTimeout = 0
  const port = await listen(server, options.port ?? 0)
  return new Service(server, port, await mkdtemp(join(tmpdir(), 'cache-service-')), options)
}

class Service implements CacheService {
  readonly url: string
  readonly #server: Server
  readonly #port: number
  readonly #folder: string
  readonly #options: CacheServiceOptions
  readonly #entries: CacheEntries
  readonly #blobs: Blobs
  readonly #faults = new FaultBook<CacheOperation>()
  #calls = noCalls()
  #bytes = { up: 0, down: 0 }

  constructor(server: Server, port: number, folder: string, options: CacheServiceOptions) {
    this.url = `http://127.0.0.1:${port}/`
    this.#server = server
    this.#port = port
    this.#folder = folder
    this.#options = options
    const { uploadsPerMinute = 200, maxBytes = 10e9, bytesPerSecond = 0, azureHost = false } = options
    this.#entries = new CacheEntries({ uploadsPerMinute, maxBytes })
    this.#blobs = new Blobs({
      entries: this.#entries,
      folder,
      origin: azureHost ? AZURE_ORIGIN : this.url.slice(0, -1),
      secret: randomUUID(),
      up: new Throttle(bytesPerSecond),
      down: new Throttle(bytesPerSecond),
      count: (direction, bytes) => (this.#bytes[direction] += bytes),
    })
    server.on('request', (request, response) => {
      this.#serve(request, response).catch(() => response.destroy())
    })
    // A proxy's tunnel, wherever to, leads here.
    server.on('connect', (_, socket: Socket, head: Buffer) => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      if (head.length > 0) socket.unshift(head)
      server.emit('connection', socket)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.vanish()
    await rm(this.#folder, { recursive: true, force: true })
  }

  env(token: TokenOptions): Readonly<Record<string, string>> {
    const proxy = { http_proxy: this.url.slice(0, -1), no_proxy: '127.0.0.1,localhost' }
    return {
      ACTIONS_CACHE_SERVICE_V2: 'true',
      ACTIONS_RESULTS_URL: this.url,
      ACTIONS_RUNTIME_TOKEN: cacheToken(token),
      ...(this.#options.azureHost === true ? proxy : {}),
    }
  }

  ghaOptions(token: TokenOptions, scope = 'buildkit'): { readonly cacheTo: string; readonly cacheFrom: string } {
    const cacheFrom = `type=gha,version=2,scope=${scope},url_v2=${this.url},token=${cacheToken(token)}`
    return { cacheTo: `${cacheFrom},mode=max`, cacheFrom }
  }

  stats(): CacheServiceStats {
    const entries = this.#entries.list()
    return {
      calls: { ...this.#calls },
      bytesUp: this.#bytes.up,
      bytesDown: this.#bytes.down,
      stored: entries.reduce((sum, { size }) => sum + size, 0),
      entries,
      reserved: this.#entries.reserved(),
    }
  }

  reset(): void {
    this.#calls = noCalls()
    this.#bytes = { up: 0, down: 0 }
  }

  fail(rule: FaultRule<CacheOperation>): Fault {
    return this.#faults.add(rule)
  }

  async vanish(): Promise<void> {
    if (!this.#server.listening) return
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }

  async heal(): Promise<void> {
    this.#faults.clear()
    if (!this.#server.listening) await listen(this.#server, this.#port)
  }

  async evict(isVictim: (entry: CacheEntry) => boolean): Promise<number> {
    return await this.#entries.evict(isVictim)
  }

  async evictAll(): Promise<number> {
    return await this.evict(() => true)
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // With the whole address where it is asked as a proxy.
    const url = new URL(request.url ?? '/', this.url)
    if (this.#options.latencyMs !== undefined) await delay(this.#options.latencyMs)
    if (url.pathname.startsWith(TWIRP)) await this.#call(url.pathname.slice(TWIRP.length), request, response)
    else await this.#blob(url, request, response)
  }

  async #call(method: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readJson(request)
    const operation = METHODS[method]
    if (operation === undefined || request.method !== 'POST') {
      await sendAnswer(response, twirpError(404, 'bad_route', `no handler for ${method}`))
      return
    }
    this.#calls[operation]++
    const scopes = scopesOf(request.headers.authorization)
    const call = { key: text(body['key']), version: text(body['version']), scopes: scopes ?? [], body }
    const rule = this.#faults.next(operation, call.key)
    const effect = await this.#begin(rule, response)
    if (effect === 'broken') return
    const failure = failureOf(rule)
    if (scopes === undefined) await sendAnswer(response, twirpError(401, 'unauthenticated', 'the token is not valid'))
    else if (failure !== undefined && rule?.late !== true) await sendAnswer(response, failure)
    else {
      const answer = operation === 'create' && effect?.kind === 'readOnly' ? denied('write') : this.#answer(operation, call) // prettier-ignore
      if (await breakOff(effect, response)) return
      await sendAnswer(response, failure ?? answer, effect)
    }
  }

  async #blob(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const operation = ({ PUT: 'put', GET: 'get', HEAD: 'head' } as const)[request.method ?? '']
    if (operation === undefined) {
      refuse(request, response, 405, 'UnsupportedHttpVerb')
      return
    }
    this.#calls[operation]++
    const rule = this.#faults.next(operation, this.#blobs.keyOf(url))
    const effect = await this.#begin(rule, response)
    if (effect === 'broken') return
    if (effect?.kind === 'status' || effect?.kind === 'forbidden' || effect?.kind === 'readOnly') {
      const retry = effect.kind === 'status' ? retryAfter(effect.retryAfter) : {}
      const code = effect.kind === 'status' ? 'ServerBusy' : 'AuthorizationFailure'
      refuse(request, response, effect.kind === 'status' ? effect.status : 403, code, retry)
      return
    }
    await this.#blobs.serve(url, request, response, effect)
  }

  /** Carries out what comes before the request itself. */
  async #begin(
    rule: FaultRule<CacheOperation> | undefined,
    response: ServerResponse,
  ): Promise<FaultEffect | 'broken' | undefined> {
    if (rule?.effect.kind === 'gone') {
      await this.vanish()
      return 'broken'
    }
    if (rule?.late !== true && (await breakOff(rule?.effect, response))) return 'broken'
    return rule?.effect
  }

  #answer(operation: CacheOperation, call: Call): Answer {
    if (call.key === '' || call.key.length > 512 || call.key.includes(',')) {
      return twirpError(400, 'invalid_argument', 'the key is empty, longer than 512 characters or has a comma')
    }
    if (operation === 'lookup') return this.#lookUp(call)
    return operation === 'create' ? this.#create(call) : this.#finalize(call)
  }

  #lookUp({ key, version, scopes, body }: Call): Answer {
    if (!scopes.some(({ Permission }) => (Permission & 1) !== 0)) return denied('read')
    const others = body['restore_keys'] ?? body['restoreKeys']
    const found = this.#entries.find(scopes, version, [key, ...(Array.isArray(others) ? others.map(text) : [])])
    if (found === undefined) return ok({ ok: false, signed_download_url: '', matched_key: '' })
    return ok({ ok: true, signed_download_url: this.#blobs.link(found.id, 'r'), matched_key: found.key })
  }

  #create({ key, version, scopes }: Call): Answer {
    const made = this.#entries.reserve(scopes, key, version)
    switch (made.kind) {
      case 'reserved':
        return ok({ ok: true, signed_upload_url: this.#blobs.link(made.id, 'w'), message: '' })
      case 'denied':
        return denied('write')
      case 'exists':
        return twirpError(409, 'already_exists', 'cache entry with the same key, version, and scope already exists')
      case 'limited':
        return twirpError(429, 'resource_exhausted', 'too many uploads a minute', retryAfter(made.retryAfter))
    }
  }

  #finalize({ key, version, scopes, body }: Call): Answer {
    // A 64-bit number: text in protojson, a number from BuildKit.
    const size = Number(body['size_bytes'] ?? body['sizeBytes'])
    const made = this.#entries.finalize(scopes, key, version, size)
    if (made === 'unknown') return twirpError(404, 'not_found', 'no such upload')
    if (made === 'size') return twirpError(400, 'invalid_argument', 'the size is not that of what was uploaded')
    return ok({ ok: true, entry_id: String(made), message: '' })
  }
}

function noCalls(): Record<CacheOperation, number> {
  return { create: 0, finalize: 0, lookup: 0, put: 0, head: 0, get: 0 }
}

/**
 * A write is denied in an answer that is not `ok`, a read with an error: so the toolkit tells them from other failures.
 * https://github.com/actions/toolkit/blob/4b9afa4c8/packages/cache/src/cache.ts
 */
function denied(access: 'read' | 'write'): Answer {
  const message = `cache ${access} denied: the token has no ${access === 'read' ? 'readable' : 'writable'} scope`
  if (access === 'read') return twirpError(403, 'permission_denied', message)
  return ok({ ok: false, signed_upload_url: '', message })
}
