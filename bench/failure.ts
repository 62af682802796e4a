/**
 * What a failing target costs the others: six targets that compute for a second or two, a seventh whose RUN fails after one; against bake
 * of the six alone, which is as fast as it can be, for bake with the seventh ends with nothing pushed. In turns, each
 * round with a change of its own.
 */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runStep } from '../__tests__/support/action.ts'
import { bareBake } from './bare-bake.ts'
import type { Row } from './layer-cache-table.ts'
import { median } from './median.ts'

export interface FailureFigures {
  readonly rounds: readonly { readonly action: number; readonly bare: number }[]
}

const GOOD: readonly string[] = Array.from({ length: 6 }, (_, index) => `svc${index + 1}`)
/** What it takes today: bake ends with nothing, and is run again without the target that failed. */
const BAR = 2

/** Seconds. @throws when a good target is not built, or the broken one is */
export async function measureFailure(rounds: number): Promise<FailureFigures> {
  const images = process.env['STAGE_BUILD_EXTERNAL_IMAGES'] ?? ''
  const [, alpine = 'alpine:3.22'] = /^alpine:3\.22=(.*)$/m.exec(images) ?? []
  const repository = `${process.env['STAGE_BUILD_REGISTRY'] ?? ''}/bench/failure`
  const context = await mkdtemp(join(tmpdir(), 'stage-build-bench-'))
  try {
    await writeFile(join(context, 'Dockerfile'), dockerfile(alpine))
    const results: { action: number; bare: number }[] = []
    // The first round warms up both.
    for (let round = 0; round <= rounds; round++) {
      const seconds = { action: 0, bare: 0 }
      for (const [kind, run] of [
        ['action', action],
        ['bare', bare],
      ] as const) {
        await writeFile(join(context, 'mark'), randomUUID())
        const start = performance.now()
        await run(context, repository)
        seconds[kind] = (performance.now() - start) / 1_000
      }
      if (round > 0) results.push(seconds)
    }
    return { rounds: results }
  } finally {
    await rm(context, { recursive: true, force: true })
  }
}

export function failureRows({ rounds }: FailureFigures): readonly Row[] {
  const [ours, theirs] = [median(rounds.map(({ action }) => action)), median(rounds.map(({ bare }) => bare))]
  const ratio = ours / theirs
  return [
    {
      what: 'six targets built and pushed beside one that fails, to bake of the six alone, medians',
      value: `${ours.toFixed(2)} s to ${theirs.toFixed(2)} s: ${ratio.toFixed(2)}×`,
      bar: `≤ ${BAR}×`,
      ok: ratio <= BAR,
    },
  ]
}

function dockerfile(alpine: string): string {
  const base = [`FROM ${alpine} AS base`, 'COPY mark /mark']
  const targets = GOOD.flatMap((name) => [
    `FROM base AS ${name}`,
    `RUN (echo ${name}; cat /mark; head -c 150000000 /dev/zero) | sha256sum > /sum`,
  ])
  return [...base, ...targets, 'FROM base AS broken', 'RUN sleep 1 && false', ''].join('\n')
}

async function bare(context: string, repository: string): Promise<void> {
  await bareBake(context, repository, GOOD)
}

async function action(context: string, repository: string): Promise<void> {
  const inputs = { targets: [...GOOD, 'broken'].join(','), tags: `${repository}:{target}`, push: 'true', cache: 'off' }
  const { main } = await runStep({ inputs, workspace: context })
  const { built, failed } = main.outputs
  const isRight = main.code === 1 && failed === '["broken"]' && built === JSON.stringify(GOOD)
  if (!isRight) throw new Error(`not as expected:\n${main.stdout}${main.stderr}`)
}
