import { describe, expect, test } from '@jest/globals'
import { createHash } from 'node:crypto'
import { parseImageConfig, parseManifest } from '../../src/images/manifest.ts'
import { measureImage, type TargetSizes } from '../../src/measure/sizes.ts'

interface Layer {
  readonly name: string
  readonly size: number
  readonly unpacked?: number
}

const digestOf = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`
const diffId = (name: string): string => digestOf(`diff ${name}`)

/** Documents as a registry would have them, and what was counted of the layers. */
class Documents {
  readonly #bytes = new Map<string, Buffer>()
  readonly #unpacked = new Map<string, number>()

  put(json: unknown): string {
    const bytes = Buffer.from(JSON.stringify(json))
    const digest = digestOf(bytes.toString())
    this.#bytes.set(digest, bytes)
    return digest
  }

  image(layers: readonly Layer[], config: Readonly<Record<string, unknown>> = {}): string {
    for (const { name, unpacked } of layers) if (unpacked !== undefined) this.#unpacked.set(digestOf(name), unpacked)
    const configDigest = this.put({
      os: 'linux',
      architecture: 'amd64',
      rootfs: { type: 'layers', diff_ids: layers.map(({ name }) => diffId(name)) },
      history: layers.map(({ name }) => ({ created_by: `RUN ${name}` })),
      ...config,
    })
    return this.put({
      schemaVersion: 2,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: configDigest, size: 2 },
      layers: layers.map(({ name, size }) => ({ mediaType: 'layer', digest: digestOf(name), size })),
    })
  }

  async measure(digest: string, bases: readonly (readonly string[])[] | 'unknown' = []): Promise<TargetSizes> {
    const bytes = (wanted: string): Buffer => {
      const found = this.#bytes.get(wanted)
      if (found === undefined) throw new Error('not there')
      return found
    }
    return await measureImage(digest, {
      manifest: (wanted) => Promise.resolve(parseManifest(bytes(wanted), undefined)),
      config: (wanted) => Promise.resolve(parseImageConfig(bytes(wanted))),
      baseDiffIds: bases === 'unknown' ? undefined : bases,
      unpackedOf: (layer) => Promise.resolve(this.#unpacked.get(layer.digest)),
    })
  }
}

const BASE = { name: 'base', size: 100, unpacked: 300 }
const OWN = { name: 'own', size: 20, unpacked: 50 }
const MORE = { name: 'more', size: 3, unpacked: 7 }

async function only(sizes: Promise<TargetSizes>): Promise<TargetSizes['platforms'][number]> {
  const { platforms } = await sizes
  expect(platforms).toHaveLength(1)
  const [platform] = platforms
  if (platform === undefined) throw new Error('no platform')
  return platform
}

describe('what is inherited', () => {
  test('layers that the base image has, too, are inherited; the others are own', async () => {
    const at = new Documents()
    const sizes = await only(at.measure(at.image([BASE, OWN, MORE]), [[diffId('base')]]))
    expect(sizes.transfer).toEqual({ total: 123, own: 23, inherited: 100 })
    expect(sizes.unpacked).toEqual({ total: 357, own: 57, inherited: 300 })
    expect(sizes.layers.map(({ own, createdBy, diffId }) => [own, createdBy, diffId])).toEqual([
      [false, 'RUN base', diffId('base')],
      [true, 'RUN own', diffId('own')],
      [true, 'RUN more', diffId('more')],
    ])
    expect(sizes.unknownReason).toBeUndefined()
  })

  test('from scratch, all is own', async () => {
    const at = new Documents()
    const sizes = await only(at.measure(at.image([OWN]), []))
    expect(sizes.transfer).toEqual({ total: 20, own: 20, inherited: 0 })
  })

  test('an image that is its base alone owns nothing', async () => {
    const at = new Documents()
    const sizes = await only(at.measure(at.image([BASE]), [[diffId('base')]]))
    expect(sizes.transfer).toEqual({ total: 100, own: 0, inherited: 100 })
  })

  test('an image without a layer weighs 0, which is known', async () => {
    const at = new Documents()
    const sizes = await only(at.measure(at.image([]), []))
    expect([sizes.transfer, sizes.unpacked]).toEqual([
      { total: 0, own: 0, inherited: 0 },
      { total: 0, own: 0, inherited: 0 },
    ])
  })

  test('only the layers below the first difference are inherited', async () => {
    const at = new Documents()
    const image = at.image([BASE, OWN, MORE])
    const sizes = await only(at.measure(image, [[diffId('base'), diffId('other'), diffId('more')]]))
    expect(sizes.transfer).toEqual({ total: 123, own: 23, inherited: 100 })
  })

  test('of the platforms that a base was looked up for, the one that fits counts', async () => {
    const at = new Documents()
    const image = at.image([BASE, OWN])
    const sizes = await only(at.measure(image, [[diffId('arm base')], [diffId('base')]]))
    expect(sizes.transfer).toEqual({ total: 120, own: 20, inherited: 100 })
  })

  test('without knowledge of the base, the total is known and the split is not', async () => {
    const at = new Documents()
    const sizes = await only(at.measure(at.image([BASE, OWN]), 'unknown'))
    expect(sizes.transfer).toEqual({ total: 120, own: undefined, inherited: undefined })
    expect(sizes.unpacked).toEqual({ total: 350, own: undefined, inherited: undefined })
    expect(sizes.unknownReason).toContain('base image')
  })

  test('a layer that could not be read leaves its part unknown, never 0', async () => {
    const at = new Documents()
    const sizes = await only(at.measure(at.image([{ name: 'base', size: 100 }, OWN]), [[diffId('base')]]))
    expect(sizes.unpacked).toEqual({ total: undefined, own: 50, inherited: undefined })
    expect(sizes.transfer).toEqual({ total: 120, own: 20, inherited: 100 })
    expect(sizes.unknownReason).toContain('could not be read')
  })
})

describe('history', () => {
  test('instructions that made no layer are passed over', async () => {
    const at = new Documents()
    const history = [
      { created_by: 'ADD base' },
      { created_by: 'ENV A=1', empty_layer: true },
      { created_by: 'COPY app' },
      { created_by: 'CMD x', empty_layer: true },
    ]
    const sizes = await only(at.measure(at.image([BASE, OWN], { history }), [[diffId('base')]]))
    expect(sizes.layers.map(({ createdBy }) => createdBy)).toEqual(['ADD base', 'COPY app'])
  })

  test.each([[[]], [[{ created_by: 'COPY app' }]]])(
    'one that does not fit the layers says nothing',
    async (history) => {
      const at = new Documents()
      const sizes = await only(at.measure(at.image([BASE, OWN], { history }), []))
      expect(sizes.layers.map(({ createdBy }) => createdBy)).toEqual(['', ''])
    },
  )
})

describe('an index', () => {
  const entry = (digest: string, platform: object, annotations?: object): object => ({
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest,
    size: 1,
    platform,
    ...(annotations === undefined ? {} : { annotations }),
  })
  const UNKNOWN = { os: 'unknown', architecture: 'unknown' }

  test('each platform is measured by itself, with the base of its own', async () => {
    const at = new Documents()
    const amd = at.image([BASE, OWN])
    const arm = at.image([{ name: 'arm base', size: 90, unpacked: 200 }, MORE], {
      architecture: 'arm64',
      variant: 'v8',
    })
    const index = at.put({
      schemaVersion: 2,
      manifests: [
        entry(amd, { os: 'linux', architecture: 'amd64' }),
        entry(arm, { os: 'linux', architecture: 'arm64' }),
      ],
    })
    const { platforms } = await at.measure(index, [[diffId('base')], [diffId('arm base')]])
    expect(platforms.map(({ platform, digest, transfer }) => [platform, digest, transfer])).toEqual([
      ['linux/amd64', amd, { total: 120, own: 20, inherited: 100 }],
      ['linux/arm64', arm, { total: 93, own: 3, inherited: 90 }],
    ])
  })

  test.each([
    [
      'by its annotation',
      { os: 'linux', architecture: 'amd64' },
      { 'vnd.docker.reference.type': 'attestation-manifest' },
    ],
    ['by its platform', UNKNOWN, undefined],
  ])('an attestation is left out, known %s', async (_how, platform, annotations) => {
    const at = new Documents()
    const amd = at.image([OWN])
    const attestation = at.put({
      schemaVersion: 2,
      config: { digest: digestOf('c'), size: 1 },
      layers: [{ mediaType: 'application/vnd.in-toto+json', digest: digestOf('sbom'), size: 9_999 }],
    })
    const index = at.put({
      schemaVersion: 2,
      manifests: [entry(amd, { os: 'linux', architecture: 'amd64' }), entry(attestation, platform, annotations)],
    })
    expect((await only(at.measure(index))).transfer.total).toBe(20)
  })
})
