import { describe, expect, test } from '@jest/globals'
import { chmod, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CacheBackend } from '../../src/cache/cache-backend.ts'
import { openGithubBackend, type GithubBackendOptions } from '../../src/cache/github-backend.ts'
import { runProcess } from '../../src/process.ts'
import { cacheFolder, type CacheFolder } from '../support/cache-folder.ts'
import type { RawEntry } from '../support/raw-tar.ts'
import {
  answerWith,
  archiveOf,
  holding,
  startScriptedCacheService,
  type CacheScript,
  type ScriptedCacheService,
} from '../support/scripted-cache-service.ts'

const clientPath = join(import.meta.dirname, '../../dist/cache-client.js')
const timeoutMs = 20_000
const entry = { key: 'sb1-pack-1', path: 'packs/p', timeoutMs }

interface Rig extends AsyncDisposable {
  readonly service: ScriptedCacheService
  readonly folder: CacheFolder
  readonly cache: CacheBackend
  readonly lines: readonly string[]
  /** The child processes that were started, in order. */
  readonly pids: () => number[]
}

async function rig(
  script: CacheScript = {},
  options: Partial<GithubBackendOptions> = {},
  env: NodeJS.ProcessEnv = {},
): Promise<Rig> {
  const service = await startScriptedCacheService(script)
  const outer = await cacheFolder()
  // A folder around the session's, to see what falls beside it.
  const root = join(outer.root, 'work/session')
  await mkdir(root, { recursive: true })
  const lines: string[] = []
  const cache = openGithubBackend({
    root,
    env: { ...service.env, ...env },
    clientPath,
    debug: (line) => lines.push(line),
    ...options,
  })
  return {
    service,
    folder: {
      root,
      write: async (path, files) => {
        await outer.write(`work/session/${path}`, files)
      },
      read: async (path) => await outer.read(`work/session/${path}`),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    },
    cache,
    lines,
    pids: () =>
      lines.flatMap((line) => /^the cache client runs as process (\d+)$/.exec(line)?.slice(1) ?? []).map(Number),
    [Symbol.asyncDispose]: async () => {
      await cache.close()
      await service[Symbol.asyncDispose]()
      await outer[Symbol.asyncDispose]()
    },
  }
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error('it never came to be')
}

async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return stat !== '' && !/\) Z /.test(stat)
}

/** Everything below the folder around the session's. */
async function everything({ folder }: Rig): Promise<string[]> {
  return (await readdir(join(folder.root, '../..'), { recursive: true })).sort()
}

