import type { BudgetVerdict, SizeReport, SizeRowComparison } from '../measure/comparison.ts'
import { formatBytes } from '../measure/format.ts'
import { code } from './markdown.ts'
import type { SizeReportContext } from './size-report-context.ts'
import { budgetsOf, inOrder, onlyPlatform, severalIds, unbroken } from './size-report-rows.ts'
import { list } from './words.ts'

/** The size report's sentences about budgets: which figure is over which limit, and what that means for the step. */

interface Budget {
  readonly row: SizeRowComparison
  readonly budget: BudgetVerdict
}

/** A line for each budget that is over, what to do about it, and which were not checked. Undefined where all is well. */
export function budgetSentences(report: SizeReport, context: SizeReportContext, maxLines: number): string | undefined {
  const all = inOrder(report.rows).flatMap((row) => budgetsOf(row).map((budget): Budget => ({ row, budget })))
  const broken = all.filter(({ budget }) => ['over', 'waived', 'over-before'].includes(budget.verdict))
  const lines = broken.slice(0, maxLines).map((item) => sentence(item, report, context))
  if (broken.length > maxLines) lines.push(`${broken.length - maxLines} more.`)
  const paragraphs = [
    ...(lines.length === 0 ? [] : [lines.length === 1 ? lines.join('') : lines.map((line) => `- ${line}`).join('\n')]),
    ...(broken.some(({ budget }) => budget.verdict === 'over') && context.budgetLabel !== undefined
      ? [
          `To accept the increase, put the label ${code(context.budgetLabel)} on the pull request and run the job again.`,
        ]
      : []),
    ...unchecked(all.filter(({ budget }) => budget.verdict === 'skipped')),
  ]
  return paragraphs.length === 0 ? undefined : paragraphs.join('\n\n')
}

/** What a target is called in a sentence: with platform and id only where they are needed to tell it apart. */
export function rowName(row: SizeRowComparison, report: SizeReport): string {
  const platform = onlyPlatform(report) === undefined ? ` ${code(row.platform, 32)}` : ''
  return `${code(row.target, 60)}${platform}${severalIds(report) ? ` of ${code(row.id, 60)}` : ''}`
}

function sentence({ row, budget }: Budget, report: SizeReport, context: SizeReportContext): string {
  const { limit, actual, metric } = budget
  const unit = metric === 'transfer' ? 'to transfer' : 'unpacked'
  const size = (bytes: number): string => unbroken(formatBytes(bytes))
  const text = code(budget.budget, 80)
  const said = `${rowName(row, report)}: ${
    limit === undefined || actual === undefined
      ? `over what ${text} allows.`
      : `${size(actual)} ${unit}, ${size(actual - limit)} over the ${size(limit)} that ${text} allows.`
  }`
  switch (budget.verdict) {
    case 'over-before':
      return `⚠️ ${said} It was over before and did not get worse, so this is only a warning.`
    case 'waived':
      return `⚠️ ${said} The label ${code(context.budgetLabel ?? 'of this pull request')} accepts it.`
    case 'over':
    case 'held':
    case 'skipped':
      return `❌ ${said}`
  }
}

function unchecked(items: readonly Budget[]): readonly string[] {
  if (items.length === 0) return []
  const names = [...new Set(items.map(({ budget }) => code(budget.budget, 80)))]
  const why = items.some(({ row }) => row.notComparable.length > 0)
    ? 'there is nothing that they could be compared with in fairness'
    : 'there is nothing to compare with'
  return [`Not checked, since ${why}: ${list(names, 10)}.`]
}
