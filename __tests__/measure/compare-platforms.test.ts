import { describe, expect, test } from '@jest/globals'
import { comparePlatforms } from '../../src/measure/compare-platforms.ts'
import type { PlatformSizes } from '../../src/measure/sizes.ts'
import { digestOf, sizesOf, type ToldLayer } from '../support/size-records.ts'

const MB = 1_000_000
const BASE: ToldLayer = { content: 'node 22', size: 50 * MB, inherited: true }
const NODE = { image: 'docker.io/library/node:22', digest: digestOf('node 22') }

const image = (...own: readonly ToldLayer[]): PlatformSizes =>
  sizesOf({ layers: [BASE, ...own], base: NODE, merged: 150 * MB })

test('what is inherited and what is own changes apart, and own layers tell what', () => {
  const before = image(
    { instruction: 'RUN npm ci', size: 20 * MB, line: 3 },
    { instruction: 'COPY . .', size: MB, line: 4 },
  )
  const now = sizesOf({
    layers: [
      { content: 'node 23', size: 52 * MB, inherited: true },
      { instruction: 'RUN npm ci', content: 'more', size: 55 * MB, line: 3 },
      { instruction: 'RUN apk add git', size: 2 * MB, line: 4 },
      { instruction: 'COPY . .', size: MB, line: 5 },
    ],
    base: { image: 'docker.io/library/node:23', digest: digestOf('node 23') },
    merged: 300 * MB,
  })
  expect(comparePlatforms(before, now)).toEqual({
    transfer: { now: 110 * MB, before: 71 * MB },
    unpacked: { now: 330 * MB, before: 213 * MB },
    own: { transfer: { now: 58 * MB, before: 21 * MB }, unpacked: { now: 174 * MB, before: 63 * MB } },
    inherited: { transfer: { now: 52 * MB, before: 50 * MB }, unpacked: { now: 156 * MB, before: 150 * MB } },
    waste: { now: 30 * MB, before: 63 * MB },
    notComparable: [],
    unchanged: false,
    layers: [
      { kind: 'changed', instruction: 'RUN npm ci', line: 3, file: 'Dockerfile', transfer: { now: 55 * MB, before: 20 * MB }, unpacked: { now: 165 * MB, before: 60 * MB } },
      { kind: 'added', instruction: 'RUN apk add git', line: 4, file: 'Dockerfile', transfer: { now: 2 * MB, before: 0 }, unpacked: { now: 6 * MB, before: 0 } },
    ],
    paths: [],
    packages: [],
    base: { image: 'docker.io/library/node:23', imageBefore: NODE.image, digest: digestOf('node 23'), digestBefore: NODE.digest },
  }) // prettier-ignore
})

test('directories that changed are told where both sides know their files', () => {
  const tree = (bytes: number): PlatformSizes['files'] => ({
    bytes: bytes + MB,
    files: 2,
    children: new Map([
      ['app', { bytes, files: 1, children: new Map([['data.bin', { bytes, files: 1 }]]) }],
      ['etc', { bytes: MB, files: 1 }],
    ]),
  })
  const [before, now] = [image({ content: 'a', size: MB }), image({ content: 'b', size: 9 * MB })]
  const compared = comparePlatforms({ ...before, files: tree(3 * MB) }, { ...now, files: tree(27 * MB) })
  expect(compared.paths).toEqual([{ path: 'app/data.bin', now: 27 * MB, before: 3 * MB }])
  expect(comparePlatforms(before, { ...now, files: tree(27 * MB) }).paths).toEqual([])
})

describe('unchanged', () => {
  type Case = readonly [string, readonly [number, number?], readonly [number, number?], boolean]
  test.each<Case>([
    ['the same to the byte', [71 * MB], [71 * MB], true],
    ['a byte less than 10 kB of a small image', [MB], [MB + 9_999, 3 * MB], true],
    ['10 kB of a small image', [MB], [MB + 10_000, 3 * MB], false],
    ['a byte less than 0.05 % of a large image', [100 * MB], [100 * MB + 49_999, 300 * MB], true],
    ['0.05 % of a large image', [100 * MB], [100 * MB + 50_000, 300 * MB], false],
    ['as much less', [100 * MB], [100 * MB - 50_000, 300 * MB], false],
    ['only what is unpacked', [100 * MB], [100 * MB, 301 * MB], false],
  ])('%s', (_, [before, unpackedBefore = 3 * before], [now, unpacked = 3 * now], expected) => {
    const [was, is] = [
      sizesOf({ layers: [{ content: 'was', size: before, unpacked: unpackedBefore }] }),
      sizesOf({ layers: [{ content: 'is', size: now, unpacked }] }),
    ]
    expect(comparePlatforms(was, is).unchanged).toBe(expected)
  })

  test('a size that is not known hides nothing that is known', () => {
    const of = (size: number, unpacked: number | undefined): PlatformSizes => sizesOf({ layers: [{ content: `${size} ${unpacked ?? '?'}`, size, unpacked }] })
    expect(comparePlatforms(of(MB, undefined), of(MB + 1, 7)).unchanged).toBe(true)
    expect(comparePlatforms(of(MB, undefined), of(2 * MB, undefined)).unchanged).toBe(false)
    const unknown = { total: undefined, own: undefined, inherited: undefined }
    const nothing = { ...of(MB, 1), digest: '', transfer: unknown, unpacked: unknown }
    expect(comparePlatforms(nothing, nothing).unchanged).toBe(false)
  }) // prettier-ignore

  test('one image is unchanged, whatever is not known of it', () => {
    const one = sizesOf({ layers: [{ content: 'a', size: MB, unpacked: undefined }] })
    expect(comparePlatforms(one, one)).toMatchObject({ unchanged: true, layers: [], base: undefined })
  })
})

