/** A sample of `npm run test:soundness`: never a target called unchanged where the engine does otherwise. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { SoundLab } from '../support/sound-lab.ts'
import { runSoundness } from '../support/sound-run.ts'
import { figuresOf, soundnessTable, wrongText } from '../support/sound-table.ts'

const SEED = 7
const MUTATIONS = 36

let lab: SoundLab
beforeAll(async () => {
  lab = await SoundLab.open()
})
afterAll(async () => {
  await lab[Symbol.asyncDispose]()
})

test(`${MUTATIONS} random mutations: what is called unchanged is unchanged`, async () => {
  const found = await runSoundness(lab, { mutations: MUTATIONS, seed: SEED })
  expect(found.wrong.map(wrongText)).toEqual([])
  const { mutations, equal, imprecise } = figuresOf(found)
  // The sample says something: it has mutations of both kinds.
  expect(mutations).toBe(MUTATIONS)
  expect(equal).toBeGreaterThanOrEqual(5)
  expect(mutations - equal).toBeGreaterThanOrEqual(5)
  if (imprecise > 2) throw new Error(soundnessTable(found))
})