describe('restore', () => {
  test('a hit: the files lie in the path, beside those of others, and nothing else is left', async () => {
    await using at = await rig(holding(archiveOf([{ path: 'packs/p/data.bin', body: 'bytes' }])))
    await at.folder.write('packs/p', { 'data.bin': 'stale', other: '' })
    expect(await at.cache.restore(entry)).toEqual({ kind: 'hit', key: entry.key })
    expect(await at.folder.read('packs/p')).toEqual({ 'data.bin': 'bytes', other: '' })
    await at.cache.close()
    expect(await everything(at)).toEqual([
      'work',
      'work/session',
      'work/session/packs',
      'work/session/packs/p',
      'work/session/packs/p/data.bin',
      'work/session/packs/p/other',
    ])
  })

  test('a miss', async () => {
    await using at = await rig()
    expect(await at.cache.restore({ ...entry, prefixes: ['sb1-'] })).toEqual({ kind: 'miss' })
    const asked = JSON.parse(at.service.requests[0]?.body ?? '') as unknown
    expect(asked).toMatchObject({ key: entry.key, restore_keys: ['sb1-'] })
  })

  test('the key that a prefix found', async () => {
    await using at = await rig(holding(archiveOf([{ path: 'packs/p/a', body: 'x' }]), 'sb1-pack-0'))
    expect(await at.cache.restore({ ...entry, prefixes: ['sb1-pack-'] })).toEqual({ kind: 'hit', key: 'sb1-pack-0' })
  })

  test('a key that was not asked for is a miss: the service takes the key itself as a prefix, too', async () => {
    await using at = await rig(holding(archiveOf([{ path: 'packs/p/a', body: 'x' }]), `${entry.key}0`))
    expect(await at.cache.restore(entry)).toEqual({ kind: 'miss' })
    expect(await at.cache.lookUp(entry)).toEqual({ kind: 'miss' })
    expect(await at.folder.read('packs/p')).toBeUndefined()
  })

  test('a look-up fetches nothing', async () => {
    await using at = await rig(holding(Buffer.alloc(0)))
    expect(await at.cache.lookUp(entry)).toEqual({ kind: 'hit', key: entry.key })
    expect(at.service.requests.map(({ path }) => path.split('/').at(-1))).toEqual(['GetCacheEntryDownloadURL'])
  })

  test('a run that may not read', async () => {
    const message = 'cache read denied: no readable scopes'
    await using at = await rig({ find: answerWith({ code: 'permission_denied', msg: message }, 403) })
    expect(await at.cache.restore(entry)).toMatchObject({
      kind: 'failed',
      reason: expect.stringContaining(message) as unknown,
    })
    await using other = await rig({}, {}, { ACTIONS_CACHE_MODE: 'none' })
    expect(await other.cache.restore(entry)).toMatchObject({ kind: 'failed' })
  })

  test('an archive of gzip from a runner without zstd would have another version, so it is never found', async () => {
    await using at = await rig()
    await at.cache.restore(entry)
    const { version } = JSON.parse(at.service.requests[0]?.body ?? '') as { version: string }
    const { createHash } = await import('node:crypto')
    expect(version).toBe(createHash('sha256').update('packs/p|zstd-without-long|1.0').digest('hex'))
  })
})

describe('archives that cannot be used are failures, and leave nothing', () => {
  const good = archiveOf([{ path: 'packs/p/data.bin', body: 'bytes'.repeat(1000) }])
  const flipped = Buffer.from(good)
  flipped[good.length >> 1] = (flipped[good.length >> 1] ?? 0) ^ 0xff

  test.each([
    ['not an archive', Buffer.from('<html>')],
    ['empty', Buffer.alloc(0)],
    ['half of it', good.subarray(0, good.length >> 1)],
    ['a flipped byte', flipped],
    ['another entry’s', archiveOf([{ path: 'packs/q/data.bin', body: 'x' }])],
    ['a file in the path', archiveOf([{ path: 'packs/p', body: 'x' }])],
  ])('%s', async (_, archive) => {
    await using at = await rig(holding(archive))
    expect(await at.cache.restore(entry)).toMatchObject({ kind: 'failed', isSpoilt: true })
    // It is the entry's fault, not the service's.
    expect(await at.cache.restore(entry)).toMatchObject({ kind: 'failed' })
    expect(await at.cache.lookUp(entry)).toEqual({ kind: 'hit', key: entry.key })
    await at.cache.close()
    expect(await everything(at)).toEqual(['work', 'work/session'])
  })

  test('a download that breaks off', async () => {
    await using at = await rig({
      ...holding(good),
      download: (response) => {
        response.writeHead(200, { 'content-length': good.length }).write(good.subarray(0, 20), () => response.destroy())
      },
    })
    expect(await at.cache.restore(entry)).toMatchObject({ kind: 'failed' })
    await at.cache.close()
    expect(await everything(at)).toEqual(['work', 'work/session'])
  })
})

