/**
 * Why a call of `@actions/cache` came to nothing. It throws next to nothing: `restoreCache` answers undefined for a miss
 * and for most failures, `saveCache` -1, and the cause is only in what they print as workflow commands.
 * https://github.com/actions/toolkit/blob/main/packages/cache/src/cache.ts
 */
import type { ClientOutcome } from './github-protocol.ts'

type Failure = Extract<ClientOutcome, { kind: 'failed' }>

const MAX_REASON = 400

/** What the toolkit printed during one call; bounded. */
export class CallLog {
  readonly #lines: string[] = []

  /** Takes what was written, as the toolkit writes it: whole lines, or the output of `tar`. */
  add(text: string): void {
    for (const line of text.split('\n')) if (line !== '') this.#lines.push(line)
    if (this.#lines.length > 2000) this.#lines.splice(100, 1000)
  }

  /** The rest of the last line that begins with a text. */
  after(beginning: string): string | undefined {
    return this.#lines.findLast((line) => line.startsWith(beginning))?.slice(beginning.length)
  }

  /** The path of the archive that the toolkit packs or fetched. */
  get archive(): string | undefined {
    return this.after('::debug::Archive path: ') ?? this.after('::debug::Archive Path: ')
  }

  has(text: string): boolean {
    return this.#lines.some((line) => line.includes(text))
  }
}

/** What `restoreCache` means by undefined. */
export function missOrFailure(log: CallLog): ClientOutcome {
  const cause = log.after('::warning::Failed to restore: ') ?? log.after('::error::Failed to restore: ')
  if (cause !== undefined) return failure(cause, log)
  const skipped = log.after('Cache restore skipped: ')
  return skipped === undefined ? { kind: 'miss' } : { kind: 'failed', why: 'denied', reason: skipped }
}

/** What `saveCache` means by -1. */
export function saveFailure(log: CallLog): ClientOutcome {
  const skipped = log.after('Cache save skipped: ')
  if (skipped !== undefined) return { kind: 'failed', why: 'denied', reason: skipped }
  // The error that follows a refused reservation says "another job may be creating this cache", whatever the cause.
  const reservation = log.after('::debug::Failed to reserve cache: ')
  const cause = reservation ?? log.after('::warning::Failed to save: ') ?? log.after('::error::Failed to save: ')
  if (cause !== undefined) return failure(cause, log)
  const exists = log.after('Failed to save: ')
  if (exists !== undefined) return { kind: 'failed', why: 'exists', reason: plain(exists) }
  return failure(log.after('::warning::') ?? 'the upload was not finished', log)
}

/** An error that was thrown, or the text of one that was printed. */
export function failure(cause: unknown, log: CallLog): Failure {
  // Azure's errors take their text from the answer, which may have none.
  const reason = plain(cause instanceof Error ? cause.message : String(cause)) || 'the cache service gave no reason'
  const passing = passingFailure(reason, log)
  return {
    ...{ kind: 'failed', why: classify(reason, log), reason: reason.replace(TAR_FAILED, 'tar ended with $1') },
    ...(passing === undefined ? {} : { passing }),
  }
}

/** https://github.com/actions/toolkit/blob/main/packages/cache/src/internal/shared/cacheTwirpClient.ts (retryableRequest) */
function passingFailure(reason: string, log: CallLog): Failure['passing'] {
  if (/\(429\)|Rate limited/.test(reason)) {
    const asked = log.after("::warning::You've hit a rate limit, your rate limit will reset in ")
    const seconds = Number.parseInt(asked ?? '', 10)
    return { failure: 'the service answered 429', ...(Number.isNaN(seconds) ? {} : { retryAfter: seconds }) }
  }
  const [, code] = /Unable to make request: (ECONNRESET|ETIMEDOUT)/.exec(reason) ?? []
  return code === undefined ? undefined : { failure: `the connection to the service broke (${code})` }
}

/** With the path of our own `tar`, twice. */
const TAR_FAILED = /^"[^"]*tar" failed with error: The process '[^']*' failed with (exit code \d+)$/

function classify(reason: string, log: CallLog): Failure['why'] {
  if (/cache (?:write|read) denied:/.test(reason)) return 'denied'
  if (/\(429\)|Rate limited|insufficient usage|storage quota/.test(reason)) return 'limited'
  if (/ENOSPC|EDQUOT/.test(reason) || log.has('No space left on device')) return 'limited'
  if (/\(409\)|Response was not ok/.test(reason)) return 'exists'
  if (/failed with error: |Path Validation|Key Validation/.test(reason)) return 'entry'
  return 'service'
}

/** One line without the signatures of signed addresses. */
export function plain(text: string): string {
  const line = text
    .replaceAll('%0D', '')
    .replaceAll(/%0A|\s+/g, ' ')
    .replaceAll('%25', '%')
    .replace(/^(?:Error: )+/, '')
  const hidden = hideSignatures(line)
  return hidden.length > MAX_REASON ? `${hidden.slice(0, MAX_REASON)}…` : hidden
}

/** The toolkit has the runner mask them by a workflow command, which never gets to the runner from the child. */
export function hideSignatures(text: string): string {
  return text.replaceAll(/\bsig=[^&"'\s]+/g, 'sig=***').replaceAll(/^::add-mask::.*$/gm, '')
}
