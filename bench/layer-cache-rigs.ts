/** What a run of the layer-cache bench stands on: the rigs in their own process, and an engine that knows nothing. */
import { spawn } from 'node:child_process'
import { totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { runProcess } from '../src/process.ts'
import type { RigAddresses, RigStats } from './rigs-main.ts'

const REPOSITORY = resolve(import.meta.dirname, '..')

export class Rigs implements AsyncDisposable {
  readonly addresses: RigAddresses
  readonly #end: () => Promise<void>

  private constructor(addresses: RigAddresses, end: () => Promise<void>) {
    this.addresses = addresses
    this.#end = end
  }

  /** @param registry `HOST:PORT` of the registry that has the base images */
  static async start(registry: string): Promise<Rigs> {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'rigs-main.ts'), registry], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const exited = new Promise<void>((done) => child.once('exit', () => { done() })) // prettier-ignore
    const first = await Promise.race([
      new Promise<string>((done) => createInterface({ input: child.stdout }).once('line', done)),
      exited.then(() => {
        throw new Error('the rigs did not start')
      }),
    ])
    const end = async (): Promise<void> => {
      child.stdin.end()
      await exited
    }
    return new Rigs(JSON.parse(first) as RigAddresses, end)
  }

  async stats(): Promise<RigStats> {
    return await this.#ask('stats')
  }

  /** Counts from zero; what is stored stays. */
  async reset(): Promise<void> {
    await this.#ask('reset')
  }

  /** Takes away what the service stores, too. */
  async clear(): Promise<void> {
    await this.#ask('clear')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end()
  }

  async #ask(what: 'stats' | 'reset' | 'clear'): Promise<RigStats> {
    const answer = await fetch(new URL(what, this.addresses.control))
    return (await answer.json()) as RigStats
  }
}

/** An engine of the bench's own; `docker` of this process and its children is that engine until it is disposed of. */
export class FreshEngine implements AsyncDisposable {
  readonly #before: string | undefined

  private constructor(before: string | undefined) {
    this.#before = before
  }

  static async start(): Promise<FreshEngine> {
    const engine = new FreshEngine(process.env['DOCKER_HOST'])
    process.env['DOCKER_HOST'] = await renew()
    return engine
  }

  /**
   * As on a runner that has just been started: nothing built, nothing pulled, nothing remembered. An engine that is only
   * pruned keeps links between cache keys, which change what BuildKit finds and exports.
   */
  async empty(): Promise<void> {
    await renew()
    // What the last run wrote must not be written to disk in the next one's time, and the engine must be done with its start.
    await runProcess('sync', [])
    await delay(SETTLED_MS)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#before === undefined) delete process.env['DOCKER_HOST']
    else process.env['DOCKER_HOST'] = this.#before
    await script('stop')
  }
}

const SETTLED_MS = 1_000

/** @returns where the new engine listens */
async function renew(): Promise<string> {
  await script('stop')
  const { code, stdout, stderr } = await script('start')
  const [, host] = /^export DOCKER_HOST=(\S+)$/m.exec(stdout) ?? []
  if (code !== 0 || host === undefined) throw new Error(`no second engine:\n${stderr}`)
  return host
}

async function script(command: 'start' | 'stop'): ReturnType<typeof runProcess> {
  const env = isInMemory() ? { ...process.env, STAGE_BUILD_FRESH_IN_MEMORY: ENGINE_MEMORY } : process.env
  return await runProcess(join(REPOSITORY, 'script/engine'), [command, '--fresh'], { env })
}

const ENGINE_MEMORY = '10g'
/** Of the machine, from where on it has enough for the engine's data, too. */
const ENOUGH_BYTES = 20 * 2 ** 30

/** Whether the data of the bench's engine lie in memory: a disk that others write to as well would be measured, too. */
function isInMemory(): boolean {
  return totalmem() > ENOUGH_BYTES
}

/** Where the engine's data lie, for the text above the figures. */
export function engineDataText(): string {
  return isInMemory()
    ? 'The engine’s data lie in memory (tmpfs), so that no other work’s disk is measured.'
    : 'The engine’s data lie on the machine’s disk.'
}
