/**
 * What can go wrong between us and a registry, in words for the user. No secret, token or signed address ever enters a
 * message: only names of hosts and images, and the registry's own short text with control characters taken out.
 */

import { errorCode } from '../errors.ts'

export type RegistryErrorKind =
  'not-found' | 'unauthorized' | 'denied' | 'rate-limited' | 'unreachable' | 'server' | 'bad-answer'

export interface RegistryFault {
  readonly kind: RegistryErrorKind
  /** One sentence, naming the image or the host. */
  readonly message: string
  /** One sentence: what the user can do. */
  readonly mend: string
  readonly status?: number | undefined
  /** Seconds that the registry asked to wait. */
  readonly retryAfter?: number | undefined
  /** What the registry said of it, as one short line. */
  readonly said?: string | undefined
}

/** A registry (or an OCI layout) could not give what was asked for. */
export class RegistryError extends Error implements RegistryFault {
  readonly kind: RegistryErrorKind
  readonly mend: string
  readonly status: number | undefined
  readonly retryAfter: number | undefined
  readonly said: string | undefined

  constructor(fault: RegistryFault, options?: ErrorOptions) {
    super(fault.message, options)
    this.name = 'RegistryError'
    this.kind = fault.kind
    this.mend = fault.mend
    this.status = fault.status
    this.retryAfter = fault.retryAfter
    this.said = fault.said
  }
}

export interface AnswerContext {
  /** The image or blob as users know it. */
  readonly subject: string
  /** The registry as in image names (`docker.io`, `ghcr.io`). */
  readonly domain: string
  readonly status: number
  /** The registry's own explanation, if any (untrusted). */
  readonly detail: string | undefined
  readonly retryAfter: number | undefined
  /** Whether we had a login to show. */
  readonly loggedIn: boolean
}

/** The error for an answer that is no success. */
export function answerError(answer: AnswerContext): RegistryError {
  const said = answer.detail === undefined ? undefined : oneLine(answer.detail)
  return new RegistryError({ ...faultOf(answer, said === undefined ? '' : ` It said: ${said}`), said })
}

function faultOf(answer: AnswerContext, said: string): RegistryFault {
  const { subject, domain, status, retryAfter } = answer
  const login = `docker/login-action${domain === 'docker.io' ? '' : ` (registry: ${domain})`}`
  if (status === 404) {
    return {
      kind: 'not-found',
      message: `${subject} was not found in ${domain}.${said}`,
      mend: 'Check the name and the tag.',
      status,
    }
  }
  if (status === 401) {
    return {
      kind: 'unauthorized',
      message: answer.loggedIn
        ? `${domain} does not accept the login for ${subject}.${said}`
        : `${domain} asks for a login for ${subject} (or there is no such image).${said}`,
      mend: answer.loggedIn
        ? `Log in again with ${login}: the password or token may have expired, or may not read this repository.`
        : `Check the name; for a private image, log in first with ${login}.`,
      status,
    }
  }
  if (status === 403) {
    return {
      kind: 'denied',
      message: `${domain} denies access to ${subject}.${said}`,
      mend: answer.loggedIn
        ? 'Give the account or token that is logged in the right to read this repository.'
        : `Log in first with ${login}.`,
      status,
    }
  }
  if (status === 429) {
    const wait = retryAfter === undefined ? '' : `Try again in ${retryAfter} s. `
    return {
      kind: 'rate-limited',
      message: `${domain} refuses more requests for now (${subject}).${said}`,
      mend: `${wait}Log in with ${login} for a higher limit, or map the image to a mirror with external-images.`,
      status,
      retryAfter,
    }
  }
  if (status >= 500) {
    return {
      kind: 'server',
      message: `${domain} failed with status ${status} for ${subject}.${said}`,
      mend: 'Try again later.',
      status,
      retryAfter,
    }
  }
  return badFault(subject, `${domain} answered with status ${status}.${said}`, status)
}

/** An answer that is no valid one. `why` is a sentence. */
export function badAnswer(subject: string, why: string, status?: number): RegistryError {
  return new RegistryError(badFault(subject, why, status))
}

function badFault(subject: string, why: string, status: number | undefined): RegistryFault {
  return {
    kind: 'bad-answer',
    message: `The registry's answer for ${subject} cannot be used: ${why}`,
    mend: 'Check that the address is that of a container registry, and that no proxy stands in between.',
    status,
  }
}

/** No answer at all. */
export function unreachable(subject: string, host: string, cause: unknown): RegistryError {
  const reason = errorCode(cause) ?? (cause instanceof Error ? cause.message : 'unknown error')
  return new RegistryError(
    {
      kind: 'unreachable',
      message: `${host} could not be reached for ${subject}: ${oneLine(reason)}.`,
      mend: 'Check the name of the registry and the network.',
    },
    { cause },
  )
}

/** Untrusted text as one short line. */
export function oneLine(text: string): string {
  const plain = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ').trim()
  return plain.length > 200 ? `${plain.slice(0, 200)}…` : plain
}
