/**
 * The layer registry: an OCI distribution registry on loopback, alive for one step. BuildKit reads its layer cache from
 * it and pushes its new cache and a copy of every image to it. What is pushed goes to sinks (one measures it, one keeps
 * it for the cache); small JSON documents are kept in memory. Other blobs come from sources: what this run received,
 * what earlier runs saved, and what a base image's own registry keeps. Nobody pushes what a source promises.
 *
 * It listens on 127.0.0.1 only, on a random port, and knows only repositories below a secret name. Nothing is listed.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
 */
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { digestOf } from '../images/manifest.ts'
import { BlobUploads, type BlobSink } from './blob-uploads.ts'
import { DocumentStore, MAX_DOCUMENT_BYTES, type StoredManifest } from './document-store.ts'
import { LayoutFolder } from './layout-folder.ts'
import { isDigest, readRoute, type RegistryRoute } from './registry-route.ts'
import type { BlobSource } from './blob-source.ts'
import type { ByteRange } from './byte-range.ts'
import { YoungGarbage } from './young-garbage.ts'
import { answer, answerBlobHead, answerError, readBounded, sendBlob } from './registry-answer.ts'
import { UploadEndpoint } from './upload-endpoint.ts'
import { documentSink } from './document-sink.ts'
import { ExpectedUploads } from './expected-uploads.ts'

export interface LayerRegistryOptions {
  /** Opens the sinks for a blob that is pushed to the repository of a name. */
  readonly openSinks: (name: string) => readonly BlobSink[]
  /** Where blobs are found, in this order. */
  readonly sources: readonly BlobSource[]
  /** One line per request, without the secret. */
  readonly debug?: ((line: string) => void) | undefined
}

/** Longer than Go's clients keep a connection idle (90 s), so that they and not the registry close it. */
const KEEP_ALIVE_MS = 120_000

/** A running registry; `close` ends it and every connection. */
export class LayerRegistry {
  /** `127.0.0.1:PORT` */
  readonly host: string
  readonly #server: Server
  readonly #secret: string
  readonly #debug: (line: string) => void
  readonly #documents = new DocumentStore()
  readonly #uploads: BlobUploads
  readonly #uploadEndpoint: UploadEndpoint
  readonly #sources: readonly BlobSource[]
  /** Digest → bytes of what was received: measured, and perhaps not kept. */
  readonly #received = new Map<string, number>()
  readonly #refused = new Set<string>()
  readonly #expected = new ExpectedUploads()
  readonly #layouts = new Map<string, LayoutFolder>()
  readonly #garbage = new YoungGarbage()

