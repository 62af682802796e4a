/**
 * Image names as Docker reads them: a port of the grammar and the normal form of distribution/reference, so that a
 * name refused or completed by `docker build` is refused or completed alike here. Owns names only; which registry
 * host answers for a name is `registry-client.ts`.
 *
 * Grammar: https://github.com/distribution/reference/blob/v0.6.0/regexp.go
 * Normal form: https://github.com/distribution/reference/blob/v0.6.0/normalize.go
 */

/** A name in its full form: the domain is never missing and Docker Hub's official images carry `library/`. */
export interface ImageReference {
  /** Registry host as in names, with its port: `docker.io`, `ghcr.io`, `localhost:5000`. */
  readonly domain: string
  /** Repository within that registry: `library/alpine`. */
  readonly path: string
  readonly tag?: string | undefined
  /** `algorithm:hex`, of a registered algorithm and the right length. */
  readonly digest?: string | undefined
}

/** A text that is no image name; the message is the one docker prints for it. */
export class InvalidReferenceError extends Error {
  readonly text: string
  constructor(text: string, message: string) {
    super(message)
    this.name = 'InvalidReferenceError'
    this.text = text
  }
}

const DEFAULT_DOMAIN = 'docker.io'
const LEGACY_DOMAIN = 'index.docker.io'
const OFFICIAL_PREFIX = 'library/'
const DEFAULT_TAG = 'latest'
const MAX_PATH_LENGTH = 255

const PATH_COMPONENT = '[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*'
const PATH = `${PATH_COMPONENT}(?:/${PATH_COMPONENT})*`
const DOMAIN_COMPONENT = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])'
const DOMAIN = `(?:${DOMAIN_COMPONENT}(?:\\.${DOMAIN_COMPONENT})*|\\[(?:[a-fA-F0-9:]+)\\])(?::[0-9]+)?`
const TAG = '[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}'
const DIGEST = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}'

// Domain and path are captured in the one expression: distribution matches the name a second time to split it, with
// the same alternatives in the same order, so the groups come out the same.
const REFERENCE = new RegExp(`^(?:(${DOMAIN})/)?(${PATH})(?::(${TAG}))?(?:@(${DIGEST}))?$`)
const ANCHORED_TAG = new RegExp(`^${TAG}$`)
const ANCHORED_DIGEST = new RegExp(`^${DIGEST}$`)
const IDENTIFIER = /^[a-f0-9]{64}$/

/** Hex digits of each algorithm that go-digest registers (sha256, sha384, sha512). */
const DIGEST_HEX_LENGTH: ReadonlyMap<string, number> = new Map([
  ['sha256', 64],
  ['sha384', 96],
  ['sha512', 128],
])

/**
 * Parses a name as `docker build` does (ParseNormalizedNamed): completes domain and `library/`, adds no tag.
 * @throws InvalidReferenceError with distribution's message.
 */
export function parseReference(text: string): ImageReference {
  if (IDENTIFIER.test(text)) {
    throw new InvalidReferenceError(
      text,
      `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`,
    )
  }
  const { domain, remainder } = splitDomain(text)
  const colon = remainder.indexOf(':')
  const remote = colon === -1 ? remainder : remainder.slice(0, colon)
  if (remote.toLowerCase() !== remote) {
    throw new InvalidReferenceError(text, `invalid reference format: repository name (${remote}) must be lowercase`)
  }
  return parseCanonical(text, `${domain}/${remainder}`)
}

/** A full name as text: `domain/path[:tag][@digest]`. */
export function formatReference(reference: ImageReference): string {
  return `${repositoryName(reference)}${suffix(reference)}`
}

/** The full name without tag and digest: `docker.io/library/alpine`. */
function repositoryName(reference: ImageReference): string {
  return `${reference.domain}/${reference.path}`
}

/**
 * The full name as text, with `:latest` when there is neither tag nor digest; a name with both keeps both.
 * @throws InvalidReferenceError
 */
export function normalizeReference(text: string): string {
  return formatReference(tagNameOnly(parseReference(text)))
}

/** Adds `latest` to a name that has neither tag nor digest. */
export function tagNameOnly(reference: ImageReference): ImageReference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: DEFAULT_TAG } : reference
}

/**
 * The short name people write: Docker Hub's domain and `library/` are dropped, tag and digest kept as given.
 * @throws InvalidReferenceError
 */
