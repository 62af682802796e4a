/**
 * What the main step leaves to the post step: new layers on disk and the plan how to save them. The folder is named in
 * the action's state; nothing runs in between.
 */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { announce } from './announce.ts'
import { openBackend, type BackendChoice } from './cache-backends.ts'
import { executeSave, type SavePlan, type SaveReport } from './cache/saving.ts'
import { errorCode } from './errors.ts'
import { formatBytes } from './measure/format.ts'
import type { Runner } from './runner.ts'

interface Handover {
  readonly choice: BackendChoice
  /** The input. */
  readonly retries: number
  readonly plan: SavePlan
  /** The main step has told of trouble already: one warning is enough. */
  readonly isTold: boolean
}

const FILE = 'handover.json'

export async function writeHandover(root: string, handover: Handover): Promise<void> {
  await writeFile(join(root, FILE), JSON.stringify(handover), { mode: 0o600 })
}

/** Saves what the main step left, and removes its folder. Never rejects: a warning at most. */
export async function saveLeftLayers(
  root: string,
  { runner, env }: { readonly runner: Runner; readonly env: NodeJS.ProcessEnv },
): Promise<void> {
  try {
    const handover = await readHandover(root)
    if (handover !== undefined) await save(handover, { root, runner, env })
  } catch (error) {
    warn(runner, `it could not be saved (${error instanceof Error ? error.message : String(error)})`, workspaceOf(env))
  } finally {
    await rm(root, { recursive: true, force: true }).catch(() => undefined)
  }
}

/** What kept layers from being saved, as a clause. */
export function savingTrouble({ why, reason }: SaveReport['failures'][number]): string {
  if (why === 'denied') return 'this run may not write it (the token is read-only); set `cache: read-only` to say so'
  if (why === 'limited') return `new layers could not be saved: ${brief(reason)}`
  return `new layers could not be saved (${brief(reason)})`
}

/** What was saved, for the log; undefined where nothing was. */
export function savedLine({ entries, bytes }: SaveReport, ms: number): string | undefined {
  if (entries === 0) return undefined
  const what = bytes === 0 ? 'what is known of the build' : `${formatBytes(bytes)} of new layers`
  return `Layer cache: saved ${what} in ${(ms / 1_000).toFixed(1)} s.`
}

/** A reason in one line; the toolkit adds advice to it that is of no use here. */
export function brief(reason: string): string {
  const line = reason
    .replace(/\s*If you are using self-hosted runners.*$/s, '')
    .replaceAll(/\s+/g, ' ')
    .trim()
  return line.length <= 200 ? line : `${line.slice(0, 199)}…`
}

async function readHandover(root: string): Promise<Handover | undefined> {
  try {
    // Written by the main step of this very run.
    return JSON.parse(await readFile(join(root, FILE), 'utf8')) as Handover
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

async function save(
  { choice, retries, plan, isTold }: Handover,
  { root, runner, env }: { readonly root: string; readonly runner: Runner; readonly env: NodeJS.ProcessEnv },
): Promise<void> {
  const started = performance.now()
  const backend = openBackend(choice, {
    ...{ root, env, retries },
    log: (line) => {
      runner.log(line)
    },
    debug: (line) => {
      runner.debug(line)
    },
  })
  try {
    const report = await executeSave(plan, { backend, root })
    const [failure] = report.failures
    if (failure !== undefined && isTold) runner.log(`Layer cache: ${savingTrouble(failure)}.`)
    else if (failure !== undefined) warn(runner, savingTrouble(failure), workspaceOf(env))
    const line = savedLine(report, performance.now() - started)
    if (line !== undefined) runner.log(line)
  } finally {
    await backend.close()
  }
}

function warn(runner: Runner, trouble: string, workspace: string): void {
  const problem = { message: `The layer cache: ${trouble}. The build does not depend on it.` }
  announce(runner, [problem], { level: 'warning', workspace })
}

function workspaceOf(env: NodeJS.ProcessEnv): string {
  return env['GITHUB_WORKSPACE'] ?? process.cwd()
}
