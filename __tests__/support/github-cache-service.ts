/**
 * GitHub's cache service on loopback, as `@actions/cache` and BuildKit's `type=gha` speak to it: Twirp calls, Azure block
 * uploads, ranged downloads; scopes, immutable keys, prefixes newest first, uploads per minute, eviction. It can be slow
 * and can fail on demand. Facts: ../shared/facts/caching.md §1.4–1.7.
 */
import { randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, rename, rm, stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Transform, type TransformCallback } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { Throttle } from './throttle.ts'

export type Operation = 'lookup' | 'create' | 'finalize' | 'put' | 'get'

export type FaultEffect =
  | { readonly kind: 'status'; readonly status: number; readonly retryAfter?: number }
  | { readonly kind: 'reset' | 'truncate' | 'flip' | 'hang' }

/** Applies to the requests of its operation (and of entries whose key has the text) from number `from` on, `times` of them. */
export interface FaultRule {
  readonly operation: Operation
  readonly key?: string
  readonly from?: number
  readonly times?: number
  readonly effect: FaultEffect
}

export interface Speed {
  /** Added to every request. */
  readonly latencyMs: number
  /** Shared by all transfers of a direction; 0: no limit. */
  readonly bytesPerSecond: number
}

export interface ServiceStats {
  readonly calls: Readonly<Record<Operation, number>>
  readonly bytesUp: number
  readonly bytesDown: number
  readonly stored: number
  readonly entries: readonly { readonly key: string; readonly scope: string; readonly size: number }[]
}

interface Entry {
  readonly id: number
  readonly key: string
  readonly version: string
  readonly scope: string
  readonly file: string
  size: number
  finished: boolean
  /** Order of saving. */
  readonly order: number
}

interface Scope {
  readonly Scope: string
  /** 1 read, 2 write. */
  readonly Permission: number
}

const PREFIX = '/twirp/github.actions.results.api.v1.CacheService/'

export class GithubCacheService implements AsyncDisposable {
  readonly url: string
  uploadsPerMinute = 200
  readonly #server: ReturnType<typeof createServer>
  readonly #folder: string
  readonly #speed: Speed
  readonly #entries: Entry[] = []
  readonly #faults: { rule: FaultRule; seen: number; done: number }[] = []
  readonly #down: Throttle
  readonly #up: Throttle
  #calls: Record<Operation, number> = { lookup: 0, create: 0, finalize: 0, put: 0, get: 0 }
  #bytesUp = 0
  #bytesDown = 0
  #uploads: number[] = []
  #gone = false
  #order = 0

  private constructor(server: ReturnType<typeof createServer>, folder: string, speed: Speed) {
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    this.url = `http://127.0.0.1:${address.port}/`
    this.#server = server
    this.#folder = folder
    this.#speed = speed
    this.#down = new Throttle(speed.bytesPerSecond)
    this.#up = new Throttle(speed.bytesPerSecond)
    server.on('request', (request, response) => {
      this.#serve(request, response).catch(() => response.destroy())
    })
  }

