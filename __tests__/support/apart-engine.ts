/**
 * An engine that shares files with this machine but not its network, like one in a virtual machine or a container whose
 * socket is here: nothing on our loopback can be reached from it. Has no network for RUN either. Needs root.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { runProcess } from '../../src/process.ts'

export interface ApartEngine extends AsyncDisposable {
  /** DOCKER_HOST. */
  readonly host: string
  /** Of the daemon: its network is the one of this process. */
  readonly pid: number
}

/** Starts the same Docker Engine that `docker` on PATH is of. @throws Error when it does not come up */
export async function startApartEngine(): Promise<ApartEngine> {
  const programs = dirname(await realpath((await runProcess('which', ['docker'])).stdout.trim()))
  const folder = await mkdtemp(join(tmpdir(), 'apart-engine-'))
  const host = `unix://${join(folder, 'socket')}`
  await writeFile(join(folder, 'daemon.json'), '{}')
  const places = { 'config-file': 'daemon.json', 'data-root': 'data', 'exec-root': 'exec', pidfile: 'pid' }
  const flags = Object.entries(places).map(([name, path]) => `--${name}=${join(folder, path)}`)
  const bare = ['--bridge=none', '--iptables=false', '--ip6tables=false', '--feature=containerd-snapshotter=true']
  const path = [programs, join(programs, '../sbin'), process.env['PATH'], '/usr/sbin', '/sbin'].join(':')
  // It is the daemon itself that `unshare` and the shell become, so that a signal gets to it.
  const daemon = spawn(
    'unshare',
    ['--net', 'sh', '-c', 'ip link set lo up && exec dockerd "$@"', 'dockerd', `--host=${host}`, ...flags, ...bare],
    { env: { ...process.env, PATH: path }, stdio: 'ignore' },
  )
  const ended = once(daemon, 'exit')
  const dispose = async (): Promise<void> => {
    daemon.kill('SIGTERM')
    await ended
    await rm(folder, { recursive: true, force: true })
  }
  const env = { ...process.env, DOCKER_HOST: host }
  for (let attempt = 0; attempt < 300 && daemon.exitCode === null; attempt++) {
    if ((await runProcess('docker', ['version'], { env })).code === 0) {
      return { host, pid: daemon.pid ?? 0, [Symbol.asyncDispose]: dispose }
    }
    await delay(100)
  }
  await dispose()
  throw new Error('the engine in a network of its own did not come up')
}
