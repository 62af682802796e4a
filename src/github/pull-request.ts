/** The pull request that an event is about, as it is now. */
import { field, list, positive, text } from '../json-fields.ts'
import { commitName } from './answers.ts'
import { sameRepository, type PullRequestEvent, type ReportEvent } from './event.ts'
import { describeError, success, undocumented, type GithubError, type Outcome } from './github-error.ts'
import type { GithubClient } from './rest-client.ts'

export interface PullRequest {
  readonly number: number
  readonly headSha: string
  readonly baseRef: string | undefined
  /** What the base branch was at when the pull request was last changed: not what it is compared with. */
  readonly baseSha: string | undefined
  /** Names, untrusted; undefined where they could not be read now. */
  readonly labels: readonly string[] | undefined
  /** From another repository, or one that was deleted. */
  readonly isFork: boolean
}

/** Why there is no comment: sentences for a notice. */
export interface NoComment {
  readonly reason: string
  readonly mend?: string | undefined
}

export type PullRequestResult =
  /** `noComment`: the report is about it, but is not written there. */
  | { readonly kind: 'found'; readonly pull: PullRequest; readonly noComment: NoComment | undefined }
  | ({ readonly kind: 'none' } & NoComment)

const PULLS = 'GET /repos/{owner}/{repo}/pulls'
const PULL = 'GET /repos/{owner}/{repo}/pulls/{pull_number}'
const PULLS_OF_COMMIT = 'GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls'

/** Finds it with at most two requests. Never rejects. */
export async function findPullRequest(
  client: GithubClient,
  repository: string,
  event: ReportEvent,
): Promise<PullRequestResult> {
  return await new Finder(client, repository).find(event)
}

/**
 * The labels of the pull request whose merge made a commit of a branch, as they are now; none where there is none, or it
 * cannot be looked up. One request. Never rejects.
 */
export async function labelsOfMerged(
  client: GithubClient,
  repository: string,
  { after, branch }: Pick<Extract<ReportEvent, { kind: 'push' }>, 'after' | 'branch'>,
): Promise<readonly string[]> {
  return await new Finder(client, repository).labelsOfMerged(after, branch)
}

class Finder {
  readonly #client: GithubClient
  readonly #repository: string
  readonly #parameters: { readonly owner: string; readonly repo: string }

  constructor(client: GithubClient, repository: string) {
    const [owner = '', repo = ''] = repository.split('/')
    this.#client = client
    this.#repository = repository
    this.#parameters = { owner, repo }
  }

  async find(event: ReportEvent): Promise<PullRequestResult> {
    switch (event.kind) {
      case 'pull_request':
      case 'pull_request_target':
        return await this.#ofPayload(event)
      case 'push':
        return await this.#ofCommit(event.after, event.branch)
      case 'merge_group':
        return await this.#ofQueue(event.number)
      case 'workflow_run':
        return await this.#ofRun(event)
      case 'workflow_dispatch':
        if (event.branch === undefined) return none('The run is for a tag, which has no pull request.')
        return await this.#ofBranch(event.branch, event.sha)
      case 'other':
        return none(`A run for ${event.name} has no pull request.`)
    }
  }

