/**
 * Counts layers as they are pushed: a sink for the layer registry that reads each blob's tar and keeps its figures and the
 * index of its files.
 */
import { PassThrough, type Readable } from 'node:stream'
import { once } from 'node:events'
import type { BlobSink } from '../cache/blob-uploads.ts'
import { FilesBudget, type FilesLimits } from './files-budget.ts'
import { LayerIndexer, type LayerIndex } from './layer-index.ts'
import { readLayer, type LayerContent } from './layer-reader.ts'

/** A layer that was read to its end. */
export interface CountedLayer extends LayerContent {
  readonly index: LayerIndex
}

/** Of all layers of a run. */
const LIMITS: FilesLimits = { entries: 1_000_000, bytes: 64 << 20 }

export class LayerCounter {
  readonly #layers = new Map<string, CountedLayer>()
  readonly #counts = new Map<string, Promise<CountedLayer | undefined>>()
  readonly #budget: FilesBudget

  /** @param limits of the indexes of all layers together; layers that come later have none. */
  constructor(limits: FilesLimits = LIMITS) {
    this.#budget = new FilesBudget(limits)
  }

  /** What was counted of a blob that passed by; undefined where it was not pushed or is no readable layer. */
  get(digest: string): CountedLayer | undefined {
    return this.#layers.get(digest)
  }

  /** Counts a blob that did not pass by, once; undefined where it is no readable layer. Never rejects. */
  async count(digest: string, open: () => Promise<Readable | undefined>): Promise<CountedLayer | undefined> {
    const known = this.#layers.get(digest)
    if (known !== undefined) return known
    let count = this.#counts.get(digest)
    if (count === undefined) {
      count = open()
        .then((stream) => (stream === undefined ? undefined : this.#read(stream, new LayerIndexer(this.#budget))))
        .catch(() => undefined)
      this.#counts.set(digest, count)
    }
    return await count
  }

  openSink(): BlobSink {
    const stream = new PassThrough({ highWaterMark: 1 << 18 })
    // A blob that is no layer (a config, an attestation, a broken tar) is still a blob: it is only not counted.
    const indexer = new LayerIndexer(this.#budget)
    const counted = this.#read(stream, indexer)
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
        const layer = await counted
        // Two targets may push the same layer at once.
        if (this.#layers.has(digest)) indexer.abandon()
        else if (layer !== undefined) this.#layers.set(digest, layer)
      },
      abort: () => {
        stream.destroy()
      },
    }
  }

  async #read(stream: Readable, indexer: LayerIndexer): Promise<CountedLayer | undefined> {
    try {
      const content = await readLayer(stream, { listener: indexer })
      return { ...content, index: indexer.finish() }
    } catch {
      indexer.abandon()
      return undefined
    }
  }
}
