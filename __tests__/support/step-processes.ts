/** Ends processes of an action's step as the kernel or a lost machine does: at once, without a word (Linux only). */
import { readFile, readdir } from 'node:fs/promises'

/** `step`: the action's own process, after which its post step runs. `client`: what speaks with GitHub's service. `all`: the machine. */
export type Victims = 'step' | 'client' | 'all'

interface Running {
  readonly pid: number
  readonly parent: number
  readonly command: string
}

/** Kills what runs for the step that has this RUNNER_TEMP. @returns how many processes that were */
export async function killStep(runnerTemp: string, victims: Victims): Promise<number> {
  const running = await processes()
  const found = new Set<number>()
  for (const { pid } of running) if (await hasVariable(pid, `RUNNER_TEMP=${runnerTemp}`)) found.add(pid)
  // Children may have been given less.
  for (let before = -1; before !== found.size;) {
    before = found.size
    for (const { pid, parent } of running) if (found.has(parent)) found.add(pid)
  }
  const part = { step: 'dist/index.js', client: 'dist/cache-client.js', all: '' }[victims]
  const dying = running.filter(({ pid, command }) => found.has(pid) && command.includes(part))
  let killed = 0
  for (const { pid } of dying) {
    try {
      process.kill(pid, 'SIGKILL')
      killed++
    } catch {
      // It has just ended by itself.
    }
  }
  return killed
}

async function processes(): Promise<readonly Running[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(
    pids.map(async (name): Promise<readonly Running[]> => {
      const stat = await readFile(`/proc/${name}/stat`, 'latin1').catch(() => '')
      // The name, in parentheses, may hold anything.
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
      const command = (await readFile(`/proc/${name}/cmdline`, 'latin1').catch(() => '')).replaceAll('\0', ' ')
      return stat === '' ? [] : [{ pid: Number(name), parent, command }]
    }),
  )
  return found.flat()
}

async function hasVariable(pid: number, line: string): Promise<boolean> {
  const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')
  return environment.split('\0').includes(line)
}