describe('a hostile archive writes nothing outside', () => {
  const plain: RawEntry = { path: 'packs/p/data.bin', body: 'x' }
  const isRoot = process.getuid?.() === 0

  /** Restores an archive twice, and an entry after it, and says what lies around the session's folder. */
  async function attack(entries: (outside: string) => readonly RawEntry[]): Promise<void> {
    await using at = await rig()
    const outside = join(at.folder.root, '../outside')
    await mkdir(outside)
    await writeFile(join(outside, 'victim'), 'untouched')
    Object.assign(at.service.script, holding(archiveOf(entries(outside))))
    for (let i = 0; i < 2; i++) {
      const result = await at.cache.restore(entry)
      if (result.kind === 'hit') expect(Object.keys((await at.folder.read('packs/p')) ?? {})).toEqual(['data.bin'])
      else expect(result.kind).toBe('failed')
    }
    await at.cache.close()
    const left = (await everything(at)).filter((name) => !/^work\/session\/packs(\/p(\/data\.bin)?)?$/.test(name))
    expect(left).toEqual(['work', 'work/outside', 'work/outside/victim', 'work/session'])
    expect(await readFile(join(outside, 'victim'), 'utf8')).toBe('untouched')
  }

  test('an absolute name', async () => {
    await attack((outside) => [plain, { path: `${outside}/evil`, body: 'evil' }])
    await attack((outside) => [{ path: `${outside}/victim`, body: 'evil' }, plain])
  })

  test('a name with dots', async () => {
    await attack(() => [plain, { path: '../outside/evil', body: 'evil' }])
    await attack(() => [plain, { path: 'packs/p/../../../../../../../outside/evil', body: 'evil' }])
    const up = '../'.repeat(9)
    await attack((outside) => [plain, { path: `${up}${outside.slice(1)}/victim`, body: 'evil' }])
  })

  test('a file through a symbolic link, in the archive or left by another', async () => {
    await attack((outside) => [
      { path: 'packs/p/way', type: '2', linkPath: outside },
      { path: 'packs/p/way/evil', body: 'evil' },
      plain,
    ])
    await attack((outside) => [
      { path: 'packs', type: '2', linkPath: outside },
      { path: 'packs/victim', body: 'evil' },
    ])
    await attack(() => [{ path: 'packs/p', type: '2', linkPath: '../../outside' }])
    await attack(() => [{ path: '.cache-client', type: '2', linkPath: '../outside' }, plain])
  })

  test('a link to a file outside', async () => {
    await attack((outside) => [{ path: 'packs/p/victim', type: '1', linkPath: `${outside}/victim` }, plain])
    await attack((outside) => [
      { path: 'packs/p/data.bin', type: '1', linkPath: `${'../'.repeat(9)}${outside.slice(1)}/victim` },
      { path: 'packs/p/data.bin', body: 'evil' },
    ])
    await attack((outside) => [{ path: 'packs/p/data.bin', type: '2', linkPath: `${outside}/victim` }])
  })

  test('devices, pipes and folders', async () => {
    await attack(() => [plain, { path: 'packs/p/pipe', type: '6' }])
    await attack(() => [plain, { path: 'packs/p/folder/', type: '5' }])
    if (isRoot) await attack(() => [plain, { path: 'packs/p/device', type: '3' }])
  })

  test('a file that is far larger than its archive', async () => {
    await using at = await rig()
    const made = join(at.folder.root, 'made')
    await mkdir(join(made, 'packs/p'), { recursive: true })
    await writeFile(join(made, 'packs/p/data.bin'), '')
    await truncate(join(made, 'packs/p/data.bin'), 8 * 2 ** 30)
    const { code } = await runProcess('tar', ['--sparse', '--zstd', '-cf', 'bomb', '-C', made, 'packs'], { cwd: made })
    expect(code).toBe(0)
    const bomb = await readFile(join(made, 'bomb'))
    expect(bomb.length).toBeLessThan(2000)
    await rm(made, { recursive: true })
    Object.assign(at.service.script, holding(bomb))
    expect(await at.cache.restore(entry)).toMatchObject({ kind: 'failed' })
    expect(await at.folder.read('packs/p')).toBeUndefined()
  })
})

