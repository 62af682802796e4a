/**
 * Where an external image comes from, as a user writes it: an image of a registry or an OCI layout on disk. Parsing
 * only; `registry-client.ts` and `oci-layout.ts` look them up.
 */
import { digestFault, normalizeReference } from './reference.ts'

export type ImageSource =
  /** `ref` is the normalised reference (`docker.io/library/nginx:1.29`). */
  | { readonly kind: 'registry'; readonly ref: string }
  /** `path` as written: relative ones count from the workspace. Without tag and digest, `latest` is meant. */
  | { readonly kind: 'oci-layout'; readonly path: string; readonly tag?: string; readonly digest?: string }

const OCI_LAYOUT = 'oci-layout://'
const DOCKER_IMAGE = 'docker-image://'

/**
 * Whether a named context is the empty image, which no registry is asked for.
 * https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerui/namedcontext.go (EmptyImageName)
 */
export function isEmptyImage(context: string): boolean {
  return context === `${DOCKER_IMAGE}scratch`
}

/**
 * Reads `REF`, `docker-image://REF` or `oci-layout://PATH[:TAG][@DIGEST]`. The path ends at the first colon, as in
 * buildx (https://github.com/docker/buildx/blob/v0.20.0/build/opt.go#L560).
 * @throws Error whose message is a clause for the end of a sentence, without a full stop.
 */
export function parseImageSource(text: string): ImageSource {
  const trimmed = text.trim()
  if (trimmed.startsWith(OCI_LAYOUT)) return parseOciLayout(trimmed.slice(OCI_LAYOUT.length))
  if (trimmed.startsWith(DOCKER_IMAGE)) {
    return { kind: 'registry', ref: normalizeReference(trimmed.slice(DOCKER_IMAGE.length)) }
  }
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(trimmed)?.[1]
  if (scheme !== undefined) {
    throw new Error(`${scheme}:// is no kind of image; use an image reference, docker-image:// or oci-layout://`)
  }
  return { kind: 'registry', ref: normalizeReference(trimmed) }
}

function parseOciLayout(text: string): ImageSource {
  const { head, tail: digest } = cut(text, '@')
  const { head: path, tail: tag } = cut(head, ':')
  if (path === '') throw new Error('an oci-layout:// source needs the path of a directory')
  if (path.includes('\0')) throw new Error('the path of an oci-layout:// source holds a NUL character')
  if (tag !== undefined && !/^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}$/.test(tag)) {
    throw new Error(`invalid tag format (${JSON.stringify(tag)})`)
  }
  const fault = digest === undefined ? undefined : digestFault(digest)
  if (fault !== undefined) throw new Error(`${fault} (${JSON.stringify(digest)})`)
  return {
    kind: 'oci-layout',
    path,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  }
}

function cut(text: string, separator: string): { readonly head: string; readonly tail: string | undefined } {
  const at = text.indexOf(separator)
  return at === -1 ? { head: text, tail: undefined } : { head: text.slice(0, at), tail: text.slice(at + 1) }
}

/** The same of a text that may be none: then a clause that tells why. */
export function readImageSource(text: string): ImageSource | string {
  try {
    return parseImageSource(text)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
