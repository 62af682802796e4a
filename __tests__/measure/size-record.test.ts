import { describe, expect, test } from '@jest/globals'
import {
  parseSizeRecord,
  readSizeRecords,
  sizeRecordToJson,
  writeSizeRecords,
  type SizeRecord,
} from '../../src/measure/size-record.ts'
import { digestOf, recordOf, sizesOf } from '../support/size-records.ts'

const FULL = recordOf({
  status: 'unchanged',
  tags: ['ghcr.io/o/r:1', 'ghcr.io/o/r:latest'],
  digest: digestOf('image'),
  fingerprint: digestOf('print'),
  wantedPlatforms: ['linux/amd64', 'linux/arm64/v9'],
  platforms: [
    sizesOf({
      layers: [
        { content: 'base', size: 5, inherited: true, compression: 'zstd' },
        { instruction: 'COPY . .', size: 7, unpacked: undefined, line: 4, compression: 'none' },
      ],
      base: { image: 'docker.io/library/node:22', digest: digestOf('base') },
      packages: [{ manager: 'apk', name: 'openssl', version: '3.3.1', bytes: 12 }],
      files: {
        bytes: 21,
        files: 3,
        children: new Map([
          ['app', { bytes: 20, files: 2, children: new Map([['a|b`.js', { bytes: 15, files: 1 }]]) }],
          ['__proto__', { bytes: 1, files: 1 }],
        ]),
      },
      merged: 11,
      unknownReason: 'A layer could not be read.',
    }),
  ],
})
const FAILED = recordOf({
  status: 'failed',
  failure: 'RUN npm ci failed with exit code 1.',
  ...{ platforms: [], commit: undefined, ref: undefined, run: undefined, line: undefined },
})

test('what is written is read again', () => {
  expect(readSizeRecords(writeSizeRecords([FULL, FAILED]))).toEqual({ kind: 'records', records: [FULL, FAILED] })
})

test('a record is kept as JSON within other JSON', () => {
  expect(parseSizeRecord(JSON.parse(JSON.stringify({ kept: sizeRecordToJson(FULL) }).slice(8, -1)))).toEqual(FULL)
})

describe('what is not what was written is no record', () => {
  const json = sizeRecordToJson(FULL)
  const [platform] = FULL.platforms
  test.each<[string, Readonly<Record<string, unknown>>]>([
    ['another version', { version: 2 }],
    ['no version', { version: undefined }],
    ['a target with a line break', { target: 'prod\n::error::' }],
    ['a target of 60,000 characters', { target: 'p'.repeat(60_000) }],
    ['a target like a property of every object', { target: '__proto__' }],
    ['an empty target', { target: '' }],
    ['an id with an escape', { id: 'a\u001b[31m' }],
    ['a file of 60,000 characters', { file: 'd'.repeat(60_000) }],
    ['a time that is none', { createdAt: 'yesterday' }],
    ['a time that cannot be', { createdAt: '2026-13-45T99:99:99Z' }],
    ['a status that is none', { status: 'toString' }],
    ['tags that are no list', { tags: { length: 1, 0: 'a' } }],
    ['a tag that is no text', { tags: [1] }],
    ['a million tags', { tags: Array.from({ length: 1e6 }, () => 'a') }],
    ['platforms that are no list', { platforms: {} }],
    ['a platform that is none', { platforms: [{ ...platform, platform: 'linux/<b>' }] }],
    ['a platform without sizes', { platforms: [{ ...platform, transfer: undefined }] }],
    ['a million layers', { platforms: [{ ...platform, layers: Array.from({ length: 1e6 }, () => ({})) }] }],
    ['a layer of less than nothing', { platforms: [{ ...platform, layers: [{ ...platform?.layers[0], size: -1 }] }] }],
    ['a layer of half a byte', { platforms: [{ ...platform, layers: [{ ...platform?.layers[0], size: 0.5 }] }] }],
    ['a layer too large to be exact', { platforms: [{ ...platform, layers: [{ ...platform?.layers[0], size: 2 ** 53 }] }] }],
    ['a layer without end', { platforms: [{ ...platform, layers: [{ ...platform?.layers[0], size: Infinity }] }] }],
    ['a layer of no number', { platforms: [{ ...platform, layers: [{ ...platform?.layers[0], size: NaN }] }] }],
    ['a layer of text', { platforms: [{ ...platform, layers: [{ ...platform?.layers[0], size: '7' }] }] }],
  ])('%s', (_, change) => {
    expect(parseSizeRecord({ ...json, ...change })).toBeUndefined()
  }) // prettier-ignore

  test.each([undefined, null, 1, 'x', [], [[]], {}, { version: 1 }])('%j', (value) => {
    expect(parseSizeRecord(value)).toBeUndefined()
  })

  test('properties that were inherited are not own', () => {
    expect(parseSizeRecord(Object.create(json) as unknown)).toBeUndefined()
  })
})

