import type { BudgetVerdict, Change, SizeReport, SizeRowComparison } from '../measure/comparison.ts'
import { formatBytes, formatDelta } from '../measure/format.ts'
import { deltaOf, isNoise } from '../measure/noise.ts'
import type { SizeMetric } from './summary-data.ts'
import { formatChange } from './words.ts'

/** Questions about the rows of a size report that several of its parts ask: what counts, what differs by how much. */

/** `+38.4 MB (+25.9 %)`; undefined where it is not known. */
export function differenceText(change: Change): string | undefined {
  const bytes = deltaOf(change)
  if (bytes === undefined) return undefined
  const percent = formatChange(change.before ?? 0, change.now ?? 0)
  return bytes === 0 || percent === undefined ? formatDelta(bytes) : `${formatDelta(bytes)} (${percent})`
}

/** The metric that tells of this row's change: transfer, unless it can't be compared or only the files changed. */
export function headlineMetric(row: SizeRowComparison): SizeMetric {
  const { transfer, unpacked, notComparable } = row
  if (deltaOf(unpacked) === undefined) return 'transfer'
  const tells = notComparable.length === 0 && deltaOf(transfer) !== undefined
  return tells && (isNoise(transfer) !== true || isNoise(unpacked) === true) ? 'transfer' : 'unpacked'
}

/** The change in {@link headlineMetric}, in bytes; 0 where it is not known. */
export function headlineBytes(row: SizeRowComparison): number {
  return row.status === 'compared' ? (deltaOf(row[headlineMetric(row)]) ?? 0) : 0
}

const VERDICTS = ['over', 'waived', 'over-before', 'held', 'skipped'] as const

/** A row's budgets, the most pressing first. */
export function budgetsOf(row: SizeRowComparison): readonly BudgetVerdict[] {
  return row.budgets.toSorted((a, b) => VERDICTS.indexOf(a.verdict) - VERDICTS.indexOf(b.verdict) || used(b) - used(a))
}

function used({ limit, actual }: BudgetVerdict): number {
  return limit === undefined || actual === undefined ? 0 : actual / Math.max(1, limit)
}

/** What the most pressing budget says; undefined without one. */
export function worst(row: SizeRowComparison): BudgetVerdict['verdict'] | undefined {
  return budgetsOf(row)[0]?.verdict
}

/** A row that nobody need look at. */
export function isQuiet(row: SizeRowComparison): boolean {
  return row.status === 'compared' && row.unchanged && !['over', 'waived', 'over-before'].includes(worst(row) ?? '')
}

/** Rows of the same target, whatever the platform; in the order of their first. */
export function byTarget(rows: readonly SizeRowComparison[]): readonly (readonly SizeRowComparison[])[] {
  const groups: SizeRowComparison[][] = []
  const known = new Map<string, Map<string, SizeRowComparison[]>>()
  for (const row of rows) {
    const ofId = known.get(row.id) ?? new Map<string, SizeRowComparison[]>()
    known.set(row.id, ofId)
    const group = ofId.get(row.target)
    if (group === undefined) {
      const first = [row]
      ofId.set(row.target, first)
      groups.push(first)
    } else {
      group.push(row)
    }
  }
  return groups
}

/** Whether targets have to be told apart by the id of what they were built from. */
export function severalIds(report: SizeReport): boolean {
  return new Set(report.rows.map((row) => row.id)).size > 1
}

/** The platform of all rows; undefined where they differ. */
export function onlyPlatform(report: SizeReport): string | undefined {
  const platforms = new Set(report.rows.map((row) => row.platform))
  return platforms.size === 1 ? [...platforms][0] : undefined
}

/** Nothing to compare with, for the whole report. */
export function hasBaseline(report: SizeReport): boolean {
  return report.baseline.source !== 'none'
}

/** `187 MB`, or `unknown`. */
export function sizeText(bytes: number | undefined): string {
  return bytes === undefined ? 'unknown' : formatBytes(bytes)
}

/** A number stays with its unit, however narrow its column. */
export function unbroken(text: string): string {
  return text.replace(/([\d.]) (?=[a-zA-Z%])/g, '$1&nbsp;').replaceAll('<', '&lt;')
}
