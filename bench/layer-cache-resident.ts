/** Resident memory of the action's processes while they run, read from /proc: Linux only, zeros elsewhere. */
import { readFileSync, readlinkSync } from 'node:fs'

/** Bytes, at their highest. */
export interface Resident {
  /** The action's own process. */
  readonly main: number
  /** The process that moves cache entries, with the archivers that it starts. */
  readonly client: number
  /** Both at the same moment; pages of a program that both run are in memory once, and counted once. */
  readonly action: number
  /** docker and buildx. */
  readonly docker: number
}

type Kind = 'main' | 'client' | 'docker'

const EVERY_MS = 50
const KIB = 1024

export class ResidentSampler implements Disposable {
  readonly #timer: NodeJS.Timeout
  #highest: Record<Kind | 'action', number> = { main: 0, client: 0, action: 0, docker: 0 }

  /** Watches what this process starts, until it is disposed of. */
  constructor() {
    this.#timer = setInterval(() => {
      this.#sample()
    }, EVERY_MS)
  }

  highest(): Resident {
    return { ...this.#highest }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  #sample(): void {
    const now: Record<Kind, number> = { main: 0, client: 0, docker: 0 }
    let anonymous = 0
    const programs = new Map<string, number>()
    const visit = (pid: string, parent: Kind | undefined): void => {
      const own = kindOf(pid)
      // Between fork and exec a child looks like its parent, and holds the same pages.
      if (own !== undefined && own === parent && own !== 'docker') return
      const kind = own ?? parent
      if (kind !== undefined) now[kind] += statusOf(pid, 'VmRSS')
      if (kind === 'main' || kind === 'client') {
        anonymous += statusOf(pid, 'RssAnon') + statusOf(pid, 'RssShmem')
        const program = programOf(pid)
        programs.set(program, Math.max(programs.get(program) ?? 0, statusOf(pid, 'RssFile')))
      }
      if (own === 'main' || own === 'client') this.#raise(own, statusOf(pid, 'VmHWM'))
      for (const child of childrenOf(pid)) visit(child, kind)
    }
    for (const child of childrenOf(String(process.pid))) visit(child, undefined)
    this.#raise('main', now.main)
    this.#raise('client', now.client)
    this.#raise('docker', now.docker)
    this.#raise(
      'action',
      [...programs.values()].reduce((sum, bytes) => sum + bytes, anonymous),
    )
  }

  #raise(kind: Kind | 'action', bytes: number): void {
    this.#highest[kind] = Math.max(this.#highest[kind], bytes)
  }
}

function kindOf(pid: string): Kind | undefined {
  const line = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')
  if (line.includes('dist/cache-client.js')) return 'client'
  if (line.includes('dist/index.js')) return 'main'
  return /^\S*docker(-buildx)? /.test(line) ? 'docker' : undefined
}

function childrenOf(pid: string): readonly string[] {
  return read(`/proc/${pid}/task/${pid}/children`)
    .split(' ')
    .filter((child) => child !== '')
}

function statusOf(pid: string, field: 'VmRSS' | 'VmHWM' | 'RssAnon' | 'RssFile' | 'RssShmem'): number {
  const [, kib = '0'] = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(read(`/proc/${pid}/status`)) ?? []
  return Number(kib) * KIB
}

function programOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`)
  } catch {
    return pid
  }
}

/** A process may end while it is looked at. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
