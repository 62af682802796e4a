/**
 * A thread that begins to list the build context of a large repository before the action is loaded: to load it takes as long as to
 * list some ten thousand files. Later the thread is one of the helpers. Imports nothing that takes time.
 */
import { realpathSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import type { HelperData } from './helper-messages.ts'

/** What a helper thread runs: in the bundle a file beside it, in `src/` its source. */
const HELPER = new URL(import.meta.url.endsWith('.ts') ? 'context-helper.ts' : 'context-helper.js', import.meta.url)

/**
 * From this size of git's index on (ten thousand files), a tree is worth a thread: to start one takes as long as to list some
 * hundred directories.
 */
export const LARGE_INDEX_BYTES = 1_000_000

export interface Scout {
  readonly worker: Worker
  readonly port: MessagePort
  /** See `HelperData`. */
  readonly answered: Int32Array
  /** Absolute, without links. */
  readonly directory: string
  /** Has it say what it found, and where it would go on. */
  stop(): void
}

/**
 * Starts one where a step will list a context, and the context is a large one.
 * @param env of this process: the inputs
 */
export function startScout(env: NodeJS.ProcessEnv, { largeIndexBytes = LARGE_INDEX_BYTES } = {}): Scout | undefined {
  const workspace = env['GITHUB_WORKSPACE'] ?? ''
  const isPost = (env['STATE_is-post'] ?? '') !== ''
  const isListing = ['', 'build', 'plan'].includes(env['INPUT_MODE'] ?? '')
  if (workspace === '' || isPost || !isListing || availableParallelism() < 2) return undefined
  const isBake = (env['INPUT_BAKE-FILES'] ?? '').trim() !== ''
  // Bake files of a stranger may name any context.
  if (isBake && env['GITHUB_EVENT_NAME'] === 'pull_request_target') return undefined
  try {
    if (statSync(join(workspace, '.git/index')).size < largeIndexBytes) return undefined
    return scoutAt(realpathSync(resolve(workspace, isBake ? '' : (env['INPUT_CONTEXT'] ?? ''))))
  } catch {
    // Whoever needs the context finds what is wrong.
    return undefined
  }
}

function scoutAt(directory: string): Scout {
  const answered = new Int32Array(new SharedArrayBuffer(4))
  const stopped = new Int32Array(new SharedArrayBuffer(4))
  const { worker, port } = startHelper({ answered, scouting: { directory, stopped } })
  // A thread that cannot start leaves the listing to others; who waits for it is told by `ContextHelpers`.
  worker.on('error', () => undefined)
  return { worker, port, answered, directory, stop: () => void Atomics.store(stopped, 0, 1) }
}

/** Starts a helper thread. It holds no process open: who waits for an answer waits by himself. */
export function startHelper(data: Omit<HelperData<MessagePort>, 'port'>): Pick<Scout, 'worker' | 'port'> {
  const { port1: port, port2 } = new MessageChannel()
  const workerData: HelperData<MessagePort> = { ...data, port: port2 }
  const worker = new Worker(HELPER, { workerData, transferList: [port2], execArgv: [] })
  worker.unref()
  return { worker, port }
}
