import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { createHash } from 'node:crypto'
import { truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { MEDIA_TYPES } from '../../src/images/manifest.ts'
import { RegistryClient } from '../../src/images/registry-client.ts'
import { runProcess } from '../../src/process.ts'
import { pushBlob, pushManifest, startRegistry, type TestRegistry } from '../support/registry.ts'

const CONFIG = Buffer.from(
  '{"os":"linux","architecture":"amd64","config":{"OnBuild":["RUN x"]},"rootfs":{"diff_ids":[]}}',
)
const LAYER = Buffer.alloc(3_000_000, 'layer')
const repository = 'org/app'

let registry: TestRegistry
let config: string
let layer: string
let manifest: string

beforeAll(async () => {
  registry = await startRegistry({ auth: true })
  config = await pushBlob(registry, repository, CONFIG)
  layer = await pushBlob(registry, repository, LAYER)
  const image = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.dockerManifest,
    config: { mediaType: 'application/vnd.docker.container.image.v1+json', digest: config, size: CONFIG.length },
    layers: [{ mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip', digest: layer, size: LAYER.length }],
  }
  manifest = await pushManifest(registry, repository, { reference: 'one', manifest: image })
  const list = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.dockerList,
    manifests: [
      {
        mediaType: MEDIA_TYPES.dockerManifest,
        digest: manifest,
        size: JSON.stringify(image).length,
        platform: { os: 'linux', architecture: 'arm', variant: 'v6' },
      },
    ],
  }
  await pushManifest(registry, repository, { reference: 'many', manifest: list })
})

afterAll(async () => {
  await registry.stop()
})

function clientFor(password?: string): RegistryClient {
  const credential =
    password === undefined ? undefined : { kind: 'basic' as const, username: registry.username, password }
  return new RegistryClient({ env: {}, credentials: { find: () => Promise.resolve(credential) } })
}

describe('the distribution registry with a login', () => {
  test('gives an image, its config and its layers', async () => {
    const client = clientFor(registry.password)
    const image = `${registry.host}/${repository}:many`
    const resolved = await client.resolveImage(image, { platform: 'linux/arm/v7' })
    expect(resolved).toMatchObject({
      manifestDigest: manifest,
      configDigest: config,
      mediaType: MEDIA_TYPES.dockerList,
      platforms: ['linux/arm/v6'],
      layers: [{ digest: layer, size: LAYER.length }],
    })
    expect(await client.resolveDigest(image)).toBe(resolved.digest)
    expect(await client.fetchConfig(image, config)).toMatchObject({ onBuild: ['RUN x'] })
    expect(await client.headBlob(image, layer)).toEqual({ size: LAYER.length })
    expect(await client.headBlob(image, `sha256:${'0'.repeat(64)}`)).toBeUndefined()
    client.close()
  })

  test('streams a blob, whole and in parts', async () => {
    const client = clientFor(registry.password)
    const image = `${registry.host}/${repository}`
    const whole = await client.openBlob(image, layer)
    const hash = createHash('sha256')
    let size = 0
    for await (const chunk of whole.stream) {
      hash.update(chunk as Buffer)
      size += (chunk as Buffer).length
    }
    expect([`sha256:${hash.digest('hex')}`, size, whole.size]).toEqual([layer, LAYER.length, LAYER.length])

    const part = await client.openBlob(image, layer, { range: { start: 1_000_001, end: 1_000_010 } })
    expect(part.size).toBe(10)
    const chunks: Buffer[] = []
    for await (const chunk of part.stream) chunks.push(chunk as Buffer)
    expect(Buffer.concat(chunks).equals(LAYER.subarray(1_000_001, 1_000_011))).toBe(true)
    client.close()
  })

  test('refuses without a login and with a wrong one, in different words', async () => {
    const image = `${registry.host}/${repository}:one`
    await expect(clientFor().resolveDigest(image)).rejects.toMatchObject({
      kind: 'unauthorized',
      mend: expect.stringContaining('log in first with docker/login-action'),
    })
    await expect(clientFor('wrong').resolveDigest(image)).rejects.toMatchObject({
      kind: 'unauthorized',
      mend: expect.stringContaining('Log in again'),
    })
  })

  test('has no such tag', async () => {
    const resolving = clientFor(registry.password).fetchManifest(`${registry.host}/${repository}:none`)
    await expect(resolving).rejects.toMatchObject({ kind: 'not-found' })
  })
})

test('a blob that is damaged on the registry ends its stream with an error', async () => {
  await using own = await startRegistry()
  const digest = await pushBlob(own, repository, LAYER)
  const hex = digest.slice('sha256:'.length)
  await truncate(join(own.directory, 'data/docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data'), 1000)
  const client = new RegistryClient({ env: {}, credentials: { find: () => Promise.resolve(undefined) } })
  const { stream } = await client.openBlob(`${own.host}/${repository}`, digest)
  await expect(stream.toArray()).rejects.toMatchObject({ kind: 'bad-answer' })
  client.close()
})

test('what we resolve is what docker resolves', async () => {
  const host = process.env['STAGE_BUILD_REGISTRY'] ?? ''
  const image = `${host}/library/alpine:latest`
  const client = new RegistryClient({ env: {}, credentials: { find: () => Promise.resolve(undefined) } })
  const seen = await runProcess('docker', ['buildx', 'imagetools', 'inspect', '--format', '{{json .Manifest}}', image])
  expect(seen).toMatchObject({ code: 0 })
  const resolved = await client.resolveImage(image, { platform: 'linux/amd64' })
  expect(JSON.parse(seen.stdout)).toMatchObject({ digest: resolved.digest })
  const config = await client.fetchConfig(image, resolved.configDigest)
  expect(config.diffIds).toHaveLength(resolved.layers.length)
  client.close()
})
