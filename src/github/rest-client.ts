/**
 * The adapter over octokit, and the only file that imports `@actions/github`, when a client is first opened: runs that
 * ask GitHub nothing do not load it. Every request is bounded in time, requests and waits are bounded per run, and what
 * fails becomes data (`GithubError`).
 */
import { field, list, text } from '../json-fields.ts'
import { setTimeout as delay } from 'node:timers/promises'
import { failure, plainMessage, success, type GithubError, type Outcome } from './github-error.ts'

export interface GithubOptions {
  readonly token: string
  /** GITHUB_API_URL: `https://api.github.com`, or `https://HOST/api/v3` of an Enterprise Server. */
  readonly apiUrl: string
  readonly signal?: AbortSignal | undefined
  readonly limits?: Partial<GithubLimits> | undefined
}

export interface GithubLimits {
  /** Milliseconds for one try of a request. */
  readonly requestMs: number
  /** Milliseconds for all requests and waits together. */
  readonly totalMs: number
  /** Tries of requests per client. */
  readonly requests: number
  /** Milliseconds waited in total because GitHub said so. */
  readonly waitMs: number
  /** Milliseconds before the second try after a 5xx; before the third it is twice that. */
  readonly retryMs: number
}

const DEFAULT_LIMITS: GithubLimits = {
  requestMs: 10_000,
  totalMs: 90_000,
  requests: 25,
  waitMs: 30_000,
  retryMs: 1000,
}

const TRIES = 3

export interface Answer {
  readonly data: unknown
  /** Whether a `Link` header names a next page. */
  readonly hasNext: boolean
}

export interface GithubClient {
  /**
   * One request, `GET /repos/{owner}/{repo}/pulls`, with its parameters; never rejects. After a 5xx or a broken
   * connection it is sent twice more, but for POST: that may have been carried out, which only the caller can find out.
   */
  request(route: string, parameters?: Readonly<Record<string, unknown>>): Promise<Outcome<Answer>>
  /** A GraphQL query without variables; the outcome holds `data` of the answer. */
  query(query: string): Promise<Outcome<unknown>>
  /** Waits, within the client's time and until the run is cancelled. */
  pause(milliseconds: number): Promise<void>
  /** Tries so far. */
  readonly requests: number
}

/** Opens a client for one run. Never rejects: what hinders it is the outcome of every request. */
export async function openGithub(options: GithubOptions): Promise<GithubClient> {
  try {
    if (options.token === '') throw new Error('there is no token')
    const { getOctokit } = await import('@actions/github')
    const silent = (): void => undefined
    const log = { debug: silent, info: silent, warn: silent, error: silent }
    const octokit = getOctokit(options.token, { baseUrl: options.apiUrl, log })
    return new Client(options, async (route, parameters) => await octokit.request(route, parameters))
  } catch (error) {
    const message = plainMessage(error instanceof Error ? error.message : String(error), options.token)
    const kind = options.token === '' ? 'forbidden' : 'unavailable'
    return new Client(options, () => Promise.reject(new NotOpenError(kind, message)))
  }
}

/** Of a client that could not be opened. */
class NotOpenError extends Error {
  readonly kind: GithubError['kind']
  constructor(kind: GithubError['kind'], message: string) {
    super(message)
    this.kind = kind
  }
}

type Send = (
  route: string,
  parameters: Record<string, unknown>,
) => Promise<{ readonly data: unknown; readonly headers: Readonly<Record<string, unknown>> }>

class Client implements GithubClient {
  readonly #options: GithubOptions
  readonly #limits: GithubLimits
  readonly #send: Send
  readonly #endsAt: number
  #requests = 0
  #waited = 0

  constructor(options: GithubOptions, send: Send) {
    this.#options = options
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.#send = send
    this.#endsAt = performance.now() + this.#limits.totalMs
  }

  get requests(): number {
    return this.#requests
  }

