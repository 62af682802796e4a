/**
 * Unpacked sizes of the layers that base images bring: counted by streaming the layer from the image's own registry,
 * once per digest, and remembered. Runs beside the build, few at a time.
 */
import type { Readable } from 'node:stream'
import { readLayer } from './layer-reader.ts'
import type { LayerMemory } from './layer-memory.ts'

export interface BaseLayersOptions {
  readonly memory: LayerMemory
  readonly signal: AbortSignal
}

const CONCURRENCY = 2

/** Counts base layers; each digest once, however often it is asked for. */
export class BaseLayers {
  readonly #options: BaseLayersOptions
  readonly #counts = new Map<string, Promise<number | undefined>>()
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(options: BaseLayersOptions) {
    this.#options = options
  }

  /** File bytes of a layer; undefined when it cannot be read. Never rejects. */
  async count(digest: string, open: () => Promise<Readable>): Promise<number | undefined> {
    const known = this.#options.memory.get(digest)
    if (known !== undefined) return known
    let count = this.#counts.get(digest)
    if (count === undefined) {
      count = this.#countOnce(digest, open)
      this.#counts.set(digest, count)
    }
    return await count
  }

  async #countOnce(digest: string, open: () => Promise<Readable>): Promise<number | undefined> {
    await this.#turn()
    const { memory, signal } = this.#options
    try {
      if (signal.aborted) return undefined
      const { unpacked } = await readLayer(await open(), { signal })
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
