/**
 * The cache of GitHub Actions, by `@actions/cache` in a child process (`cache-client.ts`), which is started for the
 * first call and ended when a call outlives its time: the toolkit cannot be cancelled.
 */
import { mkdir, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { startChild, type RunningChild } from '../process.ts'
import type { CacheBackend, EntryPlace, RestoreRequest, RestoreResult, SaveResult } from './cache-backend.ts'
import { placeFault } from './entry-files.ts'
import { CircuitBreaker } from './github-breaker.ts'
import { ServicePatience } from './service-patience.ts'
import type { ClientAnswer, ClientOutcome, ClientRequest } from './github-protocol.ts'
import { writeTarShims } from './github-tar.ts'

export interface GithubBackendOptions {
  /** The session's folder, absolute: paths of entries are relative to it. */
  readonly root: string
  /** The action's environment; the child gets what it needs of it. */
  readonly env: NodeJS.ProcessEnv
  /** `dist/cache-client.js`. */
  readonly clientPath: string
  /** What the toolkit prints, line by line. */
  readonly debug?: ((line: string) => void) | undefined
  /** How long calls are answered at once after the service was found to be down. */
  readonly pauseMs?: number | undefined
  /** How many more times a call is tried that the service was too busy for. Default: none. */
  readonly retries?: number | undefined
  /** Takes a line about each of them. */
  readonly log?: ((line: string) => void) | undefined
  /** Nobody waits for the service once it is aborted. */
  readonly signal?: AbortSignal | undefined
}

type Failure = Extract<ClientOutcome, { kind: 'failed' }>

interface Waiting {
  readonly settle: (outcome: ClientOutcome) => void
  readonly timer: NodeJS.Timeout
}

/** One child and the calls that wait for it. */
interface Client {
  readonly child: RunningChild
  readonly waiting: Map<number, Waiting>
  isDying: boolean
}

/** In the session's folder; no entry's path begins with a dot. */
const HOME = '.cache-client'
const PAUSE_MS = 60_000
/** The toolkit's heap is small; what it transfers lies outside of it, and is swept by the client itself. */
const NODE_FLAGS = ['--max-semi-space-size=1', '--max-old-space-size=64', '--v8-pool-size=1']

/** What the toolkit reads, and what finds and trusts the service. The user's secrets are not among it. */
const PASSED_ON = [
  'ACTIONS_CACHE_MODE',
  'ACTIONS_CACHE_SERVICE_V2',
  'ACTIONS_CACHE_URL',
  'ACTIONS_ORCHESTRATION_ID',
  'ACTIONS_RESULTS_URL',
  'ACTIONS_RUNTIME_TOKEN',
  'GITHUB_SERVER_URL',
  'HOME',
  'NODE_EXTRA_CA_CERTS',
  'NODE_TLS_REJECT_UNAUTHORIZED',
  'SSL_CERT_DIR',
  'SSL_CERT_FILE',
  ...['http_proxy', 'https_proxy', 'no_proxy'].flatMap((name) => [name, name.toUpperCase()]),
]

/** GitHub's cache service. Starts nothing before the first call. */
export function openGithubBackend(options: GithubBackendOptions): CacheBackend {
  return new GithubBackend(options)
}

class GithubBackend implements CacheBackend {
  readonly kind = 'github'
  readonly #options: GithubBackendOptions
  readonly #breaker: CircuitBreaker
  readonly #patience: ServicePatience
  #client: Promise<Client> | undefined
  /** Ends of all clients, also of those that were killed before. */
  readonly #ends: Promise<void>[] = []
  #lastId = 0
  #closed = false

  constructor(options: GithubBackendOptions) {
    this.#options = options
    this.#breaker = new CircuitBreaker(options.pauseMs ?? PAUSE_MS)
    const { retries = 0, log = () => undefined, signal } = options
    this.#patience = new ServicePatience({ retries, log, signal })
  }

  async restore(request: RestoreRequest): Promise<RestoreResult> {
    return restoreResult(await this.#call('restore', request, request.prefixes))
  }

  async lookUp(request: RestoreRequest): Promise<RestoreResult> {
    return restoreResult(await this.#call('lookUp', request, request.prefixes))
  }

  async save(request: EntryPlace & { readonly timeoutMs: number }): Promise<SaveResult> {
    const outcome = await this.#call('save', request)
    if (outcome.kind === 'saved') return outcome
    if (outcome.kind !== 'failed') return { kind: 'failed', why: 'other', reason: UNEXPECTED }
    const { why, reason } = outcome
    return { kind: 'failed', why: why === 'service' || why === 'entry' ? 'other' : why, reason }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#patience.end()
    const client = await this.#client?.catch(() => undefined)
    client?.child.kill()
    await Promise.all(this.#ends)
    await rm(join(this.#options.root, HOME), { recursive: true, force: true }).catch(() => undefined)
  }

  async #call(
    op: ClientRequest['op'],
    place: EntryPlace & { readonly timeoutMs: number },
    prefixes: readonly string[] = [],
  ): Promise<ClientOutcome> {
    const fault = placeFault(place, prefixes) ?? this.#fault()
    if (fault !== undefined) return service(fault)
    for (let retry = 1; ; retry++) {
      const outcome = await this.#try(op, place, prefixes)
      const passing = outcome.kind === 'failed' ? outcome.passing : undefined
      if (passing === undefined || !(await this.#patience.wait(retry, passing))) return this.#counted(outcome)
    }
  }

  /** Tells the breaker of what is not tried again. */
  #counted(outcome: ClientOutcome): ClientOutcome {
    if (outcome.kind === 'failed' && outcome.passing !== undefined && outcome.why === 'service') {
      this.#breaker.failed(outcome.reason)
    }
    return outcome
  }

  async #try(
    op: ClientRequest['op'],
    place: EntryPlace & { readonly timeoutMs: number },
    prefixes: readonly string[],
  ): Promise<ClientOutcome> {
    const pause = this.#breaker.pause
    if (pause !== undefined) return service(pause)
    let outcome: ClientOutcome
    try {
      const client = await (this.#client ??= this.#start())
      const { key, path } = place
      outcome = await this.#ask(client, { id: ++this.#lastId, op, key, path, prefixes }, place.timeoutMs)
    } catch (error) {
      this.#client = undefined
      outcome = service(error instanceof Error ? error.message : String(error))
      this.#breaker.failed(outcome.reason)
    }
    return outcome
  }

  /** What makes every call vain. */
  #fault(): string | undefined {
    if (this.#closed) return 'the cache is closed'
    // The toolkit puts paths into a command line without quotes.
    if (/[\s"'\\]/.test(this.#options.root)) return `@actions/cache cannot work in the folder ${this.#options.root}`
    return undefined
  }

  async #ask(client: Client, request: ClientRequest, timeoutMs: number): Promise<ClientOutcome> {
    if (client.isDying) return service('the cache client was ended')
    return await new Promise<ClientOutcome>((resolve) => {
      const timer = setTimeout(() => {
        const outcome = service(`no answer within ${Math.round(timeoutMs / 100) / 10} s`)
        this.#breaker.failed(outcome.reason, true)
        client.waiting.delete(request.id)
        resolve(outcome)
        this.#end(client)
      }, timeoutMs)
      client.waiting.set(request.id, { settle: resolve, timer })
      client.child.send(request)
    })
  }

  /** Ends a client; the next call starts another. */
  #end(client: Client): void {
    if (client.isDying) return
    client.isDying = true
    this.#client = undefined
    client.child.kill()
  }

  async #start(): Promise<Client> {
    const { root, env, clientPath, debug = () => undefined } = this.#options
    const patience = this.#patience
    // Of its own, so that what a killed one leaves is removed with it.
    const home = join(root, HOME, String(++this.#lastId))
    const temp = join(home, 'temp')
    await mkdir(temp, { recursive: true })
    const path = env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin'
    const bin = join(home, 'bin')
    if (!(await writeTarShims(bin, path))) throw new Error('there is no tar on PATH, which @actions/cache needs')
    const waiting = new Map<number, Waiting>()
    const { promise: ended, resolve: tellEnd } = Promise.withResolvers<undefined>()
    const child = startChild(clientPath, NODE_FLAGS, {
      cwd: root,
      env: {
        ...Object.fromEntries(PASSED_ON.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]]))),
        PATH: `${bin}${delimiter}${path}`,
        GITHUB_WORKSPACE: root,
        RUNNER_TEMP: temp,
        TMPDIR: temp,
        // What tar says is read; and blobs are compressed already.
        LC_ALL: 'C',
        ZSTD_CLEVEL: '1',
        // What was freed goes back to the system: 50 MB less after a large download.
        MALLOC_ARENA_MAX: '2',
        MALLOC_MMAP_THRESHOLD_: '65536',
      },
      onLine: (line) => {
        debug(line)
        patience.hear(line)
      },
      onMessage: (message) => {
        const { id, outcome } = message as ClientAnswer
        this.#take(waiting, id, outcome)
      },
      onEnd: (how) => {
        debug(`the cache client ${how}`)
        const isOurs = client.isDying || this.#closed
        this.#end(client)
        const outcome = service(`the cache client ${how}`)
        if (!isOurs && waiting.size > 0) this.#breaker.failed(outcome.reason)
        for (const { settle, timer } of waiting.values()) {
          clearTimeout(timer)
          settle(outcome)
        }
        waiting.clear()
        void rm(home, { recursive: true, force: true })
          .catch(() => undefined)
          .finally(() => {
            tellEnd(undefined)
          })
      },
    })
    const client: Client = { child, waiting, isDying: false }
    this.#ends.push(ended)
    debug(`the cache client runs as process ${String(child.pid)}`)
    return client
  }

  #take(waiting: Map<number, Waiting>, id: number, outcome: ClientOutcome): void {
    const call = waiting.get(id)
    if (call === undefined) return
    waiting.delete(id)
    clearTimeout(call.timer)
    if (outcome.kind === 'failed' && outcome.why === 'service') {
      if (outcome.passing !== undefined) {
        call.settle(outcome)
        return
      }
      // The toolkit does not try again where nothing listens, so neither do we.
      this.#breaker.failed(outcome.reason, /\b(?:ECONNREFUSED|ENOTFOUND|EHOSTUNREACH)\b/.test(outcome.reason))
    } else if (outcome.kind !== 'failed' || outcome.why !== 'entry') this.#breaker.succeeded()
    call.settle(outcome)
  }
}

const UNEXPECTED = 'the cache client gave an answer to another question'

function service(reason: string): Failure {
  return { kind: 'failed', why: 'service', reason }
}

function restoreResult(outcome: ClientOutcome): RestoreResult {
  if (outcome.kind === 'saved') return { kind: 'failed', reason: UNEXPECTED }
  if (outcome.kind !== 'failed') return outcome
  const { why, reason } = outcome
  return { kind: 'failed', reason, ...(why === 'entry' && { isSpoilt: true }) }
}
