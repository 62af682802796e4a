/** What came of a request to GitHub, as data: nothing that GitHub does may fail a build. */

/**
 * `forbidden`: 401 and 403; `not-found`: 404 and 410; `invalid`: other 4xx, and answers that are not as documented;
 * `rate-limited`: also after waiting as long as a run may; `unavailable`: 5xx, no connection, too slow, or the run has
 * used up its requests.
 */
export interface GithubError {
  readonly kind: 'forbidden' | 'not-found' | 'invalid' | 'rate-limited' | 'unavailable'
  /** HTTP's; undefined where there was no answer. */
  readonly status: number | undefined
  /** GitHub's words on one line, without the token; untrusted. */
  readonly message: string
}

/** A value, or why there is none. */
export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: GithubError }

export function success<T>(value: T): Outcome<T> {
  return { ok: true, value }
}

export function failure(error: GithubError): { readonly ok: false; readonly error: GithubError } {
  return { ok: false, error }
}

/** The outcome for an answer that is not what GitHub's documentation says. */
export function undocumented(what: string): { readonly ok: false; readonly error: GithubError } {
  return failure({ kind: 'invalid', status: 200, message: `GitHub's answer has no ${what}` })
}

/** The error as half a sentence: `GitHub answered 403: Resource not accessible by integration`. */
export function describeError(error: GithubError): string {
  const message = error.message.replace(/\.$/, '')
  return error.status === undefined ? message : `GitHub answered ${error.status}: ${message}`
}

const LONGEST = 300

/** A message for one line of a log: no control characters, no token, not long. */
export function plainMessage(text: string, token: string): string {
  const hidden = token === '' ? text : text.replaceAll(token, '***')
  const line = hidden.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').trim()
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line
}
