import { describe, expect, test } from '@jest/globals'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { BlobSink } from '../../src/cache/blob-uploads.ts'
import { LayerRegistry } from '../../src/cache/layer-registry.ts'
import { Upstream } from '../../src/cache/upstream.ts'

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'

interface Rig extends AsyncDisposable {
  readonly registry: LayerRegistry
  readonly upstream: Upstream
  /** Finished blobs: digest → bytes that the sink saw. */
  readonly finished: Map<string, Buffer>
  readonly events: string[]
  readonly lines: string[]
  /** `fetch` below the secret repository `x`. */
  readonly call: (method: string, path: string, init?: RequestInit) => Promise<Response>
}

async function rig(sink?: Partial<BlobSink>): Promise<Rig> {
  const finished = new Map<string, Buffer>()
  const events: string[] = []
  const lines: string[] = []
  const openSink = (): BlobSink => {
    const chunks: Buffer[] = []
    return {
      write: (chunk) => {
        chunks.push(Buffer.from(chunk))
        return Promise.resolve()
      },
      finish: (digest) => {
        finished.set(digest, Buffer.concat(chunks))
        events.push('finish')
        return Promise.resolve()
      },
      abort: () => {
        events.push('abort')
      },
      ...sink,
    }
  }
  const upstream = new Upstream()
  const registry = await LayerRegistry.start({
    openSinks: () => [openSink()],
    sources: [upstream],
    debug: (line) => lines.push(line),
  })
  return {
    registry,
    upstream,
    finished,
    events,
    lines,
    call: async (method, path, init = {}) =>
      await fetch(`http://${registry.host}/v2/${registry.repository('x')}/${path}`, { ...init, method }),
    [Symbol.asyncDispose]: async () => {
      await registry.close()
    },
  }
}

