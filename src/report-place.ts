/** Where sizes are reported: the run, its event, and the way to GitHub. */
import { GithubAccess } from './github-access.ts'
import type { GithubEvent } from './github-event.ts'
import { readReportEvent, type ReportEvent } from './github/event.ts'
import type { GithubClient } from './github/rest-client.ts'

export interface ReportPlace {
  readonly env: NodeJS.ProcessEnv
  /** Of the event, parsed. */
  readonly payload: unknown
  /** What it says of the run. */
  readonly event: ReportEvent
  readonly defaultBranch: string | undefined
  /** Undefined away from GitHub, and without a token. */
  readonly github: { readonly client: GithubClient; readonly repository: string } | undefined
}

/** Where reports go. */
export function reportPlace(options: {
  readonly token: string | undefined
  readonly event: GithubEvent
  readonly env: NodeJS.ProcessEnv
  readonly signal: AbortSignal
}): ReportPlace {
  const { token, event, env, signal } = options
  const repository = env['GITHUB_REPOSITORY'] ?? ''
  const isHere = env['GITHUB_ACTIONS'] === 'true' && token !== undefined && repository !== ''
  return {
    ...{ env, payload: event.payload, defaultBranch: event.defaultBranch },
    event: readReportEvent({
      name: env['GITHUB_EVENT_NAME'] ?? '',
      payload: event.payload,
      repository,
      ref: env['GITHUB_REF'] ?? '',
      sha: env['GITHUB_SHA'] ?? '',
    }),
    github: isHere ? { client: new GithubAccess({ token, env, signal }), repository } : undefined,
  }
}

/** The commit that reviewers know: of a pull request its head, not the merge that is built. */
export function headCommit(event: ReportEvent, env: NodeJS.ProcessEnv): string | undefined {
  return 'headSha' in event ? event.headSha : env['GITHUB_SHA']
}