  async request(route: string, parameters: Readonly<Record<string, unknown>> = {}): Promise<Outcome<Answer>> {
    const mayRepeat = !route.startsWith('POST ') || route === 'POST /graphql'
    for (let attempt = 1; ; attempt++) {
      const tried = await this.#try(route, parameters)
      if (tried.ok) return tried
      const { error, retryAfterMs } = tried
      if (error.kind === 'rate-limited') {
        if (attempt >= TRIES || !this.#mayWait(retryAfterMs)) return failure(error)
        this.#waited += retryAfterMs
        await this.pause(retryAfterMs)
      } else {
        const isPassing = error.kind === 'unavailable' && !tried.isFinal
        if (!isPassing || !mayRepeat || attempt >= TRIES) return failure(error)
        await this.pause(this.#limits.retryMs * attempt)
      }
    }
  }

  async query(query: string): Promise<Outcome<unknown>> {
    // An Enterprise Server has REST under /api/v3 and GraphQL under /api/graphql.
    const baseUrl = this.#options.apiUrl.replace(/\/api\/v3\/?$/, '/api')
    const answer = await this.request('POST /graphql', { baseUrl, query })
    if (!answer.ok) return answer
    const [first] = list(field(answer.value.data, 'errors'))
    if (first === undefined) return success(field(answer.value.data, 'data'))
    const message = plainMessage(text(field(first, 'message')) ?? 'the query failed', this.#options.token)
    const kind = field(first, 'type') === 'FORBIDDEN' ? 'forbidden' : 'invalid'
    return failure({ kind, status: 200, message })
  }

  async pause(milliseconds: number): Promise<void> {
    const left = Math.max(0, this.#endsAt - performance.now())
    try {
      await delay(Math.min(milliseconds, left), undefined, { signal: this.#options.signal })
    } catch {
      // Cancelled: the next request says so.
    }
  }

  #mayWait(milliseconds: number | undefined): milliseconds is number {
    if (milliseconds === undefined || this.#waited + milliseconds > this.#limits.waitMs) return false
    return performance.now() + milliseconds < this.#endsAt
  }

  async #try(route: string, parameters: Readonly<Record<string, unknown>>): Promise<Tried> {
    const hindrance = this.#hindrance()
    if (hindrance !== undefined) return refused({ kind: 'unavailable', status: undefined, message: hindrance })
    this.#requests++
    const left = Math.min(this.#limits.requestMs, this.#endsAt - performance.now())
    const timeout = AbortSignal.timeout(Math.max(1, Math.ceil(left)))
    const { signal: cancelled } = this.#options
    const signal = cancelled === undefined ? timeout : AbortSignal.any([timeout, cancelled])
    try {
      const { data, headers } = await this.#send(route, { ...parameters, request: { signal } })
      return { ok: true, value: { data, hasNext: /\brel="next"/.test(text(headers['link']) ?? '') } }
    } catch (error) {
      if (error instanceof NotOpenError) return refused({ kind: error.kind, status: undefined, message: error.message })
      if (timeout.aborted) return passing('GitHub did not answer in time')
      return this.#failed(error)
    }
  }

  /** Why no more requests are sent. */
  #hindrance(): string | undefined {
    if (this.#options.signal?.aborted === true) return 'the run was cancelled'
    if (this.#requests >= this.#limits.requests) return `a run sends GitHub at most ${this.#limits.requests} requests`
    if (performance.now() >= this.#endsAt) return 'GitHub took too long'
    return undefined
  }

  #failed(error: unknown): Tried {
    const message = plainMessage(error instanceof Error ? error.message : String(error), this.#options.token)
    const response = field(error, 'response')
    const status = field(response, 'status')
    // octokit calls a broken connection a 500, too, but there is no response then.
    if (typeof status !== 'number') return passing(`GitHub could not be reached: ${message}`)
    const retryAfterMs = readRetryAfter(field(response, 'headers'))
    const kind = kindOf(status, message, retryAfterMs)
    return { ok: false, error: { kind, status, message }, isFinal: false, retryAfterMs }
  }
}

type Tried =
  | { readonly ok: true; readonly value: Answer }
  | {
      readonly ok: false
      readonly error: GithubError
      /** Another try would end in the same way. */
      readonly isFinal: boolean
      readonly retryAfterMs: number | undefined
    }

function refused(error: GithubError): Tried {
  return { ok: false, error, isFinal: true, retryAfterMs: undefined }
}

function passing(message: string): Tried {
  const error = { kind: 'unavailable', status: undefined, message } as const
  return { ok: false, error, isFinal: false, retryAfterMs: undefined }
}

function kindOf(status: number, message: string, retryAfterMs: number | undefined): GithubError['kind'] {
  if (status === 429) return 'rate-limited'
  if (status === 403)
    return retryAfterMs !== undefined || /\brate limit\b/i.test(message) ? 'rate-limited' : 'forbidden'
  if (status === 401) return 'forbidden'
  if (status === 404 || status === 410) return 'not-found'
  return status >= 500 ? 'unavailable' : 'invalid'
}

/**
 * What GitHub says of when to come again; undefined where it says nothing (then it is a minute, longer than we wait).
 * https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
 */
function readRetryAfter(headers: unknown): number | undefined {
  const after = Number(text(field(headers, 'retry-after')) ?? Number.NaN)
  if (Number.isFinite(after) && after >= 0) return after * 1000
  if (String(field(headers, 'x-ratelimit-remaining')) !== '0') return undefined
  const reset = Number(text(field(headers, 'x-ratelimit-reset')) ?? Number.NaN)
  if (!Number.isFinite(reset)) return undefined
  // Against the server's clock, and a second more: the reset is in whole seconds.
  const now = Date.parse(text(field(headers, 'date')) ?? '')
  return Math.max(0, reset * 1000 - (Number.isFinite(now) ? now : Date.now())) + 1000
}
