import { describe, expect, test } from '@jest/globals'
import { compareSizes, type CompareOptions } from '../../src/measure/compare-sizes.ts'
import type { BaselineFacts, SizeReport } from '../../src/measure/comparison.ts'
import { parseSizeBudgets } from '../../src/measure/size-budgets.ts'
import type { SizeRecord } from '../../src/measure/size-record.ts'
import type { PlatformSizes } from '../../src/measure/sizes.ts'
import { digestOf, recordOf, sizesOf } from '../support/size-records.ts'

const MB = 1_000_000
const ARM = 'linux/arm64'
const FACTS: BaselineFacts = {
  ...{ wanted: '9f3c1ab'.padEnd(40, '0'), branch: 'main', commit: '9f3c1ab'.padEnd(40, '0') },
  ...{ source: 'exact', distance: 0 },
}

/** So many MB, of content of its own. */
function mb(size: number, platform = 'linux/amd64'): PlatformSizes {
  return sizesOf({ platform, layers: [{ content: `${size} MB`, size: size * MB }] })
}

/** A record of a target with so many MB. */
function target(name: string, size: number, told: Partial<SizeRecord> = {}): SizeRecord {
  return recordOf({ target: name, platforms: [mb(size)], ...told })
}

function failed(name: string, told: Partial<SizeRecord> = {}): SizeRecord {
  return recordOf({ target: name, status: 'failed', failure: 'RUN x failed.', platforms: [], ...told })
}

interface Told extends Partial<Omit<CompareOptions, 'records' | 'baseline' | 'budgets'>> {
  readonly facts?: Partial<BaselineFacts>
  readonly budgets?: readonly string[]
}

function compare(before: readonly SizeRecord[], records: readonly SizeRecord[], told: Told = {}): SizeReport {
  const { facts, budgets = [], ...rest } = told
  const baseline = { facts: { ...FACTS, ...facts }, records: before }
  return compareSizes({
    records,
    baseline,
    waived: false,
    ...rest,
    budgets: parseSizeBudgets(budgets, undefined).budgets,
  })
}

/** A line for each row. */
function rows({ rows: all }: SizeReport): readonly string[] {
  return all.map(({ id, target: name, platform, status, renamedFrom, transfer, unchanged }) => {
    const from = renamedFrom === undefined ? '' : ` from ${renamedFrom}`
    const size = (bytes: number | undefined): string => (bytes === undefined ? '?' : `${bytes / MB}`)
    const where = `${id === 'Dockerfile' ? '' : `${id}:`}${name}${platform === 'linux/amd64' ? '' : `@${platform}`}`
    return `${where} ${status}${from} ${size(transfer.before)} → ${size(transfer.now)}${unchanged ? ' unchanged' : ''}`
  })
}

type Case = readonly [string, readonly SizeRecord[], readonly SizeRecord[], readonly string[], Told?]

/** A callback's argument without a value would be taken for Jest's `done`. */
function cases(...all: readonly Case[]): readonly Required<Case>[] {
  return all.map(([name, before, now, expected, told = {}]) => [name, before, now, expected, told])
}

