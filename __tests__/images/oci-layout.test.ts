import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MEDIA_TYPES } from '../../src/images/manifest.ts'
import { resolveOciLayout } from '../../src/images/oci-layout.ts'
import { resolveAll } from '../../src/images/resolve-all.ts'
import type { ResolvedImage } from '../../src/images/resolve-image.ts'
import { RegistryError } from '../../src/images/registry-error.ts'

let root: string
let amd: string
let index: string

const sha = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`
const platform = 'linux/amd64'

async function writeBlob(layout: string, text: string): Promise<{ digest: string; size: number; mediaType: string }> {
  const digest = sha(text)
  await mkdir(join(root, layout, 'blobs/sha256'), { recursive: true })
  await writeFile(join(root, layout, 'blobs', ...digest.split(':')), text)
  return { digest, size: text.length, mediaType: (JSON.parse(text) as { mediaType: string }).mediaType }
}

async function writeIndex(layout: string, manifests: readonly object[]): Promise<void> {
  await writeFile(join(root, layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  await writeFile(join(root, layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }))
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'stage-build-layout-'))
  const manifestText = (config: string): string =>
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config: { digest: sha(config), size: 1, mediaType: 'x' },
      layers: [{ digest: sha('layer'), size: 5, mediaType: 'y' }],
    })
  const one = await writeBlob('two', manifestText('amd64'))
  const other = await writeBlob('two', manifestText('arm64'))
  amd = one.digest
  const nested = await writeBlob(
    'two',
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociIndex,
      manifests: [
        { ...one, platform: { os: 'linux', architecture: 'amd64' } },
        { ...other, platform: { os: 'linux', architecture: 'arm64' } },
      ],
    }),
  )
  index = nested.digest
  await writeIndex('two', [
    { ...nested, annotations: { 'org.opencontainers.image.ref.name': 'latest' } },
    { ...one, annotations: { 'org.opencontainers.image.ref.name': 'amd' } },
  ])
  await writeIndex('single', [await writeBlob('single', manifestText('amd64'))])
  await mkdir(join(root, 'bad/blobs/sha256'), { recursive: true })
  await writeIndex('bad', [{ digest: sha('outside'), size: 1, mediaType: 'x' }])
  await writeFile(join(root, 'secret'), 'outside')
  await symlink(join(root, 'secret'), join(root, 'bad/blobs', ...sha('outside').split(':')))
})

afterAll(async () => {
  await rm(root, { recursive: true, force: true })
})

describe('an OCI layout', () => {
  test('gives the image of a tag, a digest, or latest', async () => {
    const path = join(root, 'two')
    const expected = {
      digest: index,
      manifestDigest: amd,
      configDigest: sha('amd64'),
      platforms: ['linux/amd64', 'linux/arm64'],
    }
    expect(await resolveOciLayout({ path }, { platform })).toMatchObject(expected)
    expect(await resolveOciLayout({ path, digest: index }, { platform })).toMatchObject(expected)
    expect(await resolveOciLayout({ path, tag: 'amd' }, { platform })).toMatchObject({ digest: amd, platforms: [] })
    expect(await resolveOciLayout({ path }, { platform: 'linux/arm64' })).toMatchObject({ configDigest: sha('arm64') })
  })

  test('with one image only needs no tag', async () => {
    expect(await resolveOciLayout({ path: join(root, 'single') }, { platform })).toMatchObject({ digest: amd })
  })

  test.each([
    ['a tag that is not there', { path: 'two', tag: 'nope' }, 'not-found', 'it has no image "nope"'],
    ['a blob that is not there', { path: 'two', digest: sha('nope') }, 'not-found', 'it has no blobs/sha256/'],
    [
      'a digest that leads elsewhere',
      { path: 'two', digest: 'sha256:../../../secret' },
      'bad-answer',
      'invalid checksum',
    ],
    ['a link that leads elsewhere', { path: 'bad' }, 'bad-answer', 'leads out of the directory'],
    ['a directory that is not there', { path: 'none' }, 'not-found', 'it has no index.json'],
  ])('refuses %s', async (_, image, kind, words) => {
    const resolving = resolveOciLayout({ ...image, path: join(root, image.path) }, { platform })
    await expect(resolving).rejects.toMatchObject({ kind, message: expect.stringContaining(words) })
  })
})

describe('all images of a build', () => {
  test('are looked up side by side, each once, and failures are values', async () => {
    const asked: string[] = []
    let running = 0
    let most = 0
    const client = {
      resolveImage: async (image: string): Promise<ResolvedImage> => {
        asked.push(image)
        most = Math.max(most, ++running)
        await new Promise((resolve) => setTimeout(resolve, 5))
        running--
        if (image.includes('gone')) throw new RegistryError({ kind: 'not-found', message: 'gone', mend: 'look' })
        return { digest: sha(image), mediaType: '', manifestDigest: '', configDigest: '', layers: [], platforms: [] }
      },
    }
    const requests = [
      { image: 'alpine', platform },
      { image: 'gone', platform },
      { image: 'alpine', platform },
      { image: 'alpine', platform: 'linux/arm64' },
      { image: 'Bad Name', platform },
      { image: 'oci-layout://two:amd', platform },
    ]
    const outcomes = await resolveAll(requests, { client, directory: root, concurrency: 2 })
    expect(outcomes).toMatchObject([
      { kind: 'resolved', image: 'alpine', platform, resolved: { digest: sha('docker.io/library/alpine:latest') } },
      { kind: 'failed', image: 'gone', reason: 'not-found', problem: { message: 'gone', mend: 'look' } },
      { kind: 'resolved', image: 'alpine', platform: 'linux/arm64' },
      { kind: 'failed', image: 'Bad Name', reason: 'invalid' },
      { kind: 'resolved', image: 'oci-layout://two:amd', resolved: { digest: amd } },
    ])
    expect(asked).toHaveLength(3)
    expect(most).toBe(2)
  })
})
