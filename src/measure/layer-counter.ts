/** Counts layers as they are pushed: a sink for the layer registry that reads each blob's tar and keeps only figures. */
import { PassThrough } from 'node:stream'
import { once } from 'node:events'
import type { BlobSink } from '../cache/blob-uploads.ts'
import { readLayer, type LayerContent } from './layer-reader.ts'

export class LayerCounter {
  readonly #layers = new Map<string, LayerContent>()

  /** What was counted of a blob; undefined where it was not pushed or is no readable layer. */
  get(digest: string): LayerContent | undefined {
    return this.#layers.get(digest)
  }

  /** Digest → file bytes of every layer that was counted. */
  unpacked(): ReadonlyMap<string, number> {
    return new Map([...this.#layers].map(([digest, { unpacked }]) => [digest, unpacked]))
  }

  openSink(): BlobSink {
    const stream = new PassThrough({ highWaterMark: 1 << 20 })
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
