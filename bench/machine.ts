/** The machine and the versions that figures belong to. */
import { cpus, release, totalmem } from 'node:os'
import { docker } from '../__tests__/support/engine.ts'

export interface Machine {
  readonly date: string
  readonly cores: number
  readonly cpu: string
  readonly memory: string
  readonly kernel: string
  readonly docker: string
  readonly buildx: string
  readonly node: string
  /** What else there is to say: `BENCH_NOTE`. */
  readonly note: string | undefined
}

export async function describeMachine(): Promise<Machine> {
  const buildx = await docker('buildx', 'version')
  return {
    date: new Date().toISOString().slice(0, 10),
    cores: cpus().length,
    cpu: (cpus()[0]?.model ?? 'unknown').trim(),
    memory: `${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
    kernel: release(),
    docker: await docker('version', '--format={{.Server.Version}}'),
    buildx: buildx.split(' ')[1] ?? buildx,
    node: process.version,
    note: process.env['BENCH_NOTE'],
  }
}
