/**
 * `node script/soak.ts [BUILDS] [SEED]`: builds under faults that are drawn by lot, one after the other, with a cache that
 * lives on from build to build. Every build must end in the right images with at most one warning. It uses the second
 * engine of `script/engine`, which forgets everything between builds, and takes about six seconds a build.
 */
import { openColdEngine } from '../__tests__/support/cold-engine.ts'
import { FaultLab } from '../__tests__/support/fault-lab.ts'
import { runSchedule, type Told } from '../__tests__/support/fault-schedule.ts'

const builds = Number(process.argv[2] ?? 200)
const seed = Number(process.argv[3] ?? Date.now() % 100_000)
console.log(`${builds} builds, seed ${seed}`)
await using engine = await openColdEngine()
await using lab = await FaultLab.open(engine)
const result = await runSchedule(lab, { builds, seed, tell })
const counts = [...result.builds].map(([name, count]) => `${name}: ${count}`)
console.log(`${result.right} right, ${result.wrong} wrong; ${counts.join(', ')}`)
if (result.wrong > 0) process.exitCode = 1

function tell({ number, name, seconds, wrong, warnings, log, killed }: Told): void {
  const state = wrong.length === 0 ? 'ok' : 'WRONG'
  const how = killed === 0 ? '' : ` (${killed} killed)`
  console.log([`${number} ${name}${how} ${state} ${seconds.toFixed(1)} s`, ...warnings].join('\n    '))
  if (wrong.length > 0) console.log([...wrong, log].join('\n'))
}
