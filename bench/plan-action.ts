/**
 * `mode: plan` as users run it, the bundled action in a process of its own: its time beside `git status` of a large context, its
 * memory, and how both grow with files, stages and targets. The cache is a directory with the record of an earlier build,
 * where there is one.
 */
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { runAction, runStep, type ActionResult } from '../__tests__/support/action.ts'
import { workspace } from '../__tests__/support/engine.ts'
import { runProcess } from '../src/process.ts'
import { makeRepository } from './plan-files.ts'
import { median } from './median.ts'

export interface PlanRun {
  /** Seconds, main step and post step; medians. */
  readonly seconds: number
  /** Megabytes at their highest: the action's own process, and all that it starts, at one moment. */
  readonly main: number
  readonly together: number
}

export interface FilesPlan extends PlanRun {
  readonly files: number
  /** Of `git status`, seconds; the median of the same rounds. */
  readonly status: number
  /** A file is different from the record's. */
  readonly changed: PlanRun
}

export interface Growth {
  readonly of: 'files' | 'stages' | 'targets'
  readonly points: readonly (PlanRun & { readonly count: number })[]
  /** Of a power law through the last two points, what an empty one costs taken off: 1 is linear. */
  readonly exponent: number
}

/** `COPY . .` of so many files, 5 % of them unknown to git, with the record of a build of the same. */
export async function measureFilesPlan(files: number, rounds: number): Promise<FilesPlan> {
  await using subject = await openFiles(files)
  const { directory, inputs } = subject
  const file = join(directory, 'packages/package-0/src/module-0/file-1.ts')
  const original = await readFile(file)
  const statuses: number[] = []
  const runs: { same: Partial<PlanRun>; changed: Partial<PlanRun> }[] = []
  for (let round = 0; round <= rounds; round++) {
    const isTimed = round > 0
    const status = await gitStatus(directory)
    const same = await planOnce(directory, inputs, { said: 'unchanged', isTimed })
    await writeFile(file, `${String(original)}// ${round}\n`)
    // Of many files the record keeps folders.
    const changed = await planOnce(directory, inputs, { said: 'packages/package-0/src/', isTimed })
    await writeFile(file, original)
    if (isTimed) statuses.push(status)
    runs.push({ same, changed })
  }
  return {
    files,
    status: median(statuses),
    ...summary(runs.map(({ same }) => same)),
    changed: summary(runs.map(({ changed }) => changed)),
  }
}

/** What is planned time and again. */
interface Subject extends AsyncDisposable {
  readonly directory: string
  readonly inputs: Readonly<Record<string, string>>
  /** What the log says of it. */
  readonly said: string
}

/** So many files, as `measureFilesPlan` has them. */
export async function openFiles(files: number): Promise<Subject> {
  const space = await workspace({ Dockerfile: 'FROM scratch\nCOPY . .\n' })
  const { directory, tempRoot } = space
  await makeRepository(directory, files)
  const inputs = { 'cache-dir': tempRoot }
  const built = await runStep({ inputs, workspace: directory })
  if (built.main.code !== 0) throw new Error(`no record:\n${built.main.stdout}`)
  return { ...space, inputs, said: 'unchanged' }
}

/** A chain of so many stages, one target. */
export async function openStages(stages: number): Promise<Subject> {
  const lines = Array.from({ length: stages }, (_, index) => [
    index === 0 ? 'FROM scratch AS s0' : `FROM s${index - 1} AS s${index}`,
    `ARG STEP=${index}`,
    index === 0 ? 'COPY a.txt /a' : `COPY --from=s${Math.max(0, index - 2)} /a /h${index}`,
    'RUN --mount=type=cache,target=/c echo "$STEP"',
  ])
  return await openDockerfile(lines.flat(), `s${stages - 1}`)
}

/** So many targets, each with a file of its own, on one stage that all need. */
export async function openTargets(targets: number): Promise<Subject> {
  const names = Array.from({ length: targets }, (_, index) => `t${index}`)
  const lines = names.map((name) => [`FROM base AS ${name}`, `COPY a.txt /${name}`, `RUN echo ${name}`])
  return await openDockerfile(['FROM scratch AS base', 'COPY a.txt /a', ...lines.flat()], names.join(','))
}

async function openDockerfile(lines: readonly string[], targets: string): Promise<Subject> {
  const space = await workspace({ Dockerfile: `${lines.join('\n')}\n`, 'a.txt': 'a\n' })
  return { ...space, inputs: { targets }, said: 'no record' }
}

