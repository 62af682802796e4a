import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { mergeIndexes, parseIndex, serializeIndex, type CacheIndex } from '../../src/cache/cache-index.ts'
import type { TargetCache } from '../../src/cache/cache-manifest.ts'
import { anyCache, chainCache, digest } from '../support/target-caches.ts'

const NOW = Date.UTC(2026, 10, 20, 12)
const THEN = '2026-11-20T11:00:00.000Z'
const ID = '0123456789abcdef0123456789abcdef'
const KEY = `sb1-pack-0123456789abcdef-${ID}`
const PACK = { path: `packs/${ID}`, createdAt: THEN, blobs: { [digest('a')]: 5 } }
const INDEX: CacheIndex = {
  ...{ version: 1, createdAt: THEN, ref: 'refs/heads/main', commit: 'c'.repeat(40) },
  packs: { [KEY]: PACK },
  targets: { app: { createdAt: THEN, ...chainCache([['one', 'a', 5]]) } },
  mounts: { [ID]: { digest: digest('m'), bytes: 7, content: digest('l'), savedAt: THEN } },
  records: { anything: [1, { deep: true }] },
}

function parse(value: unknown): ReturnType<typeof parseIndex> {
  return parseIndex(Buffer.from(JSON.stringify(value)), NOW)
}

const hex = (length: number): fc.Arbitrary<string> =>
  fc
    .array(
      fc.nat(15).map((digit) => digit.toString(16)),
      { minLength: length, maxLength: length },
    )
    .map((one) => one.join(''))
/** Names that trip a careless object. */
const anyName = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', '7', ''),
  fc.string({ unit: 'binary', maxLength: 100 }),
)
const anyTime = fc.date({ min: new Date(0), max: new Date(NOW), noInvalidDate: true }).map((date) => date.toISOString())

/** A map as a reader of JSON sees it. */
function mapOf<T>(entries: readonly (readonly [string, T])[]): Readonly<Record<string, T>> {
  return Object.fromEntries(entries)
}

const anyIndex: fc.Arbitrary<CacheIndex> = fc
  .record({
    createdAt: anyTime,
    ref: fc.string({ maxLength: 100 }),
    commit: fc.option(hex(40), { nil: undefined }),
    packs: fc.array(
      fc.tuple(hex(32), anyTime, fc.array(fc.tuple(hex(64), fc.maxSafeNat()), { maxLength: 4 })).map(
        ([id, createdAt, blobs]) =>
          [
            `sb1-pack-${id.slice(16)}-${id}`,
            {
              path: `packs/${id}`,
              createdAt,
              blobs: mapOf(blobs.map(([name, size]) => [`sha256:${name}`, size % 20e9])),
            },
          ] as const,
      ),
      { maxLength: 4 },
    ),
    targets: fc.array(
      fc
        .tuple(anyName, anyTime, anyCache({ emptyInputs: true }))
        .map(([name, createdAt, cache]) => [name, { createdAt, ...cache }] as const),
      { maxLength: 4 },
    ),
    mounts: fc.array(
      fc
        .tuple(hex(32), hex(64), hex(64), fc.integer({ min: 1, max: 20e9 }), anyTime)
        .map(
          ([key, archive, list, bytes, savedAt]) =>
            [key, { digest: `sha256:${archive}`, bytes, content: `sha256:${list}`, savedAt }] as const,
        ),
      { maxLength: 4 },
    ),
    records: fc.dictionary(anyName, fc.jsonValue()),
  })
  .map(({ commit, packs, targets, mounts, ...rest }) => ({
    ...{ version: 1, ...rest, packs: mapOf(packs), targets: mapOf(targets), mounts: mapOf(mounts) },
    ...(commit === undefined ? {} : { commit }),
  }))

