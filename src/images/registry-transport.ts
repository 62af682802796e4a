/**
 * Requests to the distribution API of a registry: its host, logins, redirects and second tries. Knows nothing of
 * manifests. https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
 */
import { pause, retryAfterSeconds, retryLine, waitBeforeRetry } from '../backoff.ts'
import { errorCode } from '../errors.ts'
import { parseChallenges } from './auth-challenge.ts'
import type { Credential } from './docker-credentials.ts'
import { type HttpAnswer, HttpExchange, isLoopback, readBody, type Timeouts } from './http-exchange.ts'
import { RegistryAuth } from './registry-auth.ts'
import { answerError, badAnswer, RegistryError, unreachable } from './registry-error.ts'

export interface TransportOptions {
  /** For proxies. */
  readonly env: NodeJS.ProcessEnv
  readonly credentials: { readonly find: (domain: string) => Promise<Credential | undefined> }
  readonly now?: (() => number) | undefined
  /** From 0 to 1. */
  readonly random?: (() => number) | undefined
  readonly sleep?: ((milliseconds: number, signal: AbortSignal | undefined) => Promise<void>) | undefined
  readonly timeouts?: Timeouts | undefined
  /** How many more times a request is sent after a passing failure. */
  readonly retries?: number | undefined
  /** Takes a line about each of them. */
  readonly onRetry?: ((line: string) => void) | undefined
}

export interface ApiRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT'
  /** The registry as in image names (`docker.io`). */
  readonly domain: string
  readonly repository: string
  /** `manifests/3.22`, `blobs/sha256:…`. */
  readonly resource: string
  /** What is asked for, for messages. */
  readonly subject: string
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Small, since it is kept for a second try. */
  readonly body?: Buffer | undefined
  readonly streamed?: boolean | undefined
  /** Statuses that are an answer besides 2xx. */
  readonly accept?: readonly number[] | undefined
  /** Sent once, whatever comes of it. */
  readonly once?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

interface FinalAnswer {
  readonly answer: HttpAnswer
  /** Whether the registry itself answered, not a host that it redirected to. */
  readonly atHome: boolean
}

const USER_AGENT = 'stage-build'
const MAX_REDIRECTS = 5
const DEFAULT_RETRIES = 2
const MAX_ERROR_BODY = 64 * 1024

/** One registry client's way to the network. */
export class RegistryTransport {
  readonly #options: TransportOptions
  readonly #exchange: HttpExchange
  readonly #auth: RegistryAuth
  /** Registries that did not get better in time: nobody waits for them again, until one answers. */
  readonly #down = new Set<string>()

  constructor(options: TransportOptions) {
    this.#options = options
    this.#exchange = new HttpExchange(options.env, options.timeouts)
    this.#auth = new RegistryAuth(this.#exchange, options.now ?? Date.now)
  }

  /** Closes connections that are kept for later requests. */
  close(): void {
    this.#exchange.close()
  }

  /**
   * Sends a request, again after a passing failure (5xx, 429, a broken connection). A PUT is sent again, too: here it
   * always puts the same under the same name.
   * @throws RegistryError; the signal's reason when it is aborted
   */
  async send(request: ApiRequest): Promise<HttpAnswer> {
    const { domain, subject, signal } = request
    const retries = request.once === true ? 0 : (this.#options.retries ?? DEFAULT_RETRIES)
    for (let retry = 1; ; retry++) {
      try {
        const answer = await this.#authorised(request)
        this.#down.delete(domain)
        return answer
      } catch (error) {
        signal?.throwIfAborted()
        const failure = error instanceof RegistryError ? error : unreachable(subject, domain, error)
        if (!isPassing(failure)) throw failure
        const { retryAfter } = failure
        const { random } = this.#options
        const isEnough = retry > retries || this.#down.has(domain)
        const waitMs = isEnough ? undefined : waitBeforeRetry(retry, { retryAfter, random })
        if (waitMs === undefined) {
          if (request.once !== true) this.#down.add(domain)
          throw failure
        }
        const why = `${domain} ${whyOf(failure)}`
        this.#options.onRetry?.(retryLine({ what: subject, why, retry, retries, waitMs, retryAfter }))
        await (this.#options.sleep ?? pause)(waitMs, signal)
      }
    }
  }

  /** The address that anybody gets a resource from, without a login; undefined where the registry wants one, or fails. */
  async publicUrl(request: ApiRequest): Promise<URL | undefined> {
    try {
      const { answer } = await this.#redirected({ ...request, method: 'HEAD' }, undefined)
      await discard(answer)
      return answer.status === 200 ? registryUrl(request) : undefined
    } catch {
      return undefined
    }
  }

  async #authorised(request: ApiRequest): Promise<HttpAnswer> {
    const { domain, repository, subject, signal } = request
    const scope = `repository:${repository}:${request.method === 'PUT' ? 'pull,push' : 'pull'}`
    const known = await this.#auth.known(domain, scope)
    const { answer: first, atHome } = await this.#redirected(request, known)
    // A login is only for the registry itself: a host that it redirected to may not ask for one.
    if (first.status !== 401 || !atHome) return await this.#judged(request, first)

    await discard(first)
    if (known !== undefined) this.#auth.forget(domain, scope)
    const credential = await this.#options.credentials.find(domain)
    const challenges = parseChallenges(first.headers['www-authenticate'] ?? '')
    const header = await this.#auth.answer({ domain, scope, subject, challenges, credential, signal })
    if (header === undefined) {
      const loggedIn = credential !== undefined
      throw answerError({ subject, domain, status: 401, detail: undefined, retryAfter: undefined, loggedIn })
    }
    return await this.#judged(request, (await this.#redirected(request, header)).answer)
  }

  /** Follows redirects; the Authorization header stays with the host that asked for it. */
  async #redirected(request: ApiRequest, authorization: string | undefined): Promise<FinalAnswer> {
    const start = registryUrl(request)
    let url = start
    for (let hops = 0; ; hops++) {
      const atHome = url.origin === start.origin
      const headers = {
        'user-agent': USER_AGENT,
        ...request.headers,
        ...(authorization !== undefined && atHome ? { authorization } : {}),
      }
      const { method, body, signal, streamed } = request
      const answer = await this.#exchange.send({ method, url, headers, body, signal, streamed })
      if (![301, 302, 303, 307, 308].includes(answer.status)) return { answer, atHome }
      await discard(answer)
      if (hops === MAX_REDIRECTS) throw badAnswer(request.subject, `it redirects more than ${MAX_REDIRECTS} times.`)
      url = redirectTarget(request, { from: url, location: answer.headers.location })
    }
  }

