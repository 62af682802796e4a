/**
 * Waiting for a cache service that is busy. Calls that are refused at the same time wait together, and a line of the log
 * says so once. What the toolkit tries again by itself (5xx) is told in the same way.
 */
import { pause, retryLine, waitBeforeRetry } from '../backoff.ts'

export interface PatienceOptions {
  /** How many more times a call is tried. */
  readonly retries: number
  readonly log: (line: string) => void
  readonly signal?: AbortSignal | undefined
  readonly random?: (() => number) | undefined
}

/** Seconds. A build without its cache is not as bad as a longer wait for it. */
const LONGEST_ASKED = 15
const WHAT = 'Layer cache'

export class ServicePatience {
  readonly #options: PatienceOptions
  readonly #end = new AbortController()
  readonly #ended: AbortSignal
  readonly #told = new Set<string>()
  #rest: Promise<boolean> | undefined

  constructor(options: PatienceOptions) {
    this.#options = options
    const { signal } = options
    this.#ended = signal === undefined ? this.#end.signal : AbortSignal.any([signal, this.#end.signal])
  }

  /**
   * Waits before a call is tried again; false where it should not be.
   * @param retry the first is 1
   * @param failure a clause
   */
  async wait(
    retry: number,
    { failure, retryAfter }: { readonly failure: string; readonly retryAfter?: number | undefined },
  ): Promise<boolean> {
    const { retries, log, random } = this.#options
    if (retry > retries || this.#ended.aborted || (retryAfter ?? 0) > LONGEST_ASKED) return false
    if (this.#rest !== undefined) return await this.#rest
    const waitMs = waitBeforeRetry(retry, { retryAfter, random })
    if (waitMs === undefined) return false
    log(retryLine({ what: WHAT, why: failure, retry, retries, waitMs, retryAfter }))
    const rest = pause(waitMs, this.#ended).then(
      () => true,
      () => false,
    )
    this.#rest = rest
    const isOver = await rest
    this.#rest = undefined
    return isOver
  }

  /**
   * Takes what the toolkit prints; what it tries again by itself is a line, once.
   * https://github.com/actions/toolkit/blob/main/packages/cache/src/internal/shared/cacheTwirpClient.ts (retryableRequest)
   */
  hear(line: string): void {
    const said = /^Attempt (\d+) of (\d+) failed with error: (.*)\. Retrying request in (\d+) ms/.exec(line)
    const [, attempt, attempts, error = '', waitMs] = said ?? []
    const key = `${attempt ?? ''} ${error}`
    if (said === null || this.#told.has(key)) return
    this.#told.add(key)
    const counted = { retry: Number(attempt), retries: Number(attempts) - 1, waitMs: Number(waitMs) }
    this.#options.log(
      retryLine({ what: WHAT, why: `the service failed (${error})`, ...counted, retryAfter: undefined }),
    )
  }

  /** Nobody waits any longer. */
  end(): void {
    this.#end.abort()
  }
}
