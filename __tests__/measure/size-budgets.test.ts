import { describe, expect, test } from '@jest/globals'
import { budgetsFor, parseSizeBudgets, type BudgetLimit } from '../../src/measure/size-budgets.ts'

const KNOWN = ['prod', 'worker', 'migrate']

describe('a line', () => {
  const absolute = (bytes: number): BudgetLimit => ({ kind: 'absolute', bytes })
  test.each<[string, { target?: string; platform?: string; metric?: 'unpacked'; limit: BudgetLimit }]>([
    ['prod=160MB', { limit: absolute(160_000_000) }],
    ['prod=160 MB', { limit: absolute(160_000_000) }],
    ['prod = 160mb', { limit: absolute(160_000_000) }],
    ['prod=1.5GB', { limit: absolute(1_500_000_000) }],
    ['prod=.5kB', { limit: absolute(500) }],
    ['prod=160MiB', { limit: absolute(160 * 2 ** 20) }],
    ['prod=2GiB', { limit: absolute(2 * 2 ** 30) }],
    ['prod=900KiB', { limit: absolute(900 * 2 ** 10) }],
    ['prod=12345B', { limit: absolute(12_345) }],
    ['prod=0B', { limit: absolute(0) }],
    ['prod=+5%', { limit: { kind: 'more-percent', percent: 5 } }],
    ['prod=+0.5 %', { limit: { kind: 'more-percent', percent: 0.5 } }],
    ['prod=+10MB', { limit: { kind: 'more-bytes', bytes: 10_000_000 } }],
    ['prod=+ 10 MB', { limit: { kind: 'more-bytes', bytes: 10_000_000 } }],
    ['*=+5%', { target: '*', limit: { kind: 'more-percent', percent: 5 } }],
    ['prod=500MB unpacked', { metric: 'unpacked', limit: absolute(500_000_000) }],
    ['prod=500 MB  Unpacked', { metric: 'unpacked', limit: absolute(500_000_000) }],
    ['prod=500MB transfer', { limit: absolute(500_000_000) }],
    ['prod=+5% unpacked', { metric: 'unpacked', limit: { kind: 'more-percent', percent: 5 } }],
    ['prod=+5 % unpacked', { metric: 'unpacked', limit: { kind: 'more-percent', percent: 5 } }],
    ['prod@linux/arm64=150MB', { platform: 'linux/arm64', limit: absolute(150_000_000) }],
    ['prod@linux/aarch64=150MB', { platform: 'linux/arm64', limit: absolute(150_000_000) }],
    ['*@linux/arm/v7=150MB', { target: '*', platform: 'linux/arm/v7', limit: absolute(150_000_000) }],
  ])('%s', (line, expected) => {
    expect(parseSizeBudgets([line], KNOWN)).toEqual({
      budgets: [{ text: line, target: 'prod', platform: undefined, metric: 'transfer', ...expected }],
      problems: [],
    })
  })

  test.each([
    ['prod', ' is not of the form `TARGET=SIZE`.', 'Write `TARGET=160MB`, `TARGET=+5%` or `TARGET=+10MB`, with `*` for every target.'],
    ['=160MB', ' is not of the form `TARGET=SIZE`.', 'Write `TARGET=160MB`, `TARGET=+5%` or `TARGET=+10MB`, with `*` for every target.'],
    ['prod=', ' is not of the form `TARGET=SIZE`.', 'Write `TARGET=160MB`, `TARGET=+5%` or `TARGET=+10MB`, with `*` for every target.'],
    ['prod=160', ': `160` has no unit.', 'Did you mean `prod=160MB`?'],
    ['prod=160m', ': there is no unit `m`.', 'Did you mean `prod=160MB`?'],
    ['prod=2Gi', ': there is no unit `Gi`.', 'Did you mean `prod=2GiB`?'],
    ['prod=5%', ': `5%` is no size; a share is of the baseline and begins with `+`.', 'Did you mean `prod=+5%`?'],
    ['prod=-5%', ': `-5%` is no size.', 'Write `TARGET=160MB`, `TARGET=+5%` or `TARGET=+10MB`.'],
    ['prod=1,5GB', ': `1,5GB` is no size.', 'Write `TARGET=160MB`, `TARGET=+5%` or `TARGET=+10MB`.'],
    ['prod=1e9B', ': `1e9B` is no size.', 'Write `TARGET=160MB`, `TARGET=+5%` or `TARGET=+10MB`.'],
    ['prod=NaN', ': `NaN` is no size.', 'Write `TARGET=160MB`, `TARGET=+5%` or `TARGET=+10MB`.'],
    ['prod=99999999TB', ': `99999999TB` is too large.', 'Write `TARGET=160MB`, `TARGET=+5%` or `TARGET=+10MB`.'],
    ['prod=160MB unpaked', ' ends in `unpaked`.', 'Did you mean `unpacked`?'],
    ['prod=160MB compressed', ' ends in `compressed`.', 'Behind the size stands `unpacked`, or nothing for the transfer size.'],
    ['prod@arm64=160MB', ' names no platform behind `@`.', 'Write, for example, `prod@linux/arm64=160MB`.'],
    ['prdo=160MB', ': there is no target `prdo`.', 'Did you mean `prod`?'],
    ['frontend=160MB', ': there is no target `frontend`.', 'There is `prod`, `worker`, `migrate`, and `*` for every target.'],
  ])('%s is a problem', (line, what, mend) => {
    const { budgets, problems } = parseSizeBudgets([line], KNOWN)
    expect(budgets).toEqual([])
    expect(problems).toEqual([{ input: 'size-budgets', message: `\`size-budgets\`: \`${line}\`${what}`, mend }])
  }) // prettier-ignore
})

