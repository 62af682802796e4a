/**
 * Why a tag could not be written, from a registry's answer to us or from buildx's words. Pure. Every pattern stands for a text that
 * was seen: buildx 0.29 prints the registry's status and, on the next line, the code and message of the API's first error.
 */
import { errorCode, type Problem, sentence } from '../errors.ts'
import { formatFamiliar, parseReference } from '../images/reference.ts'
import { oneLine, type RegistryError, type RegistryErrorKind } from '../images/registry-error.ts'

export interface RetagFailure {
  readonly problem: Problem
  /** It may go well a moment later. */
  readonly passing: boolean
}

/**
 * Registries that keep tags from being overwritten. ECR answers 400 (TAG_INVALID), Harbor 412, others 403 or 409, and Quay,
 * MSR and ACR each in words of their own; https://github.com/moby/buildkit/issues/3776 and
 * https://github.com/goharbor/harbor/issues/18792 show two of them.
 */
const IMMUTABLE = /immutab|cannot be (?:overwritten|overwrite|updated|modified)|already exists|not allow\w* overwrit/i
const NO_LOGIN =
  /no basic auth|authorization failed|failed to authorize|unauthorized|authentication required|insufficient_scope/i
const NOT_ALLOWED = /denied|forbidden|permission/i
const NO_CONNECTION =
  /no such host|connection refused|i\/o timeout|TLS handshake|x509|network is unreachable|no route to host|context deadline|HTTP response to HTTPS/i
const BROKEN = /connection reset|broken pipe|unexpected EOF|\bEOF$|i\/o timeout|TLS handshake timeout|server closed/i

/** Buildx puts a manifest while the parts of it are still on their way; the registry's own words for it. */
const UNFINISHED = /blob unknown to registry|MANIFEST_BLOB_UNKNOWN/i

/** What came back instead of a written tag. */
interface Refusal {
  /** 0: no answer. */
  readonly status: number
  /** The registry's words, or those of what failed; one short line, or empty. */
  readonly said: string
  readonly cause: 'login' | 'connection' | 'broken-connection' | 'not-found' | 'other'
}

/**
 * @param tag the full reference that was to be written
 * @param error buildx's error for it
 */
export function retagFailure(tag: string, error: string): RetagFailure {
  const status = Number(/unexpected status[^\n]*: (\d{3}) [A-Z]/.exec(error)?.[1] ?? 0)
  return failureOf(tag, { status, said: words(error), cause: causeOf(error, status) }, 'buildx failed.')
}

/**
 * @param tag the full reference that was to be written
 * @param error what came of our own requests for it, after all tries
 */
export function writeFailure(tag: string, error: RegistryError): Problem {
  const { kind, status = 0, said = '' } = error
  const causes: Partial<Record<RegistryErrorKind, Refusal['cause']>> = {
    unauthorized: 'login',
    denied: 'login',
    unreachable: 'connection',
    'not-found': 'not-found',
  }
  const reason = kind === 'unreachable' ? (errorCode(error.cause) ?? '') : said
  return failureOf(tag, { status, said: reason, cause: causes[kind] ?? 'other' }, sentence(error.message)).problem
}

/** A tag that was written and stands for something else. */
export function wrongTag(
  tag: string,
  { digest, found }: { readonly digest: string; readonly found: string | undefined },
): Problem {
  const instead = found === undefined ? 'it is not there' : `it points to ${found}`
  return {
    message: `${tag} was written, but does not point to ${digest}: ${instead}.`,
    mend: 'Look for another job that writes the same tag at the same time, and run this one again.',
  }
}

function failureOf(tag: string, { status, said, cause }: Refusal, otherwise: string): RetagFailure {
  const reference = parseReference(tag)
  const { domain, path } = reference
  const name = formatFamiliar(reference)
  const fail = (why: string, mend: string, passing = false): RetagFailure => ({
    passing,
    problem: { message: `${name} was not re-tagged: ${why}${said === '' ? '' : ` It said: ${sentence(said)}`}`, mend },
  })
  if (IMMUTABLE.test(said) || status === 409 || status === 412) {
    return fail(
      `the tag is there with another image, and ${domain} does not let it be overwritten.`,
      `Use a tag that every commit has anew (\`\${{ github.sha }}\`), or let this tag be overwritten in the settings of ${path}.`,
    )
  }
  if (cause === 'login') {
    return fail(`${domain} does not let this job write it (not logged in, or no permission).`, loginMend(domain, path))
  }
  if (status === 429) {
    return fail(`${domain} refuses more requests for now.`, 'Run the job again later, or write fewer tags.', true)
  }
  if (UNFINISHED.test(said)) {
    return fail(`${domain} does not have all that it was just sent.`, 'Run the job again.', true)
  }
  if (status >= 500) return fail(`${domain} failed with status ${status}.`, 'Run the job again later.', true)
  if (cause === 'connection' || cause === 'broken-connection') {
    const mend = 'Check the name of the registry and the runner’s network.'
    return fail(`${domain} could not be reached.`, mend, cause === 'broken-connection')
  }
  if (cause === 'not-found') {
    return fail('its image is no longer there.', 'Run the job again: what is not there is built.')
  }
  const answered = status === 0 ? otherwise : `${domain} answered with status ${status}.`
  return fail(answered, 'Check that the registry takes this kind of image and tag.')
}

function causeOf(error: string, status: number): Refusal['cause'] {
  if (status === 401 || status === 403) return 'login'
  if (status === 404 || (status === 0 && /: not found$/.test(error))) return 'not-found'
  if (status !== 0) return 'other'
  if (NO_LOGIN.test(error) || NOT_ALLOWED.test(error)) return 'login'
  if (BROKEN.test(error)) return 'broken-connection'
  return NO_CONNECTION.test(error) ? 'connection' : 'other'
}

function loginMend(domain: string, path: string): string {
  if (domain === 'ghcr.io') {
    return `Give the job \`permissions: packages: write\`, log in before this step with docker/login-action (registry: ghcr.io), and let this repository write in the settings of the package ${path} (Manage Actions access).`
  }
  const login = `docker/login-action${domain === 'docker.io' ? '' : ` (registry: ${domain})`}`
  return `Log in before this step with ${login}, with an account or token that may push to ${path}.`
}

/** What the registry said beside its status; without that, buildx's last clause. One short line. */
function words(error: string): string {
  const [head = '', ...rest] = error.split('\n')
  const body = oneLine(rest.join(' ')).replace(/^unknown: /, '')
  if (body !== '') return body
  return /unexpected status/.test(head) ? '' : oneLine(head.split(': ').slice(-2).join(': '))
}
