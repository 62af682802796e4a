import { describe, expect, test } from '@jest/globals'
import { digestOf, MEDIA_TYPES, parseManifest } from '../../src/images/manifest.ts'
import type { RawManifest } from '../../src/images/manifest-writer.ts'
import { mergeParts, type IndexPart, type MergedIndex } from '../../src/images/merged-index.ts'
import { parsePlatform } from '../../src/images/platform.ts'

const sha = (name: string): string => digestOf(Buffer.from(name))

function raw(json: Readonly<Record<string, unknown>> & { readonly mediaType: string }): RawManifest {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, ...json }))
  return { bytes, digest: digestOf(bytes), manifest: parseManifest(bytes, json.mediaType) }
}

const image = (name: string, platform: object, more: object = {}): object => ({
  ...{ mediaType: MEDIA_TYPES.ociManifest, digest: sha(name), size: name.length, platform, ...more },
})

const attestation = (of: string): object =>
  image(`attests ${of}`, { os: 'unknown', architecture: 'unknown' }, {
    annotations: { 'vnd.docker.reference.type': 'attestation-manifest', 'vnd.docker.reference.digest': sha(of) },
  }) // prettier-ignore

function part(platform: string, manifests: readonly object[], annotations?: object): IndexPart {
  const root = raw({
    mediaType: MEDIA_TYPES.ociIndex,
    manifests,
    ...(annotations === undefined ? {} : { annotations }),
  })
  return { platform, root }
}

const AMD64 = { architecture: 'amd64', os: 'linux' }
const ARM64 = { architecture: 'arm64', os: 'linux' }
const amd64 = part('linux/amd64', [image('a', AMD64), attestation('a')])
const arm64 = part('linux/arm64', [image('b', ARM64), attestation('b')])

function written(merged: MergedIndex): Readonly<Record<string, unknown>> {
  if (merged.kind !== 'merged') throw new Error(JSON.stringify(merged))
  expect(digestOf(merged.index.bytes)).toBe(merged.index.digest)
  return JSON.parse(merged.index.bytes.toString()) as Readonly<Record<string, unknown>>
}

describe('the index of parts', () => {
  test('lists the images in their order, then what attests to them, each as it stood', () => {
    const merged = mergeParts([amd64, arm64])
    expect(written(merged)).toEqual({
      ...{ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex },
      manifests: [image('a', AMD64), image('b', ARM64), attestation('a'), attestation('b')],
    })
    expect(merged).toMatchObject({ manifests: ['a', 'b', 'attests a', 'attests b'].map(sha) })
    expect(mergeParts([amd64, arm64])).toEqual(merged)
  })

  test('keeps what is not understood of a descriptor, and leaves out other images and what attests to them', () => {
    const odd = image('a', { ...AMD64, 'os.version': '1' }, { annotations: { a: 'b' }, artifactType: 'x/y' })
    const several = part('linux/amd64', [image('z', { ...AMD64, architecture: '386' }), odd, attestation('z')])
    expect(written(mergeParts([several, arm64]))['manifests']).toEqual([odd, image('b', ARM64), attestation('b')])
  })

  test('has the annotations of all indexes; where they differ, the first one’s', () => {
    const first = part('linux/amd64', [image('a', AMD64)], { team: 'blue', at: '1' })
    const second = part('linux/arm64', [image('b', ARM64)], { at: '2', also: 'x' })
    expect(written(mergeParts([first, second]))['annotations']).toEqual({ team: 'blue', at: '1', also: 'x' })
    expect(written(mergeParts([amd64, arm64]))).not.toHaveProperty('annotations')
  })

  test('describes an image that is in no index by its configuration', () => {
    const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: sha('config'), size: 1 }
    const root = raw({ mediaType: MEDIA_TYPES.dockerManifest, config, layers: [] })
    const bare = { platform: 'linux/arm/v7', root, configPlatform: parsePlatform('linux/arm/v7') }
    const described = { mediaType: MEDIA_TYPES.dockerManifest, digest: root.digest, size: root.bytes.length }
    const platform = { architecture: 'arm', os: 'linux', variant: 'v7' }
    const both = written(mergeParts([amd64, bare]))
    expect(both['mediaType']).toBe(MEDIA_TYPES.ociIndex)
    expect(both['manifests']).toEqual([image('a', AMD64), { ...described, platform }, attestation('a')])
    expect(written(mergeParts([bare]))['mediaType']).toBe(MEDIA_TYPES.dockerList)
    const other = { ...bare, configPlatform: parsePlatform('linux/arm64') }
    expect(mergeParts([other])).toEqual({ kind: 'mismatch', platform: 'linux/arm/v7', found: ['linux/arm64'] })
  })

  test.each([
    ['linux/arm64', part('linux/arm64', [image('a', AMD64)]), ['linux/amd64']],
    // It would run there, and is not what was asked for.
    ['linux/amd64', part('linux/amd64', [image('a', { ...AMD64, architecture: '386' })]), ['linux/386']],
    ['linux/amd64', part('linux/amd64', [attestation('a')]), []],
  ])('refuses a part that is not of its platform: %s', (platform, wrong, found) => {
    expect(mergeParts([wrong])).toEqual({ kind: 'mismatch', platform, found })
  })
})
