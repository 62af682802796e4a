/**
 * The small JSON documents that are pushed, kept in memory so that they can be served and read again: manifests,
 * indexes, image configs, attestations. Bounded; what does not fit is dropped and simply not there.
 */
import { createHash } from 'node:crypto'

export interface StoredManifest {
  readonly digest: string
  readonly mediaType: string
  readonly bytes: Buffer
}

/** A registry must accept manifests of 4 MiB; larger ones may be refused. (distribution-spec, "Pushing Manifests") */
export const MAX_DOCUMENT_BYTES = 4 << 20
const MAX_TOTAL_BYTES = 128 << 20

export class DocumentStore {
  readonly #manifests = new Map<string, StoredManifest>()
  /** `repository reference` → digest. */
  readonly #names = new Map<string, string>()
  readonly #blobs = new Map<string, Buffer>()
  #total = 0

  /** Keeps a manifest by its digest and, where it was pushed by tag, by that; false when the store is full. */
  putManifest(options: {
    readonly repository: string
    readonly reference: string
    readonly mediaType: string
    readonly bytes: Buffer
  }): StoredManifest | undefined {
    const { repository, reference, mediaType, bytes } = options
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    if (!this.#take(bytes.length)) return undefined
    const manifest = { digest, mediaType, bytes }
    this.#manifests.set(digest, manifest)
    this.#names.set(`${repository} ${digest}`, digest)
    this.#names.set(`${repository} ${reference}`, digest)
    return manifest
  }

  manifest(repository: string, reference: string): StoredManifest | undefined {
    const digest = this.#names.get(`${repository} ${reference}`)
    return digest === undefined ? undefined : this.#manifests.get(digest)
  }

  putBlob(digest: string, bytes: Buffer): void {
    if (!this.#blobs.has(digest) && this.#take(bytes.length)) this.#blobs.set(digest, bytes)
  }

  blob(digest: string): Buffer | undefined {
    return this.#blobs.get(digest)
  }

  #take(bytes: number): boolean {
    if (this.#total + bytes > MAX_TOTAL_BYTES) return false
    this.#total += bytes
    return true
  }
}
