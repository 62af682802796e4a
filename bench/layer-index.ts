/**
 * The file index of a layer of 1 GB and 100,000 files, beside `zstd -dc | tar -t` on the same file in the same run. The
 * index is made in a process of its own (`layer-index-main.ts`), whose memory is told.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Random } from '../__tests__/support/random.ts'
import { rawTar } from '../__tests__/support/raw-tar.ts'
import type { Row } from './layer-cache-table.ts'
import type { IndexRun } from './layer-index-main.ts'
import type { Machine } from './machine.ts'

export interface LayerIndexFigures {
  readonly files: number
  /** File bytes, of the blob and of what is in it. */
  readonly compressed: number
  readonly unpacked: number
  /** Seconds, in the order of the runs. */
  readonly index: readonly number[]
  readonly tar: readonly number[]
  /** Of these, to work the files out of the entries once all have come. */
  readonly filesOnly: readonly number[]
  /** Highest resident memory of the process, MB. */
  readonly memory: number
}

const FILES = 100_000
const FILES_IN_DIRECTORY = 25
const MEAN_BYTES = 10_000
const SPEED_BAR = 0.8
const MEMORY_BAR = 250

export async function measureLayerIndex(repetitions: number): Promise<LayerIndexFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'stage-build-layer-'))
  try {
    const layer = join(folder, 'layer.tar.zst')
    const made = await writeLayer(layer)
    // What is read first comes from the disk, for whoever reads it.
    const listed = execFileSync('sh', ['-c', 'zstd -dc "$1" | tar -t | wc -l', 'sh', layer], { encoding: 'utf8' })
    if (Number(listed) !== made.entries) throw new Error(`tar lists ${listed.trim()} entries, not ${made.entries}`)
    const [index, tar, filesOnly, memory]: [number[], number[], number[], number[]] = [[], [], [], []]
    for (let round = 0; round < repetitions; round++) {
      tar.push(listWithTar(layer))
      const run = indexInProcess(layer)
      if (run.files !== FILES || run.bytes !== made.bytes || run.entries !== made.entries)
        throw new Error(`the index has ${JSON.stringify(run)}, the layer ${JSON.stringify(made)}`)
      index.push(run.seconds)
      filesOnly.push(run.filesSeconds)
      memory.push(run.memory)
    }
    const { size } = await stat(layer)
    return { files: FILES, compressed: size, unpacked: made.bytes, index, tar, filesOnly, memory: Math.max(...memory) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export function layerIndexRows({ index, tar, memory }: LayerIndexFigures): readonly Row[] {
  const [ours, theirs] = [middle(index), middle(tar)]
  const speed = theirs / ours
  return [
    {
      what: 'speed of the index of 1 GB and 100,000 files, to `zstd -dc | tar -t`',
      value: `${speed.toFixed(2)}× (${ours.toFixed(2)} s to ${theirs.toFixed(2)} s)`,
      bar: `≥ ${SPEED_BAR}×`,
      ok: speed >= SPEED_BAR,
    },
    {
      what: 'resident memory of the process that makes it',
      value: `${memory.toFixed(0)} MB`,
      bar: `≤ ${MEMORY_BAR} MB`,
      ok: memory <= MEMORY_BAR,
    },
  ]
}

export function layerIndexSection(
  figures: LayerIndexFigures,
  { machine, command }: { machine: Machine; command: string },
): string {
  const { compressed, unpacked, index, tar, filesOnly } = figures
  const times = (all: readonly number[]): string => all.map((seconds) => seconds.toFixed(2)).join(', ')
  return [
    '# The file index of a layer, measured',
    `Written by the bench (\`${command}\`), not by hand.`,
    [
      `A zstd layer (level 3) of ${FILES.toLocaleString('en')} files, ${(unpacked / 1e6).toFixed(0)} MB, ${(compressed / 1e6).toFixed(0)} MB packed: texts and noise. It is in the page`,
      'cache; both sides run in turns. The time of the index begins before the file is opened and ends when all files stand in',
      'their directories; the start of Node.js is not in it. Memory is the highest of all runs.',
    ].join('\n'),
    `${machine.date} · ${machine.cores} cores (${machine.cpu}) · ${machine.memory} RAM · Linux ${machine.kernel} · ` +
      `Node.js ${machine.node}${machine.note === undefined ? '' : ` · ${machine.note}`}`,
    [
      '|  | Measured | Bar |  |',
      '| :-- | --: | --: | --: |',
      ...layerIndexRows(figures).map(
        ({ what, value, bar, ok }) =>
          `| ${what.replaceAll('|', '\\|')} | ${value} | ${bar} | ${ok ? 'held' : '**missed**'} |`,
      ),
    ].join('\n'),
    `Seconds of each run: index ${times(index)} (of these, to work the files out at the end: ${times(filesOnly)}); \`zstd -dc | tar -t\` ${times(tar)}.`,
  ].join('\n\n')
}

/** Seconds that the machine's own tools take to list the layer; the list goes nowhere, which is the faster way. */
function listWithTar(layer: string): number {
  const start = performance.now()
  execFileSync('sh', ['-c', 'zstd -dc "$1" | tar -t > /dev/null', 'sh', layer])
  return (performance.now() - start) / 1_000
}

function indexInProcess(layer: string): IndexRun {
  const main = join(import.meta.dirname, 'layer-index-main.ts')
  return JSON.parse(execFileSync(process.execPath, [main, layer], { encoding: 'utf8' })) as IndexRun
}

/** Writes the layer, the same each time. */
async function writeLayer(path: string): Promise<{ readonly entries: number; readonly bytes: number }> {
  const random = new Random(7)
  const words = Array.from({ length: 4_000 }, () => random.word())
  const text = Buffer.from(
    Array.from({ length: 1_500_000 }, () => words[Math.floor(random.below(4_000) ** 2 / 4_000)]).join(' '),
  )
  const noise = Buffer.from(Array.from({ length: 2 << 20 }, () => random.below(256)))
  let [entries, bytes] = [0, 0]
  function* archive(): Generator<Buffer> {
    for (let first = 0; first < FILES; first += FILES_IN_DIRECTORY) {
      const folder = `usr/lib/node_modules/${words[(first / FILES_IN_DIRECTORY) % words.length] ?? ''}${first}/dist/`
      const files = Array.from({ length: FILES_IN_DIRECTORY }, (_, i) => {
        const from = random.below(5) === 0 ? noise : text
        const size = Math.floor(MEAN_BYTES / 5) + random.below(Math.floor(MEAN_BYTES * 1.6))
        const at = random.below(from.length - size)
        bytes += size
        return { path: `${folder}${random.pick(words) ?? ''}${i}.js`, body: from.subarray(at, at + size) }
      })
      entries += files.length + 1
      yield rawTar([{ path: folder, type: '5' }, ...files], { close: first + FILES_IN_DIRECTORY === FILES })
    }
  }
  const zstd = spawn('zstd', ['-q', '-3', '-f', '-', '-o', path], { stdio: ['pipe', 'inherit', 'inherit'] })
  const ended = once(zstd, 'close')
  await pipeline(Readable.from(archive()), zstd.stdin)
  const [code] = (await ended) as readonly unknown[]
  if (code !== 0) throw new Error(`zstd ended with ${String(code)}`)
  return { entries, bytes }
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN
}
