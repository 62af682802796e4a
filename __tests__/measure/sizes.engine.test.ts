import { describe, expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { LayerRegistry } from '../../src/cache/layer-registry.ts'
import { Upstream, type UpstreamImage } from '../../src/cache/upstream.ts'
import { parseImageConfig, parseManifest, type Manifest } from '../../src/images/manifest.ts'
import { LayerCounter } from '../../src/measure/layer-counter.ts'
import { readLayer } from '../../src/measure/layer-reader.ts'
import { measureImage, type TargetSizes } from '../../src/measure/sizes.ts'
import { docker, rigRegistry, workspace, type Workspace } from '../support/engine.ts'

const BASE = `${rigRegistry()}/library/alpine:3.22`

const DOCKERFILE = `
FROM ${BASE} AS base
FROM base AS builder
ARG SEED
RUN mkdir -p /out/${'d'.repeat(120)} && head -c 3000000 /dev/urandom > /out/app && ln /out/app /out/hard \\
 && ln -s app /out/soft && head -c 500 /dev/urandom > /out/${'d'.repeat(120)}/${'f'.repeat(120)}
FROM base AS prod
ENV MODE=prod
COPY --from=builder /out /srv
RUN echo hello > /srv/added && rm /srv/soft
CMD ["/srv/app"]
FROM prod AS debug
RUN echo debug > /srv/debug
FROM scratch AS bare
COPY --from=builder /out /
`

interface Measured extends AsyncDisposable {
  readonly registry: LayerRegistry
  /** Blobs that are said to be there; nobody asks for their bytes. */
  know(layers: UpstreamImage['layers']): void
  readonly lines: string[]
  sizes(name: string, baseDiffIds?: readonly (readonly string[])[]): Promise<TargetSizes>
  manifest(name: string): Manifest
}

async function measuring(): Promise<Measured> {
  const counter = new LayerCounter()
  const upstream = new Upstream()
  const lines: string[] = []
  const registry = await LayerRegistry.start({
    openSinks: () => [counter.openSink()],
    sources: [upstream],
    debug: (line) => lines.push(line),
  })
  const manifest = (name: string, reference: string): Manifest => {
    const stored = registry.manifest(name, reference)
    if (stored === undefined) throw new Error(`${name} was not received`)
    return parseManifest(stored.bytes, stored.mediaType)
  }
  return {
    registry,
    know: (layers) => {
      upstream.add({ layers, open: () => Promise.reject(new Error('nobody asks')) })
    },
    lines,
    manifest: (name) => manifest(name, 'latest'),
    sizes: async (name, baseDiffIds = []) =>
      await measureImage(registry.manifest(name, 'latest')?.digest ?? '', {
        manifest: (digest) => Promise.resolve(manifest(name, digest)),
        config: (digest) => {
          const bytes = registry.document(digest)
          if (bytes === undefined) throw new Error('the config was not received')
          return Promise.resolve(parseImageConfig(bytes))
        },
        baseDiffIds,
        unpackedOf: ({ digest }) => Promise.resolve(counter.get(digest)?.unpacked),
      }),
    [Symbol.asyncDispose]: async () => {
      await registry.close()
    },
  }
}

async function base(): Promise<{
  readonly layers: readonly { digest: string; size: number }[]
  readonly diffIds: readonly string[]
}> {
  const manifest = await published(`${rigRegistry()}/library/alpine`, '3.22')
  const image =
    manifest.kind === 'index'
      ? await published(`${rigRegistry()}/library/alpine`, entryFor(manifest, 'amd64'))
      : manifest
  if (image.kind !== 'image') throw new Error('an index in an index')
  const config = await fetch(blobUrl(`${rigRegistry()}/library/alpine`, image.config.digest))
  return { layers: image.layers, diffIds: parseImageConfig(Buffer.from(await config.arrayBuffer())).diffIds }
}

function entryFor(manifest: Manifest & { kind: 'index' }, architecture: string): string {
  return manifest.manifests.find(({ platform }) => platform?.architecture === architecture)?.digest ?? ''
}

/** A manifest in the rig's real registry. */
async function published(repository: string, reference: string): Promise<Manifest> {
  const [host = '', ...path] = repository.split('/')
  const response = await fetch(`http://${host}/v2/${path.join('/')}/manifests/${reference}`, {
    headers: {
      accept: ['index', 'manifest'].map((kind) => `application/vnd.oci.image.${kind}.v1+json`).join(', '),
    },
  })
  return parseManifest(Buffer.from(await response.arrayBuffer()), response.headers.get('content-type') ?? undefined)
}

function blobUrl(repository: string, digest: string): string {
  const [host = '', ...path] = repository.split('/')
  return `http://${host}/v2/${path.join('/')}/blobs/${digest}`
}

/** A layer of the real registry, unpacked and counted by gzip, zstd and tar. */
async function countedByTools(
  repository: string,
  digest: string,
): Promise<{ readonly unpacked: number; readonly diffId: string; readonly size: number }> {
  const blob = Buffer.from(await (await fetch(blobUrl(repository, digest))).arrayBuffer())
  const program = blob.readUInt32LE(0) === 0xfd2fb528 ? 'zstd' : 'gzip'
  const tar = execFileSync(program, ['-dc'], { input: blob, maxBuffer: 1 << 30 })
  return {
    unpacked: bytesListed(tar),
    diffId: `sha256:${createHash('sha256').update(tar).digest('hex')}`,
    size: blob.length,
  }
}

/** Σ of the regular files that `tar -tv` lists. */
function bytesListed(tar: Buffer): number {
  const listing = execFileSync('tar', ['-tvf', '-', '--numeric-owner'], { input: tar, maxBuffer: 1 << 28 }).toString()
  return listing
    .split('\n')
    .filter((line) => line.startsWith('-'))
    .reduce((sum, line) => sum + Number(line.split(/\s+/)[2]), 0)
}

async function build(space: Workspace, ...args: readonly string[]): Promise<void> {
  await docker('buildx', 'build', '--builder', 'default', '--progress', 'plain', ...args, space.directory)
}

function image(name: string, options = ''): string {
  return `type=image,name=${name},push=true,store=false${options}`
}

describe('an image pushed to the layer registry', () => {
  test.each(['gzip', 'zstd'])('with %s layers weighs what a real registry and tar say', async (compression) => {
    await using space = await workspace({ Dockerfile: DOCKERFILE })
    await using at = await measuring()
    const from = await base()
    at.know(from.layers)
    const repository = `${rigRegistry()}/sizes/${compression}`
    const extra = `,compression=${compression},oci-mediatypes=true`
    await build(
      space,
      ...['--target', 'prod', '--provenance=false', '--build-arg', `SEED=${randomUUID()}`],
      ...['--output', image(`${at.registry.host}/${at.registry.repository('x')}`, extra)],
      ...['--output', image(`${repository}:latest`, extra)],
    )
    const real = await published(repository, 'latest')
    expect(at.manifest('x')).toEqual(real)
    if (real.kind !== 'image') throw new Error('an index')

    const [sizes] = (await at.sizes('x', [from.diffIds])).platforms
    const byTools = await Promise.all(real.layers.map(async ({ digest }) => await countedByTools(repository, digest)))
    const sum = (field: 'size' | 'unpacked', start: number): number =>
      byTools.slice(start).reduce((total, layer) => total + layer[field], 0)
    const n = from.layers.length
    // A seed of its own, or the engine would hand out the layers as an earlier test had them compressed.
    expect(real.layers.slice(n).map(({ mediaType }) => mediaType.split('+')[1])).toEqual([compression, compression])
    expect(sizes?.transfer).toEqual({
      total: sum('size', 0),
      own: sum('size', n),
      inherited: sum('size', 0) - sum('size', n),
    })
    expect(sizes?.unpacked.own).toBe(sum('unpacked', n))
    expect(sizes?.unpacked.own).toBe(3_000_500 + 'hello\n'.length)
    expect(sizes?.layers.map(({ diffId }) => diffId)).toEqual(byTools.map(({ diffId }) => diffId))
    expect(sizes?.layers.slice(n).map(({ own, createdBy }) => [own, createdBy.split(' #')[0]])).toEqual([
      [true, 'COPY /out /srv'],
      [true, expect.stringContaining('echo hello > /srv/added')],
    ])

    // What the base brings is never pushed, so it was not counted here; from its own registry it is.
    expect(sizes?.unpacked.inherited).toBeUndefined()
    for (const [index, { digest }] of from.layers.entries()) {
      expect(at.lines.filter((line) => line.includes(digest)).map((line) => line.split(' ')[0])).toEqual(['HEAD'])
      const { body } = await fetch(blobUrl(`${rigRegistry()}/library/alpine`, digest))
      if (body === null) throw new Error('no body')
      const content = await readLayer(body, { diffId: true })
      expect([content.unpacked, content.diffId]).toEqual([byTools[index]?.unpacked, byTools[index]?.diffId])
    }
    expect(at.lines.join('\n')).not.toContain(at.registry.repository('').slice(0, -1))
  })

  test('several targets at once push each blob that they share, and what is there is not pushed again', async () => {
    await using space = await workspace({ Dockerfile: DOCKERFILE })
    await using at = await measuring()
    const from = await base()
    at.know(from.layers)
    const targets = ['prod', 'debug', 'bare']
    await space.write({
      'bake.json': JSON.stringify({
        group: { default: { targets } },
        target: Object.fromEntries(
          targets.map((name) => [
            name,
            {
              target: name,
              attest: ['type=provenance,disabled=true'],
              output: [image(`${at.registry.host}/${at.registry.repository(name)}`)],
            },
          ]),
        ),
      }),
    })
    const bake = async (): Promise<void> => {
      await docker(
        'buildx',
        'bake',
        '--builder',
        'default',
        '--file',
        space.path('bake.json'),
        '--allow',
        `fs.read=${space.directory}`,
        '--set',
        `*.context=${space.directory}`,
      )
    }
    await bake()
    const of = async (name: string): Promise<TargetSizes['platforms'][number]> => {
      const [platform] = (await at.sizes(name, name === 'bare' ? [] : [from.diffIds])).platforms
      if (platform === undefined) throw new Error(name)
      return platform
    }
    const [prod, debug, bare] = [await of('prod'), await of('debug'), await of('bare')]
    expect(prod.unpacked.own).toBe(3_000_506)
    expect(debug.unpacked.own).toBe(3_000_512)
    expect(debug.layers.slice(0, prod.layers.length).map(({ digest }) => digest)).toEqual(
      prod.layers.map(({ digest }) => digest),
    )
    expect(bare.unpacked).toEqual({ total: 3_000_500, own: 3_000_500, inherited: 0 })
    expect(bare.transfer.inherited).toBe(0)

    const before = at.lines.length
    await bake()
    const again = at.lines.slice(before)
    expect(again.filter((line) => /^(PUT|POST|PATCH) .*blobs/.test(line))).toEqual([])
    expect(again.some((line) => line.startsWith('HEAD '))).toBe(true)
  })

  test('an image from scratch unpacks to the bytes of its exported files', async () => {
    await using space = await workspace({ Dockerfile: DOCKERFILE })
    await using at = await measuring()
    await build(
      space,
      ...['--target', 'bare', '--provenance=false'],
      ...['--output', image(`${at.registry.host}/${at.registry.repository('x')}`)],
      ...['--output', `type=tar,dest=${space.path('root.tar')}`],
    )
    const [sizes] = (await at.sizes('x')).platforms
    expect(sizes?.unpacked.total).toBe(bytesListed(await readFile(space.path('root.tar'))))
  })

  test('platforms are measured one by one, and attestations not at all', async () => {
    await using space = await workspace({ Dockerfile: 'FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /data\n' })
    await space.write({ amd64: 'x'.repeat(10_000), arm64: 'y'.repeat(20_000) })
    await using at = await measuring()
    await build(
      space,
      ...['--platform', 'linux/amd64,linux/arm64', '--provenance=mode=max'],
      ...['--output', image(`${at.registry.host}/${at.registry.repository('x')}`)],
    )
    const index = at.manifest('x')
    expect(index.kind === 'index' ? index.manifests.length : 0).toBe(4)
    const { platforms } = await at.sizes('x')
    expect(platforms.map(({ platform, unpacked }) => [platform, unpacked.total])).toEqual([
      ['linux/amd64', 10_000],
      ['linux/arm64', 20_000],
    ])
  })

  test('an image without a layer is measured', async () => {
    await using space = await workspace({ Dockerfile: 'FROM scratch\nLABEL a=b\n' })
    await using at = await measuring()
    await build(space, '--provenance=false', '--output', image(`${at.registry.host}/${at.registry.repository('x')}`))
    const [sizes] = (await at.sizes('x')).platforms
    expect(sizes?.transfer).toEqual({ total: 0, own: 0, inherited: 0 })
  })
})

test('an OCI layout served by the registry can be built from', async () => {
  await using space = await workspace({ Dockerfile: DOCKERFILE })
  await using at = await measuring()
  await build(
    space,
    '--target',
    'bare',
    '--provenance=false',
    '--output',
    `type=oci,tar=false,dest=${space.path('layout')}`,
  )
  const index = parseManifest(await readFile(space.path('layout', 'index.json')), undefined)
  const digest = index.kind === 'index' ? (index.manifests[0]?.digest ?? '') : ''
  at.registry.serveLayout('layout', space.path('layout'))
  const reference = `${at.registry.host}/${at.registry.repository('layout')}@${digest}`
  await space.write({ Dockerfile: `FROM ${reference}\nCOPY more /more\n`, more: 'more' })
  await build(space, '--provenance=false', '--output', image(`${at.registry.host}/${at.registry.repository('x')}`))
  const [sizes] = (await at.sizes('x')).platforms
  expect(sizes?.layers).toHaveLength(2)
  expect(sizes?.layers[1]?.unpacked).toBe(4)
})
