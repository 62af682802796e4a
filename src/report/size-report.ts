import type { SizeReport } from '../measure/comparison.ts'
import { details } from './markdown.ts'
import { budgetSentences } from './size-report-budgets.ts'
import { type SizeReportContext, pageLink } from './size-report-context.ts'
import { graphBlock } from './size-report-graph.ts'
import { boxes, footnote } from './size-report-notes.ts'
import { byTarget, isQuiet } from './size-report-rows.ts'
import { foldedTable, openTable } from './size-report-table.ts'
import { verdictMarkdown } from './size-report-verdict.ts'
import { whyBlocks } from './size-report-why.ts'
import { count, list } from './words.ts'

/**
 * A size report as Markdown: one section of the comment on a pull request, and of the job summary. Owns which parts
 * stand in which order, and what goes when there is no room for all.
 */

/**
 * GitHub takes 65,536 characters a comment (older servers) or 262,144 bytes; this stays below both with room for the
 * marker and what it carries.
 */
export const MAX_COMMENT_CHARACTERS = 60_000
export const MAX_COMMENT_BYTES = 65_000
const MAX_SUMMARY_SECTION = 300_000

export interface SizeReportLimits {
  /** UTF-16 units. */
  readonly limit?: number | undefined
  /** UTF-8 bytes; default: as many per character as a whole comment may have. */
  readonly maxBytes?: number | undefined
  /** Starts with the compact table: for a server that refused the whole report for its length. */
  readonly compact?: boolean | undefined
  /** Number of `#` before the verdict. */
  readonly level?: 3 | 4 | undefined
}

/** How much is told. */
interface Scope {
  readonly graph: boolean
  readonly packages: boolean
  readonly paths: number
  readonly layers: number
  readonly unchanged: boolean
  readonly whys: number
  readonly compact: boolean
  readonly rows: number
  /** Rows folded away for want of place, not of room. */
  readonly folded: number
  readonly sentences: number
}

const WHOLE: Scope = {
  graph: true,
  packages: true,
  paths: 15,
  layers: 15,
  unchanged: true,
  whys: 50,
  compact: false,
  rows: 25,
  folded: 300,
  sentences: 25,
}

/** What goes when there is no room, in this order; `name` is what the reader is told. */
const DROPS: readonly { readonly name: string; readonly drop: Partial<Scope> }[] = [
  { name: 'the stage graph', drop: { graph: false } },
  { name: 'packages', drop: { packages: false } },
  { name: 'all but five paths each', drop: { paths: 5 } },
  { name: 'all but five layers each', drop: { layers: 5 } },
  { name: 'unchanged targets', drop: { unchanged: false } },
  { name: 'why more than twenty targets changed', drop: { whys: 20 } },
  { name: 'why more than ten targets changed', drop: { whys: 10 } },
  { name: 'why more than three targets changed', drop: { whys: 3 } },
  { name: 'everything but the table', drop: { whys: 0, folded: 0, compact: true, sentences: 5 } },
]

/**
 * The report, ending in a line break; its first line is the verdict. It never exceeds the limits: what is dropped, and
 * where it is told in full, stands at its end.
 */
export function renderSizeReport(
  report: SizeReport,
  context: SizeReportContext,
  limits: SizeReportLimits = {},
): string {
  const maxCharacters = limits.limit ?? MAX_COMMENT_CHARACTERS
  const maxBytes = limits.maxBytes ?? Math.floor((maxCharacters * MAX_COMMENT_BYTES) / MAX_COMMENT_CHARACTERS)
  const level = limits.level ?? 3
  const first = limits.compact === true ? DROPS.length : 0
  for (let dropped = first; dropped <= DROPS.length; dropped++) {
    const text = assemble(report, context, dropped, level)
    if (text.length <= maxCharacters && Buffer.byteLength(text) <= maxBytes) return text
  }
  return `${verdict(report, context, level)}\n\n${leftOut(['everything else'], context)}\n`
}

/** The report as a section of the job summary, where there is more room and the stage graph is drawn anyway. */
export function sizeReportSection(report: SizeReport, context: SizeReportContext): string {
  const withoutGraph = { ...context, graphChanged: undefined }
  return renderSizeReport(report, withoutGraph, { limit: MAX_SUMMARY_SECTION, maxBytes: MAX_SUMMARY_SECTION, level: 4 })
}

function verdict(report: SizeReport, context: SizeReportContext, level: number): string {
  return `${'#'.repeat(level)} ${verdictMarkdown(report, context.title)}`
}

function assemble(report: SizeReport, context: SizeReportContext, dropped: number, level: number): string {
  const drops = DROPS.slice(0, dropped)
  const scope: Scope = Object.assign({}, WHOLE, ...drops.map(({ drop }) => drop)) as Scope
  const open = openTable(report, { maxRows: scope.rows, compact: scope.compact })
  const parts = [
    verdict(report, context, level),
    boxes(report, context, scope.sentences),
    open.markdown,
    moreRows(report, open.leftOut, scope),
    budgetSentences(report, context, scope.sentences),
    ...(scope.whys === 0
      ? []
      : whyBlocks(report, context, {
          maxTargets: scope.whys,
          maxLayers: scope.layers,
          maxPaths: scope.paths,
          packages: scope.packages,
        })),
    unchangedRows(report, scope),
    scope.graph && context.graphChanged !== undefined ? graphBlock(report, context.graphChanged) : undefined,
    footnote(report, context),
    ...(drops.length === 0 ? [] : [leftOut(told(report, context, drops), context)]),
  ]
  return `${parts.filter((part) => part !== undefined).join('\n\n')}\n`
}

function moreRows(report: SizeReport, rows: ReturnType<typeof openTable>['leftOut'], scope: Scope): string | undefined {
  if (rows.length === 0) return undefined
  const body = foldedTable(report, rows, { maxRows: scope.folded })
  if (scope.folded === 0 || body === undefined) return `${count(rows.length, 'more row')} are left out.`
  return details(count(rows.length, 'more row'), withRest(body, rows.length - scope.folded))
}

function unchangedRows(report: SizeReport, scope: Scope): string | undefined {
  const quiet = report.rows.filter(isQuiet)
  if (quiet.length === 0 || !scope.unchanged) return undefined
  const body = foldedTable(report, quiet, { maxRows: scope.folded })
  const targets = byTarget(quiet).length
  const title = targets === quiet.length ? count(targets, 'unchanged target') : count(quiet.length, 'unchanged image')
  return body === undefined ? undefined : details(title, withRest(body, quiet.length - scope.folded))
}

function withRest(body: string, rest: number): string {
  return rest <= 0 ? body : `${body}\n\n${count(rest, 'more row')} are left out.`
}

/** Only what there was to drop; the last step stands for all before it. */
function told(report: SizeReport, context: SizeReportContext, drops: typeof DROPS): readonly string[] {
  const last = DROPS.at(-1)
  if (last !== undefined && drops.length === DROPS.length) return [last.name]
  return drops
    .filter(({ drop }) => drop.graph === undefined || context.graphChanged !== undefined)
    .filter(({ drop }) => drop.unchanged === undefined || report.rows.some(isQuiet))
    .filter(
      ({ drop }, i) => drop.whys === undefined || drops.slice(i + 1).every((later) => later.drop.whys === undefined),
    )
    .map(({ name }) => name)
}

function leftOut(names: readonly string[], context: SizeReportContext): string {
  const where = pageLink(context, "the run's summary", context.runUrl)
  return `<sub>Left out for want of room: ${list(names)}. The whole report is in ${where}.</sub>`
}
