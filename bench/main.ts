/**
 * `npm run bench`: the figures that the project claims, measured side by side in one run. Prints a table, writes
 * `bench/results.json`, and fails when a bar is broken.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { measureOverhead } from './overhead.ts'
import { measurePlan } from './plan-time.ts'

interface Row {
  readonly what: string
  readonly value: string
  readonly bar: string
  readonly ok: boolean
}

const rows: Row[] = []
const small = measurePlan(500, 7)
const large = measurePlan(1_000, 7)
const larger = measurePlan(2_000, 7)
rows.push({
  what: 'plan of 1,000 stages, first in the process',
  value: `${small.first.toFixed(0)} ms for 500 first, ${large.first.toFixed(0)} ms for 1,000`,
  bar: '≤ 150 ms',
  ok: large.first <= 150,
})
rows.push({
  what: 'plan of 1,000 stages, median',
  value: `${large.median.toFixed(1)} ms`,
  bar: '≤ 150 ms',
  ok: large.median <= 150,
})
const growth = larger.median / large.median
rows.push({
  what: 'growth, 2,000 stages to 1,000',
  value: `${growth.toFixed(2)}×`,
  bar: '≤ 2.6× (linear)',
  ok: growth <= 2.6,
})

const overhead = await measureOverhead(5)
rows.push({
  what: 'action over a bare `docker buildx bake` of the same definition, medians',
  value: `${overhead.action.toFixed(2)} s to ${overhead.bare.toFixed(2)} s: ${overhead.ratio.toFixed(2)}×, +${(overhead.action - overhead.bare).toFixed(2)} s`,
  bar: '≤ 1.15×, ≤ 1 s',
  ok: overhead.ratio <= 1.15 && overhead.action - overhead.bare <= 1,
})

for (const row of rows) console.log(`${row.ok ? 'ok  ' : 'MISS'}  ${row.what}: ${row.value} (bar: ${row.bar})`)
await writeFile(
  join(import.meta.dirname, 'results.json'),
  `${JSON.stringify({ node: process.version, small, large, larger, overhead, rows }, undefined, 2)}\n`,
)
if (rows.some((row) => !row.ok)) process.exitCode = 1
