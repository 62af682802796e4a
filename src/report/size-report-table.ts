import type { BudgetVerdict, Change, SizeReport, SizeRowComparison } from '../measure/comparison.ts'
import { formatBytes, formatDelta } from '../measure/format.ts'
import { deltaOf } from '../measure/noise.ts'
import { type Column, code, table } from './markdown.ts'
import {
  budgetsOf,
  differenceText,
  hasBaseline,
  headlineMetric,
  isQuiet,
  onlyPlatform,
  severalIds,
  sizeText,
  unbroken,
  worst,
} from './size-report-rows.ts'

/** The size report's tables: one row per target and platform, those that nobody need look at apart. */

const NONE = '–'

export interface SizeTableOptions {
  /** At most this many rows. */
  readonly maxRows: number
  /** Only transfer, its change and the budget. */
  readonly compact?: boolean | undefined
}

export interface SizeTable {
  readonly markdown: string | undefined
  /** Rows that had no room. */
  readonly leftOut: readonly SizeRowComparison[]
}

/** What changed, failed, is over budget or is missing, or everything where there is no baseline. */
export function openTable(report: SizeReport, options: SizeTableOptions): SizeTable {
  const rows = report.rows.filter((row) => !isQuiet(row))
  const missing = report.missing.map((target) => ({ target }))
  const failed = rows.filter((row) => row.status === 'failed')
  const all = [...failed, ...missing, ...rows.slice(failed.length)]
  const shown = all.slice(0, options.maxRows)
  const leftOut = all.slice(options.maxRows).filter((row) => 'status' in row)
  return { markdown: shown.length === 0 ? undefined : draw(report, shown, options), leftOut }
}

/** Rows folded away: the unchanged ones, or those that the open table has no room for. */
export function foldedTable(
  report: SizeReport,
  rows: readonly SizeRowComparison[],
  options: SizeTableOptions,
): string | undefined {
  return rows.length === 0 ? undefined : draw(report, rows.slice(0, options.maxRows), options)
}

type Row = SizeRowComparison | { readonly target: string }

interface Shape {
  readonly platform: boolean
  readonly ids: boolean
  readonly change: boolean
  readonly unpacked: boolean
  readonly icon: boolean
  readonly budget: boolean
}

/** Columns that would say nothing, or the same in each row, are not drawn: the page is narrow. */
function draw(report: SizeReport, rows: readonly Row[], options: SizeTableOptions): string {
  const known = rows.filter((row) => 'status' in row)
  const compact = options.compact === true
  const shape: Shape = {
    icon: rows.some((row) => icon(row) !== ''),
    platform: onlyPlatform(report) === undefined,
    ids: severalIds(report),
    change: hasBaseline(report) && known.some((row) => !isQuiet(row)),
    unpacked: !compact && known.some((row) => row.unpacked.now !== undefined || row.unpacked.before !== undefined),
    budget: known.some((row) => row.budgets.length > 0),
  }
  const columns: readonly Column[] = [
    ...(shape.icon ? [{ title: '' }] : []),
    { title: 'Target' },
    ...(shape.platform ? [{ title: 'Platform' }] : []),
    { title: 'Transfer', align: 'right' },
    ...(shape.change ? [{ title: 'Change', align: 'right' } as const] : []),
    ...(shape.unpacked ? [{ title: 'Unpacked', align: 'right' } as const] : []),
    ...(shape.unpacked && shape.change ? [{ title: 'Change', align: 'right' } as const] : []),
    ...(shape.budget ? [{ title: 'Budget' }] : []),
  ]
  return table(
    columns,
    rows.map((row) => cells(row, shape)),
  )
}

function cells(row: Row, shape: Shape): readonly string[] {
  const known = 'status' in row ? row : undefined
  const id = shape.ids && known !== undefined ? `<br><sub>${code(known.id, 60)}</sub>` : ''
  const old = known?.renamedFrom === undefined ? '' : `<br><sub>was ${code(known.renamedFrom, 60)}</sub>`
  return [
    ...(shape.icon ? [icon(row)] : []),
    `**${code(row.target, 60)}**${id}${old}`,
    ...(shape.platform ? [known === undefined ? NONE : code(known.platform, 32)] : []),
    sizeCell(known, 'transfer'),
    ...(shape.change ? [changeCell(known, 'transfer')] : []),
    ...(shape.unpacked ? [sizeCell(known, 'unpacked')] : []),
    ...(shape.unpacked && shape.change ? [changeCell(known, 'unpacked')] : []),
    ...(shape.budget ? [known === undefined ? NONE : budgetCell(known)] : []),
  ]
}

function icon(row: Row): string {
  if (!('status' in row)) return '⏳'
  if (row.status === 'failed') return '💥'
  const verdict = worst(row)
  if (verdict === 'over') return '❌'
  if (verdict === 'waived' || verdict === 'over-before') return '⚠️'
  return row.status === 'added' ? '🆕' : row.status === 'removed' ? '🗑️' : ''
}

type Metric = 'transfer' | 'unpacked'

function sizeCell(row: SizeRowComparison | undefined, metric: Metric): string {
  if (row === undefined) return metric === 'transfer' ? 'no sizes yet' : NONE
  switch (row.status) {
    case 'failed':
      return metric === 'transfer' ? 'build failed' : NONE
    case 'removed':
      return metric === 'transfer' ? 'removed' : NONE
    case 'added':
    case 'compared':
    case 'no-baseline':
      return unbroken(sizeText(row[metric].now))
  }
}

function changeCell(row: SizeRowComparison | undefined, metric: Metric): string {
  switch (row?.status) {
    case undefined:
    case 'failed':
      return NONE
    case 'removed':
      return was(row[metric])
    case 'added':
      return metric === 'transfer' ? 'new' : NONE
    case 'no-baseline':
      return metric === 'transfer' ? 'no baseline' : NONE
    case 'compared': {
      const bytes = deltaOf(row[metric])
      if (bytes === undefined) return NONE
      // Once in a row is enough percentage, and all that there is room for.
      if (metric !== headlineMetric(row)) return unbroken(formatDelta(bytes))
      const text = unbroken(differenceText(row[metric]) ?? '')
      return row.unchanged ? text : `**${text}**`
    }
  }
}

function was({ before }: Change): string {
  return before === undefined ? NONE : `was ${unbroken(formatBytes(before))}`
}

function budgetCell(row: SizeRowComparison): string {
  const shown = budgetsOf(row).slice(0, 2).map(budgetText)
  return shown.length === 0 ? NONE : shown.join('<br>')
}

function budgetText(budget: BudgetVerdict): string {
  const { limit, actual, metric, verdict } = budget
  if (limit === undefined || actual === undefined || verdict === 'skipped') return 'not checked'
  const share = unbroken(usedPercent(limit, actual))
  const unit = metric === 'unpacked' ? ' unpacked' : ''
  return `${unbroken(formatBytes(limit))}${unit} · ${verdict === 'held' ? share : `**${share}**`}`
}

/** Only what is over is above 100 %, and only what is full is 100 %. */
function usedPercent(limit: number, actual: number): string {
  const percent = (100 * actual) / Math.max(1, limit)
  return `${actual > limit ? Math.max(101, Math.round(percent)) : Math.floor(percent)} %`
}