function digestOf(bytes: string | Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

function location(registry: LayerRegistry, response: Response): string {
  return `http://${registry.host}${response.headers.get('location') ?? ''}`
}

async function codes(response: Response): Promise<string[]> {
  const body = (await response.json()) as { errors: { code: string }[] }
  return body.errors.map(({ code }) => code)
}

/** Uploads as BuildKit does: POST, then PUT of the whole. */
async function push({ registry, call }: Rig, bytes: string | Buffer, digest = digestOf(bytes)): Promise<Response> {
  const begun = await call('POST', 'blobs/uploads/')
  expect(begun.status).toBe(202)
  return await fetch(`${location(registry, begun)}?digest=${digest}`, {
    method: 'PUT',
    body: new Uint8Array(Buffer.from(bytes)),
  })
}

async function until(condition: () => boolean): Promise<void> {
  const started = performance.now()
  while (!condition()) {
    if (performance.now() - started > 5_000) throw new Error('it did not happen within 5 s')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** A request that stops in the middle of its body; the socket stays open. */
async function halfAnUpload(host: string, path: string, body: string): Promise<Socket> {
  const socket = connect(Number(host.split(':')[1]), '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write(`PUT ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${body.length + 100}\r\n\r\n${body}`)
  await new Promise((resolve) => setTimeout(resolve, 50))
  return socket
}

describe('access', () => {
  test('the version endpoint answers everybody', async () => {
    await using at = await rig()
    const response = await fetch(`http://${at.registry.host}/v2/`)
    expect(response.status).toBe(200)
    expect(response.headers.get('docker-distribution-api-version')).toBe('registry/2.0')
  })

  test('without the secret, nothing is there and nothing can be put there', async () => {
    await using at = await rig()
    await push(at, 'layer')
    const { host } = at.registry
    const wrong = at.registry.repository('x').replace(/.(?=\/x$)/, (last) => (last === '0' ? '1' : '0'))
    for (const repository of ['x', wrong, at.registry.repository('x').split('/')[0] ?? '']) {
      const read = await fetch(`http://${host}/v2/${repository}/blobs/${digestOf('layer')}`)
      expect([read.status, await codes(read)]).toEqual([404, ['NAME_UNKNOWN']])
      const write = await fetch(`http://${host}/v2/${repository}/blobs/uploads/`, { method: 'POST' })
      expect(write.status).toBe(404)
    }
  })

  test.each([
    '/v2/_catalog',
    '/',
    '/v2/SECRET/x/tags/list',
    '/v2/SECRET/_catalog',
    '//',
    '/v2/SECRET/x/manifests/..%2f..',
  ])('nothing is listed: %s', async (path) => {
    await using at = await rig()
    const secret = at.registry.repository('').slice(0, -1)
    const response = await fetch(`http://${at.registry.host}${path.replace('SECRET', secret)}`)
    expect(response.status).toBe(404)
  })

  test('the secret stands in no log line and no error body', async () => {
    await using at = await rig()
    const secret = at.registry.repository('').slice(0, -1)
    expect(secret.length).toBeGreaterThanOrEqual(32)
    await push(at, 'layer')
    const missing = await at.call('GET', `blobs/${digestOf('none')}`)
    expect(await missing.text()).not.toContain(secret)
    await at.call('POST', `blobs/uploads/?mount=${digestOf('none')}&from=${secret}/y`)
    await until(() => at.lines.length >= 4)
    expect(at.lines.join('\n')).not.toContain(secret)
    expect(at.lines.join('\n')).toContain(`GET /v2/…/x/blobs/${digestOf('none')} 404`)
  })

  test('two registries have different secrets', async () => {
    await using a = await rig()
    await using b = await rig()
    expect(a.registry.repository('x')).not.toBe(b.registry.repository('x'))
  })

  test('it listens on loopback only', async () => {
    await using at = await rig()
    expect(at.registry.host).toMatch(/^127\.0\.0\.1:\d+$/)
  })
})

describe('blob uploads', () => {
  test('a blob pushed as BuildKit pushes is verified, given to the sink, and not asked for again', async () => {
    await using at = await rig()
    expect((await at.call('HEAD', `blobs/${digestOf('layer')}`)).status).toBe(404)
    const done = await push(at, 'layer')
    expect(done.status).toBe(201)
    expect(done.headers.get('docker-content-digest')).toBe(digestOf('layer'))
    expect(at.finished.get(digestOf('layer'))?.toString()).toBe('layer')
    const head = await at.call('HEAD', `blobs/${digestOf('layer')}`)
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '5'])
  })

  test('what was only measured cannot be fetched', async () => {
    await using at = await rig()
    await push(at, 'layer')
    const response = await at.call('GET', `blobs/${digestOf('layer')}`)
    expect([response.status, await codes(response)]).toEqual([404, ['BLOB_UNKNOWN']])
  })

  test('a whole blob may come with the POST', async () => {
    await using at = await rig()
    const response = await at.call('POST', `blobs/uploads/?digest=${digestOf('layer')}`, { body: 'layer' })
    expect(response.status).toBe(201)
    expect(at.finished.get(digestOf('layer'))?.toString()).toBe('layer')
  })

  test('a blob may come in chunks, and the PUT may bring the last', async () => {
    await using at = await rig()
    const begun = await at.call('POST', 'blobs/uploads/')
    expect(begun.headers.get('range')).toBe('0-0')
    const url = location(at.registry, begun)
    const first = await fetch(url, { method: 'PATCH', body: 'abc', headers: { 'content-range': '0-2' } })
    expect([first.status, first.headers.get('range')]).toEqual([202, '0-2'])
    const second = await fetch(url, { method: 'PATCH', body: 'def', headers: { 'content-range': '3-5' } })
    expect(second.headers.get('range')).toBe('0-5')
    const status = await fetch(url)
    expect([status.status, status.headers.get('range')]).toEqual([204, '0-5'])
    const done = await fetch(`${url}?digest=${digestOf('abcdefg')}`, { method: 'PUT', body: 'g' })
    expect(done.status).toBe(201)
    expect(at.finished.get(digestOf('abcdefg'))?.toString()).toBe('abcdefg')
  })

  test('a chunk that does not follow the last one is refused, and the upload goes on', async () => {
    await using at = await rig()
    const url = location(at.registry, await at.call('POST', 'blobs/uploads/'))
    await fetch(url, { method: 'PATCH', body: 'abc' })
    const gap = await fetch(url, { method: 'PATCH', body: 'x', headers: { 'content-range': '7-7' } })
    expect([gap.status, gap.headers.get('range')]).toEqual([416, '0-2'])
    const done = await fetch(`${url}?digest=${digestOf('abc')}`, { method: 'PUT' })
    expect(done.status).toBe(201)
  })

  test('bytes of another digest are refused and leave nothing', async () => {
    await using at = await rig()
    const response = await push(at, 'layer', digestOf('other'))
    expect([response.status, await codes(response)]).toEqual([400, ['DIGEST_INVALID']])
    expect([...at.finished.keys()]).toEqual([])
    expect(at.events).toEqual(['abort'])
    for (const bytes of ['layer', 'other']) {
      expect((await at.call('HEAD', `blobs/${digestOf(bytes)}`)).status).toBe(404)
    }
  })

  test.each(['', 'sha256:abc', 'md5:d41d8cd98f00b204e9800998ecf8427e'])('a digest %j is none', async (digest) => {
    await using at = await rig()
    const url = location(at.registry, await at.call('POST', 'blobs/uploads/'))
    const response = await fetch(`${url}?digest=${digest}`, { method: 'PUT', body: 'layer' })
    expect([response.status, await codes(response)]).toEqual([400, ['DIGEST_INVALID']])
    expect(at.events).toEqual(['abort'])
  })

  test('a mount of what is not held becomes an upload', async () => {
    await using at = await rig()
    const response = await at.call('POST', `blobs/uploads/?mount=${digestOf('layer')}&from=elsewhere`)
    expect(response.status).toBe(202)
    const done = await fetch(`${location(at.registry, response)}?digest=${digestOf('layer')}`, {
      method: 'PUT',
      body: 'layer',
    })
    expect(done.status).toBe(201)
  })

  test('an upload that was cancelled, or never began, is unknown', async () => {
    await using at = await rig()
    const url = location(at.registry, await at.call('POST', 'blobs/uploads/'))
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(204)
    const after = await fetch(`${url}?digest=${digestOf('layer')}`, { method: 'PUT', body: 'layer' })
    expect([after.status, await codes(after)]).toEqual([404, ['BLOB_UPLOAD_UNKNOWN']])
    expect(at.events).toEqual(['abort'])
  })

  test('an upload belongs to its repository', async () => {
    await using at = await rig()
    const url = location(at.registry, await at.call('POST', 'blobs/uploads/')).replace('/x/blobs/', '/y/blobs/')
    expect((await fetch(`${url}?digest=${digestOf('layer')}`, { method: 'PUT', body: 'layer' })).status).toBe(404)
  })

  test('a client that vanishes in the middle leaves nothing', async () => {
    await using at = await rig()
    const path = new URL(location(at.registry, await at.call('POST', 'blobs/uploads/'))).pathname
    const socket = await halfAnUpload(at.registry.host, `${path}?digest=${digestOf('half')}`, 'half')
    socket.destroy()
    await until(() => at.events.length > 0)
    expect(at.events).toEqual(['abort'])
    expect((await fetch(`http://${at.registry.host}${path}`)).status).toBe(404)
    expect((await at.call('HEAD', `blobs/${digestOf('half')}`)).status).toBe(404)
  })

  test('a second request to an upload that is being written is refused', async () => {
    await using at = await rig()
    const url = location(at.registry, await at.call('POST', 'blobs/uploads/'))
    const { pathname } = new URL(url)
    const socket = await halfAnUpload(at.registry.host, `${pathname}?digest=${digestOf('half')}`, 'half')
    const second = await fetch(url, { method: 'PATCH', body: 'mixed in' })
    expect([second.status, await codes(second)]).toEqual([400, ['BLOB_UPLOAD_INVALID']])
    socket.destroy()
  })

  test('several clients push the same blob at once', async () => {
    await using at = await rig()
    const bytes = Buffer.alloc(3 << 20, 'layer')
    const done = await Promise.all(Array.from({ length: 6 }, async () => await push(at, bytes)))
    expect(done.map(({ status }) => status)).toEqual(Array(6).fill(201))
    expect(at.finished.get(digestOf(bytes))?.equals(bytes)).toBe(true)
  })

  test('a sink that fails does not fail the upload', async () => {
    await using at = await rig({ write: () => Promise.reject(new Error('disk full')) })
    const config = Buffer.from('{"rootfs":{}}')
    expect((await push(at, config)).status).toBe(201)
    expect(at.events).toEqual(['abort'])
    expect(at.registry.document(digestOf(config))?.equals(config)).toBe(true)
    expect(at.lines.join('\n')).toContain('disk full')
  })

  test('closing ends an upload under way', async () => {
    await using at = await rig()
    const path = new URL(location(at.registry, await at.call('POST', 'blobs/uploads/'))).pathname
    await halfAnUpload(at.registry.host, `${path}?digest=${digestOf('half')}`, 'half')
    await at.registry.close()
    expect(at.events).toEqual(['abort'])
    await expect(fetch(`http://${at.registry.host}/v2/`)).rejects.toThrow()
  })
})

describe('what is served', () => {
  test('a blob that a base image brings is there, streamed from its registry, also when it is told of later', async () => {
    await using at = await rig()
    const blob = Buffer.from('a base layer')
    const digest = digestOf(blob)
    expect((await at.call('HEAD', `blobs/${digest}`)).status).toBe(404)
    at.upstream.add({
      layers: [{ digest, size: blob.length }],
      open: (_, range) => Promise.resolve(Readable.from([range ? blob.subarray(range.start, range.end + 1) : blob])),
    })
    const head = await at.call('HEAD', `blobs/${digest}`)
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '12'])
    expect(await (await at.call('GET', `blobs/${digest}`)).text()).toBe('a base layer')
    const part = await at.call('GET', `blobs/${digest}`, { headers: { range: 'bytes=2-5' } })
    expect([part.status, await part.text()]).toEqual([206, 'base'])
    expect(at.upstream.bytesProxied).toBe(16)
    expect(at.registry.refused).toEqual(new Set())
  })

  test('a base image’s registry that fails is an error to the client, and remembered', async () => {
    await using at = await rig()
    const digests = [digestOf('refused'), digestOf('broken off')] as const
    at.upstream.add({
      layers: digests.map((digest) => ({ digest, size: 100 })),
      open: (digest) => {
        if (digest === digests[0]) return Promise.reject(new Error('503'))
        const half = async function* (): AsyncGenerator<Buffer> {
          yield await Promise.resolve(Buffer.from('half'))
          throw new Error('reset')
        }
        return Promise.resolve(Readable.from(half()))
      },
    })
    expect((await at.call('GET', `blobs/${digests[0]}`)).status).toBe(500)
    await expect(at.call('GET', `blobs/${digests[1]}`).then((response) => response.text())).rejects.toThrow()
    expect(at.upstream.failed).toEqual(new Set(digests))
  })

  test('a blob that nobody has is not found, and remembered', async () => {
    await using at = await rig()
    const digest = digestOf('nowhere')
    expect((await at.call('GET', `blobs/${digest}`)).status).toBe(404)
    expect(at.registry.refused).toEqual(new Set([digest]))
  })

  test('a config can be read again, whole and in parts', async () => {
    await using at = await rig()
    const config = '{"os":"linux"}'
    const path = `blobs/${digestOf(config)}`
    await push(at, config)
    expect(await (await at.call('GET', path)).text()).toBe(config)
    const part = async (range: string): Promise<[number, string | null, string]> => {
      const response = await at.call('GET', path, { headers: { range } })
      return [response.status, response.headers.get('content-range'), await response.text()]
    }
    expect(await part('bytes=2-3')).toEqual([206, 'bytes 2-3/14', 'os'])
    expect(await part('bytes=7-')).toEqual([206, 'bytes 7-13/14', 'linux"}'])
    expect(await part('bytes=-2')).toEqual([206, 'bytes 12-13/14', '"}'])
    expect(await part('bytes=7-9999')).toEqual([206, 'bytes 7-13/14', 'linux"}'])
    expect(await part('bytes=14-')).toEqual([416, 'bytes */14', ''])
    expect(await part('bytes=0-1,4-5')).toEqual([200, null, config])
    expect(await part('bytes=9-2')).toEqual([200, null, config])
  })

  test('a JSON blob over 4 MiB is measured like any other and not kept', async () => {
    await using at = await rig()
    const large = `{"x":"${'y'.repeat(5 << 20)}"}`
    expect((await push(at, large)).status).toBe(201)
    expect(at.registry.document(digestOf(large))).toBeUndefined()
    expect(at.finished.get(digestOf(large))?.length).toBe(large.length)
  })

  test('a manifest is kept by tag and by digest, with its media type', async () => {
    await using at = await rig()
    const bytes = '{"schemaVersion":2}'
    const put = await at.call('PUT', 'manifests/latest', { body: bytes, headers: { 'content-type': MANIFEST } })
    expect([put.status, put.headers.get('docker-content-digest')]).toEqual([201, digestOf(bytes)])
    for (const reference of ['latest', digestOf(bytes)]) {
      const head = await at.call('HEAD', `manifests/${reference}`)
      expect([head.status, head.headers.get('content-length')]).toEqual([200, `${bytes.length}`])
      const got = await at.call('GET', `manifests/${reference}`)
      expect(await got.text()).toBe(bytes)
      expect(got.headers.get('content-type')).toBe(MANIFEST)
      expect(got.headers.get('docker-content-digest')).toBe(digestOf(bytes))
    }
    expect(at.registry.manifest('x', 'latest')?.digest).toBe(digestOf(bytes))
    expect(at.registry.manifest('y', 'latest')).toBeUndefined()
    const missing = await at.call('GET', 'manifests/other')
    expect([missing.status, await codes(missing)]).toEqual([404, ['MANIFEST_UNKNOWN']])
  })

  test('a tag names what was pushed last', async () => {
    await using at = await rig()
    for (const version of [1, 2]) await at.call('PUT', 'manifests/latest', { body: `{"v":${version}}` })
    expect(at.registry.manifest('x', 'latest')?.bytes.toString()).toBe('{"v":2}')
    expect((await at.call('HEAD', `manifests/${digestOf('{"v":1}')}`)).status).toBe(200)
  })

  test('a manifest under the digest of another is refused and not kept', async () => {
    await using at = await rig()
    const wrong = digestOf('something else')
    const response = await at.call('PUT', `manifests/${wrong}`, { body: '{"schemaVersion":2}' })
    expect([response.status, await codes(response)]).toEqual([400, ['DIGEST_INVALID']])
    expect((await at.call('GET', `manifests/${wrong}`)).status).toBe(404)
  })

  test('a manifest that is too large or no JSON object is refused', async () => {
    await using at = await rig()
    const large = await at.call('PUT', 'manifests/a', { body: `{"x":"${'y'.repeat(4 << 20)}"}` })
    expect(large.status).toBe(413)
    const text = await at.call('PUT', 'manifests/a', { body: 'hello' })
    expect([text.status, await codes(text)]).toEqual([400, ['MANIFEST_INVALID']])
  })

  test('nothing can be deleted', async () => {
    await using at = await rig()
    const response = await at.call('DELETE', 'manifests/latest')
    expect([response.status, await codes(response)]).toEqual([405, ['UNSUPPORTED']])
  })
})

