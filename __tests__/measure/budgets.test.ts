import { describe, expect, test } from '@jest/globals'
import { budgetSentence, budgetVerdicts, type BudgetedRow } from '../../src/measure/budgets.ts'
import type { BudgetVerdict } from '../../src/measure/comparison.ts'
import { parseSizeBudgets } from '../../src/measure/size-budgets.ts'

const MB = 1_000_000

interface Figures {
  readonly now?: number | undefined
  readonly before?: number | undefined
  /** Of the unpacked size; three times the transfer where not given. */
  readonly unpacked?: readonly [number | undefined, number | undefined]
  readonly zstdBefore?: boolean
  readonly status?: BudgetedRow['status']
}

function row(figures: Figures): BudgetedRow {
  const { now, before, unpacked = [triple(now), triple(before)] } = figures
  return {
    ...{ target: 'prod', platform: 'linux/amd64', status: figures.status ?? 'compared' },
    transfer: { now, before },
    unpacked: { now: unpacked[0], before: unpacked[1] },
    notComparable: figures.zstdBefore === true ? ['The compression is another one.'] : [],
  }
}

const triple = (bytes: number | undefined): number | undefined => (bytes === undefined ? undefined : 3 * bytes)

function verdicts(figures: Figures, lines: readonly string[], waived = false): readonly BudgetVerdict[] {
  const { budgets, problems } = parseSizeBudgets(lines, undefined)
  expect(problems).toEqual([])
  return budgetVerdicts(row(figures), { budgets, waived, file: 'Dockerfile', line: 3 })
}

