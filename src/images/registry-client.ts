/**
 * Reads images from registries: what a name stands for, manifests, configs, and blobs as streams. Everything that has a
 * digest is checked against it. Writes nothing but further tags of what is there.
 */
import { Readable } from 'node:stream'
import { createHash } from 'node:crypto'
import type { HttpAnswer } from './http-exchange.ts'
import { digestOf, type ImageConfig, ManifestError, parseImageConfig } from './manifest.ts'
import {
  manifestRequest,
  type RawManifest,
  readManifest,
  readSmall,
  toldDigest,
  writeManifest,
} from './manifest-writer.ts'
import {
  digestFault,
  formatFamiliar,
  formatReference,
  type ImageReference,
  parseReference,
  tagNameOnly,
  withDigest,
} from './reference.ts'
import { badAnswer, RegistryError, unreachable } from './registry-error.ts'
import { type ApiRequest, RegistryTransport, type TransportOptions } from './registry-transport.ts'
import { type ResolvedImage, resolvePlatform } from './resolve-image.ts'

export interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** Bytes `start` … `end` inclusive; to the end of the blob without `end`. */
export interface ByteRange {
  readonly start: number
  readonly end?: number | undefined
}

export interface OpenBlob {
  /** Ends with a RegistryError when the bytes are not those of the digest or the connection breaks. */
  readonly stream: Readable
  /** Bytes to come; undefined where the registry does not say. */
  readonly size: number | undefined
}

/** Configs are JSON of some kilobytes. */
const MAX_CONFIG_BYTES = 8 << 20
const LONGEST_QUESTION_MS = 10_000

/** A client for all registries; `image` parameters are names as users write them. */
export class RegistryClient {
  readonly #transport: RegistryTransport

  constructor(options: TransportOptions) {
    this.#transport = new RegistryTransport(options)
  }

  /** Closes connections that are kept for later requests. */
  close(): void {
    this.#transport.close()
  }

