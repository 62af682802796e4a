import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { covers } from '../../src/cache/cache-covers.ts'
import { pruneTargetCache, type TargetCache } from '../../src/cache/cache-manifest.ts'
import { anyCache, chainCache, digest, reversed } from '../support/target-caches.ts'

const LATER = '2026-11-21T00:00:00Z'

/** What is said again at another time and in another order. */
function again({ layers, config }: TargetCache): TargetCache {
  const { layers: steps, records } = reversed(config)
  return {
    layers: layers.toReversed(),
    config: {
      layers: steps,
      records: records.map((record) => ({
        ...record,
        ...(record.layers && { layers: record.layers.map((result) => ({ ...result, createdAt: LATER })) }),
      })),
    },
  }
}

describe('covers', () => {
  test('any cache covers what says the same in another order at another time', () => {
    fc.assert(
      fc.property(anyCache({ emptyInputs: true }), (cache) => {
        expect(covers(cache, again(cache))).toBe(true)
        expect(covers(again(cache), cache)).toBe(true)
      }),
    )
  })

  test('any cache covers what is left of it, and what is left covers it only if nothing was lost', () => {
    fc.assert(
      fc.property(anyCache({ emptyInputs: false }), fc.nat(5), (cache, lost) => {
        const pruned = pruneTargetCache(cache, (blob) => blob !== digest(String(lost)))
        expect(covers(cache, pruned)).toBe(true)
        const hadIt = pruneTargetCache(cache, () => true).config.layers.length
        expect(covers(pruned, cache)).toBe(pruned.config.layers.length === hadIt)
      }),
    )
  })

  const known = chainCache([
    ['one', 'a', 1],
    ['two', 'b', 1],
  ])
  test.each<[string, TargetCache, boolean]>([
    ['the same', known, true],
    ['less', chainCache([['one', 'a', 1]]), true],
    ['nothing', chainCache([]), true],
    [
      'another result of a step',
      chainCache([
        ['one', 'c', 1],
        ['two', 'b', 1],
      ]),
      false,
    ],
    ['another step with the same result', chainCache([['three', 'a', 1]]), false],
    ['the same step after another', chainCache([['two', 'b', 1]]), false],
    [
      'one step more',
      chainCache([
        ['one', 'a', 1],
        ['two', 'b', 1],
        ['three', 'c', 1],
      ]),
      false,
    ],
  ])('%s', (_, newer, expected) => {
    expect(covers(known, newer)).toBe(expected)
  })

  test('a step that selects another path is another step', () => {
    const selecting = (selector: string): TargetCache => ({
      layers: known.layers,
      config: {
        layers: known.config.layers,
        records: [
          { digest: digest('x') },
          { digest: digest('y'), layers: [{ layer: 0 }], inputs: [[{ selector, link: 0 }]] },
        ],
      },
    })
    expect(covers(selecting('/a'), selecting('/a'))).toBe(true)
    expect(covers(selecting('/a'), selecting('/b'))).toBe(false)
  })

  test('the order of inputs counts', () => {
    const copying = (from: readonly number[]): TargetCache => ({
      layers: known.layers,
      config: {
        layers: known.config.layers,
        records: [
          { digest: digest('x') },
          { digest: digest('y') },
          { digest: digest('z'), layers: [{ layer: 0 }], inputs: from.map((link) => [{ link }]) },
        ],
      },
    })
    expect(covers(copying([0, 1]), copying([1, 0]))).toBe(false)
  })

  test('long chains take no time', () => {
    const long = chainCache(Array.from({ length: 10_000 }, (_, index) => [`${index}`, `${index}`, 1] as const))
    const began = performance.now()
    expect(covers(long, again(long))).toBe(true)
    expect(performance.now() - began).toBeLessThan(5_000)
  })
})