  async #judged(request: ApiRequest, answer: HttpAnswer): Promise<HttpAnswer> {
    const { status } = answer
    if ((status >= 200 && status < 300) || request.accept?.includes(status) === true) return answer
    const detail = await errorDetail(answer)
    const retryAfter = retryAfterSeconds(answer.headers['retry-after'], (this.#options.now ?? Date.now)())
    const loggedIn = (await this.#options.credentials.find(request.domain)) !== undefined
    throw answerError({ subject: request.subject, domain: request.domain, status, detail, retryAfter, loggedIn })
  }
}

/** Plain HTTP is for this machine only, as in BuildKit. Docker Hub's API has a host of its own. */
function registryUrl({ domain, repository, resource, subject }: ApiRequest): URL {
  const scheme = isLoopback(domain) && !domain.endsWith(':443') ? 'http' : 'https'
  const host = domain === 'docker.io' ? 'registry-1.docker.io' : domain
  const url = URL.parse(`${scheme}://${host}/v2/${repository}/${resource}`)
  if (url === null) throw badAnswer(subject, `${JSON.stringify(domain)} is no valid host.`)
  return url
}

function redirectTarget(request: ApiRequest, hop: { readonly from: URL; readonly location: string | undefined }): URL {
  const target = hop.location === undefined ? null : URL.parse(hop.location, hop.from.href)
  if (target === null) throw badAnswer(request.subject, 'it redirects to no valid address.')
  const plainIsFine = hop.from.protocol === 'http:' && isLoopback(target.host)
  if (target.protocol !== 'https:' && !(target.protocol === 'http:' && plainIsFine)) {
    throw badAnswer(request.subject, `it redirects to ${target.protocol}//${target.host}, which is not safe.`)
  }
  // A name and password in an address would be sent as a login.
  target.username = ''
  target.password = ''
  return target
}

function isPassing({ kind, cause }: RegistryError): boolean {
  return kind === 'server' || kind === 'rate-limited' || (kind === 'unreachable' && isBroken(cause))
}

function whyOf({ status, cause }: RegistryError): string {
  return status === undefined ? `could not be reached (${errorCode(cause) ?? 'no answer'})` : `answered ${status}`
}

/** Broken connections come and go; unknown hosts, refused connections and bad certificates stay. */
function isBroken(cause: unknown): boolean {
  const code = errorCode(cause)
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'EAI_AGAIN' || code === 'ETIMEDOUT'
}

/** The first message of the API's error list, if the body is one. */
async function errorDetail(answer: HttpAnswer): Promise<string | undefined> {
  try {
    const parsed: unknown = JSON.parse((await readBody(answer, MAX_ERROR_BODY)).toString('utf8'))
    const { errors } = parsed as {
      readonly errors?: readonly { readonly message?: unknown; readonly code?: unknown }[]
    }
    const first = errors?.[0]
    const told = [first?.message, first?.code].find((value) => typeof value === 'string' && value !== '')
    return typeof told === 'string' ? told : undefined
  } catch {
    // HTML of a proxy, a broken connection: the status alone has to do.
    answer.body.destroy()
    return undefined
  }
}

/** Reads a short body to its end, so that the connection can serve the next request. */
async function discard(answer: HttpAnswer): Promise<void> {
  await readBody(answer, MAX_ERROR_BODY).catch(() => answer.body.destroy())
}
