/** Counts layers as they are pushed: a sink for the layer registry that reads each blob's tar and keeps only figures. */
import { PassThrough, type Readable } from 'node:stream'
import { once } from 'node:events'
import type { BlobSink } from '../cache/blob-uploads.ts'
import { readLayer, type LayerContent } from './layer-reader.ts'

export class LayerCounter {
  readonly #layers = new Map<string, LayerContent>()
  readonly #counts = new Map<string, Promise<LayerContent | undefined>>()

  /** What was counted of a blob; undefined where it was not pushed or is no readable layer. */
  get(digest: string): LayerContent | undefined {
    return this.#layers.get(digest)
  }

  /** Counts a blob that did not pass by, once; undefined where it is no readable layer. Never rejects. */
  async count(digest: string, open: () => Promise<Readable | undefined>): Promise<LayerContent | undefined> {
    const known = this.#layers.get(digest)
    if (known !== undefined) return known
    let count = this.#counts.get(digest)
    if (count === undefined) {
      count = open().then((stream) => (stream === undefined ? undefined : readLayer(stream)))
      this.#counts.set(digest, count)
    }
    return await count.catch(() => undefined)
  }

  openSink(): BlobSink {
    const stream = new PassThrough({ highWaterMark: 1 << 18 })
    // A blob that is no layer (a config, an attestation, a broken tar) is still a blob: it is only not counted.
    const counted = readLayer(stream).catch(() => undefined)
    let reading = true
    void counted.then(() => {
      reading = false
      stream.resume()
    })
    return {
      write: async (chunk) => {
        if (!reading || stream.write(chunk)) return
        await Promise.race([once(stream, 'drain').catch(() => undefined), counted])
      },
      finish: async (digest) => {
        stream.end()
        const content = await counted
        if (content !== undefined) this.#layers.set(digest, content)
      },
      abort: () => {
        stream.destroy()
      },
    }
  }
}
