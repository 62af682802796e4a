/**
 * Names and inodes of directories, listed here and, for a large tree, by helper threads at the same time: nearly all of
 * the time that a walk takes is the system's, one call for each file.
 */
import { lstatSync, readdirSync, type Stats } from 'node:fs'
import { availableParallelism } from 'node:os'
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads'

/** A directory's names, sorted by code unit, and of each so many numbers, as `Field` says. */
export interface Listing {
  readonly names: readonly string[]
  readonly numbers: Float64Array
}

/** Where a file's numbers are, from `index * FIELDS` on. The mode is 0 for what is gone. */
export const Field = { mode: 0, size: 1, mtimeMs: 2, ctimeMs: 3, ino: 4, dev: 5, uid: 6, gid: 7, rdev: 8 } as const
export const FIELDS = 9

/** What lstat said of one file, as numbers. */
export function numbersOf(stats: Stats): Float64Array {
  const numbers = new Float64Array(FIELDS)
  setNumbers(numbers, 0, stats)
  return numbers
}

function setNumbers(numbers: Float64Array, at: number, stats: Stats): void {
  numbers[at] = stats.mode
  numbers[at + Field.size] = stats.size
  numbers[at + Field.mtimeMs] = stats.mtimeMs
  numbers[at + Field.ctimeMs] = stats.ctimeMs
  numbers[at + Field.ino] = stats.ino
  numbers[at + Field.dev] = stats.dev
  numbers[at + Field.uid] = stats.uid
  numbers[at + Field.gid] = stats.gid
  numbers[at + Field.rdev] = stats.rdev
}

/** Lists a directory. @throws the system's error when it cannot be listed */
export function listDirectory(path: string): Listing {
  const names = readdirSync(path).sort()
  const numbers = new Float64Array(names.length * FIELDS)
  for (const [index, name] of names.entries()) {
    const stats = lstatSync(`${path}/${name}`, { throwIfNoEntry: false })
    if (stats !== undefined) setNumbers(numbers, index * FIELDS, stats)
  }
  return { names, numbers }
}

/** What a helper answers for one directory: undefined where it could not list it. */
type Answer = Listing | undefined

interface HelperData {
  readonly port: MessagePort
  readonly fields: number
  /** One number, which goes up with each answer. */
  readonly answered: Int32Array
}

/**
 * What a helper runs. It stands for itself, because a thread is given its text: the action is one bundled file, and has no
 * other that a thread could load.
 */
function help(): void {
  const { lstatSync, readdirSync } = process.getBuiltinModule('node:fs')
  const { workerData } = process.getBuiltinModule('node:worker_threads') as { readonly workerData: HelperData }
  const { port, fields, answered } = workerData
  const list = (path: string): Answer => {
    try {
      const names = readdirSync(path).sort()
      const numbers = new Float64Array(names.length * fields)
      for (let index = 0; index < names.length; index++) {
        const stats = lstatSync(`${path}/${names[index] ?? ''}`, { throwIfNoEntry: false })
        if (stats === undefined) continue
        const at = index * fields
        numbers[at] = stats.mode
        numbers[at + 1] = stats.size
        numbers[at + 2] = stats.mtimeMs
        numbers[at + 3] = stats.ctimeMs
        numbers[at + 4] = stats.ino
        numbers[at + 5] = stats.dev
        numbers[at + 6] = stats.uid
        numbers[at + 7] = stats.gid
        numbers[at + 8] = stats.rdev
      }
      return { names, numbers }
    } catch {
      return undefined
    }
  }
  port.on('message', (paths: readonly string[]) => {
    port.postMessage(paths.map(list))
    Atomics.add(answered, 0, 1)
    Atomics.notify(answered, 0)
  })
}

interface Helper {
  readonly worker: Worker
  readonly port: MessagePort
  /** What it was asked and has not answered, oldest first. */
  readonly asked: (readonly string[])[]
  failed: boolean
}

/** Batches that a helper holds at once: one it works on, one that waits. */
const BATCHES = 2
const MOST_HELPERS = 3
const WAIT_MS = 5

/** Threads that list directories beside this one: none on a machine with one processor. */
export class ListingHelpers {
  readonly #helpers: readonly Helper[]
  readonly #answered = new Int32Array(new SharedArrayBuffer(4))
  #taken = 0

  constructor(count = Math.min(MOST_HELPERS, availableParallelism() - 1)) {
    this.#helpers = Array.from({ length: count }, () => {
      const { port1: port, port2 } = new MessageChannel()
      const workerData: HelperData = { port: port2, fields: FIELDS, answered: this.#answered }
      const worker = new Worker(`(${help.toString()})()`, { eval: true, workerData, transferList: [port2] })
      const helper: Helper = { worker, port, asked: [], failed: false }
      worker.on('error', () => {
        helper.failed = true
      })
      return helper
    })
  }

  /** Gives directories to the helper with the least to do; false where none has time. */
  ask(paths: () => readonly string[]): boolean {
    const free = this.#helpers.filter(({ asked, failed }) => asked.length < BATCHES && !failed)
    const [first] = free.sort((a, b) => a.asked.length - b.asked.length)
    if (first === undefined) return false
    const batch = paths()
    first.asked.push(batch)
    first.port.postMessage(batch)
    return true
  }

  /** Whether something was asked and not answered. */
  get isAwaited(): boolean {
    return this.#helpers.some(({ asked }) => asked.length > 0)
  }

  /** An answer that has come, by path, if one has; a helper that has failed answers that it could list nothing. */
  take(): readonly { readonly path: string; readonly listing: Answer }[] | undefined {
    for (const { port, asked, failed } of this.#helpers) {
      if (asked.length === 0) continue
      const received = receiveMessageOnPort(port) as { readonly message: readonly Answer[] } | undefined
      if (received === undefined && !failed) continue
      this.#taken += received === undefined ? 0 : 1
      return (asked.shift() ?? []).map((path, index) => ({ path, listing: received?.message[index] }))
    }
    return undefined
  }

  /** Sleeps until an answer may have come, for a few milliseconds at most. */
  wait(): void {
    Atomics.wait(this.#answered, 0, this.#taken, WAIT_MS)
  }

  /** Ends the threads. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { port } of this.#helpers) port.close()
    await Promise.all(this.#helpers.map(async ({ worker }) => await worker.terminate()))
  }
}
