/**
 * `node script/soundness.ts [MUTATIONS] [SEED] [KINDS]`: mutates example projects at random and asks the engine whether
 * what the fingerprint calls unchanged is unchanged. Prints a table by kind of mutation; a wrong equality is an error.
 * KINDS is an expression that chooses mutations by name; VERBOSE=1 tells each of them.
 */
import { SoundLab } from '../__tests__/support/sound-lab.ts'
import { runSoundness } from '../__tests__/support/sound-run.ts'
import { soundnessTable, wrongText } from '../__tests__/support/sound-table.ts'

const mutations = Number(process.argv[2] ?? 500)
const seed = Number(process.argv[3] ?? Date.now() % 100_000)
const only = process.argv[4] === undefined ? undefined : new RegExp(process.argv[4])
const verbose = process.env['VERBOSE'] === '1'

console.log(`${mutations} mutations, seed ${seed}`)
await using lab = await SoundLab.open()
const started = performance.now()
const found = await runSoundness(lab, {
  mutations,
  seed,
  only,
  onTrial: ({ number, example, kind, differences, changed, reasons }) => {
    if (verbose) {
      console.log(`${number} ${example}: ${kind}: ${changed ? 'changed' : 'same'}`, differences, reasons)
    } else if (number % 50 === 49) console.log(`… ${number + 1}`)
  },
  onRefused: (kind, message) => {
    if (verbose) console.log(`refused: ${kind}: ${message.slice(-300)}`)
  },
})
console.log(soundnessTable(found))
console.log(`${((performance.now() - started) / mutations / 1000).toFixed(2)} s a mutation`)
for (const wrong of found.wrong) console.error(wrongText(wrong))
if (found.wrong.length > 0) {
  console.error(`${found.wrong.length} wrong; again with: node script/soundness.ts ${mutations} ${seed}`)
  process.exitCode = 1
}
