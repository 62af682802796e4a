/**
 * Whether a failed step may well succeed when it is tried again: what a registry, or the way to it, failed with. A
 * command that failed is never run again for that, whatever it printed. Pure.
 */
import { withoutCommand, type Step } from './progress.ts'

export type Judgement =
  /** A command of the Dockerfile ended badly: that has nothing to do with any cache or registry. */
  | { readonly kind: 'command' }
  /** It would fail again. */
  | { readonly kind: 'lasting' }
  /** The builder's own cache names a layer that its disk does not have: only what is carried out anew gets past it. */
  | { readonly kind: 'lost' }
  | {
      readonly kind: 'passing'
      /** A clause: `ghcr.io answered 503 Service Unavailable`. */
      readonly why: string
      /** The image that was asked for, to ask its registry; undefined where BuildKit does not say. */
      readonly image: string | undefined
    }

type FailedStep = Pick<Step, 'kind' | 'text' | 'error'>

const LASTING: Judgement = { kind: 'lasting' }

/** https://github.com/moby/buildkit/blob/v0.25.2/solver/errdefs/exec.go */
const COMMAND = /did not complete successfully/

/** A layer registry of ours, this step's or another's that is gone: `cacheTrouble` and `onlyPushesFailed` judge those. */
const LAYER_REGISTRY = /127\.0\.0\.1:\d+\/(?:v2\/)?sb[0-9a-f]{32}\//

/**
 * What only requests to registries say. An `ADD https://…` fails with words of its own.
 * https://github.com/containerd/containerd/blob/v2.1.4/core/remotes/docker
 */
const OF_REGISTRY =
  /\/v2\/|failed to (?:push|authorize|fetch (?:oauth|anonymous) token|resolve source metadata)|httpReadSeeker|failed to copy|getting writer status/

/** `unexpected status from HEAD request to https://…: 503 Service Unavailable`, `unexpected status code https://…: 500 …` */
const STATUS = /unexpected (?:HTTP )?status\b.*?: (\d{3})(?: ([A-Z][A-Za-z]*(?: [A-Z][A-Za-z]*)*))?/s

/**
 * The codes of registries' own errors stand where the status was.
 * https://github.com/distribution/distribution/blob/v3.0.0/registry/api/errcode/register.go
 */
const CODES: readonly (readonly [RegExp, string])[] = [
  [/\btoomanyrequests: /i, '429 Too Many Requests'],
  [/: unavailable: /, '503 Service Unavailable'],
  [/: unknown: unknown error/, '500 Internal Server Error'],
]

/** A name that does not exist (`no such host`), and a certificate that is not trusted, stay as they are. */
const NETWORK: readonly (readonly [RegExp, string])[] = [
  [/connection refused/, 'refused the connection'],
  [/connection reset by peer|broken pipe|forcibly closed/, 'broke the connection off'],
  [/TLS handshake timeout/, 'did not finish the TLS handshake in time'],
  [/i\/o timeout|Client\.Timeout exceeded|timeout awaiting response headers|context deadline exceeded|connection timed out/, 'did not answer in time'],
  [/network is unreachable|no route to host/, 'cannot be reached (no route)'],
  [/server misbehaving|Temporary failure in name resolution/, 'could not be found for now (name server)'],
  [/unexpected EOF|\bEOF$|http2: .*(?:GOAWAY|connection lost)|server closed idle connection|closed network connection|closed pipe|short read/, 'ended the connection too early'],
] // prettier-ignore

/**
 * Two builds on one engine gave their images the same name at the same moment: what looked for it found none, and then
 * could not make it. The next time it is found.
 * https://github.com/moby/buildkit/blob/v0.25.2/exporter/containerimage/export.go (Update, then Create)
 */
const SAME_MOMENT = /^image "[^"]+": already exists$/

/**
 * Containerd's clean-up beside builds has been seen to leave a snapshot in its records whose folder is gone; and BuildKit
 * lets it take a snapshot that another build still needs (https://github.com/moby/buildkit/pull/6808).
 */
export const LOST_LAYER =
  /failed to mount .*snapshots\/.*: no such file or directory|mount source: .*snapshots\/.*err: no such file or directory|\bsnapshot [a-z0-9]+ does not exist: not found/s

/** Judges a failed step by what BuildKit says of it. */
export function judge({ kind, text, error = '' }: FailedStep): Judgement {
  // First: a command that could not even begin is told in the words of one that failed.
  if (LOST_LAYER.test(withoutCommand(error))) return { kind: 'lost' }
  if (COMMAND.test(error)) return { kind: 'command' }
  if (SAME_MOMENT.test(error)) {
    return { kind: 'passing', why: 'another build gave its image this name at the same moment', image: undefined }
  }
  if (LAYER_REGISTRY.test(error) || !isOfRegistry({ kind, text, error })) return LASTING
  const image = imageOf(error) ?? /^load metadata for (\S+)$/.exec(text)?.[1]
  const who = hostOf(error) ?? (image === undefined ? 'the registry' : domainOf(image))
  const [, status, reason] = STATUS.exec(error) ?? []
  const said = status === undefined ? CODES.find(([code]) => code.test(error))?.[1] : [status, reason].filter((part) => part !== undefined).join(' ') // prettier-ignore
  if (said !== undefined) {
    return /^(?:429|5\d\d)\b/.test(said) ? { kind: 'passing', why: `${who} answered ${said}`, image } : LASTING
  }
  // With a code of its own, in whatever words, the registry did answer.
  const broken = NETWORK.find(([pattern]) => pattern.test(error))?.[1]
  return broken === undefined ? LASTING : { kind: 'passing', why: `${who} ${broken}`, image }
}

function isOfRegistry({ kind, text, error }: { readonly [Key in keyof FailedStep]-?: string }): boolean {
  if (/^exporting to client/.test(text)) return false
  return OF_REGISTRY.test(error) || (kind === 'internal' && text.startsWith('load metadata for '))
}

/** As `external-images` and `tags` would name it. */
function imageOf(error: string): string | undefined {
  const [, pushed] = /failed to push (\S+?): /.exec(error) ?? []
  if (pushed !== undefined) return pushed
  const [, host = '', path, kind, reference = ''] =
    /https?:\/\/([^/\s"]+)\/v2\/([^\s"?]+?)\/(manifests|blobs)\/([^\s"?:]+(?::[0-9a-f]{64})?)/.exec(error) ?? []
  if (path === undefined) return undefined
  const domain = host === 'registry-1.docker.io' ? 'docker.io' : host
  if (kind === 'blobs') return `${domain}/${path}`
  return `${domain}/${path}${reference.startsWith('sha256:') ? '@' : ':'}${reference}`
}

function hostOf(error: string): string | undefined {
  return /https?:\/\/([^/\s"]+)/.exec(error)?.[1]
}

function domainOf(image: string): string {
  const [domain = ''] = image.split('/')
  return /[.:]|^localhost$/.test(domain) && image.includes('/') ? domain : 'docker.io'
}
