import { createHash } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  blobsOf,
  parseTargetCache,
  pruneTargetCache,
  renderTargetCache,
  shrinkToImport,
  type CacheConfig,
  type TargetCache,
} from '../../src/cache/cache-manifest.ts'
import { anyCache, cacheOf, chainCache, CREATED_AT, digest } from '../support/target-caches.ts'

const A = digest('a')
const LAYER = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: A, size: 3 }

function parse(layers: unknown, config: unknown): TargetCache | undefined {
  return parseTargetCache(Buffer.from(JSON.stringify({ layers })), Buffer.from(JSON.stringify(config)))
}

function parseConfig(config: unknown): TargetCache | undefined {
  return parse([LAYER], config)
}

describe('parseTargetCache', () => {
  test('reads back all of what was rendered', () => {
    fc.assert(
      fc.property(anyCache({ emptyInputs: false }), (cache) => {
        const { manifest, config, layers } = renderTargetCache(cache)
        expect(parseTargetCache(manifest, config)).toEqual(cache)
        expect(layers).toBe(cache.layers.length)
      }),
    )
  })

  test('reads what Go leaves out', () => {
    const cache = parseConfig({
      layers: [{ blob: A, parent: -1 }, { blob: A }],
      records: [{ digest: A }, { digest: A, inputs: [[{ link: 0 }], null], layers: [{ layer: 1 }] }],
    })
    expect(cache?.config.layers[1]).toEqual({ blob: A, parent: 0 })
    expect(cache?.config.records[1]?.inputs).toEqual([[{ link: 0 }], []])
    expect(parseConfig({})).toEqual({ layers: [LAYER], config: { layers: [], records: [] } })
  })

  test('a manifest names its config, as it is to be stored', () => {
    const { manifest, config } = renderTargetCache(chainCache([['one', 'a', 5]]))
    expect(JSON.parse(manifest.toString())).toMatchObject({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: {
        mediaType: 'application/vnd.buildkit.cacheconfig.v0',
        digest: `sha256:${createHash('sha256').update(config).digest('hex')}`,
        size: config.length,
      },
    })
  })

  const layer = { blob: A, parent: -1 }
  const result = { layer: 0, createdAt: CREATED_AT }
  test('takes what the faulty ones below are made from', () => {
    const records = [
      { digest: A, layers: [result], chains: [{ layers: [0] }] },
      { digest: A, inputs: [[{ link: 0 }]] },
    ]
    expect(parseConfig({ layers: [{ ...layer, annotations: { size: 1 } }], records })).toBeDefined()
  })

  test.each<[string, unknown]>([
    ['no object', 'text'],
    ['layers that are no list', { layers: {} }],
    ['a layer that is none', { layers: [null] }],
    ['a blob that is no digest', { layers: [{ ...layer, blob: 'sha256:../../etc/passwd' }] }],
    ['a blob without a descriptor', { layers: [{ ...layer, blob: digest('b') }] }],
    ['a parent that is none', { layers: [{ ...layer, parent: 1 }] }],
    ['a parent below none', { layers: [{ ...layer, parent: -2 }] }],
    ['half a parent', { layers: [layer, { ...layer, parent: 0.5 }] }],
    ['a layer on itself', { layers: [{ ...layer, parent: 0 }] }],
    [
      'layers on each other',
      {
        layers: [
          { ...layer, parent: 1 },
          { ...layer, parent: 0 },
        ],
      },
    ],
    ['annotations that are a list', { layers: [{ ...layer, annotations: [] }] }],
    ['annotations within annotations', { layers: [{ ...layer, annotations: { a: {} } }] }],
    ['too many layers', { layers: Array.from({ length: 10_001 }, () => layer) }],
    ['a record without a digest', { records: [{}] }],
    ['a record with text for a digest', { records: [{ digest: 'x y' }] }],
    ['a result of no layer', { layers: [layer], records: [{ digest: A, layers: [{ layer: 1 }] }] }],
    [
      'a time that Go cannot read',
      { layers: [layer], records: [{ digest: A, layers: [{ layer: 0, createdAt: 'now' }] }] },
    ],
    [
      'a day that does not exist',
      { layers: [layer], records: [{ digest: A, layers: [{ layer: 0, createdAt: '2026-99-01T00:00:00Z' }] }] },
    ],
    ['a chain of no layers', { layers: [layer], records: [{ digest: A, chains: [{}] }] }],
    ['a chain through no layer', { layers: [layer], records: [{ digest: A, chains: [{ layers: [0, 1] }] }] }],
    ['a link to no record', { records: [{ digest: A, inputs: [[{ link: 1 }]] }] }],
    ['a link without a number', { records: [{ digest: A, inputs: [[{ link: '0' }]] }] }],
    ['a selector that is no text', { records: [{ digest: A }, { digest: A, inputs: [[{ link: 0, selector: 1 }]] }] }],
    ['a record made from itself', { records: [{ digest: A, inputs: [[{ link: 0 }]] }] }],
    [
      'records made from each other',
      {
        records: [
          { digest: A, inputs: [[{ link: 1 }]] },
          { digest: A, inputs: [[{ link: 0 }]] },
        ],
      },
    ],
    ['inputs that are none', { records: [{ digest: A, inputs: [0] }] }],
  ])('refuses a config with %s', (_, config) => {
    expect(parseConfig(config)).toBeUndefined()
  })

  test.each<[string, unknown]>([
    ['no layers', undefined],
    ['a size below zero', [{ ...LAYER, size: -1 }]],
    ['half a byte', [{ ...LAYER, size: 0.5 }]],
    ['a size beyond counting', [{ ...LAYER, size: 2 ** 53 }]],
    ['a size in text', [{ ...LAYER, size: '3' }]],
    ['another digest', [{ ...LAYER, digest: 'md5:0123456789abcdef' }]],
    ['no media type', [{ digest: A, size: 3 }]],
    ['annotations that are no text', [{ ...LAYER, annotations: { a: 1 } }]],
  ])('refuses a manifest with %s', (_, layers) => {
    expect(parse(layers, {})).toBeUndefined()
  })

  test('refuses what is no JSON', () => {
    expect(parseTargetCache(Buffer.from('{'), Buffer.from('{}'))).toBeUndefined()
    expect(parseTargetCache(Buffer.from('{"layers":[]}'), Buffer.from(''))).toBeUndefined()
  })

  test('long chains, back to front, take no time', () => {
    const count = 10_000
    const layers = Array.from({ length: count }, (_, index) => ({
      blob: A,
      parent: index + 1 < count ? index + 1 : -1,
    }))
    const records = Array.from({ length: 50_000 }, (_, index) => ({
      digest: A,
      layers: [{ layer: index % count }],
      inputs: index === 49_999 ? [[]] : [[{ link: index + 1 }]],
    }))
    const began = performance.now()
    const cache = parseConfig({ layers, records })
    expect(cache && pruneTargetCache(cache, () => true).config.records).toEqual([])
    expect(performance.now() - began).toBeLessThan(5_000)
  })
})

