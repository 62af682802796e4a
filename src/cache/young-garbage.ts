/**
 * Collects young garbage while streams run. V8 does not see the 64 KiB buffers that they go through as its own, and lets
 * tens of megabytes of them lie.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const LOOK_EVERY_MS = 5
/** Bytes outside of the heap that may be garbage. */
const MUCH = 8 << 20

type Collect = (options: { readonly type: 'minor' }) => void

/** Counts what is being streamed. */
export class YoungGarbage {
  #active = 0
  #timer: NodeJS.Timeout | undefined

  /** Collects until the work is through, however it ends. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    if (this.#active++ === 0) this.#timer = sweep()
    try {
      return await work()
    } finally {
      if (--this.#active === 0) clearInterval(this.#timer)
    }
  }
}

function sweep(): NodeJS.Timeout {
  let least = outside()
  const timer = setInterval(() => {
    const now = outside()
    // What was collected is given back a little later.
    least = Math.min(least, now)
    if (now - least > MUCH) collect()
  }, LOOK_EVERY_MS)
  return timer.unref()
}

function outside(): number {
  return process.memoryUsage().arrayBuffers
}

let collector: Collect | undefined

function collect(): void {
  collector ??= findCollector()
  collector({ type: 'minor' })
}

/** An action is started without flags; a context that is made after a flag was set has what it adds. */
function findCollector(): Collect {
  setFlagsFromString('--expose-gc')
  const found: unknown = runInNewContext('gc')
  return typeof found === 'function' ? (found as Collect) : () => undefined
}