describe('an index', () => {
  test('any: is read as it was written', () => {
    fc.assert(
      fc.property(anyIndex, (index) => {
        const bytes = serializeIndex(index)
        const read = parseIndex(bytes, NOW)
        if ('fault' in read) throw new Error(read.fault)
        expect(serializeIndex(read.index).equals(bytes)).toBe(true)
        expect(Object.keys(read.index.targets).sort()).toEqual(Object.keys(index.targets).sort())
        expect(JSON.stringify(read.index.records)).toBe(JSON.stringify(index.records))
        expect(JSON.parse(JSON.stringify(read.index.packs))).toEqual(index.packs)
        expect(JSON.parse(JSON.stringify(read.index.mounts))).toEqual(index.mounts)
      }),
    )
  })

  test('is the same bytes in whatever order it was put together', () => {
    const other = `sb1-pack-fedcba9876543210-${ID.replaceAll('0', 'f')}`
    const packs = { [KEY]: PACK, [other]: { ...PACK, path: `packs/${ID.replaceAll('0', 'f')}` } }
    const turned = Object.fromEntries(Object.entries(packs).reverse())
    const [app = { createdAt: THEN, ...chainCache([]) }] = Object.values(INDEX.targets)
    const one = serializeIndex({ ...INDEX, packs, targets: { app, base: app } })
    expect(serializeIndex({ ...INDEX, packs: turned, targets: { base: app, app } }).equals(one)).toBe(true)
  })

  test('a name is a name, also where objects have something of that name', () => {
    const text = JSON.stringify(INDEX).replace('"app"', '"__proto__"')
    const read = parseIndex(Buffer.from(text), NOW)
    if ('fault' in read) throw new Error(read.fault)
    expect(Object.keys(read.index.targets)).toEqual(['__proto__'])
    expect('createdAt' in {}).toBe(false)
    expect(mergeIndexes([{ ref: 'r', index: read.index }]).targets()).toEqual(['__proto__'])
    expect(mergeIndexes([{ ref: 'r', index: read.index }]).cachesOf('__proto__')).toHaveLength(1)
  })

  test('what a newer version wrote is told', () => {
    expect(parse({ ...INDEX, version: 2 })).toEqual({ fault: 'a newer version of stage-build wrote it' })
  })

  test('a commit that is none is left out', () => {
    const read = parse({ ...INDEX, commit: '$(rm -rf /)' })
    expect('index' in read && read.index.commit).toBeUndefined()
  })

  const target = INDEX.targets['app']
  const withPack = (pack: unknown): unknown => ({ ...INDEX, packs: { [KEY]: pack } })
  const withTarget = (value: unknown, name = 'app'): unknown => ({ ...INDEX, targets: { [name]: value } })
  const many = (count: number, entry: (index: number) => readonly [string, unknown]): unknown =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => entry(index)))
  const packKey = (index: number): string => index.toString(16).padStart(32, '0')

  test('takes what the faulty ones below are made from', () => {
    expect(parse(withPack(PACK))).toHaveProperty('index')
    expect(parse(withTarget(target))).toHaveProperty('index')
  })

  test.each<[string, unknown, string]>([
    ['nothing', null, 'it has no version'],
    ['a list', [], 'it has no version'],
    ['version in text', { ...INDEX, version: '1' }, 'it has no version'],
    ['an older version', { ...INDEX, version: 0 }, 'it has no version'],
    ['no time', { ...INDEX, createdAt: undefined }, 'its head is malformed'],
    ['no such time', { ...INDEX, createdAt: 'yesterday' }, 'its head is malformed'],
    ['a time far ahead', { ...INDEX, createdAt: '2026-11-22T12:00:01Z' }, 'its head is malformed'],
    ['no ref', { ...INDEX, ref: 1 }, 'its head is malformed'],
    ['a long ref', { ...INDEX, ref: 'r'.repeat(501) }, 'its head is malformed'],
    ['packs in a list', { ...INDEX, packs: [PACK] }, 'its packs are malformed'],
    ['mounts in a list', { ...INDEX, mounts: [] }, 'its mounts are malformed'],
    ['a mount of an odd name', { ...INDEX, mounts: { '../x': INDEX.mounts[ID] } }, 'its mounts are malformed'],
    [
      'a mount of no bytes',
      { ...INDEX, mounts: { [ID]: { ...INDEX.mounts[ID], bytes: 0 } } },
      'its mounts are malformed',
    ],
    [
      'a mount that is elsewhere',
      { ...INDEX, mounts: { [ID]: { ...INDEX.mounts[ID], digest: 'sha256:../../etc' } } },
      'its mounts are malformed',
    ],
    ['no packs', { ...INDEX, packs: undefined }, 'its packs are malformed'],
    ['another key', { ...INDEX, packs: { 'sb1-index-x': PACK } }, 'its packs are malformed'],
    ['a key with more', { ...INDEX, packs: { [`${KEY}\n`]: PACK } }, 'its packs are malformed'],
    ['a key in capitals', { ...INDEX, packs: { [KEY.toUpperCase()]: PACK } }, 'its packs are malformed'],
    ['a path upwards', withPack({ ...PACK, path: `packs/../${ID}` }), 'its packs are malformed'],
    ['a path from the root', withPack({ ...PACK, path: '/etc' }), 'its packs are malformed'],
    ['a path of another pack', withPack({ ...PACK, path: `packs/${'f'.repeat(32)}` }), 'its packs are malformed'],
    ['a pack without a time', withPack({ ...PACK, createdAt: null }), 'its packs are malformed'],
    ['a pack from far ahead', withPack({ ...PACK, createdAt: '2027-01-01T00:00:00Z' }), 'its packs are malformed'],
    ['a blob upwards', withPack({ ...PACK, blobs: { 'sha256:../../x': 1 } }), 'its packs are malformed'],
    [
      'a blob in capitals',
      withPack({ ...PACK, blobs: { [`sha256:${'A'.repeat(64)}`]: 1 } }),
      'its packs are malformed',
    ],
    ['a size below zero', withPack({ ...PACK, blobs: { [digest('a')]: -1 } }), 'its packs are malformed'],
    ['a huge size', withPack({ ...PACK, blobs: { [digest('a')]: 20e9 + 1 } }), 'its packs are malformed'],
    ['a size in text', withPack({ ...PACK, blobs: { [digest('a')]: '1' } }), 'its packs are malformed'],
    [
      'many packs',
      {
        ...INDEX,
        packs: many(2_001, (at) => [`${KEY.slice(0, -32)}${packKey(at)}`, { ...PACK, path: `packs/${packKey(at)}` }]),
      },
      'its packs are malformed',
    ],
    [
      'many blobs',
      {
        ...INDEX,
        packs: many(3, (at) => [
          `${KEY.slice(0, -32)}${packKey(at)}`,
          {
            ...PACK,
            path: `packs/${packKey(at)}`,
            blobs: many(7_000, (blob) => [`sha256:${packKey(at)}${packKey(blob)}`, 1]),
          },
        ]),
      },
      'its packs hold too many blobs',
    ],
    ['targets in text', { ...INDEX, targets: 'app' }, 'its targets are malformed'],
    ['a long name', withTarget(target, 'n'.repeat(201)), 'its targets are malformed'],
    ['a target without layers', withTarget({ ...target, layers: undefined }), 'its targets are malformed'],
    ['a target without a config', withTarget({ ...target, config: undefined }), 'its targets are malformed'],
    ['a target without a time', withTarget({ ...target, createdAt: 5 }), 'its targets are malformed'],
    ['a layer that is not named', withTarget({ ...target, layers: [] }), 'its targets are malformed'],
    ['many targets', { ...INDEX, targets: many(501, (at) => [`t${at}`, target]) }, 'its targets are malformed'],
  ])('%s is refused', (_, value, fault) => {
    expect(parse(value)).toEqual({ fault })
  })

  test('what is no JSON, and what is too much of it, is refused', () => {
    expect(parseIndex(Buffer.from('{'), NOW)).toEqual({ fault: 'it is no JSON' })
    expect(parseIndex(Buffer.alloc((64 << 20) + 1, ' '), NOW)).toEqual({ fault: 'it is too large' })
  })

  test('whatever it is, reading it does not throw', () => {
    const paths: readonly (readonly string[])[] = [
      ['packs'],
      ['packs', KEY],
      ['targets', 'app'],
      ['targets', 'app', 'config'],
    ]
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
        const index = JSON.parse(JSON.stringify(INDEX)) as Record<string, unknown>
        const parent = path.slice(0, -1).reduce((at, key) => at[key] as Record<string, unknown>, index)
        parent[path.at(-1) ?? ''] = value
        expect(Object.keys(parse(index))).toHaveLength(1)
      }),
    )
  })
})