test('blobsOf tells the bytes of each blob', () => {
  const cache = chainCache([
    ['one', 'a', 5],
    ['two', 'b', 7],
  ])
  expect(blobsOf(cache)).toEqual(
    new Map([
      [A, 5],
      [digest('b'), 7],
    ]),
  )
})

describe('pruneTargetCache', () => {
  test('what rests on a lost layer goes, what lies beneath stays', () => {
    const cache = chainCache([
      ['one', 'a', 1],
      ['two', 'b', 2],
      ['three', 'c', 3],
    ])
    const pruned = pruneTargetCache(cache, (blob) => blob !== digest('b'))
    expect([...blobsOf(pruned).keys()]).toEqual([A])
    expect(pruned.config.records.map((record) => record.digest)).toEqual([digest('source'), digest('one')])
  })

  test('a record without its result stays where others are found through it', () => {
    const config: CacheConfig = {
      layers: [
        { blob: A, parent: -1 },
        { blob: digest('b'), parent: -1 },
      ],
      records: [
        { digest: digest('unrelated') },
        { digest: digest('compile'), layers: [{ layer: 0 }] },
        { digest: digest('copy'), layers: [{ layer: 1 }], inputs: [[{ selector: '/out', link: 1 }]] },
      ],
    }
    const pruned = pruneTargetCache(cacheOf(config), (blob) => blob !== A)
    expect(pruned.config).toEqual({
      layers: [{ blob: digest('b'), parent: -1 }],
      records: [
        { digest: digest('compile') },
        { digest: digest('copy'), layers: [{ layer: 0 }], inputs: [[{ selector: '/out', link: 0 }]] },
      ],
    })
  })

  test('records that cannot be found go, and one that is found in another way stays', () => {
    const result = { layers: [{ layer: 0 }] }
    const config: CacheConfig = {
      layers: [{ blob: A, parent: -1 }],
      records: [
        { digest: digest('root') },
        { digest: digest('looped'), ...result, inputs: [[]] },
        { digest: digest('on looped'), ...result, inputs: [[{ link: 1 }], [{ link: 0 }]] },
        { digest: digest('on either'), ...result, inputs: [[{ link: 2 }, { link: 0 }]] },
      ],
    }
    expect(pruneTargetCache(cacheOf(config), () => true).config.records).toEqual([
      { digest: digest('root') },
      { digest: digest('on either'), ...result, inputs: [[{ link: 0 }]] },
    ])
  })

  test('any cache: exactly the results that can be had and found, with how they are found', () => {
    fc.assert(
      fc.property(anyCache({ emptyInputs: true }), fc.nat(63), (cache, mask) => {
        const lost = new Set([0, 1, 2, 3, 4, 5].filter((bit) => mask & (1 << bit)).map((bit) => digest(String(bit))))
        const has = (blob: string): boolean => !lost.has(blob)
        const pruned = pruneTargetCache(cache, has)
        expect(resultsOf(pruned.config, () => true)).toEqual(resultsOf(cache.config, has))
        // BuildKit takes it, and nothing in it is idle.
        const { manifest, config } = renderTargetCache(pruned)
        expect(parseTargetCache(manifest, config)).toEqual(pruned)
        expect(pruned.config.records.flatMap(({ inputs = [] }) => inputs)).not.toContainEqual([])
        expect(pruneTargetCache(pruned, () => true)).toEqual(pruned)
        expect(new Set(pruned.config.layers.map(({ blob }) => blob))).toEqual(new Set(blobsOf(pruned).keys()))
      }),
      { numRuns: 1_000 },
    )
  })
})

