import type { SizeReport, SizeRowComparison } from '../measure/comparison.ts'
import { formatBytes } from '../measure/format.ts'
import { code, visible } from './markdown.ts'
import {
  budgetsOf,
  byTarget,
  differenceText,
  hasBaseline,
  headlineBytes,
  headlineMetric,
  isQuiet,
  severalIds,
  sizeText,
  unbroken,
  worst,
} from './size-report-rows.ts'
import { logText } from './sizes-table.ts'
import { count } from './words.ts'

/** The first line of a size report: all that an e-mail's preview, a notice or a log shows of it. */

const MAX_NAMED = 3

/**
 * The verdict as plain text for a log, a notice or a commit status:
 * ``Image sizes: 1 of 4 targets over budget · `runtime` 187 MB of 160 MB, +38.4 MB (+25.9 %)``. It holds no workflow
 * command and no line break.
 * @param title the identity's `id`, named where it is not empty
 */
export function verdictLine(report: SizeReport, title = ''): string {
  return verdict(report, title, {
    name: (name) => `\`${logText(visible(name, 60)).replaceAll('`', "'")}\``,
    figure: (text) => text,
  })
}

/** The verdict as Markdown, on one line, without the heading's `#`. */
export function verdictMarkdown(report: SizeReport, title: string): string {
  return verdict(report, title, { name: (name) => code(name, 60), figure: unbroken })
}

/** How names and figures are written. */
interface Style {
  readonly name: (text: string) => string
  readonly figure: (text: string) => string
}

function verdict(report: SizeReport, title: string, style: Style): string {
  const groups = byTarget(report.rows)
  const head = heads(report, groups)
  const tail = tails(report, groups, style)
  const start = `Image sizes${title === '' ? '' : ` of ${style.name(title)}`}`
  const said = [...(head === '' ? [] : [head]), ...tail]
  return `${start}: ${said.length === 0 ? 'nothing was measured' : said.join(' · ')}`
}

type Group = readonly SizeRowComparison[]

function heads(report: SizeReport, groups: readonly Group[]): string {
  const here = groups.filter((rows) => rows.some((row) => row.status !== 'removed'))
  const all = here.length + report.missing.length
  const failed = here.filter((rows) => rows.some((row) => row.status === 'failed')).length
  const of = (verdict: string): number => here.filter((rows) => rows.some((row) => worst(row) === verdict)).length
  const counted: readonly (readonly [number, string, string])[] = [
    [failed, 'failed to build', 'failed to build'],
    [of('over'), 'over budget', 'over budget'],
    [of('waived'), 'over budget, allowed by label', 'over budget but allowed by label'],
    [of('over-before'), 'over budget as before', 'over budget as before'],
  ]
  const phrases = counted
    .filter(([n]) => n > 0)
    .map(([n, alone, among], i) =>
      all === 1 ? alone : i === 0 && report.missing.length === 0 ? `${n} of ${all} targets ${among}` : `${n} ${among}`,
    )
  const partial = report.missing.length === 0 ? [] : [`${here.length} of ${count(all, 'target')} reported`]
  return [...partial, ...(phrases.length === 0 ? general(report, groups, all) : phrases)].join(', ')
}

/** What there is to say where nothing failed and no budget was broken. */
function general(report: SizeReport, groups: readonly Group[], all: number): readonly string[] {
  const measured = groups.filter((rows) => rows.some((row) => row.status !== 'removed')).length
  if (measured > 0 && !hasBaseline(report)) return [`${count(measured, 'target')} measured, no baseline yet`]
  const changed = groups.filter((rows) => rows.some((row) => !isQuiet(row))).length
  if (groups.length === 0) return []
  if (changed === 0) return [all === 1 ? 'no change' : `no change in ${count(measured, 'target')}`]
  return all === 1 ? [] : [`${changed} of ${count(Math.max(all, groups.length), 'target')} changed`]
}

function tails(report: SizeReport, groups: readonly Group[], style: Style): readonly string[] {
  const ids = severalIds(report)
  const loud = groups.filter((rows) => rows.some((row) => !isQuiet(row)))
  const named = (loud.length === 0 ? groups : loud).flatMap((rows) => {
    const row = rows[0]
    return row === undefined
      ? []
      : [`${style.name(row.target)}${ids ? ` of ${style.name(row.id)}` : ''} ${style.figure(tail(row))}`]
  })
  return named.length <= MAX_NAMED + 1 ? named : [...named.slice(0, MAX_NAMED), `${named.length - MAX_NAMED} more`]
}

function tail(row: SizeRowComparison): string {
  switch (row.status) {
    case 'failed':
      return 'failed'
    case 'added':
      return `new, ${sizeText(row.transfer.now)}`
    case 'removed':
      return 'removed'
    case 'no-baseline':
    case 'compared': {
      const budget = budgetsOf(row)[0]
      if (budget !== undefined && ['over', 'waived', 'over-before'].includes(budget.verdict)) {
        const unit = budget.metric === 'unpacked' ? ' unpacked' : ''
        const change = row.status === 'compared' ? differenceText(row[budget.metric]) : undefined
        const [actual, limit] = [sizeText(budget.actual), sizeText(budget.limit)]
        const over = formatBytes((budget.actual ?? 0) - (budget.limit ?? 0))
        const size = `${actual === limit ? `${over} over ${limit}` : `${actual} of ${limit}`}${unit}`
        return change === undefined || change === '0 B' ? size : `${size}, ${change}`
      }
      if (row.status === 'no-baseline' || row.unchanged || headlineBytes(row) === 0) return sizeText(row.transfer.now)
      const metric = headlineMetric(row)
      return `${differenceText(row[metric]) ?? ''}${metric === 'unpacked' ? ' unpacked' : ''}`
    }
  }
}
