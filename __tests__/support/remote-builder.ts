/**
 * A builder of buildx's driver `remote`: BuildKit on an engine in a network of its own, reached through a socket. Nothing on
 * this machine's loopback can be reached from it but the registries that are named. Needs root.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startApartEngine } from './apart-engine.ts'
import { buildkitOf, relay } from './buildkit-relay.ts'
import { docker } from './engine.ts'

export interface RemoteBuilder extends AsyncDisposable {
  /** As buildx knows it. */
  readonly name: string
}

/**
 * Starts a builder that has built nothing.
 * @param registries `127.0.0.1:PORT`, each the same there as here
 * @throws Error when it does not come up
 */
export async function startRemoteBuilder(registries: readonly string[]): Promise<RemoteBuilder> {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'remote-builder-'))
  stack.defer(async () => {
    await rm(folder, { recursive: true, force: true })
  })
  const engine = stack.use(await startApartEngine())
  for (const registry of registries) {
    const port = Number(registry.split(':')[1])
    const path = join(folder, String(port))
    stack.use(await relay({ path }, () => Promise.resolve(connect(port, '127.0.0.1'))))
    stack.use(await relayThere(engine.pid, port, path))
  }
  const socket = join(folder, 'buildkit')
  stack.use(await relay({ path: socket }, async () => await buildkitOf(engine.host)))
  const name = `remote-${process.pid}-${Date.now().toString(36)}`
  await docker('buildx', 'create', '--driver=remote', `--name=${name}`, `unix://${socket}`)
  stack.defer(async () => {
    await docker('buildx', 'rm', name)
  })
  const kept = stack.move()
  return { name, [Symbol.asyncDispose]: async () => { await kept.disposeAsync() } } // prettier-ignore
}

/** Runs in the other network: a port of its loopback leads to a socket that both share. */
const FORWARD = `
  const { createServer, connect } = require('node:net')
  const [port, path] = process.argv.slice(1)
  createServer((near) => {
    const far = connect(path)
    near.on('error', () => far.destroy()).on('close', () => far.destroy())
    far.on('error', () => near.destroy()).on('close', () => near.destroy())
    near.pipe(far).pipe(near)
  }).listen(Number(port), '127.0.0.1', () => console.log('ready'))
`

async function relayThere(pid: number, port: number, path: string): Promise<AsyncDisposable> {
  const args = [`--net=/proc/${pid}/ns/net`, process.execPath, '-e', FORWARD, String(port), path]
  const child = spawn('nsenter', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  await Promise.race([once(child.stdout, 'data'), ended])
  if (child.exitCode !== null) throw new Error(`port ${port} could not be opened in the other network`)
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}