  /** What the payload says holds, also where the token may not look. */
  async #ofPayload(event: PullRequestEvent): Promise<PullRequestResult> {
    const now = await this.#get(event.number)
    const isStale = now.ok && now.value.headSha !== event.headSha
    const read = now.ok ? now.value : { baseRef: event.baseRef, baseSha: event.baseSha, labels: undefined }
    const pull = { ...read, number: event.number, headSha: event.headSha, isFork: event.isFork }
    if (event.kind === 'pull_request' && event.isFork) return { kind: 'found', pull, noComment: OF_FORK }
    return { kind: 'found', pull, noComment: isStale ? { reason: staleReason(event.number) } : undefined }
  }

  async #ofCommit(sha: string, branch: string): Promise<PullRequestResult> {
    const answer = await this.#list(PULLS_OF_COMMIT, { commit_sha: sha })
    // GitHub names pull requests that merely contain the commit, too, and merged and closed ones.
    return only(answer, (pull) => pull.headSha === sha && !pull.isFork, `the pushed commit of branch ${branch}`)
  }

  async labelsOfMerged(sha: string, branch: string): Promise<readonly string[]> {
    const answer = await this.#list(PULLS_OF_COMMIT, { commit_sha: sha }, 'closed')
    if (!answer.ok) return []
    return answer.value.find(({ mergeSha, baseRef }) => mergeSha === sha && baseRef === branch)?.labels ?? []
  }

  async #ofBranch(branch: string, sha: string | undefined): Promise<PullRequestResult> {
    const head = `${this.#parameters.owner}:${branch}`
    const answer = await this.#list(PULLS, { state: 'open', head })
    return only(answer, (pull) => !pull.isFork && (sha === undefined || pull.headSha === sha), `branch ${branch}`)
  }

  async #ofQueue(number: number | undefined): Promise<PullRequestResult> {
    if (number === undefined) return none('The merge queue does not name its pull request.')
    const pull = await this.#get(number)
    return pull.ok ? { kind: 'found', pull: pull.value, noComment: IN_QUEUE } : unread(pull.error)
  }

  async #ofRun(event: Extract<ReportEvent, { kind: 'workflow_run' }>): Promise<PullRequestResult> {
    const { headRepository, headBranch, headSha, numbers } = event
    if (headRepository === undefined || headBranch === undefined) {
      return none('The repository that the pull request came from is gone.')
    }
    const [number, ...more] = numbers
    if (number !== undefined && more.length === 0) {
      const pull = await this.#get(number)
      if (!pull.ok) return unread(pull.error)
      // GitHub also names pull requests of other repositories, by numbers that are other ones here.
      if (sameRepository(pull.value.headName, headRepository)) return current([pull.value], headSha, headBranch)
    }
    const head = `${headRepository.split('/')[0] ?? ''}:${headBranch}`
    const pulls = await this.#list(PULLS, { state: 'open', head })
    if (!pulls.ok) return unread(pulls.error)
    const ofHead = pulls.value.filter(({ headName }) => sameRepository(headName, headRepository))
    return current(ofHead, headSha, `${headBranch} of ${headRepository}`)
  }

  async #get(number: number): Promise<Outcome<ListedPull>> {
    const answer = await this.#client.request(PULL, { ...this.#parameters, pull_number: number })
    if (!answer.ok) return answer
    const pull = this.#read(answer.value.data)
    return pull === undefined ? undocumented('pull request') : success(pull)
  }

  /** Those of a list that are open, or not. */
  async #list(
    route: string,
    parameters: Readonly<Record<string, string>>,
    state: 'open' | 'closed' = 'open',
  ): Promise<Outcome<readonly ListedPull[]>> {
    const answer = await this.#client.request(route, { ...this.#parameters, ...parameters, per_page: 100 })
    if (!answer.ok) return answer
    if (!Array.isArray(answer.value.data)) return undocumented('list of pull requests')
    const wanted = list(answer.value.data).filter((pull) => field(pull, 'state') === state)
    return success(wanted.map((pull) => this.#read(pull)).filter((pull) => pull !== undefined))
  }

  #read(value: unknown): ListedPull | undefined {
    const number = positive(field(value, 'number'))
    const headSha = commitName(field(value, 'head', 'sha'))
    if (number === undefined || headSha === undefined) return undefined
    const headName = field(value, 'head', 'repo', 'full_name')
    const labels = list(field(value, 'labels')).map((label) => text(field(label, 'name')))
    return {
      number,
      headSha,
      headName,
      mergeSha:
        text(field(value, 'merged_at')) === undefined ? undefined : commitName(field(value, 'merge_commit_sha')),
      baseRef: text(field(value, 'base', 'ref')),
      baseSha: commitName(field(value, 'base', 'sha')),
      labels: labels.filter((label) => label !== undefined),
      isFork: !sameRepository(headName, this.#repository),
    }
  }
}

interface ListedPull extends PullRequest {
  readonly headName: unknown
  /** The commit on the base branch that it was merged as; undefined where it was not. */
  readonly mergeSha: string | undefined
}

const OF_FORK: NoComment = {
  reason: 'The pull request is from a fork, whose runs may not write comments.',
  mend: 'Have a workflow for `workflow_run` write it.',
}

const IN_QUEUE: NoComment = { reason: 'Runs of the merge queue write no comment.' }

function none(reason: string): PullRequestResult {
  return { kind: 'none', reason }
}

function unread(error: GithubError): PullRequestResult {
  const isDenied = error.kind === 'forbidden' || error.kind === 'not-found'
  const mend = isDenied ? 'Give the job `permissions: pull-requests: write`.' : undefined
  return { kind: 'none', reason: `The pull request could not be looked up: ${describeError(error)}.`, mend }
}

function staleReason(number: number): string {
  return `Pull request #${number} has a newer commit than the run that is reported.`
}

/** The one whose head is still the commit of the run. */
function current(pulls: readonly ListedPull[], headSha: string, branch: string): PullRequestResult {
  const [first] = pulls
  const isStale = first !== undefined && pulls.every((pull) => pull.headSha !== headSha)
  if (isStale) return none(staleReason(first.number))
  return only(success(pulls), (pull) => pull.headSha === headSha, `branch ${branch}`)
}

/** The one open pull request that fits. */
function only(
  pulls: Outcome<readonly ListedPull[]>,
  fits: (pull: ListedPull) => boolean,
  what: string,
): PullRequestResult {
  if (!pulls.ok) return unread(pulls.error)
  const [pull, ...more] = pulls.value.filter(fits)
  if (pull === undefined) return none(`There is no open pull request for ${what}.`)
  if (more.length === 0) return { kind: 'found', pull, noComment: undefined }
  const numbers = [pull, ...more].map(({ number }) => `#${number}`).join(', ')
  return none(`There are several open pull requests for ${what}: ${numbers}.`)
}
