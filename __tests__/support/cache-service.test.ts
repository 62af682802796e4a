/** The stand-in of GitHub's cache service, asked by the real `@actions/cache`, and by hand for what that never sends. */
import { describe, expect, test } from '@jest/globals'
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { FaultRule } from './cache-faults.ts'
import type { Announced } from './cache-service-main.ts'
import { startCacheService, type CacheOperation, type CacheService, type CacheServiceStats } from './cache-service.ts'
import { toolkitStep, type ToolkitStep } from './cache-toolkit.ts'
import type { ToolkitCall } from './cache-toolkit-worker.ts'
import { cacheToken, tokenOf, type TokenOptions } from './cache-token.ts'

const MAIN: TokenOptions = { ref: 'refs/heads/main' }
const TWIRP = 'twirp/github.actions.results.api.v1.CacheService/'

/** A step with a file `f`. */
async function stepWith(service: CacheService, content: Buffer | string, token = MAIN): Promise<ToolkitStep> {
  const step = await toolkitStep(service.env(token))
  await writeFile(join(step.directory, 'f'), content)
  return step
}

const save = (key: string): ToolkitCall => ({ op: 'save', key, path: 'f' })
const restore = (key: string, ...restoreKeys: readonly string[]): ToolkitCall => ({ op: 'restore', key, path: 'f', restoreKeys }) // prettier-ignore
const lookup = (key: string, ...restoreKeys: readonly string[]): ToolkitCall => ({ op: 'lookup', key, path: 'f', restoreKeys }) // prettier-ignore

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Readonly<Record<string, unknown>>
}

