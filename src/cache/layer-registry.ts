/**
 * The layer registry: an OCI distribution registry on loopback, alive for one step. This is its receiving half: BuildKit
 * pushes a copy of every image here. Blobs that a base image's own registry keeps are said to be here, so they are
 * never pushed; what is pushed goes to a sink (which measures it) and is not kept, but for small JSON documents.
 *
 * It listens on 127.0.0.1 only, on a random port, and knows only repositories below a secret name. Nothing is listed.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
 */
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { BlobUploads, type BlobSink } from './blob-uploads.ts'
import { DocumentStore, MAX_DOCUMENT_BYTES, type StoredManifest } from './document-store.ts'
import { LayoutFolder } from './layout-folder.ts'
import { isDigest, readRoute, type RegistryRoute } from './registry-route.ts'
import { answer, answerError, readBounded } from './registry-answer.ts'
import { withDocuments } from './document-sink.ts'

export interface LayerRegistryOptions {
  /** Opens a sink for a blob that is pushed. */
  readonly openSink: () => BlobSink
  /** One line per request, without the secret. */
  readonly debug?: ((line: string) => void) | undefined
}

/** A running registry; `close` ends it and every connection. */
export class LayerRegistry {
  /** `127.0.0.1:PORT` */
  readonly host: string
  readonly #server: Server
  readonly #secret: string
  readonly #debug: (line: string) => void
  readonly #documents = new DocumentStore()
  readonly #uploads: BlobUploads
  /** Blobs that are said to be here: a base image's, and those received. Digest → bytes. */
  readonly #known = new Map<string, number>()
  readonly #layouts = new Map<string, LayoutFolder>()

  private constructor(server: Server, secret: string, options: LayerRegistryOptions) {
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('the layer registry has no port')
    this.host = `127.0.0.1:${address.port}`
    this.#server = server
    this.#secret = secret
    this.#debug = options.debug ?? (() => undefined)
    this.#uploads = new BlobUploads(() => withDocuments(options.openSink(), this.#documents))
    server.on('request', (request, response) => {
      void this.#serve(request, response)
    })
  }

  /** Starts a registry on a free port. */
  static async start(options: LayerRegistryOptions): Promise<LayerRegistry> {
    const server = createServer()
    // A large layer takes as long as it takes.
    server.requestTimeout = 0
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

  /** Blobs that another registry keeps: asked for with HEAD, they are here, so nobody pushes them. */
  addKnownBlobs(blobs: Iterable<{ readonly digest: string; readonly size: number }>): void {
    for (const { digest, size } of blobs) if (isDigest(digest)) this.#known.set(digest, size)
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
      this.#debug(`${method} ${this.#hidden(url)} ${response.statusCode} ${ms} ms`)
    })
    try {
      const route = readRoute(url, this.#secret)
      if (route === undefined) answerError(response, 404, 'NAME_UNKNOWN')
      else await this.#dispatch(route, request, response)
    } catch {
      // The client is gone, or broke the protocol; either way there is nobody to tell more.
      if (!response.headersSent) answerError(response, 400, 'BLOB_UPLOAD_INVALID')
      else response.destroy()
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
    else if (route.kind === 'start-upload' && method === 'POST') await this.#startUpload(route, request, response)
    else if (route.kind === 'upload' && method === 'PATCH') await this.#patchUpload(route, request, response)
    else if (route.kind === 'upload' && method === 'PUT') await this.#finishUpload(route, request, response)
    else if (route.kind === 'upload' && method === 'DELETE') {
      this.#uploads.cancel(route.id)
      answer(response, 204)
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
    const headers = { 'docker-content-digest': digest, 'content-type': 'application/octet-stream' }
    const size = bytes?.length ?? this.#known.get(digest)
    if (size === undefined) answerError(response, 404, 'BLOB_UNKNOWN')
    else if (request.method === 'HEAD') answer(response, 200, { ...headers, 'content-length': size })
    else if (bytes !== undefined) answer(response, 200, headers, bytes)
    // Known, but not kept: a base image's blob is at its registry, a measured one is gone.
    else answerError(response, 404, 'BLOB_UNKNOWN')
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
    const mediaType = request.headers['content-type'] ?? 'application/octet-stream'
    const stored = this.#documents.putManifest({ repository, reference, mediaType, bytes })
    if (stored === undefined) answerError(response, 507, 'TOOMANYREQUESTS')
    else if (isDigest(reference) && reference !== stored.digest) answerError(response, 400, 'DIGEST_INVALID')
    else {
      const location = `/v2/${repository}/manifests/${stored.digest}`
      answer(response, 201, { location, 'docker-content-digest': stored.digest })
    }
  }

  /** Also answers a mount (`?mount=…&from=…`): with 202, as an upload to be made, since nothing is held here. */
  async #startUpload(
    { repository, digest }: RegistryRoute & { kind: 'start-upload' },
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const id = this.#uploads.start(repository)
    if (id === undefined) answerError(response, 429, 'TOOMANYREQUESTS')
    else if (digest !== undefined) await this.#receive({ repository, id, digest }, request, response)
    else answer(response, 202, { ...uploadHeaders(repository, id), range: '0-0' })
  }

  async #patchUpload(
    { repository, id }: RegistryRoute & { kind: 'upload' },
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const start = /^(\d+)-\d+$/.exec(request.headers['content-range'] ?? '')?.[1]
    if (!this.#uploads.isOpen(repository, id)) answerError(response, 404, 'BLOB_UPLOAD_UNKNOWN')
    else if (start !== undefined && Number(start) !== this.#uploads.sizeOf(id)) {
      answerError(response, 416, 'BLOB_UPLOAD_INVALID')
    } else {
      await this.#uploads.append(id, request)
      const end = Math.max(0, this.#uploads.sizeOf(id) - 1)
      answer(response, 202, { ...uploadHeaders(repository, id), range: `0-${end}` })
    }
  }

  async #finishUpload(
    { repository, id, digest }: RegistryRoute & { kind: 'upload' },
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    if (!this.#uploads.isOpen(repository, id)) answerError(response, 404, 'BLOB_UPLOAD_UNKNOWN')
    else await this.#receive({ repository, id, digest: digest ?? '' }, request, response)
  }

  async #receive(
    upload: { readonly repository: string; readonly id: string; readonly digest: string },
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { repository, id, digest } = upload
    if (!isDigest(digest)) {
      this.#uploads.cancel(id)
      answerError(response, 400, 'DIGEST_INVALID')
      return
    }
    await this.#uploads.append(id, request)
    const finished = await this.#uploads.finish(id, digest)
    if (finished.kind === 'wrong-digest') {
      answerError(response, 400, 'DIGEST_INVALID')
      return
    }
    this.#known.set(digest, finished.size)
    answer(response, 201, { location: `/v2/${repository}/blobs/${digest}`, 'docker-content-digest': digest })
  }

  #hidden(text: string): string {
    return text.replaceAll(this.#secret, '…')
  }
}

function uploadHeaders(repository: string, id: string): Readonly<Record<string, string>> {
  return { location: `/v2/${repository}/blobs/uploads/${id}`, 'docker-upload-uuid': id }
}
