/** What a registry has after a build: labels, annotations, attestations, compression, platforms, caches; and logins. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { readFile, readdir } from 'node:fs/promises'
import { docker, workspace } from '../support/engine.ts'
import { published, type Descriptor } from '../support/published.ts'
import { basicAuth, startRegistry, type TestRegistry } from '../support/registry.ts'
import { builds, forgetImages, fresh, step } from '../support/step.ts'

let registry: TestRegistry
let guarded: TestRegistry
beforeAll(async () => {
  ;[registry, guarded] = await Promise.all([startRegistry(), startRegistry({ auth: true })])
})
afterAll(async () => {
  await Promise.all(
    [registry, guarded].map(async ({ host }) => {
      await forgetImages(host)
    }),
  )
  await Promise.all([registry.stop(), guarded.stop()])
})

const repository = (): string => `${registry.host}/${fresh()}`
const FILES = { Dockerfile: 'FROM scratch\nLABEL own=1 both=dockerfile\nCOPY one /\n', one: '1' }
const types = (layers: readonly Descriptor[]): readonly string[] => layers.map((layer) => layer.mediaType)

test('labels and annotations are on the image, `${…}` as written; provenance is min by default', async () => {
  await using space = await workspace(FILES)
  const tag = `${repository()}:1`
  const inputs = {
    labels: 'both=input\norg.example.text=a, "b" = ${c} %{d}\n"org.example.csv=1,2"',
    annotations: 'org.example.plain=m, n\nindex,manifest:org.example.both=${x}\nindex:org.example.index=i',
    tags: tag,
    push: 'true',
  }
  await builds(space, { inputs })
  const image = await published(tag)
  const [manifest] = image.manifests
  expect(manifest?.config.config?.Labels).toEqual({
    own: '1',
    both: 'input',
    'org.example.text': 'a, "b" = ${c} %{d}',
    'org.example.csv': '1,2',
  })
  expect(manifest?.annotations).toEqual({ 'org.example.plain': 'm, n', 'org.example.both': '${x}' })
  expect(image.annotations).toEqual({ 'org.example.both': '${x}', 'org.example.index': 'i' })
  expect(image.attestations).toEqual(['https://slsa.dev/provenance/v0.2'])
})

test('provenance: false leaves a plain manifest, mode=max the whole source; `attests` is the same by another name', async () => {
  await using space = await workspace({ ...FILES, Dockerfile: `${FILES.Dockerfile}# ${fresh()}\n` })
  const repo = repository()
  const common = { push: 'true' }
  await builds(space, { inputs: { ...common, tags: `${repo}:none`, provenance: 'false' } })
  await builds(space, { inputs: { ...common, tags: `${repo}:max`, provenance: 'mode=max' } })
  await builds(space, { inputs: { ...common, tags: `${repo}:attests`, attests: 'type=provenance,mode=max' } })
  const [none, max, attests] = await Promise.all(
    ['none', 'max', 'attests'].map(async (tag) => await published(`${repo}:${tag}`)),
  )
  expect(none?.manifests[0]?.digest).toBe(none?.digest)
  expect(none?.attestations).toEqual([])
  for (const image of [max, attests]) expect(image?.attestations).toEqual(['https://slsa.dev/provenance/v0.2'])
  const statements = await Promise.all([`${repo}:max`, `${repo}:attests`].map(attestationText))
  for (const text of statements) expect(text).toContain('dockerfile.v0')
  for (const text of statements) expect(text).toContain('llbDefinition')
})

/** The first attestation as text. */
async function attestationText(reference: string): Promise<string> {
  return await docker('buildx', 'imagetools', 'inspect', reference, '--format', '{{json .Provenance}}')
}

describe('a registry that asks for a login', () => {
  test('is pushed to with the login of the docker configuration, and read for base images', async () => {
    const auth = Buffer.from(`${guarded.username}:${guarded.password}`).toString('base64')
    await using space = await workspace({
      ...FILES,
      'docker/config.json': JSON.stringify({ auths: { [guarded.host]: { auth } } }),
    })
    const env = { DOCKER_CONFIG: space.path('docker') }
    const tag = `${guarded.host}/private/${fresh()}:1`
    const built = await builds(space, { inputs: { tags: tag, push: 'true' }, env })
    const image = await published(tag, basicAuth(guarded))
    expect(built.outputs['digest']).toBe(image.digest)

    await space.write({ Dockerfile: `FROM ${tag}\nCOPY one /again\n` })
    const based = await builds(space, { env })
    expect(based.outputs['plan']).toContain(image.digest)
    expect(based.warnings).toEqual([])
    expect(based.images['default']?.sizes['linux/amd64']?.unpacked).toEqual({ total: 2, own: 1, inherited: 1 })
    for (const text of [built.stdout, based.stdout]) expect(text).not.toContain(auth)
  })

  test('refuses one without: a single error names registry and login-action', async () => {
    await using space = await workspace(FILES)
    const tag = `${guarded.host}/private/${fresh()}:1`
    const { code, errors } = await step(space, { inputs: { tags: tag, push: 'true' } })
    expect(code).toBe(1)
    expect(errors).toEqual([expect.stringMatching(/login/)])
    expect(errors[0]).toContain(guarded.host)
  })
})

