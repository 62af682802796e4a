/**
 * The event that started the run, as far as a size report needs it. Of its payload, parts are written by who opened the
 * pull request: names are checked, nothing is trusted to be there.
 * https://docs.github.com/en/webhooks/webhook-events-and-payloads
 */
import { field, list, positive, text } from '../json-fields.ts'
import { commitName, repositoryName } from './answers.ts'

/** What the runner says of the run in `GITHUB_*` variables, and the parsed file at GITHUB_EVENT_PATH. */
export interface EventSource {
  /** GITHUB_EVENT_NAME */
  readonly name: string
  readonly payload: unknown
  /** GITHUB_REPOSITORY */
  readonly repository: string
  /** GITHUB_REF: `refs/heads/main` */
  readonly ref: string
  /** GITHUB_SHA */
  readonly sha: string
}

export type ReportEvent =
  | PullRequestEvent
  | {
      readonly kind: 'push'
      readonly branch: string
      /** Undefined for a branch that was just made. */
      readonly before: string | undefined
      readonly after: string
    }
  | {
      readonly kind: 'merge_group'
      readonly headSha: string
      readonly baseSha: string | undefined
      /** Of the pull request that the queue made the group for last. */
      readonly number: number | undefined
    }
  | {
      readonly kind: 'workflow_run'
      readonly headSha: string
      /** Undefined where the fork was deleted. */
      readonly headRepository: string | undefined
      readonly headBranch: string | undefined
      /** Those that GitHub names: none for forks. */
      readonly numbers: readonly number[]
    }
  | {
      readonly kind: 'workflow_dispatch'
      /** Undefined for a tag. */
      readonly branch: string | undefined
      readonly sha: string | undefined
    }
  | { readonly kind: 'other'; readonly name: string }

export interface PullRequestEvent {
  readonly kind: 'pull_request' | 'pull_request_target'
  readonly number: number
  readonly headSha: string
  readonly baseSha: string | undefined
  readonly baseRef: string | undefined
  /** From another repository, or one that was deleted. */
  readonly isFork: boolean
  readonly isDependabot: boolean
}

/** An event that lacks what its kind is about is of the kind `other`. */
export function readReportEvent(source: EventSource): ReportEvent {
  return known(source) ?? { kind: 'other', name: source.name }
}

function known(source: EventSource): ReportEvent | undefined {
  const { name, payload } = source
  switch (name) {
    case 'pull_request':
    case 'pull_request_target':
      return pullRequest(name, payload, source.repository)
    case 'push': {
      const branch = branchOf(source.ref)
      const after = commitName(field(payload, 'after')) ?? commitName(source.sha)
      if (branch === undefined || after === undefined) return undefined
      return { kind: name, branch, before: commitName(field(payload, 'before')), after }
    }
    case 'merge_group': {
      const headSha = commitName(field(payload, 'merge_group', 'head_sha')) ?? commitName(source.sha)
      if (headSha === undefined) return undefined
      const baseSha = commitName(field(payload, 'merge_group', 'base_sha'))
      const number = queuedNumber(text(field(payload, 'merge_group', 'head_ref')) ?? source.ref)
      return { kind: name, headSha, baseSha, number }
    }
    case 'workflow_run':
      return workflowRun(field(payload, 'workflow_run'))
    case 'workflow_dispatch':
      return { kind: name, branch: branchOf(source.ref), sha: commitName(source.sha) }
    default:
      return undefined
  }
}

function pullRequest(kind: PullRequestEvent['kind'], payload: unknown, repository: string): ReportEvent | undefined {
  const pull = field(payload, 'pull_request')
  const number = positive(field(pull, 'number'))
  const headSha = commitName(field(pull, 'head', 'sha'))
  if (number === undefined || headSha === undefined) return undefined
  return {
    kind,
    number,
    headSha,
    baseSha: commitName(field(pull, 'base', 'sha')),
    baseRef: text(field(pull, 'base', 'ref')),
    isFork: !sameRepository(field(pull, 'head', 'repo', 'full_name'), repository),
    isDependabot: field(pull, 'user', 'login') === 'dependabot[bot]',
  }
}

function workflowRun(run: unknown): ReportEvent | undefined {
  const headSha = commitName(field(run, 'head_sha'))
  if (headSha === undefined) return undefined
  const numbers = list(field(run, 'pull_requests')).map((pull) => positive(field(pull, 'number')))
  return {
    kind: 'workflow_run',
    headSha,
    headRepository: repositoryName(field(run, 'head_repository', 'full_name')),
    headBranch: text(field(run, 'head_branch')),
    numbers: numbers.filter((number) => number !== undefined),
  }
}

/** GitHub's names of repositories are equal in any case. */
export function sameRepository(one: unknown, other: string): boolean {
  return repositoryName(one)?.toLowerCase() === other.toLowerCase()
}

function branchOf(ref: string): string | undefined {
  return /^refs\/heads\/(.+)$/.exec(ref)?.[1]
}

/** `refs/heads/gh-readonly-queue/release/2/pr-104-SHA`; the base branch may have slashes and look like this, too. */
function queuedNumber(ref: string): number | undefined {
  const digits = /^(?:refs\/heads\/)?gh-readonly-queue\/.+\/pr-(\d{1,15})-[0-9a-f]{40,64}$/.exec(ref)?.[1]
  return digits === undefined ? undefined : positive(Number(digits))
}
