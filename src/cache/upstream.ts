/**
 * Blobs of base images, which their own registries keep: promised, so that nobody pushes (and nothing stores) them. When
 * BuildKit asks for one it is sent there, if that needs no login; else the blob is streamed through here. Only images that were looked up in this run are known.
 */
import type { Readable } from 'node:stream'
import type { BlobSource, OpenedBlob, RedirectedBlob } from './blob-source.ts'
import type { ByteRange } from './byte-range.ts'
import { isDigest } from './registry-route.ts'

export interface UpstreamImage {
  readonly layers: readonly { readonly digest: string; readonly size: number }[]
  /** Opens a layer in the image's registry; a whole one is checked against its digest as it passes. */
  readonly open: (digest: string, range: ByteRange | undefined) => Promise<Readable>
  /** The address of a layer that anybody may fetch without a login; undefined where that was not seen to work. */
  readonly publicUrl?: (digest: string) => Promise<string | undefined>
}

interface Kept {
  readonly size: number
  readonly image: UpstreamImage
}

export class Upstream implements BlobSource {
  readonly #blobs = new Map<string, Kept>()
  readonly #failed = new Set<string>()
  readonly #redirected = new Set<string>()
  readonly #foreseen = new Map<string, Promise<string | undefined>>()
  #bytes = 0

  add(image: UpstreamImage): void {
    for (const { digest, size } of image.layers) {
      if (isDigest(digest) && !this.#blobs.has(digest)) this.#blobs.set(digest, { size, image })
    }
  }

  has(digest: string): boolean {
    return this.#blobs.has(digest)
  }

  /** Bytes that were asked of base images' registries. */
  get bytesProxied(): number {
    return this.#bytes
  }

  /** Digests that BuildKit was sent elsewhere for; how that went is not known here. */
  get redirected(): ReadonlySet<string> {
    return this.#redirected
  }

  /** Digests that a registry could not give when BuildKit asked for them. */
  get failed(): ReadonlySet<string> {
    return this.#failed
  }

  /** Finds out where layers can be fetched that BuildKit will ask for: it asks for one after the other, and waits. */
  foresee(digests: readonly string[]): void {
    for (const digest of digests) {
      if (this.#foreseen.has(digest)) continue
      const url = this.#blobs.get(digest)?.image.publicUrl?.(digest)
      // Who asks for the layer asks again then.
      if (url !== undefined)
        this.#foreseen.set(
          digest,
          url.catch(() => undefined),
        )
    }
  }

  promised(digest: string): Promise<number | undefined> {
    return Promise.resolve(this.#blobs.get(digest)?.size)
  }

  async open(digest: string): Promise<OpenedBlob | RedirectedBlob | undefined> {
    const kept = this.#blobs.get(digest)
    if (kept === undefined) return undefined
    const foreseen = this.#foreseen.get(digest)
    // Such an address is good for minutes: only for the first time that is asked.
    this.#foreseen.delete(digest)
    const redirect = (await foreseen) ?? (await kept.image.publicUrl?.(digest))
    if (redirect === undefined) return { size: kept.size, open: (range) => this.#stream(digest, kept, range) }
    if (!this.#redirected.has(digest)) this.#bytes += kept.size
    this.#redirected.add(digest)
    return { redirect }
  }

  async #stream(digest: string, { size, image }: Kept, range: ByteRange | undefined): Promise<Readable> {
    try {
      const stream = await image.open(digest, range)
      stream.once('error', () => this.#failed.add(digest))
      this.#bytes += range === undefined ? size : range.end - range.start + 1
      return stream
    } catch (error) {
      this.#failed.add(digest)
      throw error
    }
  }
}
