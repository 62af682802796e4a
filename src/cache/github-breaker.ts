/**
 * Spares a run the long wait for a service that is down: the toolkit tries each call for half a minute. After a call
 * without an answer, or two failures in a row, calls are answered at once for a while; then one may try again.
 */
export class CircuitBreaker {
  readonly #pauseMs: number
  #failures = 0
  /** By `performance.now()`; while it lies ahead nothing is tried. */
  #pausedUntil = 0
  #cause = ''

  constructor(pauseMs: number) {
    this.#pauseMs = pauseMs
  }

  /** Why a call should not be tried now, or undefined; then its outcome must be told. */
  get pause(): string | undefined {
    const now = performance.now()
    if (now < this.#pausedUntil) return `the cache service is down (${this.#cause})`
    // The one that tries again: until it has its answer the others wait for the next pause to end.
    if (this.#pausedUntil > 0) this.#pausedUntil = now + this.#pauseMs
    return undefined
  }

  succeeded(): void {
    this.#failures = 0
    this.#pausedUntil = 0
  }

  /** @param atOnce a call without an answer. */
  failed(cause: string, atOnce = false): void {
    this.#failures++
    this.#cause = cause
    if (atOnce || this.#failures >= 2) this.#pausedUntil = performance.now() + this.#pauseMs
  }
}
