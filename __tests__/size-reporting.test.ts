import { describe, expect, test } from '@jest/globals'
import type { CommentMode } from '../src/inputs.ts'
import type { BudgetVerdict, SizeReport, SizeRowComparison } from '../src/measure/comparison.ts'
import { callsForComment } from '../src/size-reporting.ts'

const NONE = { now: undefined, before: undefined }

function reportOf(
  status: SizeRowComparison['status'],
  { unchanged = false, verdict }: { readonly unchanged?: boolean; readonly verdict?: BudgetVerdict['verdict'] } = {},
): SizeReport {
  const budgets: readonly BudgetVerdict[] =
    verdict === undefined ? [] : [{ budget: 'a=1MB', metric: 'transfer', limit: 1, actual: 2, verdict }]
  const row: SizeRowComparison = {
    ...{ id: 'f', target: 'a', platform: 'linux/amd64', status, unchanged, budgets },
    ...{ transfer: NONE, unpacked: NONE, waste: NONE, notComparable: [], layers: [], paths: [], packages: [] },
    ...{ own: { transfer: NONE, unpacked: NONE }, inherited: { transfer: NONE, unpacked: NONE } },
    ...{ base: undefined, current: undefined },
  }
  const facts = { wanted: undefined, branch: undefined, commit: undefined, distance: undefined } as const
  return { rows: [row], missing: [], baseline: { ...facts, source: 'none' } }
}

describe('a pull request without a comment gets one', () => {
  test.each<[string, SizeReport, readonly CommentMode[]]>([
    ['sizes that changed', reportOf('compared'), ['size-changed', 'always']],
    ['sizes that did not', reportOf('compared', { unchanged: true }), ['always']],
    ['nothing to compare with', reportOf('no-baseline'), ['always']],
    ['a new target', reportOf('added'), ['size-changed', 'always']],
    ['a target that is gone', reportOf('removed'), ['size-changed', 'always']],
    ['a failed build', reportOf('failed'), ['size-changed', 'always']],
    [
      'a broken budget',
      reportOf('compared', { unchanged: true, verdict: 'over' }),
      ['size-changed', 'always', 'over-budget'],
    ],
    ['a budget that was broken before', reportOf('compared', { unchanged: true, verdict: 'over-before' }), ['always']],
    ['an allowed increase', reportOf('compared', { unchanged: true, verdict: 'waived' }), ['size-changed', 'always']],
  ])('for %s', (_, report, modes) => {
    const all: readonly CommentMode[] = ['size-changed', 'always', 'over-budget', 'never']
    expect(all.filter((mode) => callsForComment(report, mode))).toEqual(modes)
  })
})
