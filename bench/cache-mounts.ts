/**
 * Cache mounts measured: one source file changed in a Go program of many packages, on an empty engine, against bake with
 * `type=gha` (which loses what is in mounts); and 25,000 files put into a mount and taken out of it.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MountHelper } from '../src/mount-helper.ts'
import { readMountList } from '../src/mounts/mount-list.ts'
import { runProcess } from '../src/process.ts'
import { GoProject, PACKAGES } from './cache-mounts-project.ts'
import { runContender, type Contender } from './layer-cache-contenders.ts'
import { engineDataText, FreshEngine, Rigs } from './layer-cache-rigs.ts'
import type { Row } from './layer-cache-table.ts'
import type { Machine } from './machine.ts'
import { median } from './median.ts'

export interface MountFigures {
  /** Seconds of the run after one file changed, with its post step; a round each. */
  readonly rounds: readonly Readonly<Record<'stage-build' | 'gha', number>>[]
  readonly files: readonly FilesFigures[]
}

/** Seconds, and MB that the process grew by at its largest. */
interface FilesFigures {
  readonly putIn: number
  readonly takenOut: number
  readonly memory: number
}

const DIRECTORIES = 250
const FILES_EACH = 100
const FILE_BYTES = 8_000
const REF = 'refs/heads/main'

/** @throws when a build fails, or the engine cannot be emptied */
export async function measureCacheMounts(repetitions: number): Promise<MountFigures> {
  await using engine = await FreshEngine.start()
  const rounds: Record<'stage-build' | 'gha', number>[] = []
  await using rigs = await Rigs.start(process.env['STAGE_BUILD_REGISTRY'] ?? '')
  for (let round = 0; round < repetitions; round++) {
    const turn = round % 2 === 0 ? (['stage-build', 'gha'] as const) : (['gha', 'stage-build'] as const)
    const seconds = { 'stage-build': 0, gha: 0 }
    for (const contender of turn) seconds[contender] = await oneFileChanged(contender, { rigs, engine })
    rounds.push(seconds)
  }
  const files: FilesFigures[] = []
  for (let round = 0; round < repetitions; round++) {
    await engine.empty()
    files.push(await manyFiles())
  }
  return { rounds, files }
}

export function cacheMountRows({ rounds, files }: MountFigures): readonly Row[] {
  const [ours, theirs] = [rounds.map((one) => one['stage-build']), rounds.map(({ gha }) => gha)].map(median)
  const ratio = (ours ?? 0) / (theirs ?? 1)
  const [putIn, takenOut] = [files.map((one) => one.putIn), files.map((one) => one.takenOut)].map(median)
  const memory = Math.max(...files.map((one) => one.memory))
  const many = `${DIRECTORIES * FILES_EACH} files, ${(DIRECTORIES * FILES_EACH * FILE_BYTES) / 1e6} MB`
  return [
    {
      what: `one source file changed in a Go program of ${PACKAGES} packages, to \`type=gha,mode=max\``,
      value: `${(ours ?? 0).toFixed(1)} s to ${(theirs ?? 0).toFixed(1)} s: ${ratio.toFixed(2)}×`,
      bar: '≤ 0.5×',
      ok: ratio <= 0.5,
    },
    { what: `${many}: put in`, value: `${(putIn ?? 0).toFixed(2)} s`, bar: '≤ 2.5 s', ok: (putIn ?? 0) <= 2.5 },
    { what: `${many}: taken out`, value: `${(takenOut ?? 0).toFixed(2)} s`, bar: '≤ 2 s', ok: (takenOut ?? 0) <= 2 },
    { what: `${many}: memory`, value: `+${memory.toFixed(0)} MB`, bar: '≤ 50 MB', ok: memory <= 50 },
  ]
}

