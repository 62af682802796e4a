/** A sample of what `npm run test:faults` does at length: builds under faults that a seed draws. */
import { expect, test } from '@jest/globals'
import { openColdEngine } from '../support/cold-engine.ts'
import { FaultLab } from '../support/fault-lab.ts'
import { runSchedule } from '../support/fault-schedule.ts'

const SEED = 27
const BUILDS = 8

test('whatever fails, the images are right, with at most one warning', async () => {
  await using engine = await openColdEngine()
  await using lab = await FaultLab.open(engine)
  const trouble: string[] = []
  const result = await runSchedule(lab, {
    builds: BUILDS,
    seed: SEED,
    tell: ({ number, name, wrong, warnings, log }) => {
      if (wrong.length > 0) trouble.push([`${number} ${name}`, ...wrong, ...warnings, log].join('\n'))
    },
  })
  expect(trouble).toEqual([])
  expect([result.right, result.builds.size]).toEqual([BUILDS, BUILDS])
}, 600_000)