describe('save', () => {
  test('an entry is taken', async () => {
    await using at = await rig()
    await at.folder.write('packs/p', { 'data.bin': 'bytes' })
    expect(await at.cache.save(entry)).toEqual({ kind: 'saved' })
    expect(at.service.requests.map(({ method, path }) => `${method} ${path.split('/').at(-1) ?? ''}`)).toEqual([
      'POST CreateCacheEntry',
      'PUT blob?sig=secret-signature',
      'POST FinalizeCacheEntryUpload',
    ])
    await at.cache.close()
    expect((await readdir(at.folder.root)).sort()).toEqual(['packs'])
  })

  test('too busy for a moment: tried again together, once it is as late as the service asks for', async () => {
    let busy = 3
    const lines: string[] = []
    const find = answerWith({ ok: false })
    const script: CacheScript = {
      find: (response, body) => {
        if (busy-- > 0) answerWith({ msg: 'slow down' }, 429, { 'retry-after': '1' })(response, body)
        else find(response, body)
      },
    }
    await using at = await rig(script, { retries: 2, log: (line) => lines.push(line) })
    const started = performance.now()
    const results = await Promise.all(['a', 'b', 'c'].map(async (key) => await at.cache.restore({ ...entry, key })))
    expect(results).toEqual(Array.from({ length: 3 }, () => ({ kind: 'miss' })))
    expect(performance.now() - started).toBeGreaterThan(1_000)
    expect(lines).toEqual([
      expect.stringMatching(
        /^↻ Layer cache: retry 1 of 2 in 1\.\d s: the service answered 429, and asked to wait 1 s$/,
      ),
    ])
  })

  test('too busy for long, or ended meanwhile: not waited for', async () => {
    const lines: string[] = []
    const cancel = new AbortController()
    const script: CacheScript = { find: answerWith({ msg: 'slow down' }, 429, { 'retry-after': '50' }) }
    const options = { retries: 2, log: (line: string) => lines.push(line), signal: cancel.signal }
    await using at = await rig(script, options)
    expect(await at.cache.restore(entry)).toMatchObject({ kind: 'failed' })
    expect(lines).toEqual([])
    at.service.script.find = answerWith({ msg: 'slow down' }, 429, { 'retry-after': '14' })
    const waiting = at.cache.restore(entry)
    await until(() => lines.length > 0)
    const started = performance.now()
    cancel.abort()
    expect(await waiting).toMatchObject({ kind: 'failed' })
    expect(performance.now() - started).toBeLessThan(2_000)
  })

  test('a connection that breaks is tried again', async () => {
    let first = true
    const lines: string[] = []
    const script: CacheScript = {
      find: (response, body) => {
        if (first) response.socket?.destroy()
        else answerWith({ ok: false })(response, body)
        first = false
      },
    }
    await using at = await rig(script, { retries: 1, log: (line) => lines.push(line) })
    expect(await at.cache.restore(entry)).toEqual({ kind: 'miss' })
    expect(lines).toEqual([
      expect.stringMatching(/^↻ Layer cache: retry 1 of 1 in [12]\.\d s: the connection .*ECONNRESET/),
    ])
  })

  const denied = 'cache write denied: the event is untrusted'
  test.each<[string, string, CacheScript, NodeJS.ProcessEnv]>([
    ['denied, said with 200', 'denied', { create: answerWith({ ok: false, message: denied }) }, {}],
    ['denied, said with 403', 'denied', { create: answerWith({ code: 'permission_denied', msg: denied }, 403) }, {}],
    ['denied by the runner', 'denied', {}, { ACTIONS_CACHE_MODE: 'read' }],
    ['too many', 'limited', { create: answerWith({ msg: 'slow down' }, 429, { 'retry-after': '30' }) }, {}],
    ['no room', 'limited', { create: answerWith({ msg: 'insufficient usage to create' }, 403) }, {}],
    ['taken', 'exists', { create: answerWith({ code: 'already_exists', msg: 'cache entry exists' }, 409) }, {}],
    ['taken, said with 200', 'exists', { create: answerWith({ ok: false }) }, {}],
    ['not allowed at all', 'other', { create: answerWith({ msg: 'token expired' }, 401) }, {}],
    ['not finished', 'other', { finish: answerWith({ ok: false, message: 'size mismatch' }) }, {}],
    ['refused by the store', 'other', { upload: (response) => response.writeHead(403).end() }, {}],
  ])('%s', async (_, why, script, env) => {
    await using at = await rig(script, {}, env)
    await at.folder.write('packs/p', { 'data.bin': 'bytes' })
    const result = await at.cache.save(entry)
    expect(result).toMatchObject({ kind: 'failed', why })
    expect(result.kind === 'failed' ? result.reason : '').not.toMatch(/another job may be|secret-signature|^$/)
  })

  test('what is not there', async () => {
    await using at = await rig()
    expect(await at.cache.save(entry)).toMatchObject({ kind: 'failed', why: 'other' })
    expect(at.service.requests).toEqual([])
  })

  test.each(['../x', 'a*b', 'x\ny', '/etc', ''])('no path %j', async (path) => {
    await using at = await rig()
    expect(await at.cache.save({ ...entry, path })).toMatchObject({ kind: 'failed', why: 'other' })
    expect(await at.cache.restore({ ...entry, path })).toMatchObject({ kind: 'failed' })
    expect(at.pids()).toEqual([])
  })

  test('several at once, each with its own answer', async () => {
    const answers: Readonly<Record<string, Parameters<typeof answerWith>>> = {
      'k-0': [{ ok: true, signed_upload_url: '' }],
      'k-1': [{ ok: false, message: denied }],
      'k-2': [{ msg: 'slow down' }, 429],
      'k-3': [{ msg: 'exists' }, 409],
    }
    await using at = await rig({
      create: (response, body) => {
        const [value, ...rest] = answers[String(body['key'])] ?? [{}]
        const url = `http://${String(response.req.headers.host)}/entries/blob`
        const isTaken = (value as { ok?: boolean }).ok === true
        setTimeout(() => {
          answerWith(isTaken ? { ok: true, signed_upload_url: url } : value, ...rest)(response, body)
        }, 300 * Math.random())
      },
    })
    await at.folder.write('packs/p', { 'data.bin': 'bytes' })
    const keys = Array.from({ length: 12 }, (_, i) => `k-${i % 4}`)
    const results = await Promise.all(keys.map(async (key) => await at.cache.save({ ...entry, key })))
    expect(results.map((result) => (result.kind === 'saved' ? 'saved' : result.why))).toEqual(
      Array.from({ length: 3 }, () => ['saved', 'denied', 'limited', 'exists']).flat(),
    )
    expect(at.pids().length).toBe(1)
  })
})

