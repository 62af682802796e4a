/**
 * `mode: plan` of a monorepo as users run it: 60 images of 40 Dockerfiles by a bake file, over a context of 100,000 files that their
 * first stage copies whole, beside `git status` of the same tree in the same rounds. Alone: `npm run bench -- --only=monorepo-plan`.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Row } from './layer-cache-table.ts'
import { median } from './median.ts'
import { gitStatus, planOnce, summary, type PlanRun } from './plan-action.ts'
import { makeRepository } from './plan-files.ts'
import { writeSection } from './results-file.ts'
import type { Machine } from './machine.ts'

export interface MonorepoPlan {
  /** Of `git status`, seconds; the median of the same rounds. */
  readonly status: number
  readonly plan: PlanRun
}

const FILES = 100_000
const DOCKERFILES = 40
const IMAGES = 60
const STATUS_BAR = 3

/** Plans it in turns with `git status`. */
export async function measureMonorepoPlan(rounds: number): Promise<MonorepoPlan> {
  const directory = await mkdtemp(join(tmpdir(), 'stage-build-monorepo-'))
  const cache = await mkdtemp(join(tmpdir(), 'stage-build-monorepo-cache-'))
  try {
    await writeDockerfiles(directory)
    await makeRepository(directory, FILES)
    const inputs = { 'bake-files': 'docker-bake.json', 'cache-dir': cache }
    const statuses: number[] = []
    const plans: Partial<PlanRun>[] = []
    for (let round = 0; round <= rounds; round++) {
      const isTimed = round > 0
      const status = await gitStatus(directory)
      if (isTimed) statuses.push(status)
      plans.push(await planOnce(directory, inputs, { said: 'image-59: changed (no record', isTimed }))
    }
    return { status: median(statuses), plan: summary(plans) }
  } finally {
    await rm(directory, { recursive: true, force: true })
    await rm(cache, { recursive: true, force: true })
  }
}

/** Every second Dockerfile makes two images, by an argument; the first stage is the same in all of them. */
async function writeDockerfiles(directory: string): Promise<void> {
  await mkdir(join(directory, 'docker'), { recursive: true })
  for (let index = 0; index < DOCKERFILES; index++) {
    const lines = [
      'FROM scratch AS sources',
      'COPY packages /packages',
      'FROM scratch AS service',
      'ARG PACKAGE',
      'COPY --from=sources /packages/package-99/src/module-0 /common',
      'COPY packages/${PACKAGE}/src/module-0 /service',
      `ENV DOCKERFILE=${index}`,
    ]
    await writeFile(join(directory, `docker/${index}.Dockerfile`), `${lines.join('\n')}\n`)
  }
  const target: Record<string, object> = {}
  for (let index = 0; index < IMAGES; index++) {
    const dockerfile = `docker/${index % DOCKERFILES}.Dockerfile`
    target[`image-${index}`] = { context: '.', dockerfile, args: { PACKAGE: `package-${index}` } }
  }
  const group = { default: { targets: Object.keys(target) } }
  await writeFile(join(directory, 'docker-bake.json'), JSON.stringify({ group, target }))
}

export function monorepoPlanRows({ status, plan: { seconds } }: MonorepoPlan): readonly Row[] {
  return [
    {
      what: '`mode: plan` of 60 images in 40 Dockerfiles over 100,000 files, to `git status`',
      value: `${(seconds / status).toFixed(2)}× (${ms(seconds)} to ${ms(status)})`,
      bar: `≤ ${STATUS_BAR}×`,
      ok: seconds <= STATUS_BAR * status,
    },
  ]
}

/** Writes the section of the results. */
export async function writeMonorepoPlan(figures: MonorepoPlan, machine: Machine): Promise<void> {
  const { together, main } = figures.plan
  const lines = monorepoPlanRows(figures).map(
    ({ what, value, bar, ok }) => `| ${what} | ${value} | ${bar} | ${ok ? 'held' : '**missed**'} |`,
  )
  const text = [
    '# The plan of a monorepo, measured',
    'Written by the bench (`npm run bench -- --only=monorepo-plan`), not by hand.',
    [
      'A bake file makes 60 images of 40 Dockerfiles. Each Dockerfile has a first stage that copies a tree of 100,000 files whole, 5 % of them',
      'unknown to git, and one that copies a folder of its own. There is no record of an earlier build. Times are of main and post',
      'step, medians, `git status` in the same rounds; the call of `docker buildx bake` that reads the file is in them.',
      `${main.toFixed(0)} MB were resident at most, ${together.toFixed(0)} MB with all that the action starts.`,
    ].join('\n'),
    `${machine.date} · ${machine.cores} cores (${machine.cpu}) · ${machine.memory} RAM · Linux ${machine.kernel} · buildx ${machine.buildx} · Node.js ${machine.node}${machine.note === undefined ? '' : ` · ${machine.note}`}`,
    ['|  | Measured | Bar |  |', '| --- | --- | --- | --- |', ...lines].join('\n'),
  ]
  await writeSection('monorepo-plan', text.join('\n\n'))
}

function ms(seconds: number): string {
  return `${(seconds * 1_000).toFixed(0)} ms`
}
