/** Streams at a limited rate: one bucket for all transfers that share it. */
import { Transform, type TransformCallback } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'

export class Throttle {
  readonly #bytesPerSecond: number
  #free = 0

  /** @param bytesPerSecond 0: no limit */
  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond
  }

  /** A stage of a pipeline. */
  limit(): Transform {
    const wait = async (bytes: number): Promise<void> => {
      const now = performance.now()
      this.#free = Math.max(this.#free, now) + (bytes / this.#bytesPerSecond) * 1_000
      if (this.#free - now > 5) await delay(this.#free - now)
    }
    const limited = this.#bytesPerSecond > 0
    return new Transform({
      transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback) {
        if (!limited) done(null, chunk)
        else {
          wait(chunk.length).then(() => {
            done(null, chunk)
          }, done)
        }
      },
    })
  }
}