  /**
   * The digest of what a name stands for, by HEAD (which counts against no pull limit), or by the manifest itself.
   * @throws RegistryError, InvalidReferenceError
   */
  async resolveDigest(image: string, options: Cancellable = {}): Promise<string> {
    const reference = tagNameOnly(parseReference(image))
    return (
      reference.digest ??
      (await this.#headDigest(reference, options)) ??
      (await this.#manifest(reference, options)).digest
    )
  }

  /**
   * The digest of what a name stands for in its registry, asked also for a name with a digest; undefined when it is not there.
   * @throws RegistryError for any other answer, InvalidReferenceError
   */
  async findDigest(image: string, options: Cancellable = {}): Promise<string | undefined> {
    const reference = tagNameOnly(parseReference(image))
    try {
      return (await this.#headDigest(reference, options)) ?? (await this.#manifest(reference, options)).digest
    } catch (error) {
      if (error instanceof RegistryError && error.kind === 'not-found') return undefined
      throw error
    }
  }

  /**
   * Whether the image's repository holds a manifest or an index, whatever its tags say.
   * @throws RegistryError, InvalidReferenceError
   */
  async hasManifest(image: string, digest: string, options: Cancellable = {}): Promise<boolean> {
    const { domain, path } = parseReference(image)
    return (await this.findDigest(formatReference(withDigest({ domain, path }, digest)), options)) !== undefined
  }

  /**
   * What a name stands for, and the image in it for a platform (`linux/amd64`).
   * @throws RegistryError (`not-found` also when there is none for the platform), InvalidReferenceError
   */
  async resolveImage(image: string, options: Cancellable & { readonly platform: string }): Promise<ResolvedImage> {
    const reference = tagNameOnly(parseReference(image))
    const root = await this.#manifest(reference, options)
    return await resolvePlatform(root, {
      subject: formatFamiliar(reference),
      platform: options.platform,
      fetch: (digest) => this.#manifest({ ...reference, digest }, options),
    })
  }

  /**
   * The manifest or index that a name stands for.
   * @throws RegistryError, InvalidReferenceError
   */
  async fetchManifest(image: string, options: Cancellable = {}): Promise<RawManifest> {
    return await this.#manifest(tagNameOnly(parseReference(image)), options)
  }

  /**
   * Puts a manifest under a tag of a repository that has its parts; the tag is asked for what it stands for then, unless the
   * registry says it at once.
   * @returns the digest that the tag stands for now; undefined when it is not there
   * @throws RegistryError, InvalidReferenceError
   */
  async writeTag(tag: string, manifest: RawManifest, options: Cancellable = {}): Promise<string | undefined> {
    const reference = tagNameOnly(parseReference(tag))
    const told = await writeManifest(this.#transport, reference, { ...manifest, signal: options.signal })
    return told ?? (await this.findDigest(tag, options))
  }

  /**
   * The config of an image (of `ResolvedImage.configDigest`).
   * @throws RegistryError, InvalidReferenceError
   */
  async fetchConfig(image: string, configDigest: string, options: Cancellable = {}): Promise<ImageConfig> {
    const request = blobRequest(image, { digest: configDigest, method: 'GET', signal: options.signal })
    const bytes = await readSmall(await this.#transport.send(request), { request, limit: MAX_CONFIG_BYTES })
    if (digestOf(bytes, configDigest) !== configDigest)
      throw badAnswer(request.subject, 'the bytes are not those of its digest.')
    return guarded(request.subject, () => parseImageConfig(bytes))
  }

  /**
   * The size of a blob in the image's repository, undefined when it is not there.
   * @throws RegistryError, InvalidReferenceError
   */
  async headBlob(
    image: string,
    digest: string,
    options: Cancellable = {},
  ): Promise<{ readonly size: number | undefined } | undefined> {
    const request = { ...blobRequest(image, { digest, method: 'HEAD', signal: options.signal }), accept: [404] }
    const answer = await this.#transport.send(request)
    answer.body.resume()
    return answer.status === 404 ? undefined : { size: contentLength(answer) }
  }

  /**
   * A blob of the image's repository as a stream. A whole blob is checked against its digest as it passes; of a part
   * only the length can be.
   * @throws RegistryError, InvalidReferenceError
   */
  async openBlob(
    image: string,
    digest: string,
    options: Cancellable & { readonly range?: ByteRange } = {},
  ): Promise<OpenBlob> {
    const { range, signal } = options
    const request = {
      ...blobRequest(image, { digest, method: 'GET', signal }),
      streamed: true,
      ...(range === undefined ? {} : { headers: { range: `bytes=${range.start}-${range.end ?? ''}` } }),
    }
    const answer = await this.#transport.send(request)
    const partial = answer.status === 206
    if (range !== undefined && !partial && range.start > 0) {
      answer.body.destroy()
      throw badAnswer(request.subject, 'the registry cannot give a part of it.', answer.status)
    }
    const length = contentLength(answer)
    const wanted = range?.end === undefined ? undefined : range.end - range.start + 1
    const size = partial || wanted === undefined || length === undefined ? length : Math.min(length, wanted)
    const bytes = range === undefined ? checked(answer, { digest, request }) : limited(answer, { size, request })
    const stream = Readable.from(bytes, { objectMode: false })
    // A reader that leaves before the first byte never enters the generator, which would end the answer.
    stream.once('close', () => answer.body.destroy())
    return { stream, size }
  }

  /** The address of a blob that anybody may fetch; undefined where a login is needed. Never rejects. */
  async publicBlobUrl(image: string, digest: string, options: Cancellable = {}): Promise<URL | undefined> {
    return await this.#transport.publicUrl(blobRequest(image, { digest, method: 'HEAD', signal: options.signal }))
  }

  /** Seconds that the registry of an image now asks to wait for; undefined where it does not. Never rejects. */
  async retryAfter(image: string, { signal }: Cancellable = {}): Promise<number | undefined> {
    try {
      const limit = AbortSignal.timeout(LONGEST_QUESTION_MS)
      const request = manifestRequest(
        tagNameOnly(parseReference(image)),
        'HEAD',
        signal === undefined ? limit : AbortSignal.any([signal, limit]),
      )
      ;(await this.#transport.send({ ...request, once: true })).body.resume()
      return undefined
    } catch (error) {
      return error instanceof RegistryError ? error.retryAfter : undefined
    }
  }

  async #headDigest(reference: ImageReference, { signal }: Cancellable): Promise<string | undefined> {
    // Registries that do not know HEAD say so in several ways; GET will tell what is really wrong.
    const request = { ...manifestRequest(reference, 'HEAD', signal), accept: [400, 405, 501] }
    const answer = await this.#transport.send(request)
    answer.body.resume()
    return answer.status === 200 ? toldDigest(answer) : undefined
  }

  async #manifest(reference: ImageReference, { signal }: Cancellable): Promise<RawManifest> {
    return await readManifest(this.#transport, reference, signal)
  }
}

function blobRequest(
  image: string,
  { digest, method, signal }: { readonly digest: string; readonly method: 'GET' | 'HEAD' } & Cancellable,
): ApiRequest {
  const fault = digestFault(digest)
  if (fault !== undefined) throw new TypeError(`${JSON.stringify(digest)}: ${fault}`)
  const reference = parseReference(image)
  const subject = `${formatFamiliar(reference)} (blob ${digest.slice(0, digest.indexOf(':') + 13)})`
  return { method, domain: reference.domain, repository: reference.path, resource: `blobs/${digest}`, subject, signal }
}

function contentLength(answer: HttpAnswer): number | undefined {
  const length = Number(answer.headers['content-length'])
  return Number.isSafeInteger(length) && length >= 0 ? length : undefined
}

function guarded<T>(subject: string, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (error instanceof ManifestError) throw badAnswer(subject, `${error.message}.`)
    throw error
  }
}

async function* received(answer: HttpAnswer, request: ApiRequest): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* answer.body as AsyncIterable<Buffer>
  } catch (error) {
    request.signal?.throwIfAborted()
    throw error instanceof RegistryError ? error : unreachable(request.subject, request.domain, error)
  }
}

async function* checked(
  answer: HttpAnswer,
  { digest, request }: { readonly digest: string; readonly request: ApiRequest },
): AsyncGenerator<Buffer, void, undefined> {
  const hash = createHash(digest.slice(0, digest.indexOf(':')))
  for await (const chunk of received(answer, request)) {
    hash.update(chunk)
    yield chunk
  }
  if (!digest.endsWith(`:${hash.digest('hex')}`))
    throw badAnswer(request.subject, 'the bytes are not those of its digest.')
}

/** A part of a blob: no more than was asked for, also from a registry that sends the whole. */
async function* limited(
  answer: HttpAnswer,
  { size, request }: { readonly size: number | undefined; readonly request: ApiRequest },
): AsyncGenerator<Buffer, void, undefined> {
  let left = size ?? Number.POSITIVE_INFINITY
  for await (const chunk of received(answer, request)) {
    yield chunk.length <= left ? chunk : chunk.subarray(0, left)
    left -= chunk.length
    if (left <= 0) return
  }
  if (size !== undefined && left > 0) throw badAnswer(request.subject, 'the part ends too early.')
}
