/** What a step leaves: files that `outputs` asks for, images of the engine, and the action's own outputs. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { docker, workspace } from '../support/engine.ts'
import { published, type Published, type PublishedManifest } from '../support/published.ts'
import { startRegistry, type TestRegistry } from '../support/registry.ts'
import { builds, forgetImages, fresh, type Step } from '../support/step.ts'

const exec = promisify(execFile)
let registry: TestRegistry
beforeAll(async () => {
  registry = await startRegistry()
})
afterAll(async () => {
  await forgetImages(registry.host)
  await registry.stop()
})

const TWO = { Dockerfile: 'FROM scratch AS a\nCOPY one /\nFROM scratch AS b\nCOPY two /\n', one: '1', two: '22' }

async function tar(...args: readonly string[]): Promise<string> {
  return (await exec('tar', args)).stdout
}

describe('outputs', () => {
  test('local, tar and oci at once, for each target, beside push and load', async () => {
    await using space = await workspace(TWO)
    const repo = `${registry.host}/${fresh()}`
    const built = await builds(space, {
      inputs: {
        targets: 'a,b',
        tags: `${repo}/{target}:1`,
        push: 'true',
        load: 'true',
        outputs:
          'type=local,dest=out/{target}\ntype=tar,dest=new/dir/{target}.tar\ntype=oci,dest={target}.oci.tar\ntype=oci,dest=layout/{target},tar=false',
      },
    })
    try {
      expect(await readFile(space.path('out/a/one'), 'utf8')).toBe('1')
      expect(await tar('-tf', space.path('new/dir/b.tar'))).toBe('two\n')
      expect(await tar('-tf', space.path('a.oci.tar'))).toContain('index.json')
      const index = JSON.parse(await readFile(space.path('layout/b/index.json'), 'utf8')) as {
        readonly manifests: readonly { readonly digest: string }[]
      }
      const digest = built.images['b']?.digest ?? ''
      expect(index.manifests.map((entry) => entry.digest)).toEqual([digest])
      expect((await published(`${repo}/b:1`)).digest).toBe(digest)
      expect(await docker('image', 'inspect', '--format={{.Id}}', `${repo}/a:1`)).toBe(built.images['a']?.digest)
    } finally {
      await docker('image', 'rm', `${repo}/a:1`, `${repo}/b:1`)
    }
  })

  test('of a bare path, an image that is pushed by its name, and a docker archive', async () => {
    await using space = await workspace(TWO)
    const name = `${registry.host}/${fresh()}:named`
    const outputs = `plain\ntype=image,"name=${name},${name}2",push=true\ntype=docker,dest=image.tar`
    const built = await builds(space, { inputs: { outputs } })
    expect(await readdir(space.path('plain'))).toEqual(['two'])
    expect(await tar('-tf', space.path('image.tar'))).toContain('manifest.json')
    expect((await published(name)).digest).toBe(built.outputs['digest'])
    expect((await published(`${name}2`)).digest).toBe(built.outputs['digest'])
  })

  test('of nothing at all: the build runs, is measured, and leaves no image behind', async () => {
    const mark = fresh()
    await using space = await workspace({ Dockerfile: `FROM scratch\nLABEL mark=${mark}\nCOPY mark /\n`, mark })
    const marked = async () => await docker('image', 'ls', '--quiet', '--filter', `label=mark=${mark}`)
    await builds(space, { inputs: { load: 'true', tags: `stage-build-test/${mark}` } })
    expect(await marked()).not.toBe('')
    await docker('image', 'rm', `stage-build-test/${mark}`)
    expect(await marked()).toBe('')
    const built = await builds(space)
    expect(await marked()).toBe('')
    expect(built.images['default']).toMatchObject({ tags: [], digest: null })
    expect(built.images['default']?.sizes['linux/amd64']?.unpacked.total).toBe(mark.length)
  })
})

describe('the sizes', () => {
  test('are the registry’s for transfer, and what tar counts in the layers for unpacked', async () => {
    await using space = await workspace({
      Dockerfile:
        'FROM alpine:3.22 AS build\nRUN head -c 70001 /dev/urandom > /big && ln /big /hard && ln -s /big /soft && mkdir /d\n' +
        'FROM build AS based\nRUN rm /hard && echo more >> /big\nFROM scratch AS bare\nCOPY --from=build /big /soft /\n',
    })
    const repo = `${registry.host}/${fresh()}`
    const inputs = { targets: 'based,bare', tags: `${repo}/{target}:1`, push: 'true' }
    const built = await builds(space, { inputs })
    const base = { based: 1, bare: 0 }
    for (const [target, inherited] of Object.entries(base)) {
      const image = await published(`${repo}/${target}:1`)
      const sizes = built.images[target]?.sizes['linux/amd64']
      const counted = await layerSizes(image)
      expect(sizes?.transfer).toEqual(split(counted.transfer, inherited))
      expect(sizes?.unpacked).toEqual(split(counted.unpacked, inherited))
    }
    const { version, targets } = JSON.parse(built.outputs['sizes'] ?? '') as { version: number; targets: unknown }
    expect(version).toBe(1)
    expect(targets).toEqual(
      Object.fromEntries(Object.entries(built.images).map(([name, image]) => [name, image.sizes])),
    )
  })
})

const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0)

function split(layers: readonly number[], inherited: number): object {
  return { total: sum(layers), inherited: sum(layers.slice(0, inherited)), own: sum(layers.slice(inherited)) }
}

async function layerSizes(
  image: Published,
): Promise<{ readonly transfer: readonly number[]; readonly unpacked: readonly number[] }> {
  const [manifest] = image.manifests as readonly [PublishedManifest]
  const directory = await mkdtemp(join(tmpdir(), 'stage-build-layers-'))
  try {
    const unpacked: number[] = []
    for (const { digest } of manifest.layers) {
      await writeFile(join(directory, 'layer'), await image.blob(digest))
      const lines = (await tar('-tvf', join(directory, 'layer'))).split('\n')
      unpacked.push(sum(lines.filter((line) => line.startsWith('-')).map((line) => Number(line.split(/\s+/)[2]))))
    }
    return { transfer: manifest.layers.map((layer) => layer.size), unpacked }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

describe('metadata', () => {
  interface Entry {
    readonly 'buildx.build.ref': string
    readonly 'containerimage.digest': string
    readonly 'containerimage.descriptor': { readonly mediaType: string; readonly digest: string }
    readonly 'image.name': string
  }

  test('is what bake-action puts out, by the targets’ own names, without our loopback registry', async () => {
    await using space = await workspace({ ...TWO, Dockerfile: TWO.Dockerfile.replace('AS b', 'AS b.v1') })
    const repo = `${registry.host}/${fresh()}`
    const built: Step = await builds(space, {
      inputs: { targets: 'a,b.v1', tags: `a=${repo}/a:1,${repo}/a:2\nb.v1=${repo}/b:1`, push: 'true' },
    })
    const metadata = JSON.parse(built.outputs['metadata'] ?? '') as Readonly<Record<string, Entry>>
    expect(Object.keys(metadata)).toEqual(['a', 'b.v1'])
    for (const [target, entry] of Object.entries(metadata)) {
      const { digest, tags } = built.images[target] ?? {}
      expect(entry).toMatchObject({
        'buildx.build.ref': expect.any(String),
        'containerimage.digest': digest,
        'containerimage.descriptor': { mediaType: 'application/vnd.oci.image.index.v1+json', digest },
        'image.name': tags?.join(','),
      })
    }
    const hosts = new Set(built.outputs['metadata']?.match(/127\.0\.0\.1:\d+/g))
    expect([...hosts]).toEqual([registry.host])
  })
})
