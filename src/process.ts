/**
 * The only place that starts processes. Arguments are always an array (no shell); output is streamed; an abort
 * signal ends the child with SIGINT first, as a terminal would, so that buildx can cancel its solve, then SIGKILL.
 */
import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { Socket } from 'node:net'
import { delimiter, isAbsolute, join } from 'node:path'
import { createInterface } from 'node:readline'

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv | undefined
  readonly cwd?: string | undefined
  readonly input?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** Called with decoded text as it arrives; when absent that stream is collected and returned. */
  readonly onStdout?: ((text: string) => void) | undefined
  readonly onStderr?: ((text: string) => void) | undefined
}

export interface RunResult {
  /** Exit code; null when the child was killed by a signal. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Collected output, at most 1 MiB (the last) of each stream; empty when a listener took it. */
  readonly stdout: string
  readonly stderr: string
}

/** A program that is not on PATH (or not executable), as opposed to one that failed. */
export class ProgramMissingError extends Error {
  readonly program: string
  constructor(program: string, options?: ErrorOptions) {
    super(`${program} could not be started`, options)
    this.name = 'ProgramMissingError'
    this.program = program
  }
}

/** Where a program is on a PATH; undefined where it is not. Relative folders do not count. At once: see `findBuildx`. */
export function findProgram(name: string, path: string): string | undefined {
  const files = path.split(delimiter).filter(isAbsolute).map((folder) => join(folder, name)) // prettier-ignore
  return files.find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const MAX_COLLECTED = 1 << 20
const KILL_AFTER_MS = 10_000

/**
 * Runs a program to its end and never rejects for a non-zero exit: the caller reads `code`.
 * @throws ProgramMissingError when the program cannot be started.
 */
export async function runProcess(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  return await new Promise<RunResult>((resolve, reject) => {
    const child = spawn(program, args, {
      env: options.env ?? process.env,
      cwd: options.cwd,
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    })
    const collected = { stdout: '', stderr: '' }
    const take = (stream: 'stdout' | 'stderr', listener: ((text: string) => void) | undefined): void => {
      child[stream]?.setEncoding('utf8').on('data', (text: string) => {
        if (listener !== undefined) listener(text)
        else collected[stream] = (collected[stream] + text).slice(-MAX_COLLECTED)
      })
    }
    take('stdout', options.onStdout)
    take('stderr', options.onStderr)

    let killTimer: NodeJS.Timeout | undefined
    const abort = (): void => {
      child.kill('SIGINT')
      killTimer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS)
      killTimer.unref()
    }
    const settle = (): void => {
      clearTimeout(killTimer)
      options.signal?.removeEventListener('abort', abort)
    }
    child.on('error', (error) => {
      settle()
      reject(new ProgramMissingError(program, { cause: error }))
    })
    child.on('close', (code, signal) => {
      settle()
      resolve({ code, signal, ...collected })
    })
    if (options.signal?.aborted === true) abort()
    else options.signal?.addEventListener('abort', abort, { once: true })
    // A child that exits before it read its input closes the pipe; its exit code tells more than EPIPE would.
    child.stdin?.on('error', () => undefined).end(options.input)
  })
}

export interface ChildOptions {
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  /** What the program sent with `process.send`, as JSON allows it. */
  readonly onMessage: (message: unknown) => void
  /** Lines of both streams. */
  readonly onLine: (line: string) => void
  /** Called once, when the program has ended or could not be started; `how` completes "the program …". */
  readonly onEnd: (how: string) => void
}

export interface RunningChild {
  readonly pid: number | undefined
  readonly send: (message: object) => void
  /** Ends the program and all that it started, at once. */
  readonly kill: () => void
}

/**
 * Starts a Node.js program that talks with `process.send`. It leads a process group of its own, so that `kill` reaches
 * its children, and it does not keep this process alive: who waits for an answer needs a timer, and the program should
 * end itself on `disconnect`.
 */
export function startChild(script: string, nodeFlags: readonly string[], options: ChildOptions): RunningChild {
  const child = spawn(process.execPath, [...nodeFlags, script], {
    env: options.env,
    cwd: options.cwd,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
  })
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue
    const lines = createInterface({ input: stream, crlfDelay: Infinity })
    lines.on('line', options.onLine)
    if (stream instanceof Socket) stream.unref()
  }
  child.unref()
  child.channel?.unref()
  let ended = false
  const end = (how: string): void => {
    if (!ended) options.onEnd(how)
    ended = true
  }
  child.on('message', options.onMessage)
  child.on('error', (error) => {
    // Also a message that could not be sent; then the program is gone, and `exit` follows.
    if (child.pid === undefined) end(`could not be started: ${error.message}`)
  })
  child.on('exit', (code, signal) => {
    end(signal === null ? `ended with exit code ${String(code)}` : `was ended by ${signal}`)
  })
  return {
    pid: child.pid,
    send: (message) => {
      // The callback takes the error of a channel that has just closed; `exit` tells of it.
      child.send(message, () => undefined)
    },
    kill: () => {
      if (child.pid === undefined || ended) return
      // Its end may be waited for, and nothing else may keep this process alive.
      child.ref()
      try {
        process.kill(-child.pid, 'SIGKILL')
      } catch {
        // It has ended by itself.
      }
    },
  }
}
