/** Why a call of `@actions/artifact` failed, in words for people. It tells the cause in the text of errors only. */
import type { HandoverAnswer, HandoverFault } from './handover-protocol.ts'

const MAX_REASON = 300

/** What was thrown, as an answer. */
export function failure(error: unknown): Extract<HandoverAnswer, { kind: 'failed' }> {
  const reason = plainReason(error)
  return { kind: 'failed', why: classify(reason, statusOf(error)), reason }
}

/** One line without signatures of addresses. */
export function plainReason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  const line = hideSignatures(text).replaceAll(/\s+/g, ' ').trim()
  const short = line.replace(/^Failed to \w+: (?:Received non-retryable error: )?(?:Failed request: )?/, '')
  const bounded = short.length > MAX_REASON ? `${short.slice(0, MAX_REASON)}…` : short
  // Azure's errors take their text from the answer, which may have none.
  return bounded === '' ? 'the artifact service gave no reason' : bounded
}

/** Why the toolkit tries a call again, by what it prints then; undefined for other lines. */
export function retryCause(line: string): string | undefined {
  return /^Attempt \d+ of \d+ failed with error: (.*)\. Retrying request in \d+ ms/.exec(line)?.[1]
}

/** The toolkit has the runner mask them by a workflow command, which never gets to the runner from the child. */
export function hideSignatures(text: string): string {
  return text.replaceAll(/\bsig=[^&"'\s\\]+/g, 'sig=***').replaceAll(/^::add-mask::.*$/gm, '')
}

/** As octokit has it, or Azure. */
function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const { status, statusCode } = error as { readonly status?: unknown; readonly statusCode?: unknown }
  return [status, statusCode].find((value) => typeof value === 'number')
}

function classify(reason: string, status: number | undefined): HandoverFault {
  if (/\(409\)/.test(reason)) return 'exists'
  if (status === 429 || /\(429\)|storage quota|rate limit/i.test(reason)) return 'limited'
  if (status === 401 || status === 403 || status === 404 || /\(40[134]\)|GHES/.test(reason)) return 'denied'
  return 'service'
}
