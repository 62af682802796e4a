/**
 * GitHub's REST API on loopback, as far as the size report asks it: comments, pull requests, commits, and GraphQL's
 * `viewer`. Requests and answers are checked against GitHub's OpenAPI description; what is wrong with one is in
 * `violations`, and disposing throws it. It paginates, limits and refuses as GitHub does, and fails on demand.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { GithubContract, type Asked, type Json, type JsonObject } from './github-api-contract.ts'
import { RepositoryModel } from './github-api-model.ts'
import type { CacheService } from './cache-service.ts'

const TEMPLATES = [
  '/repos/{owner}/{repo}/issues/{issue_number}/comments',
  '/repos/{owner}/{repo}/issues/comments/{comment_id}',
  '/repos/{owner}/{repo}/pulls',
  '/repos/{owner}/{repo}/pulls/{pull_number}',
  '/repos/{owner}/{repo}/commits',
  '/repos/{owner}/{repo}/commits/{commit_sha}/pulls',
  '/repos/{owner}/{repo}/compare/{basehead}',
  '/repos/{owner}/{repo}/actions/caches',
  '/repos/{owner}/{repo}/actions/caches/{cache_id}',
] as const

/** GitHub's names of operations: those of its description, and GraphQL. */
export type GithubOperation =
  | 'issues/list-comments'
  | 'issues/create-comment'
  | 'issues/get-comment'
  | 'issues/update-comment'
  | 'issues/delete-comment'
  | 'pulls/list'
  | 'pulls/get'
  | 'repos/list-commits'
  | 'repos/list-pull-requests-associated-with-commit'
  | 'repos/compare-commits-with-basehead'
  | 'actions/get-actions-cache-list'
  | 'actions/delete-actions-cache-by-id'
  | 'graphql'

export interface TokenOptions {
  /** Whose it is. Default `github-actions[bot]`. */
  readonly login?: string
  /** On pull requests and their comments; `none` is that of a private repository. Default `write`. */
  readonly pullRequests?: 'write' | 'read' | 'none'
  /** On the cache and other things of Actions. Default `read`. */
  readonly actions?: 'write' | 'read' | 'none'
}

export type GithubEffect =
  /** Any refusal or fault of the server: with GitHub's own words where none are given. */
  | { readonly status: number; readonly message?: string; readonly headers?: Readonly<Record<string, string>> }
  /** The hourly limit, until then: 403, `x-ratelimit-remaining: 0`. */
  | { readonly limitedForMs: number }
  /** The secondary limit: 403 or 429, with or without `retry-after`. */
  | { readonly secondaryLimit: 403 | 429; readonly retryAfter?: number }
  /** The connection breaks, before the request is carried out or after. */
  | { readonly reset: 'before' | 'after' }
  | { readonly delayMs: number }
  /** An answer that is not JSON, with status 200. */
  | { readonly garbage: string }

export interface GithubFault {
  /** Default: any. */
  readonly operation?: GithubOperation
  readonly effect: GithubEffect
  /** How often. Default: always. */
  readonly times?: number
}

export interface GithubCall {
  readonly operation: GithubOperation
  readonly status: number | 'reset'
  /** Path with query. */
  readonly url: string
  readonly body: unknown
}

export interface GithubApiOptions {
  /** `owner/name` of the one repository. Default `org/repo`. */
  readonly repository?: string
  /** Milliseconds, asked twice for each request: before and after it is carried out. Default 0. */
  readonly latency?: () => number
  /** The service whose entries the API lists and deletes. */
  readonly caches?: Pick<CacheService, 'stats' | 'evict'>
}

const LONGEST_BODY = 65_536
const RATE_LIMIT = 5000

const contractOnce: { value?: GithubContract } = {}

export async function startGithubApi(options: GithubApiOptions = {}): Promise<GithubApi> {
  // Half a second, once for all servers of a test file.
  const contract = (contractOnce.value ??= new GithubContract(TEMPLATES))
  const api = new GithubApi(contract, options)
  await api.listen()
  return api
}

interface Reply {
  readonly status: number
  readonly body?: Json
  readonly headers?: Readonly<Record<string, string>>
}

export class GithubApi implements AsyncDisposable {
  readonly repository: RepositoryModel
  readonly calls: GithubCall[] = []
  /** What the client asked or this server answered that GitHub's description does not allow. */
  readonly violations: string[] = []
  readonly #contract: GithubContract
  readonly #options: GithubApiOptions
  readonly #server: Server
  readonly #tokens = new Map<string, Required<TokenOptions>>()
  readonly #faults: { readonly fault: GithubFault; left: number }[] = []
  #remaining = RATE_LIMIT
  #limitedUntil = 0