describe('what may be missing is left out where it is not what was written', () => {
  const json = sizeRecordToJson(FULL)
  test.each<[keyof SizeRecord, unknown]>([
    ['commit', 'HEAD'],
    ['commit', '../../etc'],
    ['ref', 'refs/heads/a\nb'],
    ['ref', 5],
    ['run', { id: 1, attempt: 1 }],
    ['run', { id: '1', attempt: 0 }],
    ['line', -1],
    ['line', 1e300],
    ['digest', 'sha256:abc'],
    ['failure', 'x'.repeat(60_000)],
    ['fingerprint', {}],
    ['wantedPlatforms', ['linux']],
    ['wantedPlatforms', Array.from({ length: 1e6 }, () => 'linux/amd64')],
  ])('%s', (key, value) => {
    const record = parseSizeRecord({ ...json, [key]: value })
    expect(record).toMatchObject({ target: 'prod', platforms: FULL.platforms })
    expect(record?.[key]).toBeUndefined()
  })

  test.each(['javascript:alert(1)', 'https://x/a)[b](c', 'https://x/\n', 'file:///etc/passwd', `https://x/${'a'.repeat(600)}`])(
    'the address %j',
    (url) => {
      expect(parseSizeRecord({ ...json, run: { id: '1', attempt: 2, url } })?.run).toEqual({ id: '1', attempt: 2, url: undefined })
    },
  ) // prettier-ignore

  test.each<[string, unknown]>([
    ['packages', [{ manager: 'pip', name: 'a', version: '1', bytes: 1 }]],
    ['packages', [{ manager: 'npm', name: 'a', version: '1', bytes: -1 }]],
    ['packages', Array.from({ length: 1e6 }, () => ({ manager: 'npm', name: 'a', version: '1', bytes: 1 }))],
    ['base', { image: 7 }],
    ['merged', 2 ** 60],
    ['files', 7],
    ['files', ['', 1, 1, Array.from({ length: 1e6 }, (_, i) => [`f${i}`, 0, 0])]],
    ['files', JSON.parse(`${'["",1,1,['.repeat(3_000)}${']]'.repeat(3_000)}`)],
  ])('%s of a platform', (key, value) => {
    const [platform] = FULL.platforms
    const record = parseSizeRecord({ ...json, platforms: [{ ...platform, [key]: value }] })
    expect(record?.platforms[0]).toMatchObject({ transfer: platform?.transfer, layers: platform?.layers })
    expect(record?.platforms[0]).not.toHaveProperty(key)
  })
})

describe('a file that is none is refused with a reason', () => {
  test.each([
    ['', 'it is no JSON'],
    ['{"version":1,', 'it is no JSON'],
    ['['.repeat(500_000), 'it is no JSON'],
    [`${'['.repeat(400_000)}${']'.repeat(400_000)}`, 'it is of a version that is not known'],
    ['{"version":2,"records":[]}', 'it is of a version that is not known'],
    ['{"__proto__":{"version":1,"records":[]}}', 'it is of a version that is not known'],
    ['{"version":1}', 'it holds no size records'],
    ['{"version":1,"records":[]}', 'it holds no size records'],
    ['{"version":1,"records":[1]}', 'it holds no size records'],
    ['{"version":1,"records":{"length":1}}', 'it holds no size records'],
    [`{"version":1,"records":${'[{"version":1,"platforms":'.repeat(30_000)}`, 'it is no JSON'],
    [`{"version":1,"records":[${'1,'.repeat(499_000)}1]}`, 'it holds no size records'],
    [`"${'x'.repeat(1_000_000)}"`, 'it is larger than 1000000 bytes'],
    [`"${'ü'.repeat(600_000)}"`, 'it is larger than 1000000 bytes'],
  ])('%.30s', (text, reason) => {
    expect(readSizeRecords(text)).toEqual({ kind: 'refused', reason })
  })
})

describe('a file that would be too large', () => {
  const platforms = Array.from({ length: 4 }, (_, index) =>
    sizesOf({
      platform: `linux/p${index}`,
      layers: Array.from({ length: 60 }, (_ignored, i) => ({
        instruction: `RUN ${i} ${'x'.repeat(5_000)}`,
        size: 1_000,
        line: 1 + i,
      })),
      packages: Array.from({ length: 1_000 }, (_ignored, i) => ({
        manager: 'npm' as const,
        name: `package-${i}`,
        version: '1.0.0',
        bytes: 1,
      })),
    }),
  )
  const totals = platforms.map(({ transfer }) => transfer)

  test.each<[number, number, boolean, number | undefined]>([
    // The most bytes; then what is left: layers, packages, characters of an instruction.
    [5_000_000, 60, true, 2_000],
    [1_000_000, 60, false, 1_000],
    [400_000, 60, false, 300],
    [150_000, 60, false, 60],
    [10_000, 0, false, undefined],
  ])('of at most %d bytes leaves out what explains the sizes, never the sizes', (most, layers, packages, length) => {
    const text = writeSizeRecords([recordOf({ platforms })], most)
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(most)
    const record = parseSizeRecord((JSON.parse(text) as { readonly records: readonly unknown[] }).records[0])
    expect(record?.platforms.map(({ transfer }) => transfer)).toEqual(totals)
    expect(record?.platforms[0]?.layers).toHaveLength(layers)
    expect(record?.platforms[0]?.packages !== undefined).toBe(packages)
    expect(record?.platforms[0]?.layers[0]?.source?.text.length).toBe(length)
  })
})
