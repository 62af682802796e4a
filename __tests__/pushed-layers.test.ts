import { expect, test } from '@jest/globals'
import { RegistryClient } from '../src/images/registry-client.ts'
import { BaseLayers } from '../src/measure/base-layers.ts'
import { LayerMemory } from '../src/measure/layer-memory.ts'
import type { LayerSize } from '../src/measure/sizes.ts'
import { PushedLayers, READ_BACK_BYTES } from '../src/pushed-layers.ts'
import { digest } from './support/target-caches.ts'

/** Nobody listens there: what is asked for is not known. */
const IMAGE = '127.0.0.1:1/app:1'
const MEDIA = 'application/vnd.oci.image.layer.v1.tar+gzip'

async function pushed(
  known: Readonly<Record<string, number>> = {},
  stored: readonly string[] = [],
): Promise<PushedLayers> {
  const { signal } = new AbortController()
  return new PushedLayers({
    client: new RegistryClient({ env: {}, credentials: { find: () => Promise.resolve(undefined) }, retries: 0 }),
    layers: new BaseLayers({ memory: await LayerMemory.open('/nowhere/memory'), signal }),
    known: new Map(Object.entries(known)),
    stored: new Map(stored.map((one) => [one, ''])),
    signal,
  })
}

function layer(of: string, size: number): { mediaType: string; digest: string; size: number } {
  return { mediaType: MEDIA, digest: digest(of), size }
}

function measured(of: string, more: Partial<LayerSize>): LayerSize {
  const facts = { digest: digest(of), diffId: '', size: 1, own: true, createdBy: '', source: undefined }
  return { ...facts, compression: 'gzip', unpacked: undefined, ...more }
}

test('what earlier runs know is not asked for', async () => {
  const layers = await pushed({ [digest('a')]: 5 }, [digest('a')])
  expect(await layers.unpackedOf(IMAGE, layer('a', READ_BACK_BYTES + 1), [])).toBe(5)
  const before = [measured('b', { unpacked: 7, files: { bytes: 7, files: 1 } })]
  expect(await layers.unpackedOf(IMAGE, layer('b', READ_BACK_BYTES + 1), before)).toBe(7)
  expect(layers.unread).toEqual({ layers: 0, bytes: 0 })
})

test('no more than the bound is read back, each layer once; a size that is known is told all the same', async () => {
  const layers = await pushed({ [digest('large')]: 9 })
  const size = READ_BACK_BYTES / 2
  const asked = ['one', 'two', 'one', 'three', 'three'].map(
    async (of) => await layers.unpackedOf(IMAGE, layer(of, size), []),
  )
  expect(await Promise.all(asked)).toEqual([undefined, undefined, undefined, undefined, undefined])
  expect(layers.unread).toEqual({ layers: 1, bytes: size })
  expect(await layers.unpackedOf(IMAGE, layer('large', size), [])).toBe(9)
  expect(layers.unread).toEqual({ layers: 2, bytes: 2 * size })
})