describe('a service that is down', () => {
  const broken = answerWith({ msg: 'internal' }, 500)

  test('nothing listens: known at once, and nothing more is tried', async () => {
    await using at = await rig({}, {}, { ACTIONS_RESULTS_URL: 'http://127.0.0.1:9/' })
    const started = performance.now()
    expect(await at.cache.restore(entry)).toMatchObject({
      kind: 'failed',
      reason: expect.stringContaining('ECONNREFUSED') as unknown,
    })
    expect(performance.now() - started).toBeLessThan(5000)
    const again = performance.now()
    expect(await at.cache.lookUp(entry)).toMatchObject({
      kind: 'failed',
      reason: expect.stringContaining('the cache service is down') as unknown,
    })
    expect(performance.now() - again).toBeLessThan(20)
  })

  test('errors only: the call ends at its deadline, those beside it too, and the next ones are spared', async () => {
    await using at = await rig({ find: broken, create: broken }, { pauseMs: 1000 })
    await at.folder.write('packs/p', { 'data.bin': 'bytes' })
    const [first, beside] = await Promise.all([
      at.cache.restore({ ...entry, timeoutMs: 1500 }),
      at.cache.save({ ...entry, timeoutMs: 60_000 }),
    ])
    expect(first).toEqual({ kind: 'failed', reason: 'no answer within 1.5 s' })
    expect(beside).toMatchObject({ kind: 'failed', why: 'other' })
    const asked = at.service.requests.length
    expect(await at.cache.restore(entry)).toMatchObject({ kind: 'failed' })
    expect(at.service.requests.length).toBe(asked)
    // Later it is tried again, by a new child.
    at.service.script.find = answerWith({ ok: false })
    await new Promise((resolve) => setTimeout(resolve, 1100))
    expect(await at.cache.restore(entry)).toEqual({ kind: 'miss' })
    expect(at.pids().length).toBe(2)
    await at.cache.close()
    expect(await readdir(at.folder.root)).toEqual(['packs'])
  })

  test('two failures in a row', async () => {
    await using at = await rig({ find: answerWith({ msg: 'bad token' }, 401) })
    await at.cache.restore(entry)
    await at.cache.restore(entry)
    expect(at.service.requests.length).toBe(2)
    await at.cache.restore(entry)
    expect(at.service.requests.length).toBe(2)
  })

  test('a failure between answers is none of the service', async () => {
    await using at = await rig()
    for (let i = 0; i < 3; i++) {
      at.service.script.find = answerWith({ msg: 'odd' }, 400)
      expect((await at.cache.restore(entry)).kind).toBe('failed')
      at.service.script.find = answerWith({ ok: false })
      expect((await at.cache.restore(entry)).kind).toBe('miss')
    }
  })

  test('an upload that hangs ends at its deadline, with all that it started', async () => {
    await using at = await rig({ upload: () => undefined })
    await at.folder.write('packs/p', { 'data.bin': 'bytes' })
    expect(await at.cache.save({ ...entry, timeoutMs: 1500 })).toMatchObject({ kind: 'failed', why: 'other' })
    const [pid = 0] = at.pids()
    await until(async () => !(await isAlive(pid)))
  })
})

