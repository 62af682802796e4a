import { describe, expect, test } from '@jest/globals'
import { createHash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Credential } from '../../src/images/docker-credentials.ts'
import { MEDIA_TYPES } from '../../src/images/manifest.ts'
import { RegistryClient } from '../../src/images/registry-client.ts'
import { RegistryError } from '../../src/images/registry-error.ts'
import { answerJson, startWireServer, type WireRequest, type WireServer } from '../support/wire-server.ts'

const CONFIG = Buffer.from(
  JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    config: { OnBuild: ['COPY . /app'], Env: ['A=1'] },
    rootfs: { type: 'layers', diff_ids: [sha('layer')] },
    history: [{ created_by: 'COPY x', empty_layer: false }],
  }),
)
const LAYER = Buffer.from('layer bytes '.repeat(10_000))
const MANIFEST = manifest(CONFIG, LAYER)
const ARM_MANIFEST = manifest(Buffer.from('{"os":"linux","architecture":"arm64"}'), LAYER)
const INDEX = JSON.stringify({
  schemaVersion: 2,
  mediaType: MEDIA_TYPES.ociIndex,
  manifests: [
    { ...descriptor(ARM_MANIFEST), platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } },
    { ...descriptor(MANIFEST), platform: { os: 'linux', architecture: 'amd64' } },
    {
      ...descriptor('{}'),
      platform: { os: 'unknown', architecture: 'unknown' },
      annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
    },
  ],
})

const BLOBS = new Map([
  [sha(CONFIG), CONFIG],
  [sha(LAYER), LAYER],
])
const MANIFESTS = new Map([
  ['latest', INDEX],
  ['single', MANIFEST],
  ...[INDEX, MANIFEST, ARM_MANIFEST].map((text) => [sha(text), text] as const),
])

function sha(bytes: Buffer | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

function descriptor(bytes: Buffer | string, mediaType: string = MEDIA_TYPES.ociManifest) {
  return { mediaType, digest: sha(bytes), size: Buffer.byteLength(bytes) }
}

function manifest(config: Buffer, layer: Buffer): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: descriptor(config, 'application/vnd.oci.image.config.v1+json'),
    layers: [descriptor(layer, 'application/vnd.oci.image.layer.v1.tar+gzip')],
  })
}

/** What a healthy registry answers. */
function serve({ method, path }: WireRequest, response: ServerResponse): void {
  const [, kind = '', name = ''] = /^\/v2\/org\/app\/(manifests|blobs)\/(.+)$/.exec(path) ?? []
  const text = kind === 'manifests' ? MANIFESTS.get(name) : undefined
  const bytes = text === undefined ? BLOBS.get(name) : Buffer.from(text)
  if (bytes === undefined) {
    answerJson(response, 404, { errors: [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }] })
    return
  }
  const mediaType = (JSON.parse(text ?? '{}') as { mediaType?: string }).mediaType ?? 'application/octet-stream'
  response.writeHead(200, {
    'content-type': mediaType,
    'content-length': bytes.length,
    ...(text === undefined ? {} : { 'docker-content-digest': sha(bytes) }),
  })
  response.end(method === 'HEAD' ? undefined : bytes)
}

interface Setup {
  readonly client: RegistryClient
  readonly waits: number[]
  readonly lines: string[]
  now: number
}

function setUp(credential?: Credential): Setup {
  const setup = { waits: [] as number[], lines: [] as string[], now: 1_000_000 }
  const client = new RegistryClient({
    env: {},
    credentials: { find: () => Promise.resolve(credential) },
    now: () => setup.now,
    random: () => 0,
    onRetry: (line) => setup.lines.push(line),
    sleep: (milliseconds) => {
      setup.waits.push(milliseconds)
      return Promise.resolve()
    },
  })
  return Object.assign(setup, { client })
}

async function failure(promise: Promise<unknown>): Promise<RegistryError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(RegistryError)
  return error as RegistryError
}