describe('rows', () => {
  test.each(cases(
    ['nothing of nothing', [], [], []],
    ['compared', [target('prod', 10)], [target('prod', 12)], ['prod compared 10 → 12']],
    ['unchanged', [target('prod', 10)], [target('prod', 10)], ['prod compared 10 → 10 unchanged']],
    ['unchanged, so not built', [target('prod', 10)], [target('prod', 10, { status: 'unchanged' })], ['prod compared 10 → 10 unchanged']],
    ['added', [target('prod', 10)], [target('prod', 10), target('new', 1)], ['new added ? → 1', 'prod compared 10 → 10 unchanged']],
    ['removed', [target('prod', 10), target('old', 2)], [target('prod', 10)], ['old removed 2 → ?', 'prod compared 10 → 10 unchanged']],
    ['removed, but it could have been built', [target('prod', 10), target('old', 2)], [target('prod', 10)], ['prod compared 10 → 10 unchanged'], { isStillThere: (id, name) => id === 'Dockerfile' && name === 'old' }],
    ['no baseline', [], [target('prod', 10)], ['prod no-baseline ? → 10'], { facts: { source: 'none' } }],
    ['records without a baseline are none', [target('prod', 5)], [target('prod', 10)], ['prod no-baseline ? → 10'], { facts: { source: 'none' } }],
    ['a baseline that knows nothing of this id', [target('prod', 10, { id: 'api/Dockerfile' })], [target('prod', 10)], ['prod no-baseline ? → 10']],
    ['other ids are not gone', [target('prod', 10), target('x', 1, { id: 'b' })], [target('prod', 10)], ['prod compared 10 → 10 unchanged']],
    ['the same name under two ids', [target('prod', 10), target('prod', 1, { id: 'b' })], [target('prod', 11), target('prod', 3, { id: 'b' })], ['b:prod compared 1 → 3', 'prod compared 10 → 11']],
    ['the baseline failed', [failed('prod'), target('other', 1)], [target('prod', 10), target('other', 1)], ['prod no-baseline ? → 10', 'other compared 1 → 1 unchanged']],
    ['the baseline was not measured', [target('prod', 1, { platforms: [] }), target('other', 1)], [target('prod', 10), target('other', 1)], ['prod no-baseline ? → 10', 'other compared 1 → 1 unchanged']],
    ['the registry may hide what it has', [target('prod', 10), target('old', 1)], [target('prod', 11), target('new', 2)], ['prod compared 10 → 11', 'new no-baseline ? → 2'], { facts: { source: 'registry' } }],
    ['failed', [target('prod', 10)], [failed('prod', { wantedPlatforms: ['linux/amd64'] })], ['prod failed 10 → ?']],
    ['failed, of all platforms of the baseline', [target('prod', 10, { platforms: [mb(10), mb(9, ARM)] })], [failed('prod')], ['prod failed 10 → ?', 'prod@linux/arm64 failed 9 → ?']],
    ['failed, of a platform that nobody knows', [], [failed('prod')], ['prod@ failed ? → ?']],
    ['failed and new: no rename', [target('old', 10)], [failed('new', { wantedPlatforms: ['linux/amd64'], fingerprint: digestOf('f') })], ['new failed ? → ?', 'old removed 10 → ?']],
    ['built, but not measured', [target('prod', 10)], [target('prod', 1, { platforms: [], wantedPlatforms: ['linux/amd64'] })], ['prod compared 10 → ?']],
    ['by platform', [target('prod', 1, { platforms: [mb(10), mb(9, ARM)] })], [target('prod', 1, { platforms: [mb(11), mb(8, ARM)] })], ['prod compared 10 → 11', 'prod@linux/arm64 compared 9 → 8']],
    ['a platform more', [target('prod', 10)], [target('prod', 1, { platforms: [mb(10), mb(9, ARM)] })], ['prod@linux/arm64 added ? → 9', 'prod compared 10 → 10 unchanged']],
    ['a platform less', [target('prod', 1, { platforms: [mb(10), mb(9, ARM)] })], [target('prod', 10)], ['prod@linux/arm64 removed 9 → ?', 'prod compared 10 → 10 unchanged']],
    ['a leg for each platform', [target('prod', 1, { platforms: [mb(10), mb(9, ARM)] })], [target('prod', 10), target('prod', 1, { platforms: [mb(9, ARM)] })], ['prod compared 10 → 10 unchanged', 'prod@linux/arm64 compared 9 → 9 unchanged']],
    ['names that every object has', [target('constructor', 10)], [target('constructor', 12), target('toString', 1, { id: '__proto__' })], ['constructor compared 10 → 12', '__proto__:toString no-baseline ? → 1']],
  ))('%s', (_, before, now, expected, told) => {
    expect(rows(compare(before, now, told))).toEqual(expected)
  })
}) // prettier-ignore

test('platforms are not compared with each other, and that is said', () => {
  const report = compare([target('prod', 9, { platforms: [mb(9, ARM)] })], [target('prod', 10)])
  expect(rows(report)).toEqual(['prod added ? → 10', 'prod@linux/arm64 removed 9 → ?'])
  expect(report.rows[0]?.notComparable).toEqual([
    'The baseline was measured for linux/arm64 only, and platforms are not compared with each other.',
  ])
})

