/** Threads that list directories and read small files beside the one that walks a context: what takes long are calls of the system. */
import { availableParallelism } from 'node:os'
import { type MessagePort, receiveMessageOnPort, type Worker } from 'node:worker_threads'
import type { Answer, Question } from './helper-messages.ts'
import { type Scout, startHelper } from './scout.ts'

interface Helper {
  readonly worker: Worker
  readonly port: MessagePort
  /** Who waits for answers of it, the first first. */
  readonly awaited: Deliver[]
  failed: boolean
}

/** Questions that a helper holds at once: what it works on, and what waits. */
const QUESTIONS = 3
const MOST_HELPERS = 3
const WAIT_MS = 5

/** Takes an answer; undefined where the helper has failed. */
export type Deliver = (answer: Answer | undefined) => void

export class ContextHelpers {
  readonly #helpers: readonly Helper[]
  readonly #answered: Int32Array
  #taken = 0
  #isAnyFailed = false

  /**
   * None on a machine with one processor.
   * @param options.scout works already: it is the first, and what it found is delivered first
   */
  constructor({
    count = Math.min(MOST_HELPERS, availableParallelism() - 1),
    scout,
    deliver,
  }: { readonly count?: number; readonly scout?: Scout | undefined; readonly deliver?: Deliver } = {}) {
    this.#answered = scout?.answered ?? new Int32Array(new SharedArrayBuffer(4))
    this.#helpers = Array.from({ length: count }, (_, index) => {
      if (index === 0 && scout !== undefined) return this.#helper(scout, deliver)
      return this.#helper(startHelper({ answered: this.#answered }))
    })
  }

  #helper({ worker, port }: Pick<Scout, 'worker' | 'port'>, first?: Deliver): Helper {
    const awaited = first === undefined ? [] : [first]
    const helper: Helper = { worker, port, awaited, failed: worker.threadId === -1 }
    worker.on('error', () => {
      helper.failed = true
      this.#isAnyFailed = true
    })
    this.#isAnyFailed ||= helper.failed
    return helper
  }

  /** Whether one of them has time for a question. */
  get isFree(): boolean {
    return this.#helpers.some(({ awaited, failed }) => awaited.length < QUESTIONS && !failed)
  }

  /**
   * Gives a question to the helper with the least to do; false where none has time.
   * @param most how many it may hold: more where who asks cannot come back soon
   */
  ask(question: Question, deliver: Deliver, most = QUESTIONS): boolean {
    let first: Helper | undefined
    for (const helper of this.#helpers) {
      if (helper.failed || helper.awaited.length >= (first?.awaited.length ?? most)) continue
      first = helper
    }
    if (first === undefined) return false
    first.awaited.push(deliver)
    first.port.postMessage(question)
    return true
  }

  /** Delivers an answer that has come to whoever asked; false where none has. */
  take(): boolean {
    if (Atomics.load(this.#answered, 0) === this.#taken && !this.#isAnyFailed) return false
    for (const { port, awaited, failed } of this.#helpers) {
      if (awaited.length === 0) continue
      const received = receiveMessageOnPort(port) as { readonly message: Answer } | undefined
      if (received === undefined && !failed) continue
      if (received !== undefined) this.#taken++
      awaited.shift()?.(received?.message)
      return true
    }
    return false
  }

  /** Sleeps until an answer may have come, for a few milliseconds at most. */
  wait(): void {
    Atomics.wait(this.#answered, 0, this.#taken, WAIT_MS)
  }

  /** The same, while everything else goes on. */
  async changed(): Promise<void> {
    const { value } = Atomics.waitAsync(this.#answered, 0, this.#taken, WAIT_MS)
    await value
  }

  /** Ends the threads. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const helper of this.#helpers) {
      helper.failed = true
      for (const deliver of helper.awaited.splice(0)) deliver(undefined)
      helper.port.close()
    }
    await Promise.all(this.#helpers.map(async ({ worker }) => await worker.terminate()))
  }
}
