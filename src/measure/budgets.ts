/** Whether sizes keep within their budgets, and how that is said. Pure. */
import type { BudgetVerdict, SizeRowComparison } from './comparison.ts'
import { formatBytes } from './format.ts'
import { deltaOf, noiseFloor } from './noise.ts'
import { budgetsFor, type BudgetLimit, type SizeBudget } from './size-budgets.ts'

/** The part of a row that verdicts need. */
export type BudgetedRow = Pick<
  SizeRowComparison,
  'target' | 'platform' | 'status' | 'transfer' | 'unpacked' | 'notComparable'
>

export interface VerdictOptions {
  readonly budgets: readonly SizeBudget[]
  /** A label allows sizes over their budgets. */
  readonly waived: boolean
  /** Where the target's FROM stands. */
  readonly file: string | undefined
  readonly line: number | undefined
}

/** Of every budget that applies, in the order given. Of what was not built there is nothing to say. */
export function budgetVerdicts(row: BudgetedRow, options: VerdictOptions): readonly BudgetVerdict[] {
  if (row.status === 'failed' || row.status === 'removed') return []
  const { waived, file, line } = options
  return budgetsFor(options.budgets, row).map((budget) => ({
    ...{ budget: budget.text, metric: budget.metric, file, line },
    ...judge(row, budget, waived),
  }))
}

function judge(
  row: BudgetedRow,
  { metric, limit: allowed }: SizeBudget,
  waived: boolean,
): Pick<BudgetVerdict, 'limit' | 'actual' | 'verdict'> {
  const actual = row[metric].now
  // Compression changes what is transferred, not what is unpacked.
  const comparable = metric === 'unpacked' || row.notComparable.length === 0
  const before = comparable ? row[metric].before : undefined
  const limit = limitOf(allowed, before)
  if (actual === undefined || limit === undefined) return { limit, actual, verdict: 'skipped' }
  if (actual <= limit) return { limit, actual, verdict: 'held' }
  const worse = before === undefined || actual - before >= noiseFloor(before)
  // What no build can help makes no increase.
  if (allowed.kind !== 'absolute' && !worse) return { limit, actual, verdict: 'held' }
  if (before !== undefined && before > limit && !worse) return { limit, actual, verdict: 'over-before' }
  return { limit, actual, verdict: waived ? 'waived' : 'over' }
}

/** Bytes; undefined for a relative one without a baseline. */
function limitOf(allowed: BudgetLimit, before: number | undefined): number | undefined {
  if (allowed.kind === 'absolute') return allowed.bytes
  if (before === undefined) return undefined
  return before + (allowed.kind === 'more-bytes' ? allowed.bytes : Math.floor((before * allowed.percent) / 100))
}

/**
 * A verdict in plain words, without a full stop, for the log and annotations:
 * `` `prod` is 186.5 MB, 26.5 MB over its budget of 160 MB (transfer) ``.
 * @param options.platform names the row's platform, where a target has several
 */
export function budgetSentence(
  row: Pick<SizeRowComparison, 'target' | 'platform' | 'transfer' | 'unpacked' | 'notComparable'>,
  verdict: BudgetVerdict,
  options: { readonly platform?: boolean } = {},
): string {
  const { metric, limit, actual } = verdict
  const name = `\`${row.target}\`${options.platform === true ? ` (${row.platform})` : ''}`
  const allowance = verdict.budget.slice(verdict.budget.lastIndexOf('=') + 1).trim()
  const relative = /^\+[^a-z%]*(?:%|[a-z]+)/i.exec(allowance)?.[0].replaceAll(/\s+/g, '')
  if (verdict.verdict === 'skipped' || limit === undefined || actual === undefined)
    return `${name} was not held against its budget of ${relative ?? words(limit ?? 0)} (${metric}): ${why(row, verdict)}`
  const [is, most] = apart(actual, limit)
  const budget = `its budget of ${relative ?? most}`
  if (verdict.verdict === 'held') {
    const share = relative === undefined && limit > 0 ? `, ${Math.floor((100 * actual) / limit)} % of ` : ', within '
    return `${name} is ${is}${share}${budget} (${metric})`
  }
  const grown = deltaOf(row[metric])
  const over =
    relative === undefined || grown === undefined
      ? `${name} is ${is}, ${words(actual - limit)} over ${budget} (${metric})`
      : `${name} grew by ${words(grown)} to ${is}, ${words(actual - limit)} over ${budget} (${metric})`
  if (verdict.verdict === 'over-before') return `${over}, as it was before`
  return verdict.verdict === 'waived' ? `${over}, which a label allows` : over
}

function why(row: Pick<SizeRowComparison, 'notComparable'>, { actual, metric }: BudgetVerdict): string {
  if (actual === undefined) return 'its size is not known'
  return metric === 'transfer' && row.notComparable.length > 0
    ? 'the baseline is compressed differently'
    : 'there is no size to compare it with'
}

/** One decimal more than in tables, and none that is 0: `186.5 MB`, `160 MB`. */
function words(bytes: number, digits = 1): string {
  const [, number = '', unit = ''] = /^([\d.]+) (\w+)$/.exec(formatBytes(bytes)) ?? []
  const power = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'].indexOf(unit)
  const value = Number((bytes / 1_000 ** Math.max(0, power)).toFixed(Math.max(digits, fraction(number))))
  return `${value} ${unit}`
}

function fraction(number: string): number {
  return number.split('.')[1]?.length ?? 0
}

/** Two sizes with as many digits as tell them apart. */
function apart(a: number, b: number): readonly [string, string] {
  for (let digits = 1; digits < 6; digits++) {
    const [one, other] = [words(a, digits), words(b, digits)]
    if (one !== other) return [one, other]
  }
  return [words(a), words(b)]
}
