/** What a run of the layer-cache bench stands on: the rigs in their own process, and an engine that knows nothing. */
import { spawn } from 'node:child_process'
import { open, readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { docker } from '../__tests__/support/engine.ts'
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
  readonly #wasRunning: boolean

  private constructor(before: string | undefined, wasRunning: boolean) {
    this.#before = before
    this.#wasRunning = wasRunning
  }

  static async start(): Promise<FreshEngine> {
    const wasRunning = (await script('status')).code === 0
    const { code, stdout, stderr } = await script('start')
    const [, host] = /^export DOCKER_HOST=(\S+)$/m.exec(stdout) ?? []
    if (code !== 0 || host === undefined) throw new Error(`no second engine:\n${stderr}`)
    const engine = new FreshEngine(process.env['DOCKER_HOST'], wasRunning)
    process.env['DOCKER_HOST'] = host
    return engine
  }

  /** As a runner that has just been started: nothing built, nothing pulled. @throws when something stays behind */
  async empty(): Promise<void> {
    await docker('buildx', 'prune', '--all', '--force')
    await docker('image', 'prune', '--all', '--force')
    await docker('buildx', 'history', 'rm', '--all')
    const started = performance.now()
    let left: readonly string[] = []
    while (performance.now() - started < 30_000) {
      left = await this.#left()
      if (left.length === 0) {
        // What the last run wrote must not be written to disk in the next one's time.
        await runProcess('sync', [])
        return
      }
      await delay(200)
    }
    throw new Error(`the engine is not empty: ${left.join('; ')}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#before === undefined) delete process.env['DOCKER_HOST']
    else process.env['DOCKER_HOST'] = this.#before
    if (!this.#wasRunning) await script('stop')
  }

  async #left(): Promise<readonly string[]> {
    const lines = (await docker('system', 'df', '--format={{json .}}')).split('\n')
    const used = lines
      .map((line) => JSON.parse(line) as { readonly Type: string; readonly TotalCount: string })
      .filter(({ Type, TotalCount }) => Type !== 'Local Volumes' && TotalCount !== '0')
      .map(({ Type, TotalCount }) => `${TotalCount} ${Type}`)
    const root = await docker('info', '--format={{.DockerRootDir}}')
    const content = join(root, 'containerd/daemon/io.containerd.content.v1.content/blobs/sha256')
    const blobs = await readdir(content).catch(() => [])
    const layers = await Promise.all(blobs.map(async (name) => await isCompressed(join(content, name))))
    const kept = layers.filter((is) => is).length
    return kept === 0 ? used : [...used, `${kept} layers in ${content}`]
  }
}

/** Documents of past builds stay for a while, which help nobody; layers are gzip or zstd. */
async function isCompressed(path: string): Promise<boolean> {
  const file = await open(path).catch(() => undefined) // removed meanwhile
  if (file === undefined) return false
  const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0)
  await file.close()
  return ['1f8b', '28b5'].includes(buffer.toString('hex', 0, 2))
}

async function script(command: 'start' | 'stop' | 'status'): ReturnType<typeof runProcess> {
  return await runProcess(join(REPOSITORY, 'script/engine'), [command, '--fresh'])
}