  static async start(speed: Speed = { latencyMs: 0, bytesPerSecond: 0 }, port = 0): Promise<GithubCacheService> {
    const server = createServer()
    server.requestTimeout = 0
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    return new GithubCacheService(server, await mkdtemp(join(tmpdir(), 'cache-service-')), speed)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
    await rm(this.#folder, { recursive: true, force: true })
  }

  /** What the runner gives a step of an action. */
  env(scopes: TokenScopes): Record<string, string> {
    return {
      ACTIONS_CACHE_SERVICE_V2: 'true',
      ACTIONS_RESULTS_URL: this.url,
      ACTIONS_RUNTIME_TOKEN: cacheToken(scopes),
    }
  }

  fail(rule: FaultRule): void {
    this.#faults.push({ rule, seen: 0, done: 0 })
  }

  heal(): void {
    this.#faults.length = 0
    this.#gone = false
  }

  /** From now on nobody answers. */
  vanish(): void {
    this.#gone = true
    this.#server.closeAllConnections()
  }

  /** Takes entries away, as the service does when there is no room. */
  evict(isVictim: (key: string) => boolean): number {
    const victims = this.#entries.filter(({ key }) => isVictim(key))
    for (const victim of victims) this.#entries.splice(this.#entries.indexOf(victim), 1)
    return victims.length
  }

  /** Files of finished entries whose key has the text: to be damaged by hand. */
  filesOf(text: string): readonly string[] {
    return this.#entries.filter(({ key }) => key.includes(text)).map(({ file }) => file)
  }

  stats(): ServiceStats {
    const finished = this.#entries.filter((entry) => entry.finished)
    return {
      calls: { ...this.#calls },
      bytesUp: this.#bytesUp,
      bytesDown: this.#bytesDown,
      stored: finished.reduce((sum, { size }) => sum + size, 0),
      entries: finished.map(({ key, scope, size }) => ({ key, scope, size })),
    }
  }

  resetStats(): void {
    this.#calls = { lookup: 0, create: 0, finalize: 0, put: 0, get: 0 }
    this.#bytesUp = 0
    this.#bytesDown = 0
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#gone) {
      response.destroy()
      return
    }
    const url = new URL(request.url ?? '/', this.url)
    if (this.#speed.latencyMs > 0) await delay(this.#speed.latencyMs)
    if (url.pathname.startsWith(PREFIX)) await this.#call(url.pathname.slice(PREFIX.length), request, response)
    else if (url.pathname.startsWith('/blob/')) await this.#blob(url, request, response)
    else if (url.pathname.startsWith('/_control/')) this.#control(url, response)
    else response.writeHead(404).end()
  }

  async #call(method: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const scopes = readScopes(request.headers.authorization)
    const body = await readJson(request)
    if (scopes === undefined) {
      answer(response, 401, { code: 'unauthenticated', msg: 'bad token' })
      return
    }
    const [key, version] = [text(body['key']), text(body['version'])]
    const operation = ({ GetCacheEntryDownloadURL: 'lookup', CreateCacheEntry: 'create', FinalizeCacheEntryUpload: 'finalize' } as const)[method] // prettier-ignore
    if (operation === undefined) {
      answer(response, 404, { code: 'bad_route', msg: method })
      return
    }
    this.#calls[operation]++
    if (await this.#hasFailed(operation, key, response)) return
    if (operation === 'lookup') this.#lookUp(body, { key, version, scopes }, response)
    else if (operation === 'create') this.#create({ key, version, scopes }, response)
    else this.#finalize({ key, version, scopes }, response)
  }

  #lookUp(
    body: Readonly<Record<string, unknown>>,
    { key, version, scopes }: { readonly key: string; readonly version: string; readonly scopes: readonly Scope[] },
    response: ServerResponse,
  ): void {
    const keys = body['restore_keys'] ?? body['restoreKeys']
    const prefixes = [key, ...(Array.isArray(keys) ? keys.map(text) : [])]
    for (const { Scope: scope, Permission } of scopes) {
      if ((Permission & 1) === 0) continue
      const mine = this.#entries
        .filter((entry) => entry.finished && entry.scope === scope && entry.version === version)
        .sort((a, b) => b.order - a.order)
      const found =
        mine.find((entry) => entry.key === key) ??
        prefixes.map((prefix) => mine.find((entry) => entry.key.startsWith(prefix))).find((entry) => entry)
      if (found === undefined) continue
      const link = `${this.url}blob/${found.id}?sig=${randomUUID()}`
      answer(response, 200, { ok: true, signed_download_url: link, matched_key: found.key })
      return
    }
    answer(response, 200, { ok: false, signed_download_url: '', matched_key: '' })
  }

  #create(
    { key, version, scopes }: { readonly key: string; readonly version: string; readonly scopes: readonly Scope[] },
    response: ServerResponse,
  ): void {
    const scope = scopes.find(({ Permission }) => (Permission & 2) !== 0)?.Scope
    const now = Date.now()
    this.#uploads = this.#uploads.filter((time) => now - time < 60_000)
    if (scope === undefined)
      answer(response, 403, { code: 'permission_denied', msg: 'cache write denied: token has no writable scopes' }) // prettier-ignore
    else if (key.length > 512 || key.includes(',')) answer(response, 400, { code: 'invalid_argument', msg: 'bad key' })
    else if (this.#uploads.length >= this.uploadsPerMinute)
      answer(response, 429, { code: 'resource_exhausted', msg: 'rate limited' }, { 'retry-after': '60' }) // prettier-ignore
    else if (this.#entries.some((entry) => entry.key === key && entry.version === version && entry.scope === scope)) {
      answer(response, 409, { code: 'already_exists', msg: 'cache entry with the same key, version, and scope already exists' }) // prettier-ignore
    } else {
      this.#uploads.push(now)
      const id = this.#order + 1
      const file = join(this.#folder, randomUUID())
      this.#entries.push({ id, key, version, scope, file, size: 0, finished: false, order: this.#order++ })
      answer(response, 200, { ok: true, signed_upload_url: `${this.url}blob/${id}?sig=${randomUUID()}` })
    }
  }

  #finalize(
    { key, version, scopes }: { readonly key: string; readonly version: string; readonly scopes: readonly Scope[] },
    response: ServerResponse,
  ): void {
    const scope = scopes.find(({ Permission }) => (Permission & 2) !== 0)?.Scope
    const entry = this.#entries.find((e) => e.key === key && e.version === version && e.scope === scope)
    if (entry === undefined) {
      answer(response, 404, { code: 'not_found', msg: 'no such upload' })
      return
    }
    entry.finished = true
    answer(response, 200, { ok: true, entry_id: String(entry.id) })
  }

  async #blob(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const entry = this.#entries.find(({ id }) => String(id) === url.pathname.slice('/blob/'.length))
    if (entry === undefined) {
      request.resume()
      response.writeHead(404, AZURE).end()
      return
    }
    if (request.method === 'PUT') await this.#put(entry, url, request, response)
    else await this.#get(entry, request, response)
  }

