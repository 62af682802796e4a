/**
 * The run that a `workflow_run` event is about: a report job with rights of its own reads what a run without rights,
 * such as that of a fork's pull request, has measured. Only numbers and ids in GitHub's own words come from here; what the
 * run itself handed over is untrusted data, to be read as records and never as Markdown.
 * https://docs.github.com/en/webhooks/webhook-events-and-payloads#workflow_run
 */
import { field, positive, text } from '../json-fields.ts'
import type { ArtifactPlace } from './handover-protocol.ts'

export interface MeasuredRun {
  readonly id: number
  /** From 1. */
  readonly attempt: number
  /** Where the run and its artifacts are: not the fork. */
  readonly owner: string
  readonly repository: string
  /** The commit that was measured, of the pull request's head. */
  readonly headSha: string
  /** `owner/name` the commit is from; undefined where that repository is gone. */
  readonly headRepository: string | undefined
  /** Untrusted. */
  readonly headBranch: string | undefined
  /** What started it: `pull_request`, `push`, … */
  readonly event: string
  /** `success`, `failure`, … */
  readonly conclusion: string | undefined
}

const REPOSITORY = /^([A-Za-z0-9_.-]{1,100})\/([A-Za-z0-9_.-]{1,100})$/
const SHA = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/

/** The run of a `workflow_run` event (the parsed file of GITHUB_EVENT_PATH); undefined for another event. */
export function measuredRun(event: unknown): MeasuredRun | undefined {
  const run = field(event, 'workflow_run')
  const [, owner, repository] = REPOSITORY.exec(text(field(event, 'repository', 'full_name')) ?? '') ?? []
  const id = positive(field(run, 'id'))
  const headSha = text(field(run, 'head_sha'))
  if (owner === undefined || repository === undefined || id === undefined) return undefined
  if (headSha === undefined || !SHA.test(headSha)) return undefined
  const headRepository = text(field(run, 'head_repository', 'full_name'))
  return {
    ...{ id, owner, repository, headSha },
    attempt: positive(field(run, 'run_attempt')) ?? 1,
    headRepository: headRepository !== undefined && REPOSITORY.test(headRepository) ? headRepository : undefined,
    headBranch: text(field(run, 'head_branch')),
    event: text(field(run, 'event')) ?? '',
    conclusion: text(field(run, 'conclusion')),
  }
}

/**
 * Where the records of a report lie: in the run that the event is about, else in this one, whose earlier attempts only
 * the REST API gives (with `actions: read`).
 */
export function recordPlaces(
  run: MeasuredRun | undefined,
  env: NodeJS.ProcessEnv,
  token: string | undefined,
): readonly ArtifactPlace[] {
  const hasToken = token !== undefined && token !== ''
  if (run !== undefined) {
    const { owner, repository, id } = run
    return hasToken ? [{ owner, repository, runId: id, token }] : []
  }
  const [, owner, repository] = REPOSITORY.exec(env['GITHUB_REPOSITORY'] ?? '') ?? []
  const runId = positive(Number(env['GITHUB_RUN_ID']))
  if (!hasToken || runAttempt(env) === 1 || owner === undefined || repository === undefined || runId === undefined) {
    return ['own']
  }
  return ['own', { owner, repository, runId, token }]
}

/** This run's attempt, from 1. */
export function runAttempt(env: NodeJS.ProcessEnv): number {
  return positive(Number(env['GITHUB_RUN_ATTEMPT'])) ?? 1
}
