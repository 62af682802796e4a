/**
 * Manifests as the bytes that they are: read, checked against their digest, and put under further names of their
 * repository. That is all there is to a re-tag, since a registry keeps a manifest's parts by their digests: two requests
 * for a tag, where `imagetools create` makes dozens. The bytes are never written anew, so the digest stays, whatever is in them.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests
 */
import { BodyTooLargeError, type HttpAnswer, readBody } from './http-exchange.ts'
import { digestOf, type Manifest, ManifestError, MAX_MANIFEST_BYTES, MEDIA_TYPES, parseManifest } from './manifest.ts'
import { digestFault, formatFamiliar, type ImageReference } from './reference.ts'
import { badAnswer, unreachable } from './registry-error.ts'
import type { ApiRequest, RegistryTransport } from './registry-transport.ts'

export interface RawManifest {
  readonly digest: string
  readonly bytes: Buffer
  readonly manifest: Manifest
}

type Signal = AbortSignal | undefined

const ACCEPT = Object.values(MEDIA_TYPES).join(', ')

/**
 * The manifest or index that a reference stands for, its bytes checked against the reference's digest or, without one,
 * against the digest that the registry tells.
 * @throws RegistryError; the signal's reason when it is aborted
 */
export async function readManifest(
  transport: RegistryTransport,
  reference: ImageReference,
  signal: Signal,
): Promise<RawManifest> {
  const request = manifestRequest(reference, 'GET', signal)
  const answer = await transport.send(request)
  const bytes = await readSmall(answer, { request, limit: MAX_MANIFEST_BYTES })
  const expected = reference.digest ?? toldDigest(answer)
  const digest = digestOf(bytes, expected)
  if (expected !== undefined && digest !== expected) {
    throw badAnswer(request.subject, 'the manifest is not the one of its digest.')
  }
  try {
    return { digest, bytes, manifest: parseManifest(bytes, answer.headers['content-type']) }
  } catch (error) {
    if (error instanceof ManifestError) throw badAnswer(request.subject, `${error.message}.`)
    throw error
  }
}

/**
 * Puts a manifest under a tag; its parts must be in the repository. Again after a passing failure.
 * @returns the digest that the tag has now, if the registry tells it
 * @throws RegistryError; the signal's reason when it is aborted
 */
export async function writeManifest(
  transport: RegistryTransport,
  reference: ImageReference,
  { bytes, manifest, signal }: Pick<RawManifest, 'bytes' | 'manifest'> & { readonly signal: Signal },
): Promise<string | undefined> {
  const request = manifestRequest(reference, 'PUT', signal)
  const headers = { 'content-type': manifest.mediaType }
  const answer = await transport.send({ ...request, headers, body: bytes })
  // What it says beside is of no use, but the connection is.
  answer.body.resume()
  return toldDigest(answer)
}

/** The digest that a registry tells of what was asked for or written, if it is one. */
export function toldDigest({ headers }: HttpAnswer): string | undefined {
  const digest = headers['docker-content-digest']
  return typeof digest === 'string' && digestFault(digest) === undefined ? digest : undefined
}

/** A request for the manifest that a reference stands for: by its digest where it has one. */
export function manifestRequest(reference: ImageReference, method: ApiRequest['method'], signal: Signal): ApiRequest {
  const { domain, path, tag, digest } = reference
  const resource = `manifests/${digest ?? tag ?? 'latest'}`
  return {
    method,
    domain,
    repository: path,
    resource,
    subject: formatFamiliar(reference),
    headers: { accept: ACCEPT },
    signal,
  }
}

/**
 * Reads the body of an answer whole.
 * @throws RegistryError beyond `limit` bytes, or when the connection breaks; the signal's reason when it is aborted
 */
export async function readSmall(
  answer: HttpAnswer,
  { request, limit }: { readonly request: ApiRequest; readonly limit: number },
): Promise<Buffer> {
  try {
    return await readBody(answer, limit)
  } catch (error) {
    request.signal?.throwIfAborted()
    if (error instanceof BodyTooLargeError) throw badAnswer(request.subject, `${error.message}.`)
    throw unreachable(request.subject, request.domain, error)
  }
}
