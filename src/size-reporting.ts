/**
 * The size report of a step: sizes beside their baseline, in the log, the job summary and the pull request's comment, and
 * budgets that fail the step. GitHub's refusals are told once and fail nothing.
 */
import type { Baseline } from './baselines.ts'
import type { Problem } from './errors.ts'
import { writeComment, type CommentResult } from './github/sticky-comment.ts'
import type { ReportEvent } from './github/event.ts'
import { findPullRequest, labelsOfMerged, type PullRequestResult } from './github/pull-request.ts'
import type { CommentMode } from './inputs.ts'
import { budgetSentence } from './measure/budgets.ts'
import { compareSizes, type CompareOptions } from './measure/compare-sizes.ts'
import type { SizeReport, SizeRowComparison } from './measure/comparison.ts'
import type { SizeBudget } from './measure/size-budgets.ts'
import type { SizeReportContext, StageGraphChange } from './report/size-report-context.ts'
import { verdictLine, verdictMarkdown } from './report/size-report-verdict.ts'
import { renderSizeReport, sizeReportSection } from './report/size-report.ts'
import { runUrl, serverUrl } from './size-records.ts'
import { headCommit, type ReportPlace } from './report-place.ts'

/** Allows a pull request to grow over its budgets. */
export const BUDGET_LABEL = 'stage-build: allow-size-increase'

export interface SizesToReport extends Omit<CompareOptions, 'baseline' | 'waived'> {
  readonly baseline: Pick<Baseline, 'facts' | 'records'>
  readonly budgets: readonly SizeBudget[]
  /** The section's identity. */
  readonly id: string
  readonly comment: CommentMode
  /** The report job of the matrix writes the comment. */
  readonly isLeg: boolean
  /** Where the stage graph changed. */
  readonly graphChanged?: StageGraphChange | undefined
}

export interface SizesReported {
  readonly report: SizeReport
  /** What it was made from. */
  readonly records: CompareOptions['records']
  /** Of the job summary. */
  readonly section: string
  readonly verdict: string
  readonly commentUrl: string | undefined
  /** This run may not write the comment, another one may: of a fork, or with a token that may only read. */
  readonly lacksRights: boolean
  /** Broken budgets: the step fails with them. */
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
  /** For the log: what became of the comment. */
  readonly notice: string | undefined
}

/** Compares, and writes the comment. Never rejects. */
export async function reportSizes(sizes: SizesToReport, place: ReportPlace): Promise<SizesReported> {
  const { event } = place
  let pull: PullRequestResult | undefined
  const findPull = async (): Promise<PullRequestResult> => (pull ??= await pullOf(event, place))
  let report = compareSizes({ ...sizes, waived: false })
  if (verdicts(report).includes('over')) {
    if (await isAllowed(await findPull(), place)) report = compareSizes({ ...sizes, waived: true })
  }
  const context = contextOf(sizes, event, place)
  const written = await comment({ sizes, report, context, event, findPull }, place)
  return {
    report,
    records: sizes.records,
    section: sizeReportSection(report, context),
    verdict: verdictLine(report),
    commentUrl: written?.kind === 'written' ? written.url : undefined,
    lacksRights:
      (event.kind === 'pull_request' && event.isFork) || (written?.kind === 'refused' && written.lacksRights),
    problems: brokenBudgets(report),
    warnings:
      written?.kind === 'refused' ? [{ message: `No comment was written. ${written.reason}`, mend: written.mend }] : [],
    notice:
      written?.kind === 'skipped'
        ? `No comment: ${written.reason}${written.mend === undefined ? '' : ` ${written.mend}`}`
        : undefined,
  }
}

/** Whether a label allows the growth: of the pull request, or of the one that this push merged. */
async function isAllowed(found: PullRequestResult, { event, github }: ReportPlace): Promise<boolean> {
  if (found.kind === 'found') return found.pull.labels?.includes(BUDGET_LABEL) === true
  if (event.kind !== 'push' || github === undefined) return false
  return (await labelsOfMerged(github.client, github.repository, event)).includes(BUDGET_LABEL)
}

