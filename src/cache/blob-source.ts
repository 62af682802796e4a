/** Where the layer registry finds blobs that it does not keep itself. */
import type { Readable } from 'node:stream'
import type { ByteRange } from './byte-range.ts'

/** A blob that can be sent. */
export interface OpenedBlob {
  /** Bytes. */
  readonly size: number
  /** Its bytes, or a part of them; an error of the stream breaks the answer off. Not called for an empty blob. */
  readonly open: (range: ByteRange | undefined) => Readable | Promise<Readable>
}

/** A blob that the client may fetch elsewhere by itself. */
export interface RedirectedBlob {
  readonly redirect: string
}

export interface BlobSource {
  /**
   * The bytes of a blob that will be there when it is asked for: whoever wants to push it need not. Only what was looked
   * up in this run is promised.
   */
  promised(digest: string): Promise<number | undefined>
  /** The blob; undefined where it cannot be had (any more). */
  open(digest: string): Promise<OpenedBlob | RedirectedBlob | undefined>
}
