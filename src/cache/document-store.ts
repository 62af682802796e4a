/**
 * The small JSON documents that are pushed, kept in memory so that they can be served and read again: manifests,
 * indexes, image configs, attestations. Bounded: beyond it the oldest are forgotten and simply not there. Nothing is
 * ever refused for want of room, since a refused push would fail the user's build.
 */
import { digestOf } from '../images/manifest.ts'

export interface StoredManifest {
  readonly digest: string
  readonly mediaType: string
  readonly bytes: Buffer
}

interface Document {
  readonly bytes: Buffer
  /** Of manifests; other blobs come without. */
  readonly mediaType: string | undefined
}

/** A registry must accept manifests of 4 MiB; larger ones may be refused. (distribution-spec, "Pushing Manifests") */
export const MAX_DOCUMENT_BYTES = 4 << 20
const MAX_TOTAL_BYTES = 128 << 20

export class DocumentStore {
  /** Digest → document, the oldest first. */
  readonly #documents = new Map<string, Document>()
  /** `repository reference` → digest. */
  readonly #names = new Map<string, string>()
  readonly #maxBytes: number
  #total = 0

  /** @param maxBytes Σ of all documents kept. */
  constructor(maxBytes = MAX_TOTAL_BYTES) {
    this.#maxBytes = maxBytes
  }

  /** Keeps a manifest by its digest and, where it was pushed by tag, by that. */
  putManifest(options: {
    readonly repository: string
    readonly reference: string
    readonly mediaType: string
    readonly bytes: Buffer
  }): StoredManifest {
    const { repository, reference, mediaType, bytes } = options
    const digest = digestOf(bytes)
    this.#put(digest, { bytes, mediaType })
    this.#names.set(`${repository} ${digest}`, digest)
    this.#names.set(`${repository} ${reference}`, digest)
    return { digest, mediaType, bytes }
  }

  manifest(repository: string, reference: string): StoredManifest | undefined {
    const digest = this.#names.get(`${repository} ${reference}`)
    const found = digest === undefined ? undefined : this.#documents.get(digest)
    if (digest === undefined || found?.mediaType === undefined) return undefined
    return { digest, mediaType: found.mediaType, bytes: found.bytes }
  }

  /** Keeps a blob under its digest, which the caller has checked. */
  putBlob(digest: string, bytes: Buffer): void {
    if (!this.#documents.has(digest)) this.#put(digest, { bytes, mediaType: undefined })
  }

  blob(digest: string): Buffer | undefined {
    return this.#documents.get(digest)?.bytes
  }

  #put(digest: string, document: Document): void {
    this.#total += document.bytes.length - (this.#documents.get(digest)?.bytes.length ?? 0)
    this.#documents.set(digest, document)
    for (const [oldest, { bytes }] of this.#documents) {
      if (this.#total <= this.#maxBytes) break
      this.#documents.delete(oldest)
      this.#total -= bytes.length
    }
  }
}
