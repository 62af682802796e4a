import { expect, test } from '@jest/globals'
import { createHash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Credential } from '../../src/images/docker-credentials.ts'
import { MEDIA_TYPES } from '../../src/images/manifest.ts'
import { RegistryClient } from '../../src/images/registry-client.ts'
import { answerJson, startWireServer, type WireRequest } from '../support/wire-server.ts'

const LOGIN: Credential = { kind: 'basic', username: 'me', password: 'secret' }
const INDEX = `{"schemaVersion":2, "mediaType":"${MEDIA_TYPES.ociIndex}", "manifests":[]}\n`
const DIGEST = sha(INDEX)

function sha(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}

function clientWith(credential: Credential | undefined, waits: number[] = []): RegistryClient {
  return new RegistryClient({
    env: {},
    credentials: { find: () => Promise.resolve(credential) },
    random: () => 0,
    sleep: (milliseconds) => {
      waits.push(milliseconds)
      return Promise.resolve()
    },
  })
}

/** What a healthy registry answers. */
function serve({ method, body }: WireRequest, response: ServerResponse): void {
  const written = method === 'PUT'
  response.writeHead(written ? 201 : 200, {
    'content-type': MEDIA_TYPES.ociIndex,
    'docker-content-digest': written ? sha(body) : DIGEST,
  })
  response.end(method === 'GET' ? INDEX : undefined)
}

async function retag(client: RegistryClient, host: string, tags: readonly string[]) {
  const name = `${host}/org/app`
  const manifest = await client.fetchManifest(`${name}@${DIGEST}`)
  return await Promise.all(tags.map(async (tag) => await client.writeTag(`${name}:${tag}`, manifest)))
}

test('a registry with a token service is asked for the right to push, once for all tags', async () => {
  // As distribution and Docker Hub do: a token is good for the scope that it was given for, and no further.
  const tokenOf = (scope: string): string => Buffer.from(scope).toString('base64url')
  await using server = await startWireServer((request, response) => {
    const { method, path, headers } = request
    if (path.startsWith('/token')) {
      const scope = new URL(path, 'http://x').searchParams.get('scope') ?? ''
      answerJson(response, 200, { token: tokenOf(scope), expires_in: 300 })
      return
    }
    const scope = `repository:org/app:${method === 'PUT' ? 'pull,push' : 'pull'}`
    if (headers.authorization === `Bearer ${tokenOf(scope)}`) {
      serve(request, response)
      return
    }
    const challenge = `Bearer realm="http://${headers.host ?? ''}/token",service="reg",scope="${scope}"`
    response.writeHead(401, { 'www-authenticate': challenge }).end()
  })
  const client = clientWith(LOGIN)
  expect(await retag(client, server.host, ['a', 'b', 'c'])).toEqual([DIGEST, DIGEST, DIGEST])
  const tokens = server.requests.filter(({ path }) => path.startsWith('/token'))
  expect(tokens.map(({ path }) => new URL(path, 'http://x').searchParams.get('scope'))).toEqual([
    'repository:org/app:pull',
    'repository:org/app:pull,push',
  ])
  expect(tokens.every(({ headers }) => headers.authorization?.startsWith('Basic ') === true)).toBe(true)
  const written = server.requests.filter(
    ({ method, headers }) => method === 'PUT' && headers.authorization?.startsWith('Bearer ') === true,
  )
  expect(written).toHaveLength(3)
  for (const { body, headers } of written) {
    expect([body, headers['content-type']]).toEqual([INDEX, MEDIA_TYPES.ociIndex])
    expect(headers['content-length']).toBe(String(INDEX.length))
  }
})

test('a token service that gives no right to push is told as a login that does not do', async () => {
  await using server = await startWireServer((request, response) => {
    if (request.path.startsWith('/token')) answerJson(response, 200, { token: 'pull-only' })
    else if (request.method !== 'PUT') serve(request, response)
    else {
      const realm = `http://${request.headers.host ?? ''}/token`
      const challenge = `Bearer realm="${realm}",scope="repository:org/app:pull,push",error="insufficient_scope"`
      answerJson(
        response,
        401,
        { errors: [{ code: 'UNAUTHORIZED', message: 'requested access is denied' }] },
        { 'www-authenticate': challenge },
      )
    }
  })
  await expect(retag(clientWith(LOGIN), server.host, ['a'])).rejects.toMatchObject({
    kind: 'unauthorized',
    said: 'requested access is denied',
  })
  expect(server.requests.filter(({ method }) => method === 'PUT')).toHaveLength(2)
})

test.each([
  ['a broken connection', (response: ServerResponse) => response.destroy(), [1_000]],
  ['5xx', (response: ServerResponse) => response.writeHead(502).end(), [1_000]],
  ['429 without a time', (response: ServerResponse) => response.writeHead(429).end(), [1_000]],
  ['429 with a time', (response: ServerResponse) => response.writeHead(429, { 'retry-after': '7' }).end(), [7_000]],
])('%s is tried again with the same bytes', async (_, fail, expected) => {
  let failed = false
  await using server = await startWireServer((request, response) => {
    if (request.method !== 'PUT' || failed) serve(request, response)
    else {
      failed = true
      fail(response)
    }
  })
  const waits: number[] = []
  expect(await retag(clientWith(undefined, waits), server.host, ['a'])).toEqual([DIGEST])
  expect(waits).toEqual(expected)
  expect(server.requests.filter(({ method }) => method === 'PUT').map(({ body }) => body)).toEqual([INDEX, INDEX])
})

test('a registry that does not say what it wrote is asked', async () => {
  await using server = await startWireServer((request, response) => {
    if (request.method === 'PUT') response.writeHead(201).end()
    else serve(request, response)
  })
  expect(await retag(clientWith(undefined), server.host, ['a'])).toEqual([DIGEST])
  expect(server.requests.at(-1)).toMatchObject({ method: 'HEAD', path: '/v2/org/app/manifests/a' })
})

test('what is not the manifest of its digest is not written anywhere', async () => {
  await using server = await startWireServer((_, response) => {
    response.writeHead(200, { 'content-type': MEDIA_TYPES.ociIndex, 'docker-content-digest': DIGEST }).end(`${INDEX} `)
  })
  await expect(retag(clientWith(undefined), server.host, ['a'])).rejects.toThrow('not the one of its digest')
  expect(server.requests.map(({ method }) => method)).toEqual(['GET'])
})