describe('an OCI layout', () => {
  async function layout(
    at: Rig,
  ): Promise<{ readonly directory: string; readonly manifest: string; readonly blob: string }> {
    const directory = await mkdtemp(join(tmpdir(), 'stage-build-layout-'))
    const blobs = join(directory, 'layout', 'blobs', 'sha256')
    await mkdir(blobs, { recursive: true })
    const manifest = JSON.stringify({ schemaVersion: 2, config: {}, layers: [] })
    for (const bytes of [manifest, 'layer bytes', '']) await writeFile(join(blobs, digestOf(bytes).slice(7)), bytes)
    await writeFile(join(directory, 'outside'), 'private')
    await symlink(join(directory, 'outside'), join(blobs, digestOf('private').slice(7)))
    at.registry.serveLayout('x', join(directory, 'layout'))
    return { directory, manifest, blob: digestOf('layer bytes') }
  }

  test('is a repository: manifest by digest, blobs whole and in parts', async () => {
    await using at = await rig()
    const { directory, manifest, blob } = await layout(at)
    try {
      const got = await at.call('GET', `manifests/${digestOf(manifest)}`)
      expect([got.status, got.headers.get('content-type'), await got.text()]).toEqual([200, MANIFEST, manifest])
      expect(await (await at.call('GET', `blobs/${blob}`)).text()).toBe('layer bytes')
      const part = await at.call('GET', `blobs/${blob}`, { headers: { range: 'bytes=6-' } })
      expect([part.status, part.headers.get('content-range'), await part.text()]).toEqual([
        206,
        'bytes 6-10/11',
        'bytes',
      ])
      const empty = await at.call('GET', `blobs/${digestOf('')}`)
      expect([empty.status, await empty.text()]).toEqual([200, ''])
      expect((await at.call('HEAD', `blobs/${digestOf('none')}`)).status).toBe(404)
    } finally {
      await rm(directory, { recursive: true })
    }
  })

  test('gives nothing from outside of its directory', async () => {
    await using at = await rig()
    const { directory } = await layout(at)
    try {
      expect((await at.call('GET', `blobs/${digestOf('private')}`)).status).toBe(404)
      expect((await at.call('GET', `manifests/${digestOf('private')}`)).status).toBe(404)
      expect((await at.call('GET', 'blobs/sha256:..%2f..%2f..%2foutside')).status).toBe(404)
      const other = `http://${at.registry.host}/v2/${at.registry.repository('y')}/blobs/${digestOf('layer bytes')}`
      expect((await fetch(other)).status).toBe(404)
    } finally {
      await rm(directory, { recursive: true })
    }
  })
})
