/**
 * The endpoints of blob uploads: started by POST (also a mount, and a whole blob at once), continued by PATCH, ended by
 * PUT with the digest. Owns the answers; the uploads themselves are `blob-uploads.ts`.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-blobs
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { BlobUploads } from './blob-uploads.ts'
import type { ExpectedUploads } from './expected-uploads.ts'
import { answer, answerError } from './registry-answer.ts'
import { isDigest, type RegistryRoute } from './registry-route.ts'

type StartRoute = RegistryRoute & { readonly kind: 'start-upload' }
type UploadRoute = RegistryRoute & { readonly kind: 'upload' }

export class UploadEndpoint {
  readonly #uploads: BlobUploads
  readonly #expected: ExpectedUploads
  readonly #onReceived: (digest: string, size: number) => void

  constructor(
    uploads: BlobUploads,
    options: {
      readonly expected: ExpectedUploads
      readonly onReceived: (digest: string, size: number) => void
    },
  ) {
    this.#uploads = uploads
    this.#expected = options.expected
    this.#onReceived = options.onReceived
  }

  /** Answers a request to an upload; false when the method is none that uploads know. */
  async serve(route: StartRoute | UploadRoute, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const method = request.method ?? 'GET'
    if (route.kind === 'start-upload') {
      if (method !== 'POST') return false
      await this.#start(route, request, response)
    } else if (!['GET', 'HEAD', 'PATCH', 'PUT', 'DELETE'].includes(method)) return false
    else if (!this.#uploads.exists(route.repository, route.id)) answerError(response, 404, 'BLOB_UPLOAD_UNKNOWN')
    else if (method === 'GET' || method === 'HEAD') answer(response, 204, this.#progress(route.repository, route.id))
    else if (method === 'DELETE') {
      this.#uploads.cancel(route.id)
      answer(response, 204)
    } else if (!this.#uploads.isIdle(route.id)) {
      // The body of another request is still being written: this client is confused, or is not the one that began.
      answerError(response, 400, 'BLOB_UPLOAD_INVALID')
    } else if (method === 'PATCH') await this.#patch(route, request, response)
    else await this.#receive({ ...route, digest: route.digest ?? '' }, request, response)
    return true
  }

  /** A mount (`?mount=…&from=…`) is an upload to be made, too: nothing is held here that could be mounted. */
  async #start({ repository, digest }: StartRoute, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const id = this.#uploads.start(repository)
    if (id === undefined) answerError(response, 429, 'TOOMANYREQUESTS')
    else if (digest !== undefined) await this.#receive({ repository, id, digest }, request, response)
    else answer(response, 202, this.#progress(repository, id))
  }

  async #patch({ repository, id }: UploadRoute, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const start = /^(\d+)-\d+$/.exec(request.headers['content-range'] ?? '')?.[1]
    if (start !== undefined && Number(start) !== this.#uploads.sizeOf(id)) {
      // The headers tell the client where to go on.
      answer(response, 416, this.#progress(repository, id))
      return
    }
    await this.#uploads.append(id, request)
    answer(response, 202, this.#progress(repository, id))
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
    this.#expected.began(digest)
    let isHere = false
    try {
      await this.#uploads.append(id, request)
      const finished = await this.#uploads.finish(id, digest)
      isHere = finished.kind === 'stored'
      if (finished.kind === 'stored') this.#onReceived(digest, finished.size)
    } finally {
      this.#expected.ended(digest, isHere)
    }
    if (!isHere) {
      answerError(response, 400, 'DIGEST_INVALID')
      return
    }
    answer(response, 201, { location: `/v2/${repository}/blobs/${digest}`, 'docker-content-digest': digest })
  }

  #progress(repository: string, id: string): Readonly<Record<string, string>> {
    return {
      location: `/v2/${repository}/blobs/uploads/${id}`,
      'docker-upload-uuid': id,
      // An upload with no byte yet is `0-0`, too: that is how distribution writes it.
      range: `0-${Math.max(0, this.#uploads.sizeOf(id) - 1)}`,
    }
  }
}
