/**
 * `npm run bench`: the figures that the project claims, measured side by side in one run. Prints a table, writes
 * `bench/results.json` and `bench/RESULTS.md`, and fails when a bar is broken. `--only=plan,plan-files,monorepo-plan,overhead,failure,layer-cache,layer-index,cache-mounts,size-report`
 * runs a part; `--repetitions=N` is for the plan, the layer cache and cache mounts, `--plan=unchanged,matrix,growth` for the plan, `--logs=DIR` and
 * `--no-large` are for the layer cache.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { cacheMountRows, cacheMountsSection, measureCacheMounts } from './cache-mounts.ts'
import { failureRows, measureFailure } from './failure.ts'
import { measureLayerCache } from './layer-cache.ts'
import { LayerCacheTable, type Row } from './layer-cache-table.ts'
import { layerIndexRows, layerIndexSection, measureLayerIndex } from './layer-index.ts'
import { describeMachine } from './machine.ts'
import { measureMonorepoPlan, monorepoPlanRows, writeMonorepoPlan } from './monorepo-plan.ts'
import { measureOverhead } from './overhead.ts'
import { measurePlanFiles } from './plan-files.ts'
import { measurePlanPart, PLAN_MEASUREMENTS, planRows, planSection, type PlanFigures } from './plan-part.ts'
import { measurePlan } from './plan-time.ts'
import { writeSection } from './results-file.ts'
import { measureSizeReport, sizeReportRows } from './size-report.ts'

interface Part {
  readonly rows: readonly Row[]
  readonly figures: object
}

const PARTS: Readonly<Record<string, () => Part | Promise<Part>>> = {
  plan: planPart,
  'plan-files': planFilesPart,
  'monorepo-plan': monorepoPlanPart,
  overhead: overheadPart,
  failure: failurePart,
  'layer-cache': layerCachePart,
  'layer-index': layerIndexPart,
  'cache-mounts': cacheMountsPart,
  'size-report': sizeReportPart,
}

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(PARTS).join(',') },
    repetitions: { type: 'string', default: '3' },
    plan: { type: 'string', default: PLAN_MEASUREMENTS.join(',') },
    logs: { type: 'string' },
    large: { type: 'boolean', default: true },
  },
  allowNegative: true,
})

const RESULTS = join(import.meta.dirname, 'results.json')
const before = JSON.parse(await readFile(RESULTS, 'utf8').catch(() => '{}')) as Readonly<Record<string, unknown>>
const results = Object.fromEntries(Object.entries(before).filter(([name]) => name in PARTS))
let broken = false
for (const name of values.only.split(',')) {
  const part = PARTS[name]
  if (part === undefined) throw new Error(`--only=${name}: there is ${Object.keys(PARTS).join(', ')}`)
  const { rows, figures } = await part()
  for (const row of rows) console.log(`${row.ok ? 'ok  ' : 'MISS'}  ${row.what}: ${row.value} (bar: ${row.bar})`)
  broken ||= rows.some((row) => !row.ok)
  results[name] = { node: process.version, ...figures, rows }
  await writeFile(RESULTS, `${JSON.stringify(results, undefined, 2)}\n`)
}
if (broken) process.exitCode = 1

async function planPart(): Promise<Part> {
  const small = measurePlan(500, 7)
  const large = measurePlan(1_000, 7)
  const larger = measurePlan(2_000, 7)
  const growth = larger.median / large.median
  const rows: readonly Row[] = [
    {
      what: 'plan of 1,000 stages, first in the process',
      value: `${small.first.toFixed(0)} ms for 500 first, ${large.first.toFixed(0)} ms for 1,000`,
      bar: '≤ 150 ms',
      ok: large.first <= 150,
    },
    {
      what: 'plan of 1,000 stages, median',
      value: `${large.median.toFixed(1)} ms`,
      bar: '≤ 150 ms',
      ok: large.median <= 150,
    },
    {
      what: 'growth, 2,000 stages to 1,000',
      value: `${growth.toFixed(2)}×`,
      bar: '≤ 2.6× (linear)',
      ok: growth <= 2.6,
    },
  ]
  const machine = await describeMachine()
  // What is not measured now is told as it was measured last.
  const last = (results['plan'] ?? {}) as PlanFigures
  const measured = await measurePlanPart(values.plan.split(','), Number(values.repetitions))
  const { unchanged, matrix, growth: growths } = { ...last, ...measured }
  const figures = { unchanged, matrix, growth: growths }
  await writeSection('plan', planSection(figures, { machine, command: 'npm run bench -- --only=plan' }))
  return { rows: [...rows, ...planRows(figures)], figures: { small, large, larger, machine, ...figures } }
}

async function planFilesPart(): Promise<Part> {
  const small = await measurePlanFiles(1_000, 5)
  const medium = await measurePlanFiles(10_000, 5)
  const large = await measurePlanFiles(100_000, 5)
  // What a process takes before it knows the first file is the same for all of them.
  const growth = (large.context - small.context) / (medium.context - small.context)
  const rows: readonly Row[] = [
    {
      what: 'content of a context of 100,000 files, 5 % unknown to git, to `git status`, medians',
      value: `${large.context.toFixed(0)} ms to ${large.status.toFixed(0)} ms: ${large.ratio.toFixed(2)}×`,
      bar: '≤ 2.5×',
      ok: large.ratio <= 2.5,
    },
    {
      what: 'memory at 100,000 files',
      value: `${large.memory.toFixed(0)} MB (${large.idleMemory.toFixed(0)} MB for one file)`,
      bar: '≤ 250 MB',
      ok: large.memory <= 250,
    },
    {
      what: 'growth, 100,000 files to 10,000',
      value: `${growth.toFixed(1)}×`,
      bar: '≤ 13× (linear)',
      ok: growth <= 13,
    },
  ]
  return { rows, figures: { small, medium, large } }
}

async function monorepoPlanPart(): Promise<Part> {
  const figures = await measureMonorepoPlan(5)
  const machine = await describeMachine()
  await writeMonorepoPlan(figures, machine)
  return { rows: monorepoPlanRows(figures), figures: { machine, ...figures } }
}

async function overheadPart(): Promise<Part> {
  const overhead = await measureOverhead(5)
  const { action, bare, ratio } = overhead
  const row: Row = {
    what: 'action over a bare `docker buildx bake` of the same definition, medians',
    value: `${action.toFixed(2)} s to ${bare.toFixed(2)} s: ${ratio.toFixed(2)}×, +${(action - bare).toFixed(2)} s`,
    bar: '≤ 1.15×, ≤ 1 s',
    ok: ratio <= 1.15 && action - bare <= 1,
  }
  return { rows: [row], figures: { overhead } }
}

async function failurePart(): Promise<Part> {
  const figures = await measureFailure(Number(values.repetitions))
  return { rows: failureRows(figures), figures: { machine: await describeMachine(), ...figures } }
}

async function layerCachePart(): Promise<Part> {
  const { repetitions, large, logs } = values
  const machine = await describeMachine()
  const result = await measureLayerCache({ repetitions: Number(repetitions), large, logs })
  const table = new LayerCacheTable(result)
  await writeSection('layer-cache', table.markdown(machine, 'npm run bench -- --only=layer-cache'))
  return { rows: table.rows(), figures: { machine, ...result } }
}

async function layerIndexPart(): Promise<Part> {
  const machine = await describeMachine()
  const figures = await measureLayerIndex(Number(values.repetitions))
  const command = 'npm run bench -- --only=layer-index'
  await writeSection('layer-index', layerIndexSection(figures, { machine, command }))
  return { rows: layerIndexRows(figures), figures: { machine, ...figures } }
}

async function cacheMountsPart(): Promise<Part> {
  const machine = await describeMachine()
  const figures = await measureCacheMounts(Number(values.repetitions))
  const rows = cacheMountRows(figures)
  const command = 'npm run bench -- --only=cache-mounts'
  await writeSection('cache-mounts', cacheMountsSection(figures, { machine, command }))
  return { rows, figures: { machine, ...figures } }
}

async function sizeReportPart(): Promise<Part> {
  const figures = measureSizeReport(7)
  return { rows: sizeReportRows(figures), figures: { machine: await describeMachine(), ...figures } }
}