describe('mergeIndexes', () => {
  const one = chainCache([['one', 'a', 5]])
  const two = chainCache([
    ['one', 'a', 5],
    ['two', 'b', 7],
  ])
  const index = (targets: Readonly<Record<string, TargetCache>>): CacheIndex => ({
    ...INDEX,
    targets: Object.fromEntries(Object.entries(targets).map(([name, cache]) => [name, { createdAt: THEN, ...cache }])),
  })
  const refs = (found: readonly { readonly ref: string }[]): readonly string[] => found.map(({ ref }) => ref)

  test('a target’s caches, those of the own branch first', () => {
    const view = mergeIndexes([
      { ref: 'own', index: index({ app: one }) },
      { ref: 'base', index: index({ app: two }) },
    ])
    expect(view.cachesOf('app')).toEqual([
      { ref: 'own', createdAt: THEN, cache: one },
      { ref: 'base', createdAt: THEN, cache: two },
    ])
  })

  test('what another branch says already is told once', () => {
    const view = mergeIndexes([
      { ref: 'own', index: index({ app: two }) },
      { ref: 'base', index: index({ app: one }) },
      { ref: 'default', index: index({ app: two }) },
    ])
    expect(refs(view.cachesOf('app'))).toEqual(['own'])
  })

  test('a new target may try what the others have, five at most', () => {
    const targets = Object.fromEntries(
      Array.from({ length: 7 }, (_, at) => [`t${at}`, chainCache([[`step ${at}`, `blob ${at}`, 1]])] as const),
    )
    const view = mergeIndexes([{ ref: 'own', index: index(targets) }])
    expect(view.cachesOf('new').map(({ cache }) => cache)).toEqual(Object.values(targets).slice(0, 5))
    expect(view.targets()).toEqual(Object.keys(targets))
  })

  test('without an index there is nothing', () => {
    expect(mergeIndexes([]).cachesOf('app')).toEqual([])
  })
})