  private constructor(server: Server, secret: string, options: LayerRegistryOptions) {
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('the layer registry has no port')
    this.host = `127.0.0.1:${address.port}`
    this.#server = server
    this.#secret = secret
    this.#debug = options.debug ?? (() => undefined)
    this.#sources = options.sources
    this.#uploads = new BlobUploads(
      (repository) => [documentSink(this.#documents), ...options.openSinks(repository.slice(secret.length + 1))],
      (error) => {
        this.#debug(`a blob could not be taken in: ${error instanceof Error ? error.message : String(error)}`)
      },
    )
    this.#uploadEndpoint = new UploadEndpoint(this.#uploads, {
      expected: this.#expected,
      onReceived: (digest, size) => {
        this.#received.set(digest, size)
      },
    })
    server.on('request', (request, response) => {
      void this.#serve(request, response)
    })
  }

  /** Starts a registry on a free port. */
  static async start(options: LayerRegistryOptions): Promise<LayerRegistry> {
    const server = createServer()
    // A large layer takes as long as it takes.
    server.requestTimeout = 0
    // Node closes an idle connection after 5 s, and a client that reuses it at that moment sees its request fail.
    server.keepAliveTimeout = KEEP_ALIVE_MS
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(0, '127.0.0.1', resolve)
    })
    return new LayerRegistry(server, `sb${randomBytes(16).toString('hex')}`, options)
  }

  /** The full repository for a name: `SECRET/name`. */
  repository(name: string): string {
    return `${this.#secret}/${name}`
  }

  /** Puts a manifest under a tag, with its config, to be read by BuildKit. */
  offer(
    name: string,
    tag: string,
    { manifest, config, mediaType }: { readonly manifest: Buffer; readonly config: Buffer; readonly mediaType: string },
  ): void {
    const repository = this.repository(name)
    this.#documents.putManifest({ repository, reference: tag, mediaType, bytes: manifest })
    this.#documents.putBlob(digestOf(config), config)
  }

  /** Blobs that somebody asked for and that could not be given: a build that needs one fails. */
  get refused(): ReadonlySet<string> {
    return this.#refused
  }

  /** Serves an OCI layout as a repository; only by digest. */
  serveLayout(name: string, directory: string): void {
    this.#layouts.set(this.repository(name), new LayoutFolder(directory))
  }

  /** What was pushed to a repository under a tag or digest. */
  manifest(name: string, reference: string): StoredManifest | undefined {
    return this.#documents.manifest(this.repository(name), reference)
  }

  /** A small JSON blob that was pushed: an image config. */
  document(digest: string): Buffer | undefined {
    return this.#documents.blob(digest)
  }

  async close(): Promise<void> {
    this.#uploads.cancelAll()
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve()
      })
      this.#server.closeAllConnections()
    })
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const started = performance.now()
    const { method = 'GET', url = '/' } = request
    response.once('close', () => {
      const ms = Math.round(performance.now() - started)
      const bytes = Number(request.headers['content-length'] ?? response.getHeader('content-length') ?? 0)
      this.#debug(`${method} ${this.hidden(url)} ${response.statusCode} ${bytes} B ${ms} ms`)
    })
    try {
      const route = readRoute(url, this.#secret)
      if (route === undefined) answerError(response, 404, 'NAME_UNKNOWN')
      else await this.#garbage.during(() => this.#dispatch(route, request, response))
    } catch (error) {
      const isGone = request.destroyed && !request.complete
      if (!isGone) this.#debug(this.hidden(`${method} failed: ${String(error)}`))
      // Half an answer cannot be mended; without one, a client tries again after a 500.
      if (response.headersSent || isGone) response.destroy()
      else answerError(response, 500, 'UNKNOWN')
    } finally {
      // A refused body must be read or the connection closed, or a client that waits to send it would hang.
      if (!request.readableEnded) request.resume()
    }
  }

  async #dispatch(route: RegistryRoute, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method ?? 'GET'
    const reads = method === 'GET' || method === 'HEAD'
    if (route.kind === 'version' && reads) answer(response, 200)
    else if (route.kind === 'blob' && reads) await this.#getBlob(route, request, response)
    else if (route.kind === 'manifest' && reads) await this.#getManifest(route, method, response)
    else if (route.kind === 'manifest' && method === 'PUT') await this.#putManifest(route, request, response)
    else if (route.kind === 'start-upload' || route.kind === 'upload') {
      if (!(await this.#uploadEndpoint.serve(route, request, response))) answerError(response, 405, 'UNSUPPORTED')
    } else answerError(response, 405, 'UNSUPPORTED')
  }

  async #getBlob(
    { repository, digest }: RegistryRoute & { kind: 'blob' },
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const layout = this.#layouts.get(repository)
    if (layout !== undefined) {
      await layout.sendBlob(digest, request, response)
      return
    }
    const bytes = this.#documents.blob(digest)
    if (bytes !== undefined) {
      const open = ({ start, end }: ByteRange = { start: 0, end: bytes.length - 1 }): Readable =>
        Readable.from([bytes.subarray(start, end + 1)])
      await sendBlob({ digest, size: bytes.length, open }, request, response)
    } else if (request.method === 'HEAD') await this.#headBlob(digest, response)
    else await this.#sendFromSource(digest, request, response)
  }

  async #headBlob(digest: string, response: ServerResponse): Promise<void> {
    let size = await this.#sizeOf(digest)
    if (size === undefined && (await this.#expected.arrives(digest))) size = await this.#sizeOf(digest)
    if (size === undefined) answerError(response, 404, 'BLOB_UNKNOWN')
    else answerBlobHead(response, { digest, size })
  }

  async #sizeOf(digest: string): Promise<number | undefined> {
    let size = this.#received.get(digest)
    for (const source of this.#sources) size ??= await source.promised(digest)
    return size
  }

  async #sendFromSource(digest: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const source of this.#sources) {
      const blob = await source.open(digest)
      if (blob === undefined) continue
      if ('redirect' in blob) answer(response, 307, { location: blob.redirect, 'docker-content-digest': digest })
      else await sendBlob({ digest, ...blob }, request, response)
      return
    }
    this.#refused.add(digest)
    answerError(response, 404, 'BLOB_UNKNOWN')
  }

  async #getManifest(
    { repository, reference }: RegistryRoute & { kind: 'manifest' },
    method: string,
    response: ServerResponse,
  ): Promise<void> {
    const layout = this.#layouts.get(repository)
    const found =
      layout === undefined ? this.#documents.manifest(repository, reference) : await layout.manifest(reference)
    if (found === undefined) {
      answerError(response, 404, 'MANIFEST_UNKNOWN')
      return
    }
    const headers = { 'content-type': found.mediaType, 'docker-content-digest': found.digest }
    if (method === 'HEAD') answer(response, 200, { ...headers, 'content-length': found.bytes.length })
    else answer(response, 200, headers, found.bytes)
  }

  async #putManifest(
    { repository, reference }: RegistryRoute & { kind: 'manifest' },
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const bytes = await readBounded(request, MAX_DOCUMENT_BYTES)
    if (bytes === undefined) {
      answerError(response, 413, 'MANIFEST_INVALID')
      return
    }
    if (isDigest(reference) && reference !== digestOf(bytes)) {
      answerError(response, 400, 'DIGEST_INVALID')
      return
    }
    if (!isJsonObject(bytes)) {
      answerError(response, 400, 'MANIFEST_INVALID')
      return
    }
    const mediaType = request.headers['content-type'] ?? 'application/octet-stream'
    const { digest } = this.#documents.putManifest({ repository, reference, mediaType, bytes })
    const location = `/v2/${repository}/manifests/${digest}`
    answer(response, 201, { location, 'docker-content-digest': digest })
  }

  /** A text without the secret. */
  hidden(text: string): string {
    return text.replaceAll(this.#secret, '…')
  }
}

function isJsonObject(bytes: Buffer): boolean {
  try {
    const json: unknown = JSON.parse(bytes.toString('utf8'))
    return typeof json === 'object' && json !== null && !Array.isArray(json)
  } catch {
    return false
  }
}