async function bytesOf(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

describe('a healthy registry', () => {
  test('an index is resolved to the image of a platform', async () => {
    await using server = await startWireServer(serve)
    const { client } = setUp()
    expect(await client.resolveImage(`${server.host}/org/app`, { platform: 'linux/amd64' })).toEqual({
      digest: sha(INDEX),
      mediaType: MEDIA_TYPES.ociIndex,
      manifestDigest: sha(MANIFEST),
      configDigest: sha(CONFIG),
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: sha(LAYER), size: LAYER.length }],
      platforms: ['linux/arm64', 'linux/amd64'],
    })
    const arm = await client.resolveImage(`${server.host}/org/app`, { platform: 'linux/arm64' })
    expect(arm.manifestDigest).toBe(sha(ARM_MANIFEST))
    expect(server.requests[0]?.headers.accept).toContain(MEDIA_TYPES.dockerList)
  })

  test('a platform that is not there is told with those that are', async () => {
    await using server = await startWireServer(serve)
    const error = await failure(setUp().client.resolveImage(`${server.host}/org/app`, { platform: 'linux/s390x' }))
    expect(error).toMatchObject({ kind: 'not-found', message: expect.stringContaining('has no image for linux/s390x') })
    expect(error.mend).toContain('linux/arm64, linux/amd64')
  })

  test('the digest of a name costs one HEAD request', async () => {
    await using server = await startWireServer(serve)
    expect(await setUp().client.resolveDigest(`${server.host}/org/app:single`)).toBe(sha(MANIFEST))
    expect(server.requests.map(({ method }) => method)).toEqual(['HEAD'])
  })

  test('the digest is that of the body where HEAD is refused or names none', async () => {
    await using server = await startWireServer((request, response) => {
      if (request.method === 'HEAD') response.writeHead(405).end()
      else response.writeHead(200, { 'content-type': 'application/json' }).end(MANIFEST)
    })
    expect(await setUp().client.resolveDigest(`${server.host}/org/app:single`)).toBe(sha(MANIFEST))
    expect(await setUp().client.fetchManifest(`${server.host}/org/app:single`)).toMatchObject({
      manifest: { kind: 'image', mediaType: MEDIA_TYPES.ociManifest },
    })
  })

  test('a manifest is looked for by HEAD, also under its digest, and its absence is no error', async () => {
    await using server = await startWireServer(serve)
    const { client } = setUp()
    const image = `${server.host}/org/app`
    expect(await client.findDigest(image)).toBe(sha(INDEX))
    expect(await client.findDigest(`${image}:none`)).toBeUndefined()
    expect(await client.findDigest(`${image}@${sha('none')}`)).toBeUndefined()
    expect(await client.hasManifest(`${image}:none`, sha(ARM_MANIFEST))).toBe(true)
    expect(await client.hasManifest(image, sha('none'))).toBe(false)
    expect(new Set(server.requests.map(({ method }) => method))).toEqual(new Set(['HEAD']))
    await expect(client.hasManifest(image, 'sha256:short')).rejects.toThrow('invalid digest format')
  })

  test('the absence of a manifest is no error where HEAD is refused, and a refusal is no absence', async () => {
    let status = 405
    await using server = await startWireServer((request, response) => {
      if (request.method === 'HEAD' || status !== 405) response.writeHead(status).end()
      else serve(request, response)
    })
    const { client } = setUp()
    const image = `${server.host}/org/app`
    expect(await client.findDigest(`${image}:none`)).toBeUndefined()
    expect(await client.hasManifest(image, sha(MANIFEST))).toBe(true)
    status = 403
    expect(await failure(client.hasManifest(image, sha(MANIFEST)))).toMatchObject({ kind: 'denied' })
  })

  test('a config gives its triggers, layers and platform', async () => {
    await using server = await startWireServer(serve)
    expect(await setUp().client.fetchConfig(`${server.host}/org/app`, sha(CONFIG))).toMatchObject({
      platform: { os: 'linux', architecture: 'amd64' },
      onBuild: ['COPY . /app'],
      diffIds: [sha('layer')],
      history: [{ createdBy: 'COPY x', emptyLayer: false }],
    })
  })

  test('a blob is streamed, and looked up without its bytes', async () => {
    await using server = await startWireServer(serve)
    const { client } = setUp()
    const { stream, size } = await client.openBlob(`${server.host}/org/app`, sha(LAYER))
    expect(size).toBe(LAYER.length)
    expect((await bytesOf(stream)).equals(LAYER)).toBe(true)
    expect(await client.headBlob(`${server.host}/org/app`, sha(LAYER))).toEqual({ size: LAYER.length })
    expect(await client.headBlob(`${server.host}/org/app`, sha('none'))).toBeUndefined()
  })

  test('a part of a blob is cut from a registry that sends the whole', async () => {
    await using server = await startWireServer(serve)
    const range = { start: 0, end: 9 }
    const { stream, size } = await setUp().client.openBlob(`${server.host}/org/app`, sha(LAYER), { range })
    expect(size).toBe(10)
    expect((await bytesOf(stream)).equals(LAYER.subarray(0, 10))).toBe(true)
    expect(server.requests[0]?.headers.range).toBe('bytes=0-9')
  })
})