describe('a leg that ran again', () => {
  const at = (attempt: number, told: Partial<SizeRecord> = {}): Partial<SizeRecord> => ({ run: { id: '7', attempt, url: undefined }, ...told })
  const early = '2026-11-21T10:00:00Z'
  const late = '2026-11-21T11:00:00Z'
  const amd = { wantedPlatforms: ['linux/amd64'] }

  test.each<[string, readonly SizeRecord[], readonly string[]]>([
    ['counts by its highest attempt', [target('prod', 12, at(2)), target('prod', 11, at(1))], ['prod compared 10 → 12']],
    ['in whatever order, and by numbers', [target('prod', 11, at(9)), target('prod', 12, at(10))], ['prod compared 10 → 12']],
    ['whenever it was made', [target('prod', 12, at(2, { createdAt: early })), target('prod', 11, at(1, { createdAt: late }))], ['prod compared 10 → 12']],
    ['by time within an attempt', [target('prod', 12, at(1, { createdAt: late })), target('prod', 11, at(1, { createdAt: early }))], ['prod compared 10 → 12']],
    ['by time in different runs', [target('prod', 12, { run: { id: '8', attempt: 1, url: undefined }, createdAt: late }), target('prod', 11, at(3, { createdAt: early }))], ['prod compared 10 → 12']],
    ['and was mended', [failed('prod', at(1, amd)), target('prod', 12, at(2))], ['prod compared 10 → 12']],
    ['and failed', [target('prod', 12, at(1)), failed('prod', at(2, amd))], ['prod failed 10 → ?']],
    ['without having said for which platforms it failed', [failed('prod', at(1)), target('prod', 12, at(2))], ['prod compared 10 → 12']],
    ['beside one of another platform', [target('prod', 12, at(1)), failed('prod', at(1, { wantedPlatforms: [ARM] })), target('prod', 1, at(2, { platforms: [mb(9, ARM)] }))], ['prod compared 10 → 12', 'prod@linux/arm64 added ? → 9']],
  ])('%s', (_, records, expected) => {
    expect(rows(compare([target('prod', 10)], records))).toEqual(expected)
  })

  test('a failure of one platform is not hidden by what another one measured', () => {
    const before = [target('prod', 1, { platforms: [mb(10), mb(9, ARM)] })]
    expect(rows(compare(before, [target('prod', 12, at(1)), failed('prod', at(1))]))).toEqual(['prod@linux/arm64 failed 9 → ?', 'prod compared 10 → 12'])
  })
}) // prettier-ignore

describe('a renamed target', () => {
  const print = { fingerprint: digestOf('print') }
  const layers = (...contents: readonly string[]): Partial<SizeRecord> => ({
    platforms: [sizesOf({ layers: contents.map((content) => ({ content, size: MB })) })],
  })
  const based = (...contents: readonly string[]): Partial<SizeRecord> => ({
    platforms: [sizesOf({ layers: ['a', 'b', 'c'].map((base) => ({ content: base, size: MB, inherited: true })).concat(contents.map((content) => ({ content, size: MB, inherited: false }))) })],
  })

  test.each(cases(
    ['by its fingerprint', [target('old', 10, print)], [target('new', 11, print)], ['new compared from old 10 → 11']],
    ['by its image', [target('old', 10)], [target('new', 10)], ['new compared from old 10 → 10 unchanged']],
    ['by most of its layers', [target('old', 1, layers('a', 'b', 'c'))], [target('new', 1, layers('a', 'b', 'd'))], ['new compared from old 3 → 3 unchanged']],
    ['not by half of them', [target('old', 1, layers('a', 'b'))], [target('new', 1, layers('a', 'd'))], ['new added ? → 2', 'old removed 2 → ?']],
    ['not by the layers of the base', [target('old', 1, based('x'))], [target('new', 1, based('y'))], ['new added ? → 4', 'old removed 4 → ?']],
    ['not under another id', [target('old', 10, print)], [target('new', 10, { ...print, id: 'b' })], ['b:new no-baseline ? → 10']],
    ['not where it is still there', [target('old', 10, print)], [target('old', 10), target('new', 11, print)], ['new added ? → 11', 'old compared 10 → 10 unchanged']],
    ['not where it could have been built', [target('old', 10, print)], [target('new', 11, print)], ['new added ? → 11'], { isStillThere: () => true }],
    ['the likest of several', [target('a', 1, layers('a', 'b', 'c', 'd')), target('b', 1, layers('a', 'b', 'c', 'x', 'y'))], [target('c', 1, layers('a', 'b', 'c', 'x'))], ['c compared from b 5 → 4', 'a removed 4 → ?']],
    ['each once', [target('old', 10, print)], [target('n1', 11, print), target('n2', 12, print)], ['n1 compared from old 10 → 11', 'n2 added ? → 12']],
    ['on each of its platforms', [target('old', 1, { ...print, platforms: [mb(10), mb(9, ARM)] })], [target('new', 1, { ...print, platforms: [mb(11), mb(9, ARM)] })], ['new compared from old 10 → 11', 'new@linux/arm64 compared from old 9 → 9 unchanged']],
    ['with a platform more and one less', [target('old', 1, { ...print, platforms: [mb(10), mb(9, ARM)] })], [target('new', 1, { ...print, platforms: [mb(10), mb(8, 'linux/s390x')] })], ['new@linux/s390x added ? → 8', 'old@linux/arm64 removed 9 → ?', 'new compared from old 10 → 10 unchanged']],
  ))('%s', (_, before, now, expected, told) => {
    expect(rows(compare(before, now, told))).toEqual(expected)
  })
}) // prettier-ignore