describe('the child process', () => {
  test('killed from outside during a save: a failure, and the next call starts another', async () => {
    await using at = await rig({ upload: () => undefined })
    await at.folder.write('packs/p', { 'data.bin': 'bytes' })
    const saving = at.cache.save(entry)
    await until(() => at.service.requests.some(({ method }) => method === 'PUT'))
    process.kill(at.pids()[0] ?? 0, 'SIGKILL')
    expect(await saving).toEqual({ kind: 'failed', why: 'other', reason: 'the cache client was ended by SIGKILL' })
    delete at.service.script.upload
    expect(await at.cache.save({ ...entry, key: 'other' })).toEqual({ kind: 'saved' })
    expect(at.pids().length).toBe(2)
  })

  test('closing ends a call under way', async () => {
    await using at = await rig({ find: () => undefined })
    const restoring = at.cache.restore(entry)
    await until(() => at.service.requests.length > 0)
    await at.cache.close()
    expect(await restoring).toMatchObject({ kind: 'failed' })
    expect(await isAlive(at.pids()[0] ?? 0)).toBe(false)
    expect(await readdir(at.folder.root)).toEqual([])
    expect(await at.cache.restore(entry)).toEqual({ kind: 'failed', reason: 'the cache is closed' })
  })

  test('ends with the action, however that ends', async () => {
    await using at = await rig({ find: () => undefined })
    const script = `
      const { openGithubBackend } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/cache/github-backend.ts'))})
      const options = JSON.parse(process.argv[1])
      const cache = openGithubBackend({ ...options, debug: (line) => console.log(line) })
      void cache.restore({ key: 'k', path: 'p', timeoutMs: 60000 })
      setTimeout(() => 0, 60000)`
    const options = JSON.stringify({ root: at.folder.root, env: at.service.env, clientPath })
    let pid = 0
    const cancel = new AbortController()
    const ended = runProcess(process.execPath, ['--input-type=module', '-e', script, options], {
      signal: cancel.signal,
      onStdout: (text) => {
        pid = Number(/runs as process (\d+)/.exec(text)?.[1] ?? pid)
      },
    })
    await until(() => at.service.requests.length > 0)
    expect(await isAlive(pid)).toBe(true)
    cancel.abort()
    expect((await ended).signal).toBe('SIGINT')
    await until(async () => !(await isAlive(pid)))
  })

  test('does not keep the action alive', async () => {
    await using at = await rig()
    const script = `
      const { openGithubBackend } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/cache/github-backend.ts'))})
      const cache = openGithubBackend(JSON.parse(process.argv[1]))
      console.log((await cache.restore({ key: 'k', path: 'p', timeoutMs: 60000 })).kind)`
    const options = JSON.stringify({ root: at.folder.root, env: at.service.env, clientPath })
    const result = await runProcess(process.execPath, ['--input-type=module', '-e', script, options])
    expect(result).toMatchObject({ code: 0, stdout: 'miss\n', stderr: '' })
  })

  test('has what the toolkit needs, and no secret of the user’s', async () => {
    const secrets = { NPM_TOKEN: 'hunter2', INPUT_SECRETS: 'hunter3', ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'hunter4' }
    await using at = await rig({}, {}, { ...secrets, https_proxy: 'http://127.0.0.1:9', HOME: '/home/me' })
    await at.cache.lookUp(entry)
    const environ = (await readFile(`/proc/${at.pids()[0] ?? 0}/environ`, 'utf8')).split('\0')
    expect(environ.join()).not.toContain('hunter')
    expect(environ).toEqual(
      expect.arrayContaining([
        'ACTIONS_RUNTIME_TOKEN=runtime-token',
        'https_proxy=http://127.0.0.1:9',
        'HOME=/home/me',
      ]),
    )
  })

  test('tells what the toolkit prints, without signatures', async () => {
    await using at = await rig(holding(archiveOf([{ path: 'packs/p/data.bin', body: 'bytes' }])))
    await at.cache.restore(entry)
    await until(() => at.lines.some((line) => line.includes('Cache restored successfully')))
    expect(at.lines.join('\n')).toContain('sig=***')
    expect(at.lines.join('\n')).not.toContain('secret-signature')
  })

  test('that cannot be started is a failure', async () => {
    await using at = await rig({}, { clientPath: '/nonexistent/cache-client.js' })
    expect(await at.cache.restore(entry)).toMatchObject({ kind: 'failed' })
    expect(await at.cache.save(entry)).toMatchObject({ kind: 'failed', why: 'other' })
  })

  test('without tar there is no cache', async () => {
    await using at = await rig({}, {}, { PATH: '/nonexistent' })
    expect(await at.cache.restore(entry)).toEqual({
      kind: 'failed',
      reason: 'there is no tar on PATH, which @actions/cache needs',
    })
  })

  test('a tar that fails for want of room is told', async () => {
    await using at = await rig()
    const bin = join(at.folder.root, 'bin')
    await mkdir(bin)
    await writeFile(
      join(bin, 'tar'),
      '#!/bin/sh\necho "tar: cache.tzst: Wrote only 4096 of 10240 bytes: No space left on device" >&2\nexit 2\n',
    )
    await chmod(join(bin, 'tar'), 0o755)
    const env = { ...at.service.env, PATH: `${bin}:${process.env['PATH'] ?? ''}` }
    await using cache = closing(openGithubBackend({ root: at.folder.root, env, clientPath }))
    await at.folder.write('packs/p', { 'data.bin': 'bytes' })
    expect(await cache.backend.save(entry)).toMatchObject({ kind: 'failed', why: 'limited' })
  })

  test('a folder that the toolkit cannot work in', async () => {
    await using at = await rig()
    const cache = openGithubBackend({ root: `${at.folder.root}/a b`, env: at.service.env, clientPath })
    expect(await cache.restore(entry)).toMatchObject({ kind: 'failed' })
  })
})

function closing(backend: CacheBackend): AsyncDisposable & { readonly backend: CacheBackend } {
  return {
    backend,
    [Symbol.asyncDispose]: async () => {
      await backend.close()
    },
  }
}
