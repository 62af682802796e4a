import type { BudgetVerdict, SizeReport, SizeRowComparison } from '../measure/comparison.ts'
import { budgetSentence } from '../measure/budgets.ts'
import { code, prose, visible } from './markdown.ts'
import type { SizeReportContext } from './size-report-context.ts'
import { budgetsOf, onlyPlatform, severalIds } from './size-report-rows.ts'
import { list } from './words.ts'

/** The size report's sentences about budgets: which figure is over which limit, and what that means for the step. */

interface Budget {
  readonly row: SizeRowComparison
  readonly budget: BudgetVerdict
}

/** A line for each budget that is over, what to do about it, and which were not checked. Undefined where all is well. */
export function budgetSentences(report: SizeReport, context: SizeReportContext, maxLines: number): string | undefined {
  const all = report.rows.flatMap((row) => budgetsOf(row).map((budget): Budget => ({ row, budget })))
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
  const target = visible(row.target, 60).replaceAll('`', "'")
  const named = { ...row, target, platform: visible(row.platform, 32) }
  const text = budgetSentence(
    named,
    { ...budget, budget: visible(budget.budget, 80) },
    { platform: onlyPlatform(report) === undefined },
  )
  const said = `${prose(text)}${severalIds(report) ? ` of ${code(row.id, 60)}` : ''}`
  switch (budget.verdict) {
    case 'over-before':
      return `⚠️ ${said}. It did not get worse, so this is only a warning.`
    case 'waived':
      return `⚠️ ${said}${context.budgetLabel === undefined ? '' : `: ${code(context.budgetLabel)}`}.`
    case 'over':
    case 'held':
    case 'skipped':
      return `❌ ${said}.`
  }
}

/** Each budget once, by why it was not checked. */
function unchecked(items: readonly Budget[]): readonly string[] {
  const reasons = Map.groupBy(items, ({ row, budget }) =>
    budget.actual === undefined
      ? 'a size is not known'
      : budget.metric === 'transfer' && row.notComparable.length > 0
        ? 'the baseline is compressed differently'
        : 'there is nothing to compare with',
  )
  return [...reasons].map(([reason, group]) => {
    const names = [...new Set(group.map(({ budget }) => code(budget.budget, 80)))]
    return `Budgets not checked, since ${reason}: ${list(names, 10)}.`
  })
}
