/**
 * What the stand-in for GitHub knows of one repository: pull requests, comments, commits. Answers are GitHub's own
 * examples with these values filled in.
 */
import type { CacheEntry } from './cache-entries.ts'
import type { GithubContract, Json, JsonObject } from './github-api-contract.ts'

export interface PullOptions {
  readonly number?: number
  readonly headSha: string
  readonly headRef?: string
  /** `owner/name`; null for a fork that was deleted. Default: the repository itself. */
  readonly headRepo?: string | null
  readonly baseSha?: string
  readonly baseRef?: string
  readonly author?: string
  readonly labels?: readonly string[]
  readonly state?: 'open' | 'closed'
  /** The commit that it was merged as. */
  readonly mergeSha?: string | undefined
}

export interface Pull extends Required<PullOptions> {
  readonly locked: boolean
}

export interface Comment {
  readonly id: number
  readonly pull: number
  readonly author: string
  readonly body: string
  readonly createdAt: string
  readonly updatedAt: string
}

export interface Commit {
  readonly sha: string
  readonly parents: readonly string[]
}

export class RepositoryModel {
  readonly name: string
  readonly pulls = new Map<number, Pull>()
  readonly comments = new Map<number, Comment>()
  /** In the order in which they were made: a commit after its parents. */
  readonly commits = new Map<string, Commit>()
  readonly branches = new Map<string, string>()
  /** By the key of a cache entry: milliseconds that it is older than it is. */
  agedMs: (key: string) => number = () => 0
  readonly #contract: GithubContract
  readonly #url: () => string
  #nextComment = 1000

  constructor(name: string, contract: GithubContract, url: () => string) {
    this.name = name
    this.#contract = contract
    this.#url = url
  }

  addPull(options: PullOptions): Pull {
    const pull: Pull = {
      number: this.pulls.size + 1,
      headRef: 'topic',
      headRepo: this.name,
      baseSha: 'b'.repeat(40),
      baseRef: 'main',
      author: 'octocat',
      labels: [],
      state: 'open',
      mergeSha: undefined,
      locked: false,
      ...options,
    }
    this.pulls.set(pull.number, pull)
    return pull
  }

  addComment(pull: number, author: string, body: string): Comment {
    const now = new Date().toISOString().replace(/\.\d+/, '')
    const comment = { id: this.#nextComment++, pull, author, body, createdAt: now, updatedAt: now }
    this.comments.set(comment.id, comment)
    return comment
  }

  editComment(id: number, body: string): Comment | undefined {
    const comment = this.comments.get(id)
    if (comment === undefined) return undefined
    const edited = { ...comment, body, updatedAt: new Date().toISOString().replace(/\.\d+/, '') }
    this.comments.set(id, edited)
    return edited
  }

  /** Comments of a pull request by ascending id, as GitHub lists them. */
  commentsOf(pull: number): readonly Comment[] {
    return [...this.comments.values()].filter((comment) => comment.pull === pull).sort((a, b) => a.id - b.id)
  }

  /** Adds a commit; its name is `hint` spelt in hexadecimal, for tests that are read. */
  addCommit(hint: string, ...parents: readonly string[]): string {
    const sha = Buffer.from(hint).toString('hex').padEnd(40, '0').slice(0, 40)
    if (this.commits.has(sha)) throw new Error(`there is a commit ${hint}`)
    this.commits.set(sha, { sha, parents })
    return sha
  }

  resolve(ref: string): string | undefined {
    const sha = this.branches.get(ref) ?? ref
    return this.commits.has(sha) ? sha : undefined
  }

  /** A commit and all that it descends from, the youngest first. */
  history(sha: string): readonly Commit[] {
    const seen = new Set<string>()
    const open = [sha]
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (seen.has(at)) continue
      seen.add(at)
      open.push(...(this.commits.get(at)?.parents ?? []))
    }
    return [...this.commits.values()].filter((commit) => seen.has(commit.sha)).reverse()
  }

  commentJson(comment: Comment): JsonObject {
    const example = this.#contract.example('issue-comment') as JsonObject
    return {
      ...this.#here(example),
      id: comment.id,
      url: `${this.#url()}/repos/${this.name}/issues/comments/${comment.id}`,
      html_url: `https://github.com/${this.name}/pull/${comment.pull}#issuecomment-${comment.id}`,
      issue_url: `${this.#url()}/repos/${this.name}/issues/${comment.pull}`,
      body: comment.body,
      user: this.#user(comment.author),
      created_at: comment.createdAt,
      updated_at: comment.updatedAt,
    }
  }