test('all problems are told at once, and the lines that can be read are read', () => {
  const { budgets, problems } = parseSizeBudgets(['prod=1MB', 'x', '', 'worker=2 furlongs', '*=+1%'], KNOWN)
  expect(budgets.map(({ text }) => text)).toEqual(['prod=1MB', '*=+1%'])
  expect(problems.map(({ message }) => message)).toEqual([
    '`size-budgets`: `x` is not of the form `TARGET=SIZE`.',
    expect.stringContaining('`worker=2 furlongs`'),
  ])
})

test('while the targets are not known, any name will do', () => {
  expect(parseSizeBudgets(['anything=1MB'], undefined)).toMatchObject({
    budgets: [{ target: 'anything' }],
    problems: [],
  })
})

test('names are taken in any letters, as BuildKit takes them', () => {
  const { budgets, problems } = parseSizeBudgets(['PROD=1MB'], KNOWN)
  expect(problems).toEqual([])
  expect(budgetsFor(budgets, { target: 'prod', platform: 'linux/amd64' })).toHaveLength(1)
})

test('a long value is shown in part, on one line', () => {
  const { problems } = parseSizeBudgets([`prod=${'x'.repeat(60_000)}\n::error::`], KNOWN)
  expect(problems).toHaveLength(1)
  expect(problems[0]?.message.length).toBeLessThan(400)
  expect(problems[0]?.message).not.toContain('\n')
})

test.each<[string, readonly string[], string, readonly string[]]>([
  ['a name beats `*`', ['*=1MB', 'prod=2MB'], 'linux/amd64', ['prod=2MB']],
  ['`*` is for the others', ['*=1MB', 'worker=2MB'], 'linux/amd64', ['*=1MB']],
  ['several of one target all apply', ['prod=2MB', 'prod=+5%', 'prod=9MB unpacked'], 'linux/amd64', ['prod=2MB', 'prod=+5%', 'prod=9MB unpacked']],
  ['several for every target all apply', ['*=2MB', '*=+5%'], 'linux/amd64', ['*=2MB', '*=+5%']],
  ['a platform of its own', ['prod=2MB', 'prod@linux/arm64=3MB'], 'linux/arm64', ['prod@linux/arm64=3MB']],
  ['is not for other platforms', ['prod=2MB', 'prod@linux/arm64=3MB'], 'linux/amd64', ['prod=2MB']],
  ['a name beats a platform', ['prod=2MB', '*@linux/arm64=3MB'], 'linux/arm64', ['prod=2MB']],
  ['a platform beats `*`', ['*=2MB', '*@linux/arm64=3MB'], 'linux/arm64', ['*@linux/arm64=3MB']],
  ['one for the other platform alone leaves `*`', ['*=2MB', 'prod@linux/arm64=3MB'], 'linux/amd64', ['*=2MB']],
  ['none', ['worker=2MB'], 'linux/amd64', []],
])('which budgets apply to prod: %s', (_, lines, platform, expected) => {
  const { budgets } = parseSizeBudgets(lines, KNOWN)
  expect(budgetsFor(budgets, { target: 'prod', platform }).map(({ text }) => text)).toEqual(expected)
}) // prettier-ignore