export function cacheMountsSection(
  figures: MountFigures,
  { machine, command }: { readonly machine: Machine; readonly command: string },
): string {
  const seconds = (all: readonly number[]): string => all.map((one) => one.toFixed(1)).join(', ')
  return [
    '# Cache mounts, measured',
    `Written by the bench (\`${command}\`), not by hand.`,
    [
      `A Go program of ${PACKAGES} packages is built with \`RUN --mount=type=cache\` and pushed, and again on an empty engine after one`,
      'source file changed; through the same slow cache service and registries as the layer cache, the post step included. The files',
      `are put into a mount of an empty engine by the helper build, and taken out of it by another. ${engineDataText()}`,
    ].join('\n'),
    `${machine.date} · ${machine.cores} cores (${machine.cpu}) · ${machine.memory} RAM · Linux ${machine.kernel} · Docker ${machine.docker} · ` +
      `buildx ${machine.buildx} · Node.js ${machine.node}${machine.note === undefined ? '' : ` · ${machine.note}`}`,
    [
      '|  | Measured | Bar |  |',
      '| :-- | --: | --: | --: |',
      ...cacheMountRows(figures).map(
        ({ what, value, bar, ok }) => `| ${what} | ${value} | ${bar} | ${ok ? 'held' : '**missed**'} |`,
      ),
    ].join('\n'),
    `Seconds of each run: stage-build ${seconds(figures.rounds.map((one) => one['stage-build']))}; \`type=gha\` ${seconds(figures.rounds.map(({ gha }) => gha))}.`,
  ].join('\n\n')
}

/** A first run with an empty cache, and one of a fresh engine after one file changed. */
async function oneFileChanged(
  contender: Contender,
  { rigs, engine }: { readonly rigs: Rigs; readonly engine: FreshEngine },
): Promise<number> {
  await rigs.clear()
  await using project = await GoProject.make(rigs.addresses.images)
  const repository = `bench-${randomBytes(4).toString('hex')}`
  const order = { directory: project.directory, targets: ['app'], ref: REF, repository, rigs: rigs.addresses }
  const run = async (what: string): Promise<number> => {
    await engine.empty()
    await rigs.reset()
    const { seconds, warnings } = await runContender(contender, { ...order, onLine: () => undefined, debug: false })
    console.log(`${contender}, ${what}: ${seconds.toFixed(1)} s ${warnings.join(' ')}`)
    return seconds
  }
  await run('cold')
  await project.change(7, 2)
  return await run('one file changed')
}

/** On the engine that `docker` is. */
async function manyFiles(): Promise<FilesFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'stage-build-mounts-bench-'))
  try {
    const path = await makeArchive(folder)
    const signal = new AbortController().signal
    const options = { docker: { env: process.env }, builder: undefined, namespace: '', tempRoot: folder, signal }
    const helper = new MountHelper({ ...options, onRun: () => undefined })
    const mount = { key: '', id: 'bench', permissions: undefined, steps: [], isWritten: true }
    const before = process.resourceUsage().maxRSS
    const putIn = await timed(async () => {
      await helper.putIn([{ mount, name: '0', path, bytes: (await stat(path)).size }])
    })
    const long = { usedSince: 0, madeSince: 0 }
    const takenOut = await timed(async () => {
      const out = await helper.takeOut([{ mount, name: '0', ...long }], { maxBytes: 2e9, folder: join(folder, 'out') })
      const { files } = await readMountList(join(out, '0.list'))
      if (files !== DIRECTORIES * FILES_EACH) throw new Error(`${files} files were taken out`)
    })
    const memory = (process.resourceUsage().maxRSS - before) / 1e3
    console.log(`25,000 files: in ${putIn.toFixed(2)} s, out ${takenOut.toFixed(2)} s, +${memory.toFixed(0)} MB`)
    return { putIn, takenOut, memory }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** An archive as the helper makes them. */
async function makeArchive(folder: string): Promise<string> {
  const content = join(folder, 'content')
  for (let directory = 0; directory < DIRECTORIES; directory++) {
    await mkdir(join(content, `d${directory}`), { recursive: true })
    const names = Array.from({ length: FILES_EACH }, (_, index) => join(content, `d${directory}`, `f${index}`))
    await Promise.all(names.map(async (name) => { await writeFile(name, randomBytes(FILE_BYTES)) })) // prettier-ignore
  }
  const path = join(folder, 'archive.tar')
  const { code, stderr } = await runProcess('tar', ['--format=pax', '-C', content, '-cf', path, '.'])
  if (code !== 0) throw new Error(stderr)
  await rm(content, { recursive: true })
  await runProcess('sync', [])
  return path
}

async function timed(action: () => Promise<void>): Promise<number> {
  const started = performance.now()
  await action()
  return (performance.now() - started) / 1_000
}
