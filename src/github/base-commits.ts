/**
 * The commit that sizes are compared with, and its line of first parents. `pull_request.base.sha` of an event's payload
 * is not it: what is built is a merge with the base branch as it is when the run starts.
 */
import { field, list } from '../json-fields.ts'
import { commitName } from './answers.ts'
import type { ReportEvent } from './event.ts'
import { describeError, success, undocumented, type Outcome } from './github-error.ts'
import { pagesOf } from './pages.ts'
import type { GithubClient } from './rest-client.ts'

/** The commit that was built, as git has it (`git cat-file -p HEAD`, which tells parents in a shallow checkout, too). */
export interface CheckedOut {
  readonly commit: string
  readonly parents: readonly string[]
}

export interface BaseCommit {
  readonly commit: string
  readonly source: 'merge-parent' | 'merge-base' | 'payload' | 'before' | 'merge-group' | 'parent'
  /** A sentence where it may not be the one that the built commit grew from. */
  readonly doubt?: string | undefined
}

export type BaseResult =
  { readonly kind: 'found'; readonly base: BaseCommit } | { readonly kind: 'none'; readonly reason: string }

export interface BaseQuestion {
  readonly client: GithubClient
  /** `owner/name` */
  readonly repository: string
  readonly event: ReportEvent
  readonly checkedOut: CheckedOut | undefined
  readonly defaultBranch: string | undefined
}

/** Finds it with at most one request; for a pull request that is checked out as usual with none. Never rejects. */
export async function findBaseCommit(question: BaseQuestion): Promise<BaseResult> {
  const { event, checkedOut, defaultBranch } = question
  switch (event.kind) {
    case 'pull_request':
    case 'pull_request_target':
      return await ofPullRequest(question, event)
    case 'push':
      if (event.before !== undefined) return found(event.before, 'before')
      return await sinceDefault(question, event.branch, event.after)
    case 'merge_group':
      if (event.baseSha !== undefined) return found(event.baseSha, 'merge-group')
      return none('The merge queue does not name its base.')
    case 'workflow_dispatch': {
      const commit = checkedOut?.commit ?? event.sha
      if (commit === undefined) return none('The run names no commit.')
      return await sinceDefault(question, event.branch, commit)
    }
    case 'workflow_run':
      return none('The run that is reported knows it.')
    case 'other':
      if (checkedOut !== undefined) return await sinceDefault(question, defaultBranch, checkedOut.commit)
      return none(`A run for ${event.name} without a checkout has no base.`)
  }
}

async function ofPullRequest(
  question: BaseQuestion,
  event: Extract<ReportEvent, { readonly kind: 'pull_request' | 'pull_request_target' }>,
): Promise<BaseResult> {
  const { checkedOut } = question
  const { headSha, baseSha, baseRef } = event
  const others = checkedOut?.parents.filter((parent) => parent !== headSha) ?? []
  const [mergedWith] = others
  if (checkedOut?.parents.length === 2 && others.length === 1 && mergedWith !== undefined) {
    return found(mergedWith, 'merge-parent')
  }
  const isHead = checkedOut?.commit === headSha
  const against = baseSha ?? baseRef
  let why = checkedOut === undefined ? 'there is no checkout' : 'another commit is checked out than the pull request’s'
  if (isHead && against !== undefined) {
    const mergeBase = await findMergeBase(question.client, question.repository, against, headSha)
    if (mergeBase.ok) return found(mergeBase.value, 'merge-base')
    why = describeError(mergeBase.error)
  }
  if (baseSha === undefined) return none('The event does not name the base of the pull request.')
  const doubt = `The base is the one that the event names, which may be older than the one that was built on: ${why}.`
  return { kind: 'found', base: { commit: baseSha, source: 'payload', doubt } }
}

/** Of a branch, where it left the default branch; of the default branch itself, the commit before. */
async function sinceDefault(question: BaseQuestion, branch: string | undefined, commit: string): Promise<BaseResult> {
  const { client, repository, defaultBranch, checkedOut } = question
  const parent = checkedOut?.commit === commit ? checkedOut.parents[0] : undefined
  if (defaultBranch !== undefined && branch !== undefined && branch !== defaultBranch) {
    const mergeBase = await findMergeBase(client, repository, defaultBranch, commit)
    if (mergeBase.ok && mergeBase.value !== commit) return found(mergeBase.value, 'merge-base')
    if (!mergeBase.ok && parent === undefined) return none(`${describeError(mergeBase.error)}.`)
  }
  return parent === undefined ? none('The commit before is not known.') : found(parent, 'parent')
}

/** The newest commit that two commits (or branches of the repository) both descend from. */
export async function findMergeBase(
  client: GithubClient,
  repository: string,
  base: string,
  head: string,
): Promise<Outcome<string>> {
  const [owner, repo] = repository.split('/')
  const basehead = `${base}...${head}`
  // The commits themselves are not asked for: one a page is the least.
  const parameters = { owner, repo, basehead, per_page: 1 }
  const answer = await client.request('GET /repos/{owner}/{repo}/compare/{basehead}', parameters)
  if (!answer.ok) return answer
  const commit = commitName(field(answer.value.data, 'merge_base_commit', 'sha'))
  return commit === undefined ? undocumented('merge base') : success(commit)
}

const PAGES = 3

/**
 * A commit's line of first parents, itself first, so that an index is the distance: at most `limit` commits, fewer where
 * history ends or where merged branches fill the pages that are read. (A shallow checkout cannot tell.)
 * @param limit 1 to 100
 */
export async function listFirstParents(
  client: GithubClient,
  repository: string,
  commit: string,
  limit: number,
): Promise<Outcome<readonly string[]>> {
  const [owner, repo] = repository.split('/')
  const firstParents = new Map<string, string | undefined>()
  const parameters = { owner, repo, sha: commit, most: PAGES }
  for await (const page of pagesOf(client, 'GET /repos/{owner}/{repo}/commits', parameters)) {
    if (!page.ok) return firstParents.size === 0 ? page : success(follow(firstParents, commit, limit))
    if (!Array.isArray(page.value.data)) return undocumented('list of commits')
    for (const entry of list(page.value.data)) {
      const sha = commitName(field(entry, 'sha'))
      const [first] = list(field(entry, 'parents'))
      if (sha !== undefined) firstParents.set(sha, commitName(field(first, 'sha')))
    }
    if (follow(firstParents, commit, limit).length >= limit) break
  }
  return success(follow(firstParents, commit, limit))
}

/** The last one's parents need not be known, only its name. */
function follow(firstParents: ReadonlyMap<string, string | undefined>, from: string, limit: number): readonly string[] {
  const line: string[] = []
  for (let at: string | undefined = from; at !== undefined && line.length < limit; at = firstParents.get(at))
    line.push(at)
  return line
}

function found(commit: string, source: BaseCommit['source']): BaseResult {
  return { kind: 'found', base: { commit, source } }
}

function none(reason: string): BaseResult {
  return { kind: 'none', reason }
}
