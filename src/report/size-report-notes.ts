import type { BaselineFacts, SizeReport, SizeRowComparison } from '../measure/comparison.ts'
import { code, prose } from './markdown.ts'
import { rowName } from './size-report-budgets.ts'
import { type SizeReportContext, commitLink, pageLink } from './size-report-context.ts'
import { onlyPlatform } from './size-report-rows.ts'
import { count, list } from './words.ts'

/**
 * What a reader has to know to read the figures right: boxes for what limits them (no baseline, an older one, figures
 * that can't be compared, targets that are missing), and the line below the table that names what was compared.
 */

/** At most one box of warnings and one of notes; undefined where there is nothing to know. */
export function boxes(report: SizeReport, context: SizeReportContext, maxLines: number): string | undefined {
  const warnings = [...missing(report), ...failures(report, context), ...incomparable(report)]
  const notes = [...baselineNotes(report.baseline, context), ...unknownSizes(report)]
  const texts = [...box('WARNING', warnings, maxLines), ...box('NOTE', notes, maxLines)]
  return texts.length === 0 ? undefined : texts.join('\n\n')
}

/** https://docs.github.com/en/get-started/writing-on-github (Alerts); elsewhere it is a quotation. */
function box(kind: 'WARNING' | 'NOTE', sentences: readonly string[], maxLines: number): readonly string[] {
  if (sentences.length === 0) return []
  const shown = sentences.slice(0, maxLines)
  if (shown.length < sentences.length) shown.push(`${sentences.length - shown.length} more of such remarks.`)
  const lines = shown.length === 1 ? shown : shown.map((sentence) => `- ${sentence}`)
  return [[`[!${kind}]`, ...lines].map((line) => `> ${line}`).join('\n')]
}

function missing({ missing: names }: SizeReport): readonly string[] {
  if (names.length === 0) return []
  const who = list(
    names.map((name) => code(name, 60)),
    10,
  )
  return [
    names.length === 1
      ? `No sizes were handed over for ${who}. Its job has not ended yet, failed early or was cancelled.`
      : `No sizes were handed over for ${who}. Their jobs have not ended yet, failed early or were cancelled.`,
  ]
}

function failures(report: SizeReport, context: SizeReportContext): readonly string[] {
  return report.rows
    .filter((row) => row.status === 'failed')
    .map((row) => {
      const why = row.failure === undefined ? 'The build failed.' : prose(row.failure, 500)
      return `${rowName(row, report)}: ${why} ${pageLink(context, 'See the run', context.runUrl)}.`
    })
}

/** Rows that share the sentences are told of together. */
function incomparable(report: SizeReport): readonly string[] {
  const groups = Map.groupBy(
    report.rows.filter((row) => row.notComparable.length > 0),
    (row) => row.notComparable.join('\n'),
  )
  return [...groups.values()].map((rows) => {
    const sentences = (rows[0]?.notComparable ?? []).slice(0, 5).map((sentence) => prose(sentence, 300))
    // A target that is new for its platform has no differences.
    const shown = rows.some((row) => row.status === 'compared')
    return `${names(rows, report)}: ${sentences.join(' ')}${shown ? ' Their differences are shown, but no relative budget is held against them.' : ''}`
  })
}

function unknownSizes(report: SizeReport): readonly string[] {
  const groups = Map.groupBy(
    report.rows.filter((row) => row.current?.unknownReason !== undefined),
    (row) => row.current?.unknownReason ?? '',
  )
  return [...groups].map(([reason, rows]) => `${names(rows, report)}: ${prose(reason, 300)}`)
}

function names(rows: readonly SizeRowComparison[], report: SizeReport): string {
  return list(
    rows.map((row) => rowName(row, report)),
    5,
  )
}

function baselineNotes(baseline: BaselineFacts, context: SizeReportContext): readonly string[] {
  const wanted = commitLink(context, baseline.wanted)
  const branch = baseline.branch === undefined ? 'the base branch' : code(baseline.branch, 60)
  switch (baseline.source) {
    case 'exact':
    case 'input':
      return []
    case 'ancestor': {
      const commit = commitLink(context, baseline.commit) ?? 'an earlier commit'
      const how = baseline.distance === undefined ? 'which is before' : `${count(baseline.distance, 'commit')} before`
      const base = wanted === undefined ? `the tip of ${branch}` : `the base commit ${wanted}`
      return [
        `Compared with ${commit}, ${how} ${base}, whose own sizes are not known. The differences may hold what was changed in between.`,
      ]
    }
    case 'registry':
      return [
        'Compared with the image in the registry, which tells transfer sizes only: which files or packages changed is not known.',
      ]
    case 'none':
      return [
        `There is nothing to compare with yet: no sizes are known of ${branch}${wanted === undefined ? '' : ` at ${wanted}`} or of the commits before it. Run this workflow on \`push\` to ${branch} too: what it measures there is what pull requests are compared with.`,
      ]
  }
}

/** In words what `noiseFloor` of `measure/noise.ts` is. */
const NOISE = 'less than 10 kB or 0.05 % is no change'

/** What was compared with what, and how figures are meant; one small line. */
export function footnote(report: SizeReport, context: SizeReportContext): string {
  const { baseline } = report
  const platform = onlyPlatform(report)
  const compressions = [
    ...new Set(
      report.rows.flatMap((row) =>
        (row.current?.layers ?? []).flatMap((layer) =>
          layer.own && layer.compression !== undefined ? [layer.compression] : [],
        ),
      ),
    ),
  ].map((compression) => (compression === 'none' ? 'uncompressed' : compression))
  const head = commitLink(context, context.headCommit)
  const parts = [
    ...comparedWith(baseline, context),
    ...(head === undefined ? [] : [baseline.source === 'none' ? `Measured at ${head}` : `head ${head}`]),
    ...(platform === undefined ? [] : [code(platform, 32)]),
    ...(compressions.length === 0 ? [] : [list(compressions)]),
    ...(baseline.source === 'none' ? [] : [NOISE]),
  ]
  const meaning = 'Transfer: the layers as a registry keeps them. Unpacked: the files in them.'
  return `<sub>${parts.join(' · ')}${parts.length === 0 ? '' : '<br>'}${meaning}</sub>`
}

function comparedWith(baseline: BaselineFacts, context: SizeReportContext): readonly string[] {
  const commit = commitLink(context, baseline.commit)
  const branch = baseline.branch === undefined ? '' : ` on ${code(baseline.branch, 60)}`
  const run = baseline.url === undefined ? '' : pageLink(context, 'its run', baseline.url)
  const more = run === '' || run === 'its run' ? '' : ` (${run})`
  switch (baseline.source) {
    case 'none':
      return []
    case 'input':
      return [
        `Compared with ${commit ?? 'what'}${commit === undefined ? '' : ', which'} the input \`baseline\` names${more}`,
      ]
    case 'exact':
      return [
        `Compared with ${commit ?? 'the base commit'}${commit === undefined ? '' : ', the base commit'}${branch}${more}`,
      ]
    case 'ancestor': {
      const distance = baseline.distance === undefined ? '' : `, ${count(baseline.distance, 'commit')} before the base`
      return [`Compared with ${commit ?? 'an earlier commit'}${branch}${distance}${more}`]
    }
    case 'registry':
      return [`Compared with the image in the registry${commit === undefined ? '' : `, of ${commit}`}${more}`]
  }
}