describe('logins', () => {
  /** Asks for a token of its own token server, and takes the tokens that it gave. */
  async function startTokenRegistry(expiresIn: number): Promise<WireServer> {
    let given = 0
    return await startWireServer((request, response) => {
      if (request.path.startsWith('/token')) {
        answerJson(response, 200, { token: `token-${++given}`, expires_in: expiresIn })
      } else if (request.headers.authorization === `Bearer token-${given}`) {
        serve(request, response)
      } else {
        const realm = `http://${request.headers.host ?? ''}/token`
        response.writeHead(401, {
          'www-authenticate': `Bearer realm="${realm}",service="the \\"service\\"",scope="repository:org/app:pull"`,
        })
        response.end()
      }
    })
  }

  test('a token is fetched with name and password once, and used until it expires', async () => {
    await using server = await startTokenRegistry(300)
    const setup = setUp({ kind: 'basic', username: 'me', password: 'p:ss' })
    const image = `${server.host}/org/app`
    await setup.client.resolveDigest(image)
    await setup.client.resolveImage(image, { platform: 'linux/amd64' })
    const asked = server.requests.filter(({ path }) => path.startsWith('/token'))
    expect(asked).toHaveLength(1)
    expect(asked[0]?.headers.authorization).toBe(`Basic ${Buffer.from('me:p:ss').toString('base64')}`)
    const query = new URL(asked[0]?.path ?? '', 'http://x').searchParams
    expect(Object.fromEntries(query)).toEqual({ service: 'the "service"', scope: 'repository:org/app:pull' })

    setup.now += 299_000
    await setup.client.resolveDigest(image)
    expect(server.requests.filter(({ path }) => path.startsWith('/token'))).toHaveLength(2)
  })

  test('several requests at once wait for one token', async () => {
    await using server = await startTokenRegistry(300)
    const { client } = setUp()
    await Promise.all([1, 2, 3, 4].map(() => client.resolveDigest(`${server.host}/org/app`)))
    expect(server.requests.filter(({ path }) => path.startsWith('/token'))).toHaveLength(1)
  })

  test('an identity token is exchanged by POST', async () => {
    await using server = await startTokenRegistry(300)
    const { client } = setUp({ kind: 'identity-token', token: 'refresh-me' })
    await client.resolveDigest(`${server.host}/org/app`)
    const asked = server.requests.find(({ path }) => path.startsWith('/token'))
    expect(asked?.method).toBe('POST')
    expect(Object.fromEntries(new URLSearchParams(asked?.body))).toMatchObject({
      grant_type: 'refresh_token',
      refresh_token: 'refresh-me',
      scope: 'repository:org/app:pull',
    })
  })

  test('a token that is no longer taken is fetched anew', async () => {
    let broken = false
    await using server = await startWireServer((request, response) => {
      if (request.path.startsWith('/token')) answerJson(response, 200, { access_token: broken ? 'new' : 'old' })
      else if (request.headers.authorization === `Bearer ${broken ? 'new' : 'old'}`) serve(request, response)
      else
        response
          .writeHead(401, { 'www-authenticate': `bearer realm="http://${request.headers.host ?? ''}/token"` })
          .end()
    })
    const { client } = setUp()
    await client.resolveDigest(`${server.host}/org/app`)
    broken = true
    expect(await client.resolveDigest(`${server.host}/org/app`)).toBe(sha(INDEX))
  })

  test.each([
    [401, 'unauthorized'],
    [403, 'denied'],
  ])('a login that the token server refuses (%d) is told without the secret', async (status, kind) => {
    await using server = await startWireServer((request, response) => {
      if (request.path.startsWith('/token')) answerJson(response, status, { details: 'bad password hunter2' })
      else
        response
          .writeHead(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host ?? ''}/token"` })
          .end()
    })
    const { client } = setUp({ kind: 'basic', username: 'me', password: 'hunter2' })
    const error = await failure(client.resolveDigest(`${server.host}/org/app:1`))
    expect(error).toMatchObject({ kind, status })
    expect(`${error.message} ${error.mend} ${error.stack ?? ''}`).not.toContain('hunter2')
    expect(error.message).toContain(server.host)
  })

  test('without a login the user is told to log in first, with the host', async () => {
    await using server = await startWireServer((_, response) => {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
    })
    const error = await failure(setUp().client.resolveDigest(`${server.host}/org/app:1`))
    expect(error.kind).toBe('unauthorized')
    expect(error.mend).toBe(
      `Check the name; for a private image, log in first with docker/login-action (registry: ${server.host}).`,
    )
  })

  test('a login is never sent to a token server without TLS elsewhere', async () => {
    await using server = await startWireServer((_, response) => {
      response.writeHead(401, { 'www-authenticate': 'Bearer realm="http://tokens.example/get"' }).end()
    })
    const { client } = setUp({ kind: 'basic', username: 'me', password: 'hunter2' })
    const error = await failure(client.resolveDigest(`${server.host}/org/app:1`))
    expect(error).toMatchObject({ kind: 'bad-answer', message: expect.stringContaining('which is not safe') })
  })
})

