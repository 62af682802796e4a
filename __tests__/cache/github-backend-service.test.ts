/** The backend with a service that keeps what it gets. */
import { expect, test } from '@jest/globals'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { openGithubBackend } from '../../src/cache/github-backend.ts'
import type { CacheBackend } from '../../src/cache/cache-backend.ts'
import { cacheFolder, type CacheFolder } from '../support/cache-folder.ts'
import { startCacheService, type CacheService } from '../support/cache-service.ts'
import type { TokenOptions } from '../support/cache-token.ts'
import { archiveOf, startScriptedCacheService } from '../support/scripted-cache-service.ts'

const clientPath = join(import.meta.dirname, '../../dist/cache-client.js')
const timeoutMs = 60_000
const MAIN = { ref: 'refs/heads/main' }

interface Session extends AsyncDisposable {
  readonly cache: CacheBackend
  readonly folder: CacheFolder
}

/** A run of its own, with a folder somewhere else. */
async function session(env: NodeJS.ProcessEnv, depth = ''): Promise<Session> {
  const folder = await cacheFolder()
  const root = join(folder.root, depth)
  await mkdir(root, { recursive: true })
  const cache = openGithubBackend({ root, env: { PATH: process.env['PATH'], ...env }, clientPath })
  return {
    cache,
    folder: {
      ...folder,
      write: async (path, files) => {
        await folder.write(join(depth, path), files)
      },
      read: async (path) => await folder.read(join(depth, path)),
      root,
    },
    [Symbol.asyncDispose]: async () => {
      await cache.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}

async function save(service: CacheService, token: TokenOptions, key: string): Promise<string> {
  await using at = await session(service.env(token))
  await at.folder.write('index', { 'index.json': key })
  return (await at.cache.save({ key, path: 'index', timeoutMs })).kind
}

test('what one run saves, large files too, another restores in a folder elsewhere', async () => {
  await using service = await startCacheService()
  // More than one request can bring: 64 MiB blocks.
  const bytes = randomBytes(140 << 20)
  await using first = await session(service.env(MAIN))
  await first.folder.write('packs/a', { 'data.bin': bytes, 'list.json': '[]' })
  expect(await first.cache.save({ key: 'pack-a', path: 'packs/a', timeoutMs })).toEqual({ kind: 'saved' })
  expect(service.stats().calls.put).toBeGreaterThan(2)
  await using second = await session(service.env(MAIN), 'some/where/deeper')
  expect(await second.cache.restore({ key: 'pack-a', path: 'packs/a', timeoutMs })).toEqual({
    kind: 'hit',
    key: 'pack-a',
  })
  const restored = await readFile(join(second.folder.root, 'packs/a/data.bin'))
  expect(restored.equals(bytes)).toBe(true)
  expect(await second.cache.restore({ key: 'pack-a', path: 'packs/b', timeoutMs })).toEqual({ kind: 'miss' })
})

test('many at once', async () => {
  await using service = await startCacheService()
  await using at = await session(service.env(MAIN))
  const keys = Array.from({ length: 20 }, (_, i) => `pack-${i}`)
  for (const key of keys) await at.folder.write(`packs/${key}`, { 'data.bin': key.repeat(1000) })
  const saved = await Promise.all(
    keys.map(async (key) => await at.cache.save({ key, path: `packs/${key}`, timeoutMs })),
  )
  expect(saved).toEqual(keys.map(() => ({ kind: 'saved' })))
  await using other = await session(service.env(MAIN))
  const restored = await Promise.all(
    keys.map(async (key) => await other.cache.restore({ key, path: `packs/${key}`, timeoutMs })),
  )
  expect(restored).toEqual(keys.map((key) => ({ kind: 'hit', key })))
  for (const key of keys) expect(await other.folder.read(`packs/${key}`)).toEqual({ 'data.bin': key.repeat(1000) })
})

test('the newest of a prefix, own scope first; a key that is taken; a run that may only read', async () => {
  await using service = await startCacheService()
  const branch = { ref: 'refs/heads/topic', defaultRef: 'refs/heads/main' }
  expect(await save(service, MAIN, 'index-1')).toBe('saved')
  expect(await save(service, branch, 'index-2')).toBe('saved')
  expect(await save(service, MAIN, 'index-3')).toBe('saved')
  const request = { key: 'index-none', prefixes: ['index-'], path: 'index', timeoutMs }
  await using main = await session(service.env(MAIN))
  expect(await main.cache.restore(request)).toEqual({ kind: 'hit', key: 'index-3' })
  expect(await main.cache.lookUp({ ...request, key: 'index-1' })).toEqual({ kind: 'hit', key: 'index-1' })
  await main.folder.write('index', { 'index.json': 'again' })
  expect(await main.cache.save({ key: 'index-1', path: 'index', timeoutMs })).toMatchObject({ why: 'exists' })
  await using topic = await session(service.env(branch))
  expect(await topic.cache.restore(request)).toEqual({ kind: 'hit', key: 'index-2' })
  await using reader = await session(service.env({ ...MAIN, readOnly: true }))
  await reader.folder.write('index', { 'index.json': 'x' })
  expect(await reader.cache.save({ key: 'index-4', path: 'index', timeoutMs })).toMatchObject({ why: 'denied' })
  expect(await reader.cache.restore(request)).toEqual({ kind: 'hit', key: 'index-3' })
})

test('from GitHub’s own storage an archive comes in parts', async () => {
  const bytes = randomBytes(9 << 20)
  const archive = archiveOf([{ path: 'packs/a/data.bin', body: bytes.toString('base64') }])
  const ranges: string[] = []
  await using service = await startScriptedCacheService({
    find: (response, body) => {
      // Only of this domain.
      const signed_download_url = 'http://store.blob.core.windows.net/entries/blob?sig=x'
      response.end(JSON.stringify({ ok: true, signed_download_url, matched_key: body['key'] }))
    },
    download: (response) => {
      const range = /^bytes=(\d+)-(\d+)$/.exec(response.req.headers.range ?? '')
      const part = range === null ? archive : archive.subarray(Number(range[1]), Number(range[2]) + 1)
      ranges.push(`${response.req.method ?? ''} ${range?.[0] ?? ''}`)
      response.writeHead(range === null ? 200 : 206, { 'content-length': part.length })
      response.end(response.req.method === 'HEAD' ? undefined : part)
    },
  })
  await using proxy = await tunnel(new URL(service.env['ACTIONS_RESULTS_URL'] ?? '').port)
  await using at = await session({ ...service.env, http_proxy: proxy.url, no_proxy: '127.0.0.1' })
  expect(await at.cache.restore({ key: 'pack-a', path: 'packs/a', timeoutMs })).toMatchObject({ kind: 'hit' })
  const restored = await readFile(join(at.folder.root, 'packs/a/data.bin'))
  const digest = (data: Buffer | string): string => createHash('sha256').update(data).digest('hex')
  expect(digest(restored)).toBe(digest(bytes.toString('base64')))
  expect(ranges[0]).toBe('HEAD ')
  expect(ranges.slice(1).sort()).toEqual([
    'GET bytes=0-4194303',
    'GET bytes=4194304-8388607',
    `GET bytes=8388608-${archive.length - 1}`,
  ])
})

/** A proxy whose every tunnel leads to one port of this machine. */
async function tunnel(port: string): Promise<AsyncDisposable & { readonly url: string }> {
  const sockets = new Set<Socket>()
  const server = createServer().on('connect', (_, client: Socket) => {
    const upstream = connect(Number(port), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n')
      client.pipe(upstream).pipe(client)
    })
    for (const socket of [client, upstream]) sockets.add(socket.on('error', () => undefined))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