/** Plans of several sizes in turns: the machine is a quarter faster or slower from one minute to the next. */
export async function measureGrowth(
  of: Growth['of'],
  counts: readonly number[],
  { open, rounds }: { readonly open: (count: number) => Promise<Subject>; readonly rounds: number },
): Promise<Growth> {
  await using stack = new AsyncDisposableStack()
  const subjects: { readonly count: number; readonly subject: Subject; readonly runs: Partial<PlanRun>[] }[] = []
  for (const count of counts) subjects.push({ count, subject: stack.use(await open(count)), runs: [] })
  for (let round = 0; round <= rounds; round++) {
    for (const { subject, runs } of subjects) {
      runs.push(await planOnce(subject.directory, subject.inputs, { said: subject.said, isTimed: round > 0 }))
    }
  }
  return growthOf(of, subjects.map(({ count, runs }) => ({ count, ...summary(runs) }))) // prettier-ignore
}

function growthOf(of: Growth['of'], points: Growth['points']): Growth {
  const [first, before, last] = [points[0], points.at(-2), points.at(-1)]
  if (first === undefined || before === undefined || last === undefined) return { of, points, exponent: NaN }
  // The first point is almost nothing but the start of the process.
  const own = (point: PlanRun): number => Math.max(point.seconds - first.seconds, 0.001)
  const exponent = Math.log(own(last) / own(before)) / Math.log(last.count / before.count)
  return { of, points, exponent }
}

/**
 * One run, of which the log must say something. Its time or its memory is measured: to read the memory of all that runs takes
 * a good part of a processor. The first round, which warms the page cache for all, is the one for memory.
 */
export async function planOnce(
  directory: string,
  inputs: Readonly<Record<string, string>>,
  { said, isTimed }: { readonly said: string; readonly isTimed: boolean },
): Promise<Partial<PlanRun>> {
  const temp = await mkdtemp(join(tmpdir(), 'stage-build-plan-temp-'))
  const options = { inputs: { mode: 'plan', ...inputs }, workspace: directory, runnerTemp: temp }
  const sampler = isTimed ? undefined : new Memory()
  try {
    const main = await runAction(options)
    const post = await runAction({ ...options, state: main.state })
    const seconds = main.seconds + post.seconds
    for (const step of [main, post]) check(step)
    if (!main.stdout.includes(said)) throw new Error(`${said} is not said:\n${main.stdout}`)
    return sampler === undefined ? { seconds } : await sampler.end()
  } finally {
    await sampler?.end()
    await rm(temp, { recursive: true, force: true })
  }
}

function check({ code, stdout, stderr }: ActionResult): void {
  if (code !== 0) throw new Error(`the plan failed:\n${stdout}${stderr}`)
}

/** Seconds. */
export async function gitStatus(directory: string): Promise<number> {
  const started = performance.now()
  const { code, stderr } = await runProcess('git', ['status', '--porcelain=v2', '-z'], { cwd: directory })
  if (code !== 0) throw new Error(stderr)
  return (performance.now() - started) / 1_000
}

/** Reads /proc (Linux) until it is ended: the largest sets of resident pages of what this process starts. */
class Memory {
  #running = true
  #main = 0
  #together = 0
  readonly #done = this.#watch()

  /** Megabytes. */
  async end(): Promise<Omit<PlanRun, 'seconds'>> {
    this.#running = false
    await this.#done
    return { main: this.#main / 1e6, together: this.#together / 1e6 }
  }

  async #watch(): Promise<void> {
    while (this.#running) {
      const sizes: number[] = []
      await this.#visit(String(process.pid), undefined, sizes)
      this.#together = Math.max(this.#together, sizes.reduce((sum, size) => sum + size, 0)) // prettier-ignore
      await delay(5)
    }
  }

  async #visit(pid: string, parent: string | undefined, sizes: number[]): Promise<void> {
    const command = await read(`/proc/${pid}/cmdline`)
    if (parent !== undefined && command !== parent) {
      const status = await read(`/proc/${pid}/status`)
      sizes.push(kib(status, 'VmRSS'))
      if (command.includes('dist/index.js')) this.#main = Math.max(this.#main, kib(status, 'VmHWM'))
    }
    // Between fork and exec a child looks like its parent, and shares its pages.
    for (const thread of await readdir(`/proc/${pid}/task`).catch(() => [])) {
      const children = await read(`/proc/${pid}/task/${thread}/children`)
      for (const child of children.split(' ').filter((id) => id !== '')) await this.#visit(child, command, sizes)
    }
  }
}

function kib(status: string, field: string): number {
  const [, value = '0'] = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status) ?? []
  return Number(value) * 1_024
}

/** A process may end while it is looked at. */
async function read(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch(() => '')
}

/** The median time, the most memory. */
export function summary(runs: readonly Partial<PlanRun>[]): PlanRun {
  return {
    seconds: median(runs.flatMap(({ seconds }) => seconds ?? [])),
    main: Math.max(...runs.flatMap(({ main }) => main ?? [])),
    together: Math.max(...runs.flatMap(({ together }) => together ?? [])),
  }
}
