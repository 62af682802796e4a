/**
 * One HTTP request and its answer, over node:http(s): no redirects, no retries, no credentials of its own. `fetch` is not
 * used because it follows redirects and decodes bodies out of our sight, and cannot be given the runner's proxy without
 * changing the whole process. Proxies are those of HTTP_PROXY, HTTPS_PROXY and NO_PROXY; loopback never goes through one.
 */
import type * as Http from 'node:http'
import type * as Https from 'node:https'

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Buffer | undefined
  readonly signal?: AbortSignal | undefined
  /** A long body follows: after the head, only silence is limited, not the whole time. */
  readonly streamed?: boolean | undefined
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: Http.IncomingHttpHeaders
  /** Must be read or destroyed. */
  readonly body: Http.IncomingMessage
}

export interface Timeouts {
  /** Until the connection stands, ms. */
  readonly connect: number
  /** The whole of a small answer, and the head of a streamed one, ms. */
  readonly total: number
  /** Silence in a streamed body, ms. */
  readonly idle: number
}

const DEFAULT_TIMEOUTS: Timeouts = { connect: 10_000, total: 30_000, idle: 60_000 }

/** A request that took too long. */
class TimeoutError extends Error {
  readonly code = 'ETIMEDOUT'
  constructor(what: string, milliseconds: number) {
    super(`${what} took longer than ${milliseconds / 1000} s`)
    this.name = 'TimeoutError'
  }
}

/** Whether a host name (with or without port) is this machine: `localhost`, 127.0.0.0/8, `::1`. */
export function isLoopback(host: string): boolean {
  const name = host
    .replace(/:\d+$/, '')
    .replace(/^\[|\]$/g, '')
    .toLowerCase()
  return name === 'localhost' || name === '::1' || /^127(?:\.\d{1,3}){3}$/.test(name)
}

type Kind = 'http' | 'https'

/** Loaded with the first request: 15 ms that a step without one does not wait. */
function clientOf(kind: Kind): typeof Http | typeof Https {
  return process.getBuiltinModule(kind === 'https' ? 'node:https' : 'node:http')
}

/** Connections, kept alive between requests; idle ones hold no process open. */
export class HttpExchange {
  readonly #timeouts: Timeouts
  readonly #env: NodeJS.ProcessEnv
  /** By kind, those that know of proxies apart. */
  readonly #agents = new Map<string, Http.Agent>()

  constructor(env: NodeJS.ProcessEnv, timeouts: Timeouts = DEFAULT_TIMEOUTS) {
    this.#timeouts = timeouts
    this.#env = env
  }

  #agent(kind: Kind, isDirect: boolean): Http.Agent {
    const key = `${kind} ${isDirect}`
    const known = this.#agents.get(key)
    if (known !== undefined) return known
    const agent = new (clientOf(kind).Agent)({ keepAlive: true, ...(isDirect ? {} : { proxyEnv: this.#env }) })
    this.#agents.set(key, agent)
    return agent
  }

  /**
   * Sends a request; resolves with the head of the answer, whatever its status.
   * @throws the system's error, TimeoutError; `aborted` when the signal ends it
   */
  async send(request: HttpRequest): Promise<HttpAnswer> {
    request.signal?.throwIfAborted()
    const kind = request.url.protocol === 'https:' ? 'https' : 'http'
    const agent = this.#agent(kind, isLoopback(request.url.host))
    const { connect, total, idle } = this.#timeouts
    return await new Promise<HttpAnswer>((resolve, reject) => {
      const outgoing = clientOf(kind).request(request.url, {
        method: request.method,
        headers: request.headers,
        agent,
      })
      let incoming: Http.IncomingMessage | undefined
      const end = (error: Error): void => {
        // Once the head is there, the reader of the body must hear why it ends.
        ;(incoming ?? outgoing).destroy(error)
      }
      const abort = (): void => {
        // The caller throws the signal's own reason; this only ends the socket.
        end(new Error('aborted'))
      }
      const connectTimer = setTimeout(() => {
        end(new TimeoutError('connecting', connect))
      }, connect)
      const totalTimer = setTimeout(() => {
        end(new TimeoutError('the answer', total))
      }, total)
      const settle = (): void => {
        clearTimeout(connectTimer)
        clearTimeout(totalTimer)
        request.signal?.removeEventListener('abort', abort)
      }
      request.signal?.addEventListener('abort', abort, { once: true })
      outgoing.on('socket', (socket) => {
        if (!socket.connecting) clearTimeout(connectTimer)
        else
          socket.once(kind === 'https' ? 'secureConnect' : 'connect', () => {
            clearTimeout(connectTimer)
          })
      })
      outgoing.on('error', (error) => {
        settle()
        reject(error)
      })
      outgoing.on('response', (body) => {
        incoming = body
        clearTimeout(connectTimer)
        if (request.streamed === true) {
          clearTimeout(totalTimer)
          body.setTimeout(idle, () => body.destroy(new TimeoutError('waiting for more of the answer', idle)))
        }
        body.on('close', settle)
        resolve({ status: body.statusCode ?? 0, headers: body.headers, body })
      })
      outgoing.end(request.body)
    })
  }

  /** Closes idle and running connections. */
  close(): void {
    for (const agent of this.#agents.values()) agent.destroy()
  }
}

/** A body larger than the caller accepts. */
export class BodyTooLargeError extends Error {
  constructor(limit: number) {
    super(`the answer is larger than ${limit} bytes`)
    this.name = 'BodyTooLargeError'
  }
}

/**
 * Reads a body whole.
 * @throws BodyTooLargeError beyond `limit` bytes; the system's error when the connection breaks
 */
export async function readBody(answer: HttpAnswer, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > limit) throw new BodyTooLargeError(limit)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