  constructor(contract: GithubContract, options: GithubApiOptions) {
    this.#contract = contract
    this.#options = options
    this.repository = new RepositoryModel(options.repository ?? 'org/repo', contract, () => this.url)
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        this.violations.push(`the stand-in failed: ${String(error)}`)
        response.destroy()
      })
    })
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
  }

  /** `http://127.0.0.1:PORT`, what GITHUB_API_URL is. */
  get url(): string {
    const address = this.#server.address()
    if (typeof address !== 'object' || address === null) throw new Error('not listening')
    return `http://127.0.0.1:${address.port}`
  }

  /** A new token; looks like one of GitHub's. */
  token(options: TokenOptions = {}): string {
    const token = `ghs_${String(this.#tokens.size + 1).padStart(36, 'x')}`
    this.#tokens.set(token, { login: 'github-actions[bot]', pullRequests: 'write', actions: 'read', ...options })
    return token
  }

  /** What a step finds in its environment, on top of the runner's own; the token goes into an input. */
  env(): Readonly<Record<string, string>> {
    const { url } = this
    return { GITHUB_API_URL: url, GITHUB_GRAPHQL_URL: `${url}/graphql`, GITHUB_REPOSITORY: this.repository.name }
  }

  fail(fault: GithubFault): void {
    this.#faults.push({ fault, left: fault.times ?? Number.POSITIVE_INFINITY })
  }

  /** Nothing fails any more; calls count from zero. */
  reset(): void {
    this.#faults.length = 0
    this.calls.length = 0
    this.#limitedUntil = 0
    this.#remaining = RATE_LIMIT
  }

  count(operation: GithubOperation): number {
    return this.calls.filter((call) => call.operation === operation).length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
    if (this.violations.length > 0) throw new Error(`not as GitHub's API is:\n${this.violations.join('\n')}`)
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url)
    // GitHub's own links name a repository by its number.
    url.pathname = url.pathname.replace(/^\/repositories\/1\//, `/repos/${this.repository.name}/`)
    const text = await readAll(request)
    const method = request.method ?? 'GET'
    const violations = this.violations.length
    const asked = this.#asked(method, url, text)
    const isValid = this.violations.length === violations
    if (asked === undefined) {
      this.violations.push(`asks ${method} ${url.pathname}, which the stand-in does not have`)
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"message":"Not Found"}')
      return
    }
    const operation = (
      asked.template === '/graphql' ? 'graphql' : this.#contract.operationId(method, asked.template)
    ) as GithubOperation
    const record = (status: number | 'reset'): void => {
      this.calls.push({ operation, status, url: `${url.pathname}${url.search}`, body: asked.body })
    }
    const effect = this.#nextEffect(operation)
    await delay(this.#options.latency?.() ?? 0)
    if (effect !== undefined && 'delayMs' in effect) await delay(effect.delayMs, undefined, { ref: false })
    if (effect !== undefined && 'reset' in effect) {
      if (effect.reset === 'after') await this.#answer(asked, request.headers.authorization)
      record('reset')
      request.socket.destroy()
      return
    }
    if (effect !== undefined && 'garbage' in effect) {
      record(200)
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(effect.garbage)
      return
    }
    const reply =
      this.#limited(effect) ??
      (isValid ? await this.#answer(asked, request.headers.authorization) : refusal(422, 'Invalid request.'))
    await delay(this.#options.latency?.() ?? 0)
    record(reply.status)
    if (asked.template !== '/graphql') {
      const problems = this.#contract.response(asked, reply.status, reply.body)
      this.violations.push(...problems.map((problem) => `answer to ${operation}: ${problem}`))
    }
    response.writeHead(reply.status, {
      'x-github-media-type': 'github.v3; format=json',
      'x-ratelimit-limit': String(RATE_LIMIT),
      'x-ratelimit-remaining': String(this.#remaining),
      'x-ratelimit-reset': String(Math.ceil((this.#limitedUntil || Date.now() + 3_600_000) / 1000)),
      ...(reply.body === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' }),
      ...reply.headers,
    })
    response.end(reply.body === undefined ? undefined : JSON.stringify(reply.body))
  }

  #asked(method: string, url: URL, text: string): Asked | undefined {
    const body: unknown = text === '' ? undefined : JSON.parse(text)
    if (method === 'POST' && url.pathname === '/graphql') {
      return { method, template: '/graphql', path: {}, query: url.searchParams, body }
    }
    for (const template of TEMPLATES) {
      const pattern = template.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)').replace('(?<basehead>[^/]+)', '(?<basehead>.+)')
      const match = new RegExp(`^${pattern}$`).exec(url.pathname)
      if (match === null) continue
      const path = Object.fromEntries(
        Object.entries(match.groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)]),
      )
      const asked = { method, template, path, query: url.searchParams, body }
      const where = `${method} ${url.pathname}${url.search}`
      this.violations.push(...this.#contract.request(asked).map((problem) => `${where}: ${problem}`))
      return asked
    }
    return undefined
  }

  #nextEffect(operation: GithubOperation): GithubEffect | undefined {
    const entry = this.#faults.find(
      ({ fault, left }) => left > 0 && (fault.operation === undefined || fault.operation === operation),
    )
    if (entry === undefined) return undefined
    entry.left--
    const { effect } = entry.fault
    if ('limitedForMs' in effect) this.#limitedUntil = Date.now() + effect.limitedForMs
    return effect
  }

  /** The refusal that comes before a request is looked at. */
  #limited(effect: GithubEffect | undefined): Reply | undefined {
    if (this.#limitedUntil > Date.now()) {
      this.#remaining = 0
      return refusal(403, 'API rate limit exceeded for installation ID 123.')
    }
    this.#limitedUntil = 0
    this.#remaining = this.#remaining > 0 ? this.#remaining - 1 : RATE_LIMIT - 1
    if (effect === undefined) return undefined
    if ('secondaryLimit' in effect) {
      const message = 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.'
      const headers = effect.retryAfter === undefined ? {} : { 'retry-after': String(effect.retryAfter) }
      return refusal(effect.secondaryLimit, message, headers)
    }
    if (!('status' in effect)) return undefined
    return refusal(effect.status, effect.message ?? WORDS[effect.status] ?? 'Server Error', effect.headers)
  }

  async #answer(asked: Asked, authorization: string | undefined): Promise<Reply> {
    const token = this.#tokens.get(authorization?.replace(/^(?:token|bearer) /i, '') ?? '')
    if (token === undefined) return refusal(401, 'Bad credentials')
    if (asked.template === '/graphql') return { status: 200, body: { data: { viewer: { login: token.login } } } }
    if (`${asked.path['owner'] ?? ''}/${asked.path['repo'] ?? ''}` !== this.repository.name) return notFound()
    const isWrite = asked.method !== 'GET'
    if (asked.template.includes('/actions/')) {
      const isAllowed = token.actions === 'write' || (token.actions === 'read' && !isWrite)
      return isAllowed ? await this.#caches(asked) : refusal(403, 'Resource not accessible by integration')
    }
    if (isWrite ? token.pullRequests !== 'write' : token.pullRequests === 'none') {
      return refusal(403, 'Resource not accessible by integration')
    }
    switch (`${asked.method} ${asked.template}`) {
      case 'GET /repos/{owner}/{repo}/issues/{issue_number}/comments':
        return this.#listComments(asked)
      case 'POST /repos/{owner}/{repo}/issues/{issue_number}/comments':
        return this.#createComment(asked, token.login)
      case 'GET /repos/{owner}/{repo}/issues/comments/{comment_id}':
      case 'PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}':
      case 'DELETE /repos/{owner}/{repo}/issues/comments/{comment_id}':
        return this.#oneComment(asked)
      case 'GET /repos/{owner}/{repo}/pulls':
        return this.#listPulls(asked)
      case 'GET /repos/{owner}/{repo}/pulls/{pull_number}': {
        const pull = this.repository.pulls.get(Number(asked.path['pull_number']))
        return pull === undefined ? notFound() : { status: 200, body: this.repository.pullJson(pull, 'full') }
      }
      case 'GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls':
        return this.#pullsOfCommit(asked)
      case 'GET /repos/{owner}/{repo}/commits':
        return this.#listCommits(asked)
      case 'GET /repos/{owner}/{repo}/compare/{basehead}':
        return this.#compare(asked)
      default:
        return notFound()
    }
  }

  async #caches(asked: Asked): Promise<Reply> {
    const { caches } = this.#options
    if (caches === undefined) return notFound()
    if (asked.method === 'DELETE') {
      const id = Number(asked.path['cache_id'])
      return (await caches.evict((entry) => entry.id === id)) === 0 ? notFound() : { status: 204 }
    }
    const [prefix, isAscending] = [asked.query.get('key') ?? '', asked.query.get('direction') === 'asc']
    const found = caches.stats().entries.filter(({ key }) => key.startsWith(prefix))
    const sorted = found.toSorted((a, b) => (a.createdAt - b.createdAt) * (isAscending ? 1 : -1))
    const page = this.#page(asked, sorted, (entry) => this.repository.cacheJson(entry))
    return { ...page, body: { total_count: sorted.length, actions_caches: page.body ?? [] } }
  }

  #listComments(asked: Asked): Reply {
    const pull = Number(asked.path['issue_number'])
    if (!this.repository.pulls.has(pull)) return notFound()
    return this.#page(asked, this.repository.commentsOf(pull), (comment) => this.repository.commentJson(comment))
  }

  #createComment(asked: Asked, login: string): Reply {
    const pull = this.repository.pulls.get(Number(asked.path['issue_number']))
    if (pull === undefined) return notFound()
    const body = (asked.body as { readonly body: string }).body
    if (body.length > LONGEST_BODY) return tooLong()
    const comment = this.repository.addComment(pull.number, login, body)
    return { status: 201, body: this.repository.commentJson(comment) }
  }

  #oneComment(asked: Asked): Reply {
    const id = Number(asked.path['comment_id'])
    const comment = this.repository.comments.get(id)
    if (comment === undefined) return notFound()
    if (asked.method === 'DELETE') {
      this.repository.comments.delete(id)
      return { status: 204 }
    }
    if (asked.method === 'GET') return { status: 200, body: this.repository.commentJson(comment) }
    const { body } = asked.body as { readonly body: string }
    if (body.length > LONGEST_BODY) return tooLong()
    return { status: 200, body: this.repository.commentJson(this.repository.editComment(id, body) ?? comment) }
  }

  #listPulls(asked: Asked): Reply {
    const state = asked.query.get('state') ?? 'open'
    const head = asked.query.get('head')
    const base = asked.query.get('base')
    const pulls = [...this.repository.pulls.values()].filter((pull) => {
      const label = `${pull.headRepo?.split('/')[0] ?? 'unknown'}:${pull.headRef}`
      return (
        (state === 'all' || pull.state === state) &&
        (head === null || head === label) &&
        (base === null || base === pull.baseRef)
      )
    })
    return this.#page(asked, pulls.toReversed(), (pull) => this.repository.pullJson(pull, 'simple'))
  }

  #pullsOfCommit(asked: Asked): Reply {
    const sha = asked.path['commit_sha'] ?? ''
    // GitHub also names those that merely contain the commit, and the one whose merge it is.
    const pulls = [...this.repository.pulls.values()].filter(
      (pull) =>
        [pull.headSha, pull.mergeSha].includes(sha) ||
        this.repository.history(pull.headSha).some((commit) => commit.sha === sha),
    )
    return this.#page(asked, pulls, (pull) => this.repository.pullJson(pull, 'simple'))
  }

  #listCommits(asked: Asked): Reply {
    const sha = this.repository.resolve(asked.query.get('sha') ?? 'main')
    if (sha === undefined) return notFound()
    return this.#page(asked, this.repository.history(sha), (commit) => this.repository.commitJson(commit))
  }

  #compare(asked: Asked): Reply {
    const [base = '', head = ''] = (asked.path['basehead'] ?? '').split('...')
    const [from, to] = [this.repository.resolve(base), this.repository.resolve(head)]
    const body = from === undefined || to === undefined ? undefined : this.repository.comparisonJson(from, to)
    return body === undefined ? notFound() : { status: 200, body }
  }

  #page<T>(asked: Asked, all: readonly T[], json: (value: T) => JsonObject): Reply {
    const size = Math.min(100, Number(asked.query.get('per_page') ?? 30))
    const page = Number(asked.query.get('page') ?? 1)
    const last = Math.max(1, Math.ceil(all.length / size))
    const path = asked.template
      .replace('/repos/{owner}/{repo}', '/repositories/1')
      .replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(asked.path[name] ?? ''))
    const link = (to: number, rel: string): string => {
      const query = new URLSearchParams(asked.query)
      query.set('page', String(to))
      return `<${this.url}${path}?${query.toString()}>; rel="${rel}"`
    }
    const links = [
      ...(page > 1 ? [link(page - 1, 'prev')] : []),
      ...(page < last ? [link(page + 1, 'next'), link(last, 'last')] : []),
      ...(page > 1 ? [link(1, 'first')] : []),
    ]
    return {
      status: 200,
      body: all.slice((page - 1) * size, page * size).map(json),
      headers: links.length === 0 ? {} : { link: links.join(', ') },
    }
  }
}

const WORDS: Readonly<Record<number, string>> = {
  403: 'Resource not accessible by integration',
  404: 'Not Found',
  410: 'This issue was deleted',
  422: 'Validation Failed',
  502: 'Server Error',
  503: 'Service Unavailable',
}

const DOCUMENTATION = 'https://docs.github.com/rest'

function refusal(status: number, message: string, headers: Readonly<Record<string, string>> = {}): Reply {
  return { status, body: { message, documentation_url: DOCUMENTATION, status: String(status) }, headers }
}

function notFound(): Reply {
  return refusal(404, 'Not Found')
}

function tooLong(): Reply {
  const error = {
    resource: 'IssueComment',
    code: 'unprocessable',
    field: 'data',
    message: `Body is too long (maximum is ${LONGEST_BODY} characters)`,
  }
  const body = { message: 'Validation Failed', errors: [error], documentation_url: DOCUMENTATION, status: '422' }
  return { status: 422, body }
}

async function readAll(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts).toString('utf8')
}