describe('redirects', () => {
  test('of blobs to another host leave the login behind', async () => {
    await using storage = await startWireServer((_, response) => {
      response.writeHead(200).end(LAYER)
    })
    await using server = await startWireServer((request, response) => {
      if (request.headers.authorization === undefined) {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
      } else response.writeHead(307, { location: `http://${storage.host}/signed?key=1` }).end('moved')
    })
    const { client } = setUp({ kind: 'basic', username: 'me', password: 'p' })
    const { stream } = await client.openBlob(`${server.host}/org/app`, sha(LAYER))
    expect((await bytesOf(stream)).equals(LAYER)).toBe(true)
    expect(storage.requests.map(({ headers }) => headers.authorization)).toEqual([undefined])
  })

  test('to another host that asks for a login get none', async () => {
    await using storage = await startWireServer((request, response) => {
      response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host ?? ''}/token"` }).end()
    })
    await using server = await startWireServer((_, response) => {
      response.writeHead(307, { location: `http://${storage.host}/blob` }).end()
    })
    const { client } = setUp({ kind: 'basic', username: 'me', password: 'p' })
    const error = await failure(client.openBlob(`${server.host}/org/app`, sha(LAYER)))
    expect(error.kind).toBe('unauthorized')
    expect(storage.requests.map(({ path }) => path)).toEqual(['/blob'])
  })

  test('to the same host keep it, and a circle ends', async () => {
    await using server = await startWireServer((request, response) => {
      if (request.path.includes('latest')) response.writeHead(302, { location: '/v2/org/app/manifests/single' }).end()
      else if (request.path.includes('round')) response.writeHead(302, { location: request.path }).end()
      else serve(request, response)
    })
    const { client } = setUp()
    expect(await client.resolveDigest(`${server.host}/org/app:latest`)).toBe(sha(MANIFEST))
    const error = await failure(client.resolveDigest(`${server.host}/org/app:round`))
    expect(error).toMatchObject({ kind: 'bad-answer', message: expect.stringContaining('redirects more than') })
  })

  test.each(['http://169.254.169.254/latest', 'file:///etc/passwd', 'ftp://x/y'])(
    'to %s are refused',
    async (location) => {
      await using server = await startWireServer((_, response) => {
        response.writeHead(307, { location }).end()
      })
      const error = await failure(setUp().client.openBlob(`${server.host}/org/app`, sha(LAYER)))
      expect(error).toMatchObject({ kind: 'bad-answer', message: expect.stringContaining('which is not safe') })
    },
  )
})