  async #put(entry: Entry, url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#calls.put++
    if (await this.#hasFailed('put', entry.key, response, request)) return
    const part = (id: string): string => join(this.#folder, `${entry.id}-${Buffer.from(id).toString('hex')}`)
    const kind = url.searchParams.get('comp')
    if (kind === 'blocklist') {
      const ids = [...(await readText(request)).matchAll(/<(?:Latest|Uncommitted|Committed)>([^<]+)</g)]
      for (const [index, [, id = '']] of ids.entries()) {
        const to = createWriteStream(entry.file, { flags: index === 0 ? 'w' : 'a' })
        await pipeline(createReadStream(part(id)), to)
        await rm(part(id))
      }
    } else {
      const id = kind === 'block' ? (url.searchParams.get('blockid') ?? '') : 'whole'
      const count = counter((bytes) => (this.#bytesUp += bytes))
      await pipeline(request, this.#up.limit(), count, createWriteStream(part(id)))
      if (kind !== 'block') await rename(part(id), entry.file)
    }
    entry.size = await stat(entry.file).then(({ size }) => size, () => 0) // prettier-ignore
    response.writeHead(201, AZURE).end()
  }

  async #get(entry: Entry, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'GET') this.#calls.get++
    const fault = request.method === 'GET' ? this.#faultFor('get', entry.key) : undefined
    if (fault !== undefined && (await fails(fault, response))) return
    const header = request.headers['x-ms-range'] ?? request.headers.range
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(String(header ?? '')) ?? []
    const start = from === undefined ? 0 : Number(from)
    const end = to === undefined || to === '' ? entry.size - 1 : Math.min(Number(to), entry.size - 1)
    const headers = { ...AZURE, 'content-length': end - start + 1, 'accept-ranges': 'bytes' }
    const range = from === undefined ? {} : { 'content-range': `bytes ${start}-${end}/${entry.size}` }
    response.writeHead(from === undefined ? 200 : 206, { ...headers, ...range })
    if (request.method === 'HEAD' || entry.size === 0) {
      response.end()
      return
    }
    const count = counter((bytes) => (this.#bytesDown += bytes))
    const damage = fault?.kind === 'flip' || fault?.kind === 'truncate' ? [damaged(fault.kind, end - start + 1)] : []
    const parts = [createReadStream(entry.file, { start, end }), this.#down.limit(), ...damage]
    await pipeline([...parts, count, response])
  }

  async #hasFailed(
    operation: Operation,
    key: string,
    response: ServerResponse,
    request?: IncomingMessage,
  ): Promise<boolean> {
    const fault = this.#faultFor(operation, key)
    if (fault === undefined) return false
    request?.resume()
    return await fails(fault, response)
  }

  #faultFor(operation: Operation, key: string): FaultEffect | undefined {
    for (const fault of this.#faults) {
      const { rule } = fault
      if (rule.operation !== operation || !key.includes(rule.key ?? '')) continue
      if (fault.seen++ < (rule.from ?? 0) || fault.done >= (rule.times ?? Infinity)) continue
      fault.done++
      return rule.effect
    }
    return undefined
  }

  #control(url: URL, response: ServerResponse): void {
    if (url.pathname === '/_control/reset') this.resetStats()
    if (url.pathname === '/_control/evict') this.evict((key) => key.includes(url.searchParams.get('key') ?? ''))
    answer(response, 200, this.stats())
  }
}

export interface TokenScopes {
  /** The run's own: read and write. */
  readonly ref: string
  /** Read only. */
  readonly others?: readonly string[]
  readonly readOnly?: boolean
}

/** A token as the runner gives one; its signature is nobody's. */
export function cacheToken({ ref, others = [], readOnly = false }: TokenScopes): string {
  const scopes: readonly Scope[] = [
    { Scope: ref, Permission: readOnly ? 1 : 3 },
    ...others.map((other) => ({ Scope: other, Permission: 1 })),
  ]
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { ac: JSON.stringify(scopes), nbf: 1_700_000_000, exp: 4_102_444_800, repository_id: '1' }
  return `${part({ alg: 'none', typ: 'JWT' })}.${part(claims)}.c2lnbmF0dXJl`
}

const AZURE = {
  'x-ms-request-id': '00000000-0000-0000-0000-000000000000',
  'x-ms-version': '2025-05-05',
  'x-ms-blob-type': 'BlockBlob',
  etag: '"0x8D0000000000000"',
  'last-modified': 'Sat, 21 Nov 2026 00:00:00 GMT',
}

function counter(add: (bytes: number) => void): Transform {
  return new Transform({
    transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback) {
      add(chunk.length)
      done(null, chunk)
    },
  })
}

function damaged(kind: 'flip' | 'truncate', size: number): Transform {
  let at = 0
  return new Transform({
    transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback) {
      const middle = Math.floor(size / 2) - at
      at += chunk.length
      if (kind === 'truncate' && at > size / 2) {
        done(new Error('truncated'))
        return
      }
      const copy = Buffer.from(chunk)
      if (middle >= 0 && middle < copy.length) copy[middle] = (copy[middle] ?? 0) ^ 0x40
      done(null, copy)
    },
  })
}

/** Whether the fault answered the request. */
async function fails(fault: FaultEffect, response: ServerResponse): Promise<boolean> {
  if (fault.kind === 'status') {
    const retry = fault.retryAfter === undefined ? {} : { 'retry-after': String(fault.retryAfter) }
    answer(response, fault.status, { code: 'internal', msg: `fault ${fault.status}` }, retry)
    return true
  }
  if (fault.kind === 'reset') response.destroy()
  if (fault.kind === 'hang') await new Promise((resolve) => response.once('close', resolve))
  return fault.kind === 'reset' || fault.kind === 'hang'
}

function readScopes(authorization: string | undefined): readonly Scope[] | undefined {
  try {
    const [, payload = ''] = (authorization ?? '').replace(/^Bearer /, '').split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as { ac: string }
    return JSON.parse(claims.ac) as readonly Scope[]
  } catch {
    return undefined
  }
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

async function readJson(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  return JSON.parse(await readText(request)) as Readonly<Record<string, unknown>>
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function answer(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  const bytes = Buffer.from(JSON.stringify(body))
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': bytes.length, ...headers })
  response.end(bytes)
}