/** A Twirp call by hand. */
async function call(service: CacheService, method: string, body: unknown, token = cacheToken(MAIN)): Promise<Answer> {
  const response = await fetch(`${service.url}${TWIRP}${method}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return { status: response.status, headers: response.headers, body: (await response.json()) as Answer['body'] }
}

/** Saves an entry by hand; gives the answer that made it one. */
async function put(service: CacheService, key: string, bytes: Buffer, token?: string): Promise<Answer> {
  const created = await call(service, 'CreateCacheEntry', { key, version: 'v' }, token)
  if (created.body['ok'] !== true) return created
  const url = String(created.body['signed_upload_url'])
  const uploaded = await fetch(url, { method: 'PUT', headers: { 'x-ms-blob-type': 'BlockBlob' }, body: new Uint8Array(bytes) }) // prettier-ignore
  expect(uploaded.status).toBe(201)
  return await call(service, 'FinalizeCacheEntryUpload', { key, version: 'v', size_bytes: bytes.length }, token)
}

async function find(service: CacheService, key: string, token?: string, ...restoreKeys: string[]): Promise<unknown> {
  const body = { key, version: 'v', restore_keys: restoreKeys }
  return (await call(service, 'GetCacheEntryDownloadURL', body, token)).body['matched_key']
}

describe('the toolkit', () => {
  test('saves and restores, small in one request', async () => {
    await using service = await startCacheService()
    const content = randomBytes(100_000)
    await using one = await stepWith(service, content)
    expect((await one.run(save('k'))).results).toEqual([1])
    await using two = await toolkitStep(service.env(MAIN))
    expect((await two.run(restore('k'), restore('other'))).results).toEqual(['k', null])
    expect(await readFile(join(two.directory, 'f'))).toEqual(content)
    const { calls, bytesUp, bytesDown, stored, entries } = service.stats()
    expect(calls).toEqual({ create: 1, finalize: 1, lookup: 2, put: 1, head: 0, get: 1 })
    expect([bytesUp, bytesDown]).toEqual([stored, stored])
    expect(entries).toMatchObject([{ key: 'k', scope: MAIN.ref, size: stored }])
    expect(entries[0]?.version).toMatch(/^[0-9a-f]{64}$/)
    service.reset()
    expect(service.stats()).toMatchObject({ calls: { create: 0, get: 0 }, bytesUp: 0, bytesDown: 0, stored })
  })

  test('saves large ones in blocks, and restores them in parts from Azure’s host', async () => {
    await using service = await startCacheService({ azureHost: true })
    const content = randomBytes(140 << 20)
    await using step = await stepWith(service, content)
    expect((await step.run(save('large'), restore('large'))).results).toEqual([1, 'large'])
    const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
    expect(digest(await readFile(join(step.directory, 'f')))).toBe(digest(content))
    const { calls, stored } = service.stats()
    // Three blocks of 64 MiB at most and their list; parts of 4 MiB.
    expect(calls).toMatchObject({ put: 4, head: 1, get: Math.ceil(stored / (4 << 20)) })
  })

  test('never replaces an entry, but may in another scope or with another version', async () => {
    await using service = await startCacheService()
    await using main = await stepWith(service, 'one')
    await using topic = await stepWith(service, 'two', { ref: 'refs/heads/topic', defaultRef: 'refs/heads/main' })
    expect((await main.run(save('k'), save('k'))).results).toEqual([1, -1])
    expect((await topic.run(save('k'))).results).not.toEqual([-1])
    expect((await main.run({ op: 'lookup', key: 'k', path: './f' })).results).toEqual([null])
    expect(service.stats().entries.map(({ scope }) => scope)).toEqual(['refs/heads/main', 'refs/heads/topic'])
  })

  test('is told what it may not do', async () => {
    await using service = await startCacheService()
    await using reader = await stepWith(service, 'x', { ...MAIN, readOnly: true })
    const { results, log } = await reader.run(save('k'), restore('a,b'))
    expect(results).toEqual([-1, expect.stringContaining('ValidationError')])
    expect(log).toContain('::warning::Failed to save: Unable to reserve cache with key k. More details: cache write denied:') // prettier-ignore
    await using stranger = await toolkitStep({ ...service.env(MAIN), ACTIONS_RUNTIME_TOKEN: 'a.b.c' })
    const denied = await stranger.run(lookup('k'))
    expect(denied.results).toEqual([null])
    expect(denied.log).toContain('(401) Unauthorized: the token is not valid')
    expect(service.stats().entries).toEqual([])
  })
})

describe('which entry is found', () => {
  const own = cacheToken({ ref: 'refs/pull/7/merge', baseRef: 'refs/heads/dev', defaultRef: 'refs/heads/main' })
  const dev = cacheToken({ ref: 'refs/heads/dev', defaultRef: 'refs/heads/main' })

  test('the key itself, then the newest that begins with it, then each restore key in order', async () => {
    await using service = await startCacheService()
    for (const key of ['a-1', 'a', 'a-2', 'b-1', 'b-2', 'c-1']) await put(service, key, Buffer.from(key))
    expect(await find(service, 'a')).toBe('a')
    expect(await find(service, 'a-')).toBe('a-2')
    expect(await find(service, 'x', undefined, 'b', 'c')).toBe('b-2')
    expect(await find(service, 'x', undefined, 'y', 'c')).toBe('c-1')
    expect(await find(service, 'x')).toBe('')
    expect((await call(service, 'GetCacheEntryDownloadURL', { key: 'a', version: 'w' })).body['ok']).toBe(false)
  })

  test('own scope, then base, then default: a prefix in one goes before the key itself in the next', async () => {
    await using service = await startCacheService()
    await put(service, 'k', Buffer.from('main'))
    expect(await find(service, 'k', own)).toBe('k')
    await put(service, 'k-dev', Buffer.from('dev'), dev)
    expect(await find(service, 'k', own)).toBe('k-dev')
    await put(service, 'k-own', Buffer.from('own'), own)
    expect(await find(service, 'k', own)).toBe('k-own')
    expect([await find(service, 'k', dev), await find(service, 'k-own', dev), await find(service, 'k-dev')]).toEqual(['k-dev', '', '']) // prettier-ignore
    // A pull request wrote into its own scope only.
    expect(service.stats().entries.map(({ scope }) => scope)).toEqual(['refs/heads/main', 'refs/heads/dev', 'refs/pull/7/merge']) // prettier-ignore
  })

  test('protojson’s names and number texts are understood, too', async () => {
    await using service = await startCacheService()
    const made = await call(service, 'CreateCacheEntry', { key: 'k-1', version: 'v' })
    await fetch(String(made.body['signed_upload_url']), { method: 'PUT', headers: { 'x-ms-blob-type': 'BlockBlob' }, body: 'abc' }) // prettier-ignore
    const sizeBytes = '3'
    expect((await call(service, 'FinalizeCacheEntryUpload', { key: 'k-1', version: 'v', sizeBytes })).body).toMatchObject({ ok: true, entry_id: '1' }) // prettier-ignore
    const found = await call(service, 'GetCacheEntryDownloadURL', { key: 'x', restoreKeys: ['k'], version: 'v' })
    expect(found.body['matched_key']).toBe('k-1')
  })

  test('none that was reserved and never finished; its key stays taken', async () => {
    await using service = await startCacheService()
    expect((await call(service, 'CreateCacheEntry', { key: 'k', version: 'v' })).status).toBe(200)
    expect(await find(service, 'k')).toBe('')
    const again = await call(service, 'CreateCacheEntry', { key: 'k', version: 'v' })
    expect(again).toMatchObject({ status: 409, body: { code: 'already_exists' } })
    expect(service.stats().reserved).toEqual(['k'])
    const size = await call(service, 'FinalizeCacheEntryUpload', { key: 'k', version: 'v', size_bytes: '5' })
    expect(size).toMatchObject({ status: 400, body: { code: 'invalid_argument' } })
    const unknown = await call(service, 'FinalizeCacheEntryUpload', { key: 'z', version: 'v', size_bytes: '0' })
    expect(unknown.status).toBe(404)
  })
})

describe('limits', () => {
  test('so many uploads a minute', async () => {
    await using service = await startCacheService({ uploadsPerMinute: 2 })
    await using step = await stepWith(service, 'x')
    const { results, log } = await step.run(save('a'), save('b'), save('c'), lookup('a'))
    expect(results).toEqual([1, 2, -1, 'a'])
    expect(log).toMatch(/::warning::You've hit a rate limit, your rate limit will reset in \d\d seconds/)
  })

  test('the least recently used goes when there is too much', async () => {
    await using service = await startCacheService({ maxBytes: 2_500 })
    const bytes = Buffer.alloc(1_000)
    await put(service, 'a', bytes)
    await put(service, 'b', bytes)
    expect(await find(service, 'a')).toBe('a')
    await put(service, 'c', bytes)
    expect(service.stats()).toMatchObject({ stored: 2_000, entries: [{ key: 'a' }, { key: 'c' }] })
  })

  test('eviction on demand: an address that was given leads nowhere, and the key is free', async () => {
    await using service = await startCacheService()
    for (const key of ['a-1', 'a-2', 'b-1']) await put(service, key, Buffer.from(key))
    const found = await call(service, 'GetCacheEntryDownloadURL', { key: 'a-1', version: 'v' })
    expect(await service.evict(({ key }) => key.startsWith('a-'))).toBe(2)
    const gone = await fetch(String(found.body['signed_download_url']))
    expect([gone.status, gone.headers.get('x-ms-error-code')]).toEqual([404, 'BlobNotFound'])
    expect([await find(service, 'a-1'), await find(service, 'b-1')]).toEqual(['', 'b-1'])
    expect((await put(service, 'a-1', Buffer.from('new'))).body['ok']).toBe(true)
    expect(await service.evictAll()).toBe(2)
    expect(service.stats()).toMatchObject({ stored: 0, entries: [] })
  })

  test.each([
    ['that is empty', ''],
    ['with a comma', 'a,b'],
    ['of 513 characters', 'k'.repeat(513)],
  ])('no key %s', async (_, key) => {
    await using service = await startCacheService()
    expect((await call(service, 'CreateCacheEntry', { key, version: 'v' })).status).toBe(400)
    expect((await call(service, 'CreateCacheEntry', { key: 'k'.repeat(512), version: 'v' })).status).toBe(200)
  })

  const ac = JSON.stringify([{ Scope: 'refs/heads/main', Permission: 3 }])
  test.each([
    ['that is none', 'nonsense'],
    ['that is over', tokenOf({ ac, nbf: 1, exp: 2 })],
    ['without scopes', tokenOf({ nbf: 1, exp: 4e9 })],
    ['whose scopes are none', tokenOf({ ac: '[{"scope":"main"}]', nbf: 1, exp: 4e9 })],
  ])('no token %s', async (_, token) => {
    await using service = await startCacheService()
    expect((await call(service, 'GetCacheEntryDownloadURL', { key: 'k', version: 'v' }, token)).status).toBe(401)
  })

  test('a token that may read nothing', async () => {
    await using service = await startCacheService()
    const token = tokenOf({ ac: '[]', nbf: 1, exp: 4e9 })
    const answer = await call(service, 'GetCacheEntryDownloadURL', { key: 'k', version: 'v' }, token)
    expect(answer).toMatchObject({ status: 403, body: { msg: expect.stringMatching(/^cache read denied: /) } })
  })

  test('an address is good for what it was given for', async () => {
    await using service = await startCacheService()
    const made = await call(service, 'CreateCacheEntry', { key: 'k', version: 'v' })
    const upload = new URL(String(made.body['signed_upload_url']))
    const body = 'abc'
    const headers = { 'x-ms-blob-type': 'BlockBlob' }
    expect((await fetch(upload)).status).toBe(403)
    const other = new URL(upload)
    other.searchParams.set('sp', 'r')
    expect((await fetch(other)).status).toBe(403)
    expect((await fetch(upload, { method: 'PUT', headers, body })).status).toBe(201)
    await call(service, 'FinalizeCacheEntryUpload', { key: 'k', version: 'v', size_bytes: 3 })
    expect((await fetch(upload, { method: 'PUT', headers, body })).status).toBe(409)
  })

  test('blocks: in the order of their list, ranges across them, none that is missing', async () => {
    await using service = await startCacheService()
    const made = await call(service, 'CreateCacheEntry', { key: 'k', version: 'v' })
    const url = String(made.body['signed_upload_url'])
    const send = async (query: string, body: string): Promise<number> => (await fetch(`${url}&${query}`, { method: 'PUT', body })).status // prettier-ignore
    const list = (...ids: string[]): string => `<BlockList>${ids.map((id) => `<Latest>${id}</Latest>`).join('')}</BlockList>` // prettier-ignore
    expect(await send('comp=block&blockid=Qg%3D%3D', 'world')).toBe(201)
    expect(await send('comp=block&blockid=QQ%3D%3D', 'HELLO ')).toBe(201)
    expect(await send('comp=block&blockid=QQ%3D%3D', 'hello ')).toBe(201)
    expect(await send('comp=blocklist', list('QQ==', 'Qw=='))).toBe(400)
    expect(await send('comp=blocklist', list('QQ==', 'Qg=='))).toBe(201)
    await call(service, 'FinalizeCacheEntryUpload', { key: 'k', version: 'v', size_bytes: 11 })
    const found = await call(service, 'GetCacheEntryDownloadURL', { key: 'k', version: 'v' })
    const get = async (headers: Record<string, string>, method = 'GET'): Promise<unknown[]> => {
      const answer = await fetch(String(found.body['signed_download_url']), { method, headers })
      const body = await answer.text()
      return [answer.status, answer.headers.get('content-range'), answer.headers.get('content-length'), body]
    }
    expect(await get({})).toEqual([200, null, '11', 'hello world'])
    expect(await get({ range: 'bytes=4-7' })).toEqual([206, 'bytes 4-7/11', '4', 'o wo'])
    expect(await get({ 'x-ms-range': 'bytes=9-' })).toEqual([206, 'bytes 9-10/11', '2', 'ld'])
    expect(await get({ range: 'bytes=6-99' })).toEqual([206, 'bytes 6-10/11', '5', 'world'])
    expect((await get({ range: 'bytes=11-' }))[0]).toBe(416)
    expect(await get({}, 'HEAD')).toEqual([200, null, '11', ''])
  })
})

describe('speed', () => {
  test('each request waits, transfers share what there is', async () => {
    await using service = await startCacheService({ latencyMs: 100, bytesPerSecond: 1e6 })
    const timed = async (work: Promise<unknown>): Promise<number> => {
      const started = performance.now()
      await work
      return performance.now() - started
    }
    expect(await timed(find(service, 'k'))).toBeGreaterThanOrEqual(99)
    const bytes = Buffer.alloc(400_000)
    const upload = await timed(Promise.all(['a', 'b'].map(async (key) => await put(service, key, bytes))))
    expect(upload).toBeGreaterThan(800)
    expect(upload).toBeLessThan(2_500)
    const found = await call(service, 'GetCacheEntryDownloadURL', { key: 'a', version: 'v' })
    const download = async (): Promise<unknown> => await (await fetch(String(found.body['signed_download_url']))).arrayBuffer() // prettier-ignore
    expect(await timed(Promise.all([download(), download()]))).toBeGreaterThan(750)
  })
})

describe('failures on demand', () => {
  const status = (code: number): FaultRule['effect'] => ({ kind: 'status', status: code, retryAfter: 7 })
  // Side by side: the toolkit waits seconds before it tries again.
  test.concurrent.each<[string, FaultRule<CacheOperation>, ToolkitCall, unknown, RegExp]>([
    ['429', { operation: 'lookup', effect: status(429) }, restore('k'), null, /will reset in 7 seconds/],
    ['403', { operation: 'create', effect: { kind: 'forbidden' } }, save('n'), -1, /\(403\) Forbidden/],
    ['read-only', { operation: 'create', effect: { kind: 'readOnly' } }, save('n'), -1, /cache write denied:/],
    ['500 once', { operation: 'finalize', times: 1, effect: status(500) }, save('n'), 2, /\(500\) Internal Server/],
    ['503 once', { operation: 'create', times: 1, effect: status(503) }, save('n'), 2, /\(503\) Service Unav/],
    ['a reset', { operation: 'lookup', effect: { kind: 'reset' } }, restore('k'), null, /ECONNRESET/],
    ['a reset upload', { operation: 'put', times: 1, effect: { kind: 'reset' } }, save('n'), 2, /EntryId|entry_id/],
    ['half a body', { operation: 'get', effect: { kind: 'truncate' } }, restore('k'), null, /Failed to restore: (?:aborted|Incomplete)/], // prettier-ignore
    ['a wrong bit', { operation: 'get', effect: { kind: 'flip' } }, restore('k'), null, /Failed to restore: .*tar/],
    ['403 of a blob', { operation: 'get', effect: { kind: 'forbidden' } }, restore('k'), null, /Failed to restore/],
    ['the service gone', { operation: 'get', effect: { kind: 'gone' } }, restore('k'), null, /ECONNREFUSED/],
  ])('%s', async (_, rule, what, result, log) => {
    await using service = await startCacheService()
    await using step = await stepWith(service, randomBytes(200_000))
    const fault = service.fail({ key: `^${what.key}`, ...rule })
    const answered = await step.run(save('k'), what)
    expect(answered.results).toEqual([1, result])
    expect(answered.log).toMatch(log)
    expect(fault.hits()).toBeGreaterThan(0)
  })

  test('rules name operation, key, which request and how many', async () => {
    await using service = await startCacheService()
    await put(service, 'a', Buffer.from('a'))
    await put(service, 'b', Buffer.from('b'))
    const fault = service.fail({ operation: ['lookup', 'get'], key: '^a', nth: 2, times: 2, effect: status(500) })
    const found = async (key: string): Promise<boolean> => (await find(service, key)) === key
    expect([await found('a'), await found('b'), await found('a'), await found('b'), await found('a'), await found('a')]).toEqual([true, true, false, true, false, true]) // prettier-ignore
    expect(fault.hits()).toBe(2)
    const all = service.fail({ effect: status(500) })
    expect(await found('b')).toBe(false)
    all.stop()
    expect(await found('b')).toBe(true)
  })

  test('a late failure: it is done, and nobody is told', async () => {
    await using service = await startCacheService()
    service.fail({ operation: 'finalize', late: true, times: 1, effect: { kind: 'reset' } })
    await expect(put(service, 'k', Buffer.from('x'))).rejects.toThrow('fetch failed')
    expect(service.stats().entries).toMatchObject([{ key: 'k' }])
  })

  test('half an answer', async () => {
    await using service = await startCacheService()
    const fault = service.fail({ operation: 'lookup', times: 1, effect: { kind: 'truncate' } })
    await expect(find(service, 'k')).rejects.toThrow('terminated')
    expect([fault.hits(), await find(service, 'k')]).toEqual([1, ''])
  })

  test('a hang ends with the service; a flipped upload is stored so', async () => {
    const service = await startCacheService()
    service.fail({ operation: 'put', effect: { kind: 'flip' } })
    await put(service, 'k', Buffer.from('aaa'))
    const found = await call(service, 'GetCacheEntryDownloadURL', { key: 'k', version: 'v' })
    expect(await (await fetch(String(found.body['signed_download_url']))).text()).toBe('a!a')
    service.fail({ operation: 'lookup', effect: { kind: 'hang' } })
    const hanging = expect(find(service, 'k')).rejects.toThrow('fetch failed')
    await expect(fetch(service.url, { signal: AbortSignal.timeout(300) })).resolves.toMatchObject({ status: 403 })
    await service[Symbol.asyncDispose]()
    await hanging
  })

  test('gone, and back with what it had', async () => {
    await using service = await startCacheService()
    await put(service, 'k', Buffer.from('x'))
    await service.vanish()
    const refused = await new Promise((resolve) => {
      const socket = connect(Number(new URL(service.url).port), '127.0.0.1').once('connect', resolve)
      socket.once('error', resolve)
    })
    expect(refused).toHaveProperty('code', 'ECONNREFUSED')
    await service.heal()
    expect(await find(service, 'k')).toBe('k')
  })
})

test('alone in a process, controlled over HTTP', async () => {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'cache-service-main.ts'), '--latency', '20'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const line = await new Promise<string>((resolve) => createInterface({ input: child.stdout }).once('line', resolve))
  const { url, control } = JSON.parse(line) as Announced
  const tell = async (what: string, body?: unknown): Promise<CacheServiceStats> =>
    (await (await fetch(`${control}${what}`, { method: 'POST', body: JSON.stringify(body ?? {}) })).json()) as CacheServiceStats // prettier-ignore
  await using step = await toolkitStep({ ACTIONS_CACHE_SERVICE_V2: 'true', ACTIONS_RESULTS_URL: url, ACTIONS_RUNTIME_TOKEN: cacheToken(MAIN) }) // prettier-ignore
  await writeFile(join(step.directory, 'f'), 'x')
  expect((await step.run(save('a'), save('b'))).results).toEqual([1, 2])
  expect((await tell('evict', { key: '^a' })).entries.map(({ key }) => key)).toEqual(['b'])
  await tell('fail', { operation: 'lookup', times: 1, effect: { kind: 'status', status: 429 } })
  expect((await step.run(lookup('b'), lookup('b'))).results).toEqual([null, 'b'])
  expect(await (await fetch(`${control}stats`)).json()).toMatchObject({ calls: { lookup: 2, create: 2 } })
  expect((await tell('reset')).calls.lookup).toBe(0)
  expect((await fetch(`${control}fail`, { method: 'POST', body: '{"operation":"loookup","effect":{}}' })).status).toBe(400) // prettier-ignore
  await tell('vanish')
  await expect(fetch(url)).rejects.toThrow('fetch failed')
  child.stdin.end()
  expect(await ended).toBe(0)
})
