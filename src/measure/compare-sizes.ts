/** Sizes beside those of a baseline: the whole of a size report, as data. Pure. */
import { budgetVerdicts } from './budgets.ts'
import { comparePlatforms } from './compare-platforms.ts'
import type { BaselineFacts, SizeReport, SizeRowComparison } from './comparison.ts'
import { deltaOf, isNoise } from './noise.ts'
import type { SizeBudget } from './size-budgets.ts'
import { isMeasured, missingCells, pairCells, type CellPair, type PlannedCell } from './pair-cells.ts'
import { newestCells, type SizeCell } from './size-cells.ts'
import type { SizeRecord } from './size-record.ts'

export interface CompareOptions {
  /** Of this run; several of one identity and platform: the highest attempt counts. */
  readonly records: readonly SizeRecord[]
  readonly baseline: { readonly facts: BaselineFacts; readonly records: readonly SizeRecord[] }
  readonly budgets: readonly SizeBudget[]
  /** A label of the pull request allows sizes over their budgets. */
  readonly waived: boolean
  /** What was to be measured; of what is not among `records` it is said that it is missing, never that it is gone. */
  readonly planned?: readonly PlannedCell[]
  /** Whether a target that was not built now could have been; one that could not is gone. Default: none could. */
  readonly isStillThere?: (id: string, target: string) => boolean
}

/** Rows in the order in which they are to be read: failed, over budget, larger, smaller, new, gone, unchanged. */
export function compareSizes(options: CompareOptions): SizeReport {
  const { planned = [], isStillThere = () => false } = options
  const { facts } = options.baseline
  const now = newestCells(options.records)
  const before = facts.source === 'none' ? [] : newestCells(options.baseline.records)
  const known = Map.groupBy(before, ({ id }) => id)
  const rows = pairCells({ now, before, planned, isStillThere })
    // What a registry does not have may be hidden from us, or was never pushed.
    .filter((pair) => pair.now !== undefined || facts.source !== 'registry')
    .flatMap((pair) => rowOf(pair, options, known.get((pair.now ?? pair.before)?.id ?? '') ?? []))
  return { rows: inOrder(rows), missing: missingCells(planned, now), baseline: facts }
}

/** @param baseline what it knows of the same `id` */
function rowOf(pair: CellPair, options: CompareOptions, baseline: readonly SizeCell[]): readonly SizeRowComparison[] {
  const { now, before, renamedFrom } = pair
  const cell = now ?? before
  if (cell === undefined) return []
  const { id, target, platform, record } = cell
  const status = statusOf(pair, options.baseline.facts, baseline)
  const compared = comparePlatforms(before?.sizes, now?.sizes)
  const others = status === 'added' ? otherPlatforms(cell, options.records, baseline) : []
  const row = {
    ...{ id, target, platform, status, ...compared, current: now?.sizes },
    notComparable: [...compared.notComparable, ...others],
    unchanged: status === 'compared' && compared.unchanged,
    ...(renamedFrom === undefined ? {} : { renamedFrom }),
    ...(status === 'failed' ? { failure: record.failure } : {}),
  }
  const { budgets, waived } = options
  return [{ ...row, budgets: budgetVerdicts(row, { budgets, waived, file: record.file, line: record.line }) }]
}

function statusOf(
  { now, before }: CellPair,
  { source }: BaselineFacts,
  baseline: readonly SizeCell[],
): SizeRowComparison['status'] {
  if (now === undefined) return 'removed'
  if (now.record.status === 'failed') return 'failed'
  if (before !== undefined) return 'compared'
  // Nobody knows whether it was there, if what was there was not measured.
  const unmeasured = baseline.some(
    (cell) => cell.target === now.target && !isMeasured(cell) && ['', now.platform].includes(cell.platform),
  )
  return source === 'registry' || unmeasured || !baseline.some(isMeasured) ? 'no-baseline' : 'added'
}

/** Why a target that the baseline knows is new: it was there for other platforms alone. */
function otherPlatforms(
  { id, target }: SizeCell,
  records: readonly SizeRecord[],
  baseline: readonly SizeCell[],
): readonly string[] {
  const was = baseline.filter((cell) => cell.target === target && isMeasured(cell)).map(({ platform }) => platform)
  const is = records
    .filter((record) => record.id === id && record.target === target)
    .flatMap(({ platforms }) => platforms.map(({ platform }) => platform))
  if (was.length === 0 || is.some((platform) => was.includes(platform))) return []
  return [`The baseline was measured for ${was.join(', ')} only, and platforms are not compared with each other.`]
}

function inOrder(rows: readonly SizeRowComparison[]): readonly SizeRowComparison[] {
  const ranked = rows.map((row) => ({ row, rank: rankOf(row), weight: weightOf(row) }))
  const size = ({ transfer }: SizeRowComparison): number => transfer.now ?? transfer.before ?? 0
  ranked.sort(
    (a, b) =>
      a.rank - b.rank ||
      b.weight - a.weight ||
      size(b.row) - size(a.row) ||
      order(a.row.target, b.row.target) ||
      order(a.row.platform, b.row.platform) ||
      order(a.row.id, b.row.id),
  )
  return ranked.map(({ row }) => row)
}

const VERDICTS = ['over', 'waived', 'over-before'] as const
const STATUSES = ['added', 'removed', 'no-baseline'] as const

function rankOf(row: SizeRowComparison): number {
  if (row.status === 'failed') return 0
  const verdict = VERDICTS.findIndex((candidate) => row.budgets.some((budget) => budget.verdict === candidate))
  if (verdict >= 0) return 1 + verdict
  if (row.status !== 'compared') return 6 + STATUSES.indexOf(row.status)
  const change = headline(row)
  if (row.unchanged || change === undefined) return 9
  return change >= 0 ? 4 : 5
}

function weightOf(row: SizeRowComparison): number {
  return Math.abs(headline(row) ?? 0)
}

/** Bytes of the change that is told first: in transfer, unless that is noise or no measure. */
function headline({ transfer, unpacked, notComparable }: SizeRowComparison): number | undefined {
  const silent = notComparable.length > 0 || isNoise(transfer) !== false
  return silent && isNoise(unpacked) !== undefined ? deltaOf(unpacked) : deltaOf(transfer)
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