describe('what was planned', () => {
  const planned = [
    { id: 'Dockerfile', target: 'prod', platform: 'linux/amd64,linux/aarch64' },
    { id: 'Dockerfile', target: 'worker' },
  ]
  test('and did not come is missing, not gone', () => {
    const before = [target('prod', 1, { platforms: [mb(10), mb(9, ARM)] }), target('worker', 1), target('old', 1)]
    const report = compare(before, [target('prod', 10)], { planned })
    expect(report.missing).toEqual(['prod (linux/arm64)', 'worker'])
    expect(rows(report)).toEqual(['old removed 1 → ?', 'prod compared 10 → 10 unchanged'])
  })

  test('and came is not missing, failed or not', () => {
    expect(compare([], [failed('prod'), target('worker', 1)], { planned }).missing).toEqual([])
  })

  test('of which nothing came at all', () => {
    const report = compare([target('prod', 10)], [], { planned })
    expect([report.missing, report.rows]).toEqual([['prod', 'worker'], []])
  })
})

test('rows are in the order in which they are to be read', () => {
  const before = [['grown', 10], ['more', 10], ['less', 10], ['same', 10], ['gone', 3], ['over', 200], ['over-before', 170], ['broken', 5], ['same-2', 20]] as const
  const now = [['same', 10], ['new', 2], ['less', 4], ['over-before', 170], ['grown', 11], ['over', 201], ['more', 30], ['same-2', 20], ['fresh', 300]] as const
  const report = compare(
    before.map(([name, size]) => target(name, size)),
    [...now.map(([name, size]) => target(name, size)), failed('broken', { wantedPlatforms: ['linux/amd64'] })],
    { budgets: ['*=160MB', 'fresh=1GB'] },
  )
  expect(report.rows.map((row) => row.target)).toEqual(
    ['broken', 'over', 'over-before', 'more', 'grown', 'less', 'new', 'gone', 'same-2', 'same'].toSpliced(6, 0, 'fresh'),
  )
}) // prettier-ignore

test('a row says what its target is and what became of its budgets', () => {
  const [before, now] = [target('prod', 150), target('prod', 186.5, { file: 'docker/Dockerfile', line: 31 })]
  const { rows: all, baseline } = compare([before], [now], { budgets: ['prod=160MB', '*=+1%'], waived: true })
  expect(baseline).toEqual(FACTS)
  expect(all).toMatchObject([
    {
      ...{ id: 'Dockerfile', target: 'prod', platform: 'linux/amd64', current: now.platforms[0] },
      budgets: [
        {
          ...{ budget: 'prod=160MB', metric: 'transfer', limit: 160 * MB, actual: 186.5 * MB, verdict: 'waived' },
          ...{ file: 'docker/Dockerfile', line: 31 },
        },
      ],
    },
  ])
})

test('a failed row says what went wrong; nothing else is told of it', () => {
  const { rows: all } = compare([target('prod', 200)], [failed('prod', { wantedPlatforms: ['linux/amd64'] })], { budgets: ['*=1MB'] })
  expect(all).toMatchObject([{ status: 'failed', failure: 'RUN x failed.', budgets: [], layers: [], unchanged: false }])
  expect(all[0]?.current).toBeUndefined()
}) // prettier-ignore

test('what a run hands over twice gives the same report, in whatever order', () => {
  const before = ['a', 'b', 'c', 'd'].map((name, i) => target(name, 10 + i))
  const now = ['b', 'c', 'd', 'e'].map((name, i) => target(name, 10 + 2 * i))
  const report = compare(before, now, { budgets: ['*=13MB'] })
  expect(compare(before.toReversed(), [...now.toReversed(), ...now], { budgets: ['*=13MB'] })).toEqual(report)
})
