/**
 * What it costs to know the content of a large context, beside `git status` of the same tree: `COPY . .`, 5 % of the files
 * unknown to git. Alone: `node bench/plan-files.ts`.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { ignoreFileFor } from '../src/context/ignore-file.ts'
import { IgnoreMatcher } from '../src/context/ignore-matcher.ts'
import { snapshotContext } from '../src/context/snapshot.ts'
import { runProcess } from '../src/process.ts'
import { median } from './median.ts'

export interface PlanFiles {
  readonly files: number
  /** Medians, milliseconds. */
  readonly status: number
  readonly context: number
  /** Of the medians. */
  readonly ratio: number
  /** The largest resident set of the process that made the snapshot, MB; and of one that read a single file. */
  readonly memory: number
  readonly idleMemory: number
}

interface Measured {
  readonly milliseconds: number
  readonly memory: number
}

/** Every twentieth file is not tracked. */
const UNKNOWN = 20
const MEASURE = '--measure'

/** Builds a repository of so many files in a temporary directory and measures both in turns. */
export async function measurePlanFiles(files: number, rounds: number): Promise<PlanFiles> {
  const directory = await mkdtemp(join(tmpdir(), 'stage-build-plan-'))
  try {
    await makeRepository(directory, files)
    await status(directory)
    await context(directory, '/')
    const results: { readonly status: number; readonly context: Measured }[] = []
    for (let round = 0; round < rounds; round++) {
      results.push({ status: await status(directory), context: await context(directory, '/') })
    }
    const medians = {
      status: median(results.map((result) => result.status)),
      context: median(results.map((result) => result.context.milliseconds)),
    }
    const memory = Math.max(...results.map((result) => result.context.memory))
    const { memory: idleMemory } = await context(directory, '/.dockerignore')
    return { files, ...medians, ratio: medians.context / medians.status, memory, idleMemory }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

export async function makeRepository(directory: string, files: number): Promise<void> {
  const made = new Set<string>()
  for (let index = 0; index < files; index++) {
    const unit = Math.floor(index / 20)
    const folder = join(directory, `packages/package-${unit % 100}`, `src/module-${Math.floor(unit / 100)}`)
    if (!made.has(folder)) mkdirSync(folder, { recursive: true })
    made.add(folder)
    const name = index % UNKNOWN === 0 ? `generated-${index}.js` : `file-${index}.ts`
    writeFileSync(join(folder, name), `export const value${index} = ${index}\n`.repeat(1 + (index % 60)))
  }
  writeFileSync(join(directory, '.gitignore'), 'generated-*.js\n')
  writeFileSync(join(directory, '.dockerignore'), '.git\n**/node_modules\n*.md\n')
  await git(directory, 'init', '--quiet')
  await git(directory, 'config', 'gc.auto', '0')
  await git(directory, 'config', 'maintenance.auto', 'false')
  await git(directory, 'add', '--all')
  // As after a checkout that is not the last moment's: git, too, reads what was written together with its index.
  await setTimeout(2_000)
  await git(directory, 'update-index', '--refresh')
  await git(directory, 'update-index', '--force-write-index')
  await git(directory, '-c', 'user.name=bench', '-c', 'user.email=bench@localhost', 'commit', '--quiet', '-m', 'all')
}

async function git(directory: string, ...args: readonly string[]): Promise<void> {
  const { code, stderr } = await runProcess('git', args, { cwd: directory })
  if (code !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`)
}

/** Milliseconds. */
async function status(directory: string): Promise<number> {
  const start = performance.now()
  await git(directory, 'status', '--porcelain=v2', '-z')
  return performance.now() - start
}

/** In a process of its own, as the action is one: nothing compiled yet. */
async function context(directory: string, path: string): Promise<Measured> {
  const { code, stdout, stderr } = await runProcess(process.execPath, [import.meta.filename, MEASURE, directory, path])
  if (code !== 0) throw new Error(stderr)
  return JSON.parse(stdout) as Measured
}

async function measureHere(directory: string, path: string): Promise<Measured> {
  const start = performance.now()
  const matcher = new IgnoreMatcher(ignoreFileFor(join(directory, 'Dockerfile'), directory))
  const snapshot = await snapshotContext({ directory, matcher, env: process.env })
  const { entries } = await snapshot.read({ via: 'copy', paths: [path], exclude: [], parents: false })
  // A record holds every entry.
  let count = 0
  for (const { type } of entries) if (type === 'file') count++
  if (count === 0) throw new Error('nothing was read')
  return { milliseconds: performance.now() - start, memory: process.resourceUsage().maxRSS / 1000 }
}

if (process.argv[1] === import.meta.filename) {
  const [mode, directory = '', path = ''] = process.argv.slice(2)
  if (mode === MEASURE) {
    console.log(JSON.stringify(await measureHere(directory, path)))
  } else {
    for (const files of [1_000, 10_000, 100_000]) {
      const { status, context, ratio, memory, idleMemory } = await measurePlanFiles(files, 5)
      const times = `context ${context.toFixed(0)} ms, git status ${status.toFixed(0)} ms: ${ratio.toFixed(2)}×`
      console.log(`${files} files: ${times}; memory ${memory.toFixed(0)} MB (${idleMemory.toFixed(0)} MB for one file)`)
    }
  }
}