describe('failures', () => {
  test('an image that is not there is told with the registry and its words, made harmless', async () => {
    await using server = await startWireServer((_, response) => {
      answerJson(response, 404, { errors: [{ code: 'X', message: 'no\n::error::such \u001b[31mimage' }] })
    })
    const error = await failure(setUp().client.fetchManifest(`${server.host}/org/app:2`))
    expect(error).toMatchObject({ kind: 'not-found', status: 404 })
    expect(error.message).toBe(
      `${server.host}/org/app:2 was not found in ${server.host}. It said: no ::error::such [31mimage`,
    )
  })

  test('a passing failure is tried again, three times in all', async () => {
    let left = 2
    await using server = await startWireServer((request, response) => {
      if (left-- > 0) response.writeHead(503).end()
      else serve(request, response)
    })
    const { client, waits, lines } = setUp()
    expect(await client.resolveDigest(`${server.host}/org/app`)).toBe(sha(INDEX))
    expect(waits).toEqual([1000, 2000])
    expect(lines).toEqual([
      `↻ ${server.host}/org/app:latest: retry 1 of 2 in 1.0 s: ${server.host} answered 503`,
      `↻ ${server.host}/org/app:latest: retry 2 of 2 in 2.0 s: ${server.host} answered 503`,
    ])
    left = 100
    expect(await failure(client.resolveDigest(`${server.host}/org/app`))).toMatchObject({ kind: 'server', status: 503 })
    expect(server.requests).toHaveLength(6)
    // It is known to be down: the next one does not wait for it.
    await failure(client.resolveDigest(`${server.host}/org/app`))
    expect(server.requests).toHaveLength(7)
    left = 0
    await client.resolveDigest(`${server.host}/org/app`)
    left = 1
    await client.resolveDigest(`${server.host}/org/app`)
    expect(waits).toHaveLength(5)
  })

  test('a connection that breaks is tried again', async () => {
    let first = true
    await using server = await startWireServer((request, response) => {
      if (first) response.socket?.destroy()
      else serve(request, response)
      first = false
    })
    expect(await setUp().client.resolveDigest(`${server.host}/org/app`)).toBe(sha(INDEX))
  })

  test('a rate limit is waited for when the registry asks for a short time, and told when it is long', async () => {
    let retryAfter: string | undefined = '3'
    let limited = 1
    await using server = await startWireServer((request, response) => {
      if (limited-- <= 0) serve(request, response)
      else answerJson(response, 429, { errors: [] }, retryAfter === undefined ? {} : { 'retry-after': retryAfter })
    })
    const { client, waits } = setUp()
    expect(await client.resolveDigest(`${server.host}/org/app`)).toBe(sha(INDEX))
    expect(waits).toEqual([3000])

    limited = 1
    retryAfter = new Date(1_000_000 + 3_600_000).toUTCString()
    const error = await failure(client.resolveDigest(`${server.host}/org/app`))
    expect(error).toMatchObject({ kind: 'rate-limited', status: 429, retryAfter: 3600 })
    expect(error.mend).toContain('external-images')

    expect(waits).toEqual([3000])
    expect(await client.retryAfter(`${server.host}/org/app`)).toBeUndefined()
    limited = 1
    retryAfter = '50'
    expect(await client.retryAfter(`${server.host}/org/app`)).toBe(50)
    expect([limited, waits]).toEqual([0, [3000]])

    const another = setUp()
    limited = 1
    retryAfter = undefined
    expect(await another.client.resolveDigest(`${server.host}/org/app`)).toBe(sha(INDEX))
    expect(another.waits).toEqual([1000])
  })

  test('a registry that is not there is unreachable, at once', async () => {
    const { client, waits } = setUp()
    const error = await failure(client.resolveDigest('127.0.0.1:1/org/app'))
    expect(error).toMatchObject({
      kind: 'unreachable',
      message: '127.0.0.1:1 could not be reached for 127.0.0.1:1/org/app:latest: ECONNREFUSED.',
    })
    expect(waits).toEqual([])
  })

  test('a silent registry is given up', async () => {
    await using server = await startWireServer(() => undefined)
    const client = new RegistryClient({
      env: {},
      credentials: { find: () => Promise.resolve(undefined) },
      timeouts: { connect: 50, total: 50, idle: 50 },
      sleep: () => Promise.resolve(),
    })
    expect(await failure(client.resolveDigest(`${server.host}/org/app`))).toMatchObject({ kind: 'unreachable' })
    expect(server.requests).toHaveLength(3)
  })

  test('an abort ends a request with its reason', async () => {
    const controller = new AbortController()
    await using server = await startWireServer(() => {
      controller.abort(new Error('enough'))
    })
    const signal = controller.signal
    await expect(setUp().client.resolveDigest(`${server.host}/org/app`, { signal })).rejects.toThrow('enough')
  })

  test.each([
    [
      'other bytes than the digest',
      () => Buffer.from(MANIFEST.replace('"size"', ' "size"')),
      'is not the one of its digest',
    ],
    ['HTML', () => Buffer.from('<html>'), 'is not the one of its digest'],
    ['too much', () => Buffer.alloc((4 << 20) + 1), 'larger than 4194304 bytes'],
  ])('a manifest of %s is refused', async (_, body, message) => {
    await using server = await startWireServer((_request, response) => {
      response.writeHead(200, { 'content-type': MEDIA_TYPES.ociManifest }).end(body())
    })
    const error = await failure(setUp().client.fetchManifest(`${server.host}/org/app@${sha(MANIFEST)}`))
    expect(error).toMatchObject({ kind: 'bad-answer', message: expect.stringContaining(message) })
  })

  test.each([
    ['<html>', 'is not a JSON object'],
    ['{"schemaVersion":1}', 'obsolete'],
    ['{"schemaVersion":2,"config":{"digest":"sha256:../../x","size":1}}', 'invalid digest'],
    ['{"schemaVersion":2,"config":{"digest":"' + sha('') + '","size":-1}}', 'invalid size'],
  ])('a manifest %s is refused with a reason', async (body, message) => {
    await using server = await startWireServer((_, response) => {
      response.writeHead(200).end(body)
    })
    const error = await failure(setUp().client.fetchManifest(`${server.host}/org/app:1`))
    expect(error).toMatchObject({ kind: 'bad-answer', message: expect.stringContaining(message) })
  })

  test.each([
    ['other bytes', (response: ServerResponse) => response.writeHead(200).end('other'), 'bad-answer'],
    [
      'a body that ends too early',
      (response: ServerResponse) => {
        response.writeHead(200, { 'content-length': LAYER.length })
        response.write(LAYER.subarray(0, 1000), () => response.socket?.destroy())
      },
      'unreachable',
    ],
  ])('a blob of %s ends its stream with an error', async (_, act, kind) => {
    await using server = await startWireServer((_request, response) => {
      act(response)
    })
    const { stream } = await setUp().client.openBlob(`${server.host}/org/app`, sha(LAYER))
    expect(await failure(bytesOf(stream))).toMatchObject({ kind })
  })

  test('a stream that is left early closes its connection', async () => {
    let closed: (() => void) | undefined
    const seen = new Promise<void>((resolve) => (closed = resolve))
    await using server = await startWireServer((_, response) => {
      response.on('close', () => closed?.())
      response.writeHead(200)
      response.write(LAYER)
    })
    const { stream } = await setUp().client.openBlob(`${server.host}/org/app`, sha(LAYER))
    stream.destroy()
    await seen
  })

  test('a digest that is none never reaches an address', async () => {
    const { client } = setUp()
    await expect(client.openBlob('127.0.0.1:1/org/app', 'sha256:../../../etc/passwd')).rejects.toThrow(TypeError)
    await expect(client.headBlob('127.0.0.1:1/org/app', 'x')).rejects.toThrow(TypeError)
  })
})

test('requests go through the proxy of the environment, loopback does not', async () => {
  await using proxy = await startWireServer((_, response) => {
    response.writeHead(502).end()
  })
  await using server = await startWireServer(serve)
  const client = new RegistryClient({
    env: { HTTPS_PROXY: `http://${proxy.host}`, HTTP_PROXY: `http://${proxy.host}` },
    credentials: { find: () => Promise.resolve(undefined) },
    sleep: () => Promise.resolve(),
  })
  expect(await client.resolveDigest(`${server.host}/org/app`)).toBe(sha(INDEX))
  expect(proxy.requests).toHaveLength(0)
  expect(await failure(client.resolveDigest('registry.example/org/app'))).toMatchObject({ kind: 'unreachable' })
})
