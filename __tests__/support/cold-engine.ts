/**
 * An engine that can be made to forget everything, as if each run had a fresh runner: the second one of `script/engine`,
 * which nobody else uses meanwhile. While it is open, `docker` in this test file is that engine.
 */
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { runProcess } from '../../src/process.ts'
import { REPOSITORY } from './action.ts'

export interface ColdEngine extends AsyncDisposable {
  /** Forgets all that was built and pulled, and what the action remembers between runs on one machine. */
  chill(): Promise<void>
}

const VARIABLES = ['DOCKER_HOST', 'DOCKER_CONFIG', 'PATH', 'XDG_CACHE_HOME'] as const

/** Starts the engine, once nobody else uses it; it runs on afterwards. @throws Error when it does not start. */
export async function openColdEngine(): Promise<ColdEngine> {
  const before = Object.fromEntries(VARIABLES.map((name) => [name, process.env[name]]))
  // The engine's own files lie where this process began to look for them.
  const outside = { ...process.env }
  const lock = await takeLock()
  const folder = await mkdtemp(join(tmpdir(), 'cold-engine-'))
  const dispose = async (): Promise<void> => {
    for (const name of VARIABLES) put(name, before[name])
    try {
      await rm(folder, { recursive: true, force: true })
    } finally {
      await new Promise((resolve) => lock.close(resolve))
    }
  }
  try {
    for (const [name, value] of await exported(await renew(outside))) put(name, value)
    process.env['XDG_CACHE_HOME'] = folder
    const chill = async (): Promise<void> => {
      await renew(outside)
      await rm(join(folder, 'stage-build'), { recursive: true, force: true })
    }
    return { chill, [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}

/**
 * A new engine. To prune the one that runs would take half a second less, but BuildKit keeps links between its cache keys
 * then, and exports of a later build may find no layers, or layers that nobody has any more.
 * @returns the lines that lead to it
 */
async function renew(env: NodeJS.ProcessEnv): Promise<string> {
  await script('stop', env)
  return await script('start', env)
}

/** @returns what it prints. @throws Error when it fails */
async function script(command: 'start' | 'stop', env: NodeJS.ProcessEnv): Promise<string> {
  const path = join(REPOSITORY, 'script/engine')
  const { code, stdout, stderr } = await runProcess(path, [command, '--fresh'], { env })
  if (code !== 0) throw new Error(`script/engine ${command} --fresh: ${stderr}`)
  return stdout
}

function put(name: string, value: string | undefined): void {
  if (value === undefined) Reflect.deleteProperty(process.env, name)
  else process.env[name] = value
}

/** The variables that a shell has after it evaluated these lines. */
async function exported(lines: string): Promise<readonly (readonly [string, string])[]> {
  const { stdout } = await runProcess('bash', ['-c', `${lines}\nenv -0`], { env: process.env })
  return stdout.split('\0').flatMap((line) => {
    const at = line.indexOf('=')
    const name = VARIABLES.find((variable) => variable === line.slice(0, at))
    return name === undefined ? [] : [[name, line.slice(at + 1)] as const]
  })
}

/** A socket without a file: only one process can have it, and the kernel takes it back however that process ends. */
async function takeLock(): Promise<Server> {
  const home = createHash('sha256').update(process.env['STAGE_BUILD_HOME'] ?? homedir()).digest('hex').slice(0, 16) // prettier-ignore
  for (;;) {
    const server = createServer()
    const isMine = await new Promise<boolean>((resolve) => {
      server.once('error', () => {
        resolve(false)
      })
      server.listen(`\0stage-build-cold-engine-${home}`, () => {
        resolve(true)
      })
    })
    if (isMine) return server
    await delay(200)
  }
}