describe('compression', () => {
  const own = (compression: ToldLayer['compression'], size = MB): ToldLayer => ({ content: 'app', size, compression, unpacked: 3 * MB })

  test('another one is no measure, and what is unpacked decides whether something changed', () => {
    const compared = comparePlatforms(image(own('gzip')), image(own('zstd', 0.6 * MB)))
    expect(compared.notComparable).toEqual([
      'The baseline’s layers are compressed by gzip and these are compressed by zstd, so their transfer sizes cannot be compared.',
    ])
    expect(compared.unchanged).toBe(true)
    expect(compared.transfer).toEqual({ now: 50.6 * MB, before: 51 * MB })
  })

  test.each<[string, readonly ToldLayer[], readonly ToldLayer[]]>([
    ['of the base, which is what it is', [own('gzip')], [own('gzip'), { content: 'b', size: 1, inherited: true, compression: 'zstd' }]],
    ['of an empty layer', [own('gzip')], [own('gzip'), { content: 'b', size: 32, unpacked: 0, compression: 'zstd' }]],
    ['that is not known', [own('gzip')], [{ ...own('gzip'), compression: undefined }]],
    ['of the first own layer', [], [own('zstd')]],
    ['in another order', [own('gzip'), { content: 'b', size: 1, compression: 'zstd' }], [{ content: 'b', size: 1, compression: 'zstd' }, own('gzip')]],
  ])('a difference %s is none', (_, before, now) => {
    expect(comparePlatforms(image(...before), image(...now)).notComparable).toEqual([])
  })

  test('layers that are partly compressed otherwise are not comparable', () => {
    const other: ToldLayer = { content: 'b', size: 1, compression: 'none' }
    expect(comparePlatforms(image(own('gzip')), image(own('gzip'), other)).notComparable).toEqual([
      expect.stringContaining('and these are compressed by gzip or not compressed,'),
    ])
  })
}) // prettier-ignore

describe('the base', () => {
  const own: ToldLayer = { content: 'app', size: MB }
  const on = (base: PlatformSizes['base'], ...inherited: readonly string[]): PlatformSizes => {
    const layers = inherited.map((content): ToldLayer => ({ content, size: 5, inherited: true }))
    return { ...sizesOf({ layers: [...layers, own], base }), digest: digestOf(JSON.stringify([base, inherited])) }
  }
  const node = (digest: string): PlatformSizes['base'] => ({ image: 'node', digest })

  test.each<[string, PlatformSizes, PlatformSizes, unknown]>([
    ['the same', on(node('1'), 'a'), on(node('1'), 'a'), undefined],
    ['another digest with other layers', on(node('1'), 'a'), on(node('2'), 'b'), { image: 'node', imageBefore: 'node', digest: '2', digestBefore: '1' }],
    ['another digest with the same layers (another platform of the index)', on(node('1'), 'a'), on(node('2'), 'a'), undefined],
    ['another image', on(node('1'), 'a'), on({ image: 'alpine', digest: '3' }, 'c'), { image: 'alpine', imageBefore: 'node', digest: '3', digestBefore: '1' }],
    ['to scratch', on(node('1'), 'a'), on(undefined), { image: 'scratch', imageBefore: 'node', digest: undefined, digestBefore: '1' }],
    ['from scratch', on(undefined), on(node('1'), 'a'), { image: 'node', imageBefore: 'scratch', digest: '1', digestBefore: undefined }],
    ['not known before', on(undefined, 'x'), on(node('1'), 'a'), undefined],
  ])('%s', (_, before, now, expected) => {
    expect(comparePlatforms(before, now).base).toEqual(expected)
  })
}) // prettier-ignore

describe('a baseline that knows less', () => {
  test('totals only: no layer is told as new', () => {
    const now = image({ content: 'app', size: MB })
    const totals: PlatformSizes = { ...now, digest: '', layers: [], transfer: { ...now.transfer, total: 7 } }
    expect(comparePlatforms(totals, now)).toMatchObject({ layers: [], transfer: { now: 51 * MB, before: 7 }, unchanged: false })
  })

  test('an image of nothing has no layers: then all are new', () => {
    expect(comparePlatforms(sizesOf({ layers: [] }), image({ content: 'app', size: MB })).layers).toHaveLength(1)
  })

  test('of which nobody knows what is inherited: all layers are compared', () => {
    const before = image({ content: 'app', size: MB })
    const unknown = { ...before, layers: before.layers.map((layer) => ({ ...layer, own: true })), transfer: { total: 51 * MB, own: undefined, inherited: undefined } }
    const now = sizesOf({ layers: [{ content: 'node 23', size: 52 * MB, inherited: true }, { content: 'app', size: MB }] })
    const { layers, base } = comparePlatforms(unknown, now)
    expect(layers.reduce((sum, { transfer }) => sum + (transfer.now ?? 0) - (transfer.before ?? 0), 0)).toBe(2 * MB)
    expect(base).toBeUndefined()
  })

  test('nothing at all: figures of one side', () => {
    const now = image({ content: 'app', size: MB })
    const expected = { transfer: { now: 51 * MB, before: undefined }, layers: [], unchanged: false, base: undefined }
    expect(comparePlatforms(undefined, now)).toMatchObject(expected)
    expect(comparePlatforms(now, undefined).transfer).toEqual({ now: undefined, before: 51 * MB })
  })
}) // prettier-ignore
