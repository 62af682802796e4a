/**
 * An OCI layout on disk, served as a repository: so that it can stand for an image whose name a stage bears, too, which a
 * named context cannot. By digest only; links that lead out of the directory are not followed.
 * https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
 */
import { createReadStream } from 'node:fs'
import { open, realpath, stat } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join, sep } from 'node:path'
import { MAX_DOCUMENT_BYTES, type StoredManifest } from './document-store.ts'
import { answerError, sendBlob } from './registry-answer.ts'
import { isDigest } from './registry-route.ts'

export class LayoutFolder {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  /** A manifest or index by digest. */
  async manifest(digest: string): Promise<StoredManifest | undefined> {
    const path = await this.#path(digest)
    if (path === undefined) return undefined
    await using file = await open(path)
    if ((await file.stat()).size > MAX_DOCUMENT_BYTES) return undefined
    const bytes = await file.readFile()
    const mediaType = mediaTypeOf(bytes)
    return mediaType === undefined ? undefined : { digest, mediaType, bytes }
  }

  /** Answers GET (also of a range) and HEAD for a blob. */
  async sendBlob(digest: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = await this.#path(digest)
    if (path === undefined) {
      answerError(response, 404, 'BLOB_UNKNOWN')
      return
    }
    const { size } = await stat(path)
    await sendBlob({ digest, size, open: (range) => createReadStream(path, range ?? {}) }, request, response)
  }

  async #path(digest: string): Promise<string | undefined> {
    if (!isDigest(digest)) return undefined
    try {
      const root = await realpath(this.#directory)
      const path = await realpath(join(root, 'blobs', ...digest.split(':')))
      return path.startsWith(root + sep) ? path : undefined
    } catch {
      return undefined
    }
  }
}

function mediaTypeOf(bytes: Buffer): string | undefined {
  try {
    const document: unknown = JSON.parse(bytes.toString('utf8'))
    if (typeof document !== 'object' || document === null) return undefined
    if ('mediaType' in document && typeof document.mediaType === 'string') return document.mediaType
    return 'manifests' in document
      ? 'application/vnd.oci.image.index.v1+json'
      : 'application/vnd.oci.image.manifest.v1+json'
  } catch {
    return undefined
  }
}
