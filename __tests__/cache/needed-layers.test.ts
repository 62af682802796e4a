import { expect, test } from '@jest/globals'
import { layersBeneath } from '../../src/cache/needed-layers.ts'
import type { TargetCache } from '../../src/cache/cache-manifest.ts'
import { chainCache, digest } from '../support/target-caches.ts'

const CACHE = chainCache([
  ['FROM', 'base', 9],
  ['make one', 'one', 3],
  ['make two', 'two', 3],
  ['make three', 'three', 5],
])

const base = [digest('base')]

test('layers are counted from the base image up', () => {
  expect(layersBeneath(CACHE, { base, steps: 2 })).toEqual([digest('one'), digest('two')])
  expect(layersBeneath(CACHE, { base, steps: 9 })).toHaveLength(3)
  expect(layersBeneath(CACHE, { base, steps: 0 })).toEqual([])
  expect(layersBeneath(CACHE, { base: [], steps: 1 })).toEqual(base)
})

test('of another base image there are none', () => {
  expect(layersBeneath(CACHE, { base: [digest('other')], steps: 2 })).toEqual([])
  expect(layersBeneath(CACHE, { base: [...base, digest('upper')], steps: 2 })).toEqual([])
})

test('stages on one image are all meant, and a circle leads nowhere', () => {
  const layer = (name: string, parent: number): TargetCache['config']['layers'][number] => ({
    blob: digest(name),
    parent,
  })
  const layers = [layer('base', -1), layer('a', 0), layer('b', 0), layer('c', 2), layer('x', 5), layer('y', 4)]
  const cache: TargetCache = { layers: [], config: { layers, records: [] } }
  expect(layersBeneath(cache, { base, steps: 1 })).toEqual([digest('a'), digest('b')])
  expect(layersBeneath(cache, { base, steps: 5 })).toEqual([digest('a'), digest('b'), digest('c')])
})