export function familiarName(text: string): string {
  return formatFamiliar(parseReference(text))
}

/** `familiarName` of a parsed reference. */
export function formatFamiliar(reference: ImageReference): string {
  if (reference.domain !== DEFAULT_DOMAIN) return formatReference(reference)
  const official = reference.path.startsWith(OFFICIAL_PREFIX) ? reference.path.slice(OFFICIAL_PREFIX.length) : undefined
  const path = official === undefined || official.includes('/') ? reference.path : official
  return `${path}${suffix(reference)}`
}

/**
 * The same name with that tag; a digest stays.
 * @throws InvalidReferenceError `invalid tag format`
 */
export function withTag(reference: ImageReference, tag: string): ImageReference {
  if (!ANCHORED_TAG.test(tag)) throw new InvalidReferenceError(tag, 'invalid tag format')
  return { ...reference, tag }
}

/**
 * The same name with that digest; a tag stays.
 * @throws InvalidReferenceError `invalid digest format`, or go-digest's message for a wrong length or algorithm.
 */
export function withDigest(reference: ImageReference, digest: string): ImageReference {
  if (!ANCHORED_DIGEST.test(digest)) throw new InvalidReferenceError(digest, 'invalid digest format')
  const fault = digestFault(digest)
  if (fault !== undefined) throw new InvalidReferenceError(digest, fault)
  return { ...reference, digest }
}

/**
 * Why a text is not a valid digest, in go-digest's words, or undefined when it is.
 * https://github.com/opencontainers/go-digest/blob/v1.0.0/digest.go#L120
 */
export function digestFault(digest: string): string | undefined {
  const colon = digest.indexOf(':')
  if (colon <= 0 || colon + 1 === digest.length) return 'invalid checksum digest format'
  const length = DIGEST_HEX_LENGTH.get(digest.slice(0, colon))
  if (length === undefined) {
    const wellFormed = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/.test(digest)
    return wellFormed ? 'unsupported digest algorithm' : 'invalid checksum digest format'
  }
  const encoded = digest.slice(colon + 1)
  if (encoded.length !== length) return 'invalid checksum digest length'
  return /^[a-f0-9]*$/.test(encoded) ? undefined : 'invalid checksum digest format'
}

function suffix({ tag, digest }: ImageReference): string {
  return `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`
}

function parseCanonical(text: string, full: string): ImageReference {
  const match = REFERENCE.exec(full)
  if (match === null) {
    const lowered = full.toLowerCase()
    const uppercase = lowered !== full && REFERENCE.test(lowered)
    throw new InvalidReferenceError(text, uppercase ? 'repository name must be lowercase' : 'invalid reference format')
  }
  const [, domain = '', path = '', tag, digest] = match
  if (path.length > MAX_PATH_LENGTH) {
    throw new InvalidReferenceError(text, `repository name must not be more than ${MAX_PATH_LENGTH} characters`)
  }
  const fault = digest === undefined ? undefined : digestFault(digest)
  if (fault !== undefined) throw new InvalidReferenceError(text, fault)
  return { domain, path, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) }
}

/** What stands before the first slash is a host only when it cannot be a Docker Hub namespace. */
function splitDomain(name: string): { readonly domain: string; readonly remainder: string } {
  const slash = name.indexOf('/')
  if (slash === -1) return { domain: DEFAULT_DOMAIN, remainder: OFFICIAL_PREFIX + name }
  const first = name.slice(0, slash)
  const isHost = first === 'localhost' || /[.:]/.test(first) || first.toLowerCase() !== first
  const domain = !isHost || first === LEGACY_DOMAIN ? DEFAULT_DOMAIN : first
  const remainder = isHost ? name.slice(slash + 1) : name
  const bareHubName = domain === DEFAULT_DOMAIN && !remainder.includes('/')
  return { domain, remainder: bareHubName ? OFFICIAL_PREFIX + remainder : remainder }
}

/**
 * The repository that a name is in, in full: `docker.io/library/alpine`.
 * @throws InvalidReferenceError
 */
export function repositoryOf(text: string): string {
  const { domain, path } = parseReference(text)
  return `${domain}/${path}`
}

/** A reference as it is written, without tag and digest. */
export function nameAlone(reference: string): string {
  return reference.replace(/@.*$/s, '').replace(/:[^/]*$/, '')
}