test('compression shapes what is pushed, and only our own layers', async () => {
  await using space = await workspace({ Dockerfile: 'FROM alpine:3.22\nCOPY one /\n', one: fresh() })
  const repo = repository()
  const wanted = { zstd: 'tar+zstd', uncompressed: 'tar', gzip: 'tar+gzip' }
  for (const [compression, suffix] of Object.entries(wanted)) {
    await space.write({ one: `${compression} ${fresh()}` })
    const built = await builds(space, { inputs: { compression, tags: `${repo}:${compression}`, push: 'true' } })
    const [manifest] = (await published(`${repo}:${compression}`)).manifests
    expect(types(manifest?.layers ?? []).at(-1)).toBe(`application/vnd.oci.image.layer.v1.${suffix}`)
    const { transfer, unpacked } = built.images['default']?.sizes['linux/amd64'] ?? {}
    expect(transfer?.own).toBe(manifest?.layers.at(-1)?.size)
    expect(transfer?.total).toBe(manifest?.layers.reduce((sum, { size }) => sum + size, 0))
    expect(unpacked?.own).toBe((await readFile(space.path('one'))).length)
  }
})

test('platforms: an index of both, each measured; a single one is named where it is not the machine’s', async () => {
  await using space = await workspace({
    Dockerfile: 'FROM alpine:3.22\nARG TARGETARCH\nCOPY ${TARGETARCH} /arch\n',
    amd64: 'a',
    arm64: 'arm',
  })
  const repo = repository()
  const inputs = { platforms: 'linux/amd64\nlinux/arm64', tags: `${repo}:both`, push: 'true' }
  const both = await builds(space, { inputs })
  const image = await published(`${repo}:both`)
  expect(both.outputs['digest']).toBe(image.digest)
  expect(image.manifests.map(({ platform }) => platform)).toEqual(['linux/amd64', 'linux/arm64'])
  const sizes = both.images['default']?.sizes ?? {}
  expect(Object.keys(sizes)).toEqual(['linux/amd64', 'linux/arm64'])
  for (const { platform, layers } of image.manifests) {
    expect(sizes[platform]?.transfer.total).toBe(layers.reduce((sum, { size }) => sum + size, 0))
  }
  expect(sizes['linux/amd64']?.unpacked.own).toBe(1)
  expect(sizes['linux/arm64']?.unpacked.own).toBe(3)
  const arm = await builds(space, { inputs: { platforms: 'linux/arm64', outputs: 'type=local,dest=out' } })
  expect(Object.keys(arm.images['default']?.sizes ?? {})).toEqual(['linux/arm64'])
  expect(await readFile(space.path('out/arch'), 'utf8')).toBe('arm')
})

describe('cache-from and cache-to', () => {
  test.each(['registry', 'local'])('type=%s: what one step exports, a later one imports', async (type) => {
    const mark = fresh()
    await using space = await workspace({ Dockerfile: `FROM alpine:3.22\nRUN echo ${mark} > /x\n` })
    const ref = `${repository()}:cache`
    const [to, from] =
      type === 'registry'
        ? [`type=registry,ref=${ref},mode=max`, `type=registry,ref=${ref}`]
        : ['type=local,dest=cache,mode=max', 'type=local,src=cache']
    await builds(space, { inputs: { 'cache-to': to } })
    if (type === 'local') expect(await readdir(space.path('cache'))).toContain('index.json')
    // Without the engine's own memory of the step only the exported cache can know it.
    await docker('buildx', 'prune', '--force', '--all', '--filter', `description~=${mark}`)
    expect(await docker('buildx', 'du', '--filter', `description~=${mark}`)).not.toContain('B ')
    const again = await builds(space, { inputs: { 'cache-from': from } })
    expect(again.stdout).toMatch(new RegExp(`RUN echo ${mark} > /x cached`))
  })
})
