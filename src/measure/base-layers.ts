/**
 * Unpacked sizes of the layers that base images bring: counted by streaming the layer from the image's own registry,
 * once per digest, and remembered. Runs beside the build, few at a time.
 */
import type { Readable } from 'node:stream'
import { FilesBudget, type FilesLimits } from './files-budget.ts'
import { LayerIndexer, type LayerIndex } from './layer-index.ts'
import { readLayer } from './layer-reader.ts'
import type { LayerMemory } from './layer-memory.ts'

export interface BaseLayersOptions {
  readonly memory: LayerMemory
  readonly signal: AbortSignal
}

const CONCURRENCY = 2
/** Of the indexes of all base layers of a run. */
const LIMITS: FilesLimits = { entries: 500_000, bytes: 32 << 20 }

/** Counts base layers; each digest once, however often it is asked for. */
export class BaseLayers {
  readonly #options: BaseLayersOptions
  readonly #counts = new Map<string, Promise<number | undefined>>()
  readonly #indexes = new Map<string, LayerIndex>()
  readonly #budget = new FilesBudget(LIMITS)
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(options: BaseLayersOptions) {
    this.#options = options
  }

  /** What is in a layer that was read; undefined where it was not. */
  indexOf(digest: string): LayerIndex | undefined {
    return this.#indexes.get(digest)
  }

  /**
   * File bytes of a layer; undefined when it cannot be read. Never rejects.
   * @param layer.isWanted it is read for its index, also where its size is remembered
   */
  async count(
    digest: string,
    layer: { readonly open: () => Promise<Readable>; readonly isWanted: boolean },
  ): Promise<number | undefined> {
    const known = this.#options.memory.get(digest)
    let count = this.#counts.get(digest)
    if (known !== undefined && count === undefined && !layer.isWanted) return known
    if (count === undefined) {
      count = this.#countOnce(digest, layer.open)
      this.#counts.set(digest, count)
    }
    return (await count) ?? known
  }

  async #countOnce(digest: string, open: () => Promise<Readable>): Promise<number | undefined> {
    await this.#turn()
    const { memory, signal } = this.#options
    try {
      if (signal.aborted) return undefined
      const indexer = new LayerIndexer(this.#budget)
      const { unpacked } = await readLayer(await open(), { signal, listener: indexer })
      this.#indexes.set(digest, indexer.finish())
      memory.set(digest, unpacked)
      return unpacked
    } catch {
      // The report says that the size is unknown; the build does not depend on it.
      return undefined
    } finally {
      this.#running--
      this.#waiting.shift()?.()
    }
  }

  async #turn(): Promise<void> {
    while (this.#running >= CONCURRENCY) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve)
      })
    }
    this.#running++
  }
}