async function pullOf(event: ReportEvent, { github, defaultBranch }: ReportPlace): Promise<PullRequestResult> {
  if (github === undefined)
    return { kind: 'none', reason: 'There is no token for GitHub’s API, or this is not GitHub.' }
  if (event.kind === 'push' && event.branch === defaultBranch) {
    return { kind: 'none', reason: 'The default branch has no pull request.' }
  }
  return await findPullRequest(github.client, github.repository, event)
}

interface Commenting {
  readonly sizes: SizesToReport
  readonly report: SizeReport
  readonly context: SizeReportContext
  readonly event: ReportEvent
  readonly findPull: () => Promise<PullRequestResult>
}

async function comment(
  { sizes, report, context, event, findPull }: Commenting,
  { github, env }: ReportPlace,
): Promise<CommentResult | undefined> {
  if (sizes.isLeg || sizes.comment === 'never' || github === undefined) return undefined
  if (event.kind === 'other' || event.kind === 'merge_group') return undefined
  const found = await findPull()
  // Most branches have no pull request: nothing to tell.
  if (found.kind === 'none') {
    const isAsked = event.kind === 'workflow_run' || event.kind === 'pull_request'
    return isAsked ? { kind: 'skipped', reason: found.reason, mend: found.mend } : undefined
  }
  if (found.noComment !== undefined) return { kind: 'skipped', ...found.noComment }
  const { client, repository } = github
  return await writeComment({
    ...{ client, repository, number: found.pull.number },
    create: callsForComment(report, sizes.comment),
    section: {
      key: sizes.id,
      verdict: verdictMarkdown(report, context.title),
      severity: severityOf(report),
      full: withoutVerdict(renderSizeReport(report, context)),
      compact: withoutVerdict(renderSizeReport(report, context, { compact: true })),
      commit: headCommit(event, env),
    },
  })
}

/** The comment has its verdict from us already. */
function withoutVerdict(markdown: string): string {
  return markdown.slice(markdown.indexOf('\n') + 1).trim()
}

/** Whether a pull request without a comment gets one. */
export function callsForComment(report: SizeReport, mode: CommentMode): boolean {
  if (mode !== 'size-changed') return mode === 'always' || (mode === 'over-budget' && verdicts(report).includes('over'))
  const isNews = ({ status, unchanged }: SizeRowComparison): boolean =>
    status === 'compared' ? !unchanged : status !== 'no-baseline'
  return report.rows.some(isNews) || verdicts(report).some((verdict) => ['over', 'waived'].includes(verdict))
}

function verdicts({ rows }: SizeReport): readonly string[] {
  return rows.flatMap(({ budgets }) => budgets.map(({ verdict }) => verdict))
}

function severityOf(report: SizeReport): number {
  const found = verdicts(report)
  if (report.rows.some(({ status }) => status === 'failed')) return 4
  if (found.includes('over')) return 3
  if (found.includes('over-before') || found.includes('waived') || report.missing.length > 0) return 2
  return report.rows.some(({ status, unchanged }) => status !== 'compared' || !unchanged) ? 1 : 0
}

/** One problem for each, at the target's FROM. */
function brokenBudgets({ rows }: SizeReport): readonly Problem[] {
  return rows.flatMap((row) =>
    row.budgets
      .filter(({ verdict }) => verdict === 'over')
      .map((verdict): Problem => {
        const several = rows.filter(({ target }) => target === row.target).length > 1
        return {
          message: `${budgetSentence(row, verdict, { platform: several })}.`,
          mend: `Make the image smaller, raise the budget in \`size-budgets\`, or give the pull request the label \`${BUDGET_LABEL}\`.`,
          file: verdict.file,
          line: verdict.line,
        }
      }),
  )
}

function contextOf(sizes: SizesToReport, event: ReportEvent, { env }: ReportPlace): SizeReportContext {
  const repository = env['GITHUB_REPOSITORY'] ?? ''
  return {
    title: sizes.id === 'Dockerfile' ? '' : sizes.id,
    ...{ repository, serverUrl: serverUrl(env) },
    headCommit: repository === '' ? undefined : headCommit(event, env),
    runUrl: runUrl(env, env['GITHUB_RUN_ID']),
    budgetLabel: event.kind === 'pull_request' || event.kind === 'workflow_run' ? BUDGET_LABEL : undefined,
    graphChanged: sizes.graphChanged,
  }
}
