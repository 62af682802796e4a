/**
 * How long to wait before something is tried again: one rule for the build, registries and the cache service. A leaf, as
 * `errors.ts` is.
 */
import { setTimeout as delay } from 'node:timers/promises'

/** Seconds. Who asks to wait longer than this (Docker Hub's pull limit: hours) will not be better in time. */
export const LONGEST_ASKED = 60

const FIRST_MS = 2_000
const LONGEST_MS = 30_000

/**
 * Milliseconds to wait before a retry: what the server asked for, or twice as long each time; with jitter, so that jobs
 * that failed together do not come back together. Undefined where the server asks for too long a wait.
 * @param retry the first is 1
 */
export function waitBeforeRetry(
  retry: number,
  {
    retryAfter,
    random = Math.random,
  }: { readonly retryAfter: number | undefined; readonly random?: (() => number) | undefined },
): number | undefined {
  if (retryAfter === undefined) return Math.min(LONGEST_MS, FIRST_MS * 2 ** (retry - 1)) * (0.5 + random() / 2)
  return retryAfter > LONGEST_ASKED ? undefined : retryAfter * 1_000 + random() * Math.min(1_000, retryAfter * 100)
}

/** `Retry-After` as seconds or as a date, in seconds. RFC 9110 §10.2.3 */
export function retryAfterSeconds(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined
  if (/^\s*\d{1,9}\s*$/.test(value)) return Number(value)
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - now) / 1000))
}

/**
 * Waits.
 * @throws AbortError as soon as the signal is aborted
 */
export async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  await delay(milliseconds, undefined, signal === undefined ? {} : { signal })
}

/** One retry, as a line of the log tells it. */
export interface RetryNotice {
  /** What is tried again: names of targets, an image. */
  readonly what: string
  /** A clause: `ghcr.io answered 503 Service Unavailable`. */
  readonly why: string
  /** The first is 1. */
  readonly retry: number
  readonly retries: number
  readonly waitMs: number
  /** Seconds that the server asked for. */
  readonly retryAfter: number | undefined
  /** What goes first. */
  readonly others?: readonly string[]
}

/** `↻ app: retry 1 of 2 in 1.4 s: ghcr.io answered 503 Service Unavailable` */
export function retryLine(notice: RetryNotice): string {
  const { what, why, retry, retries, waitMs, retryAfter, others = [] } = notice
  const asked = retryAfter === undefined ? '' : `, and asked to wait ${retryAfter} s`
  const when = `in ${(waitMs / 1000).toFixed(1)} s${others.length === 0 ? '' : `, after ${others.join(', ')}`}`
  return `↻ ${what}: retry ${retry} of ${retries} ${when}: ${why}${asked}`
}
