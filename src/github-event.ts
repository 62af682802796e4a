/** The event that started the workflow, as far as the action asks. https://docs.github.com/en/webhooks/webhook-events-and-payloads */
import { readFile } from 'node:fs/promises'
import { field, text } from './json-fields.ts'

export interface GithubEvent {
  /** As it was sent; untrusted in part. */
  readonly payload: unknown
  /** `main` */
  readonly defaultBranch: string | undefined
  /** Of the pull request: its head's commit. */
  readonly headSha: string | undefined
  /** Whether it is a pull request from another repository. */
  readonly isFork: boolean
}

/** Reads the event; an unreadable one says nothing. */
export async function readEvent(env: NodeJS.ProcessEnv): Promise<GithubEvent> {
  const event = await parsed(env['GITHUB_EVENT_PATH'])
  const pull = field(event, 'pull_request')
  const repositoryOf = (side: 'head' | 'base'): unknown => field(pull, side, 'repo', 'full_name')
  return {
    payload: event,
    defaultBranch: text(field(event, 'repository', 'default_branch')),
    headSha: text(field(pull, 'head', 'sha')),
    // A deleted fork has no repository any more.
    isFork: pull !== undefined && repositoryOf('head') !== repositoryOf('base'),
  }
}

async function parsed(path: string | undefined): Promise<unknown> {
  if (path === undefined || path === '') return undefined
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch {
    return undefined
  }
}