  /** An entry of the cache; `agedMs` makes it older. */
  cacheJson({ id, scope, key, version, size, createdAt, lastUsed }: CacheEntry): JsonObject {
    const example = this.#contract.example('actions-cache-list') as { readonly actions_caches: readonly JsonObject[] }
    const age = this.agedMs(key)
    return {
      ...(example.actions_caches[0] ?? {}),
      ...{ id, ref: scope, key, version, size_in_bytes: size },
      created_at: new Date(createdAt - age).toISOString(),
      last_accessed_at: new Date(lastUsed - age).toISOString(),
    }
  }

  /** @param form `full` where one pull request is asked for, `simple` in lists */
  pullJson(pull: Pull, form: 'full' | 'simple'): JsonObject {
    const examples = {
      full: () => this.#contract.example('pull-request') as JsonObject,
      simple: () => (this.#contract.example('pull-request-simple-items') as readonly JsonObject[])[0] ?? {},
    }
    const example = this.#here(examples[form]())
    const label = (example['labels'] as readonly JsonObject[])[0] ?? {}
    const side = (ref: string, sha: string, repo: string | null): JsonObject => ({
      label: `${repo?.split('/')[0] ?? 'unknown'}:${ref}`,
      ref,
      sha,
      user: this.#user(repo?.split('/')[0] ?? pull.author),
      repo: repo === null ? null : this.#repository((example['base'] as JsonObject)['repo'] as JsonObject, repo),
    })
    return {
      ...example,
      number: pull.number,
      html_url: `https://github.com/${this.name}/pull/${pull.number}`,
      state: pull.state,
      user: this.#user(pull.author),
      labels: pull.labels.map((name) => ({ ...label, name })),
      // The examples' team lacks a `type`, which their own schema wants.
      requested_teams: [],
      closed_at: pull.state === 'open' ? null : (example['closed_at'] ?? null),
      merged_at: pull.mergeSha === undefined ? null : (example['closed_at'] ?? new Date(0).toISOString()),
      merge_commit_sha: pull.mergeSha ?? null,
      head: side(pull.headRef, pull.headSha, pull.headRepo),
      base: side(pull.baseRef, pull.baseSha, this.name),
    }
  }

  commitJson({ sha, parents }: Commit): JsonObject {
    const example = this.#here((this.#contract.example('commit-items') as readonly JsonObject[])[0] ?? {})
    const url = (of: string): string => `${this.#url()}/repos/${this.name}/commits/${of}`
    return { ...example, sha, url: url(sha), parents: parents.map((parent) => ({ sha: parent, url: url(parent) })) }
  }

  /** `GET /compare/BASE...HEAD`; undefined where one is not known or they have nothing in common. */
  comparisonJson(base: string, head: string): JsonObject | undefined {
    const behind = this.history(base)
    const ahead = this.history(head)
    const common = ahead.find((commit) => behind.includes(commit))
    const baseCommit = this.commits.get(base)
    if (common === undefined || baseCommit === undefined) return undefined
    const only = (one: readonly Commit[], other: readonly Commit[]): readonly Commit[] =>
      one.filter((commit) => !other.includes(commit))
    const aheadBy = only(ahead, behind).length
    const behindBy = only(behind, ahead).length
    return {
      ...this.#here(this.#contract.example('commit-comparison') as JsonObject),
      base_commit: this.commitJson(baseCommit),
      merge_base_commit: this.commitJson(common),
      status: aheadBy > 0 ? (behindBy > 0 ? 'diverged' : 'ahead') : behindBy > 0 ? 'behind' : 'identical',
      ahead_by: aheadBy,
      behind_by: behindBy,
      total_commits: aheadBy,
      commits: only(ahead, behind)
        .toReversed()
        .map((commit) => this.commitJson(commit)),
      files: [],
    }
  }

  #user(login: string): JsonObject {
    const example = (this.#contract.example('issue-comment') as JsonObject)['user'] as JsonObject
    const named = renamed(example, 'octocat', encodeURIComponent(login)) as JsonObject
    return { ...named, login, type: login.endsWith('[bot]') ? 'Bot' : 'User' }
  }

  #repository(example: JsonObject, fullName: string): JsonObject {
    const [owner = '', name = ''] = fullName.split('/')
    return {
      ...(renamed(example, this.name, fullName) as JsonObject),
      full_name: fullName,
      name,
      owner: this.#user(owner),
      fork: fullName !== this.name,
    }
  }

  #here(example: JsonObject): JsonObject {
    const moved = renamed(example, 'https://api.github.com', this.#url())
    return renamed(moved, 'octocat/Hello-World', this.name) as JsonObject
  }
}

function renamed(value: Json, from: string, to: string): Json {
  return JSON.parse(JSON.stringify(value).replaceAll(from, to)) as Json
}