describe('a verdict', () => {
  type Case = readonly [string, Figures, string, BudgetVerdict['verdict'], string]
  test.each<Case>([
    ['held', { now: 150 * MB, before: 140 * MB }, 'prod=160MB', 'held', '`prod` is 150 MB, 93 % of its budget of 160 MB (transfer)'],
    ['held to the byte', { now: 160 * MB }, 'prod=160MB', 'held', '`prod` is 160 MB, 100 % of its budget of 160 MB (transfer)'],
    ['over by a byte', { now: 160 * MB + 1 }, 'prod=160MB', 'over', '`prod` is 160 MB, 1 B over its budget of 160 MB (transfer)'],
    ['over', { now: 186_500_000, before: 150 * MB }, 'prod=160MB', 'over', '`prod` is 186.5 MB, 26.5 MB over its budget of 160 MB (transfer)'],
    ['over by little', { now: 160_040_000, before: 150 * MB }, 'prod=160MB', 'over', '`prod` is 160.04 MB, 40 kB over its budget of 160 MB (transfer)'],
    ['over, without a baseline', { now: 186_500_000, status: 'no-baseline' }, 'prod=160MB', 'over', '`prod` is 186.5 MB, 26.5 MB over its budget of 160 MB (transfer)'],
    ['over, of a new target', { now: 186_500_000, status: 'added' }, '*=160MB', 'over', '`prod` is 186.5 MB, 26.5 MB over its budget of 160 MB (transfer)'],
    ['over for the first time, by noise', { now: 160_001_000, before: 159_999_000 }, 'prod=160MB', 'over', '`prod` is 160.001 MB, 1 kB over its budget of 160 MB (transfer)'],
    ['over before, and the same', { now: 170 * MB, before: 170 * MB }, 'prod=160MB', 'over-before', '`prod` is 170 MB, 10 MB over its budget of 160 MB (transfer), as it was before'],
    ['over before, and noise more', { now: 170 * MB + 80_000, before: 170 * MB }, 'prod=160MB', 'over-before', '`prod` is 170.1 MB, 10.1 MB over its budget of 160 MB (transfer), as it was before'],
    ['over before, and less', { now: 165 * MB, before: 170 * MB }, 'prod=160MB', 'over-before', '`prod` is 165 MB, 5 MB over its budget of 160 MB (transfer), as it was before'],
    ['over before, and more', { now: 171 * MB, before: 170 * MB }, 'prod=160MB', 'over', '`prod` is 171 MB, 11 MB over its budget of 160 MB (transfer)'],
    ['unpacked', { now: 10 * MB, unpacked: [600 * MB, undefined] }, 'prod=500MB unpacked', 'over', '`prod` is 600 MB, 100 MB over its budget of 500 MB (unpacked)'],
    ['unpacked, not known', { now: 10 * MB, unpacked: [undefined, 5] }, 'prod=500MB unpacked', 'skipped', '`prod` was not held against its budget of 500 MB (unpacked): its size is not known'],
    ['binary units', { now: 2 ** 30 + MB }, 'prod=1GiB', 'over', '`prod` is 1.075 GB, 1 MB over its budget of 1.074 GB (transfer)'],
    ['no room at all', { now: 5 }, 'prod=0B', 'over', '`prod` is 5 B, 5 B over its budget of 0 B (transfer)'],
    ['nothing of nothing', { now: 0 }, 'prod=0B', 'held', '`prod` is 0 B, within its budget of 0 B (transfer)'],

    ['a share, held', { now: 105 * MB, before: 100 * MB }, 'prod=+5%', 'held', '`prod` is 105 MB, within its budget of +5% (transfer)'],
    ['a share, over', { now: 138_400_000, before: 100 * MB }, 'prod=+5%', 'over', '`prod` grew by 38.4 MB to 138.4 MB, 33.4 MB over its budget of +5% (transfer)'],
    ['a share, smaller', { now: 90 * MB, before: 100 * MB }, 'prod=+0%', 'held', '`prod` is 90 MB, within its budget of +0% (transfer)'],
    ['no increase: noise is none', { now: 100 * MB + 49_999, before: 100 * MB }, 'prod=+0%', 'held', '`prod` is 100.05 MB, within its budget of +0% (transfer)'],
    ['no increase: more than noise', { now: 100 * MB + 50_000, before: 100 * MB }, 'prod=+0%', 'over', '`prod` grew by 50 kB to 100.05 MB, 50 kB over its budget of +0% (transfer)'],
    ['a share, without a baseline', { now: 105 * MB, status: 'no-baseline' }, 'prod=+5%', 'skipped', '`prod` was not held against its budget of +5% (transfer): there is no size to compare it with'],
    ['a share, of a new target', { now: 105 * MB, status: 'added' }, '*=+5%', 'skipped', '`prod` was not held against its budget of +5% (transfer): there is no size to compare it with'],
    ['a share, of nothing', { now: 105 * MB, before: 0 }, 'prod=+5%', 'over', '`prod` grew by 105 MB to 105 MB, 105 MB over its budget of +5% (transfer)'],
    ['bytes more, held', { now: 110 * MB, before: 100 * MB }, 'prod=+10MB', 'held', '`prod` is 110 MB, within its budget of +10MB (transfer)'],
    ['bytes more, over', { now: 111 * MB, before: 100 * MB }, 'prod=+10 MB', 'over', '`prod` grew by 11 MB to 111 MB, 1 MB over its budget of +10MB (transfer)'],
    ['bytes more, unpacked', { now: 1, unpacked: [111 * MB, 100 * MB] }, 'prod=+10 MB unpacked', 'over', '`prod` grew by 11 MB to 111 MB, 1 MB over its budget of +10MB (unpacked)'],

    ['another compression: no share of the transfer', { now: 190 * MB, before: 100 * MB, zstdBefore: true }, 'prod=+5%', 'skipped', '`prod` was not held against its budget of +5% (transfer): the baseline is compressed differently'],
    ['another compression: an absolute one stands', { now: 190 * MB, before: 180 * MB, zstdBefore: true }, 'prod=160MB', 'over', '`prod` is 190 MB, 30 MB over its budget of 160 MB (transfer)'],
    ['another compression: what is unpacked is the same', { now: 1, before: 1, unpacked: [190 * MB, 100 * MB], zstdBefore: true }, 'prod=+5% unpacked', 'over', '`prod` grew by 90 MB to 190 MB, 85 MB over its budget of +5% (unpacked)'],
  ])('%s', (_, figures, line, verdict, sentence) => {
    const found = verdicts(figures, [line])
    expect(found).toMatchObject([{ budget: line, verdict, file: 'Dockerfile', line: 3 }])
    expect(found.map((one) => budgetSentence(row(figures), one))).toEqual([sentence])
  }) // prettier-ignore

  test('a label allows what is over, and nothing else is told otherwise for it', () => {
    const lines = ['prod=160MB', 'prod=200MB', 'prod=170MB unpacked', 'prod=+5%']
    const figures = { now: 186_500_000, before: 100 * MB, unpacked: [180 * MB, 180 * MB] } as const
    expect(verdicts(figures, lines).map(({ verdict }) => verdict)).toEqual(['over', 'held', 'over-before', 'over'])
    const waived = verdicts(figures, lines, true)
    expect(waived.map(({ verdict }) => verdict)).toEqual(['waived', 'held', 'over-before', 'waived'])
    expect(waived.slice(0, 1).map((one) => budgetSentence(row(figures), one, { platform: true }))).toEqual([
      '`prod` (linux/amd64) is 186.5 MB, 26.5 MB over its budget of 160 MB (transfer), which a label allows',
    ])
  })

  test.each(['failed', 'removed'] as const)('a %s target has none', (status) => {
    expect(verdicts({ before: 200 * MB, status }, ['prod=160MB', '*=+1%'])).toEqual([])
  })
})