/** Every result that can be had and found: how it is found, and its blobs from the bottom up. In order of the records. */
function resultsOf({ layers, records }: CacheConfig, has: (blob: string) => boolean): readonly string[] {
  const isFindable = (index: number): boolean =>
    (records[index]?.inputs ?? []).every((input) => input.some(({ link }) => isFindable(link)))
  const findable = records.map((_, index) => isFindable(index))
  const names = new Map<number, string>()
  const nameOf = (index: number): string => {
    const known = names.get(index)
    if (known !== undefined) return known
    const inputs = (records[index]?.inputs ?? []).map((input) =>
      input.filter(({ link }) => findable[link]).map(({ selector, link }) => [selector, nameOf(link)]),
    )
    const name = digest(JSON.stringify([records[index]?.digest, inputs]))
    names.set(index, name)
    return name
  }
  const down = (layer: number): readonly string[] => {
    const { blob = '', parent = -1 } = layers[layer] ?? {}
    return parent < 0 ? [blob] : [...down(parent), blob]
  }
  return records.flatMap((record, index) => {
    if (findable[index] !== true) return []
    const results = (record.layers ?? []).map(({ layer }) => down(layer)).filter((blobs) => blobs.every(has))
    const chains = (record.chains ?? []).filter((chain) => chain.layers.flatMap(down).every(has))
    const blobs = chains.map((chain) => chain.layers.map((layer) => layers[layer]?.blob ?? ''))
    return [...results, ...blobs].map((chain) => `${nameOf(index)} ${chain.join(' ')}`)
  })
}

describe('shrinkToImport', () => {
  const LIMIT = 1 << 20
  const at = (minute: number): string => new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString()

  test('what fits stays as it is', () => {
    const cache = chainCache([['one', 'a', 5]])
    expect(shrinkToImport(cache)).toEqual(cache)
  })

  test('of what is too large for BuildKit the newest stays, much of it', () => {
    const names = Array.from({ length: 6_000 }, (_, index) => digest(String(index)))
    const cache: TargetCache = {
      layers: names.map((name, index) => ({
        ...LAYER,
        digest: name,
        annotations: { 'buildkit/createdat': at(index) },
      })),
      config: {
        layers: names.map((blob) => ({ blob, parent: -1 })),
        records: names.map((name, layer) => ({ digest: name, layers: [{ layer }] })),
      },
    }
    const shrunk = shrinkToImport(cache)
    const { manifest, config } = renderTargetCache(shrunk)
    expect(Math.max(manifest.length, config.length)).toBeLessThanOrEqual(LIMIT)
    expect(Math.max(manifest.length, config.length)).toBeGreaterThan(LIMIT * 0.7)
    expect([...blobsOf(shrunk).keys()]).toEqual(names.slice(-shrunk.layers.length))
  })

  test('nothing is left of one that is all records', () => {
    const records = Array.from({ length: 20_000 }, (_, index) => ({ digest: digest(String(index)) }))
    const last = { digest: A, layers: [{ layer: 0 }], inputs: [records.map((_, link) => ({ link }))] }
    const cache = cacheOf({ layers: [{ blob: A, parent: -1 }], records: [...records, last] })
    expect(shrinkToImport(cache)).toEqual({ layers: [], config: { layers: [], records: [] } })
  })
})
