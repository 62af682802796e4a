/** A step of an action that uses the real `@actions/cache`, in a workspace of its own. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runProcess } from '../../src/process.ts'
import type { ToolkitCall } from './cache-toolkit-worker.ts'

export interface ToolkitStep extends AsyncDisposable {
  /** The workspace; paths of calls are relative to it. */
  readonly directory: string
  /** Calls one after the other. @returns their answers, and what the toolkit printed */
  run(...calls: readonly ToolkitCall[]): Promise<{ readonly results: readonly unknown[]; readonly log: string }>
}

const WORKER = join(import.meta.dirname, 'cache-toolkit-worker.ts')

/** @param env as `CacheService.env` gives it */
export async function toolkitStep(env: Readonly<Record<string, string>>): Promise<ToolkitStep> {
  const root = await mkdtemp(join(tmpdir(), 'cache-toolkit-'))
  const [directory, temp] = [join(root, 'workspace'), join(root, 'temp')]
  await mkdir(directory)
  await mkdir(temp)
  return {
    directory,
    run: async (...calls) => {
      const { code, stdout, stderr } = await runProcess(process.execPath, [WORKER, JSON.stringify(calls)], {
        cwd: directory,
        env: { PATH: process.env['PATH'], RUNNER_TEMP: temp, GITHUB_WORKSPACE: directory, RUNNER_DEBUG: '1', ...env },
      })
      const [, results] = /^RESULTS (.*)$/m.exec(stdout) ?? []
      if (code !== 0 || results === undefined) throw new Error(`the toolkit's process failed: ${stdout}${stderr}`)
      return { results: JSON.parse(results) as readonly unknown[], log: stdout }
    },
    [Symbol.asyncDispose]: async () => {
      await rm(root, { recursive: true, force: true })
    },
  }
}
