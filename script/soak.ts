/**
 * `node script/soak.ts [BUILDS] [SEED]`: builds under a random schedule of faults, one after the other, with a cache that
 * lives on from build to build. Every build must end in the right image with at most one warning. Needs an engine of its
 * own, for it makes it forget everything now and then: `STAGE_BUILD_HOME=… script/with-engine node script/soak.ts`.
 */
import { open } from 'node:fs/promises'
import { FaultLab, type LabOptions, type Variant } from '../__tests__/support/fault-lab.ts'
import type { FaultRule, Operation } from '../__tests__/support/github-cache-service.ts'

const builds = Number(process.argv[2] ?? 200)
const seed = Number(process.argv[3] ?? Date.now() % 100_000)

/** A small generator, so that a seed tells the whole schedule. https://en.wikipedia.org/wiki/Linear_congruential_generator */
let state = seed
function random(below: number): number {
  state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32
  return Math.floor((state / 2 ** 32) * below)
}

function pick<T>(items: readonly T[]): T {
  const item = items[random(items.length)]
  if (item === undefined) throw new Error('nothing to pick from')
  return item
}

const OPERATIONS: readonly Operation[] = ['lookup', 'create', 'finalize', 'put', 'get']
const EFFECTS: readonly FaultRule['effect'][] = [
  { kind: 'status', status: 500 },
  { kind: 'status', status: 429, retryAfter: 30 },
  { kind: 'status', status: 403 },
  { kind: 'reset' },
]

interface Fault {
  readonly name: string
  readonly begin: (lab: FaultLab) => Promise<LabOptions> | LabOptions
  readonly end?: (lab: FaultLab) => void
}

const main = { ref: 'refs/heads/main' }

const FAULTS: readonly Fault[] = [
  { name: 'none', begin: () => ({}) },
  { name: 'evicted packs', begin: (lab) => evict(lab, 'pack') },
  { name: 'evicted index', begin: (lab) => evict(lab, 'index') },
  { name: 'flipped byte in a stored entry', begin: async (lab) => (await flip(lab, pick(['pack', 'index'])), {}) },
  {
    name: 'flipped byte under way',
    begin: (lab) => fail(lab, { operation: 'get', effect: { kind: 'flip' }, times: 1 }),
  },
  { name: 'truncated body', begin: (lab) => fail(lab, { operation: 'get', effect: { kind: 'truncate' }, times: 1 }) },
  {
    name: 'failing service',
    begin: (lab) =>
      fail(lab, { operation: pick(OPERATIONS), effect: pick(EFFECTS), times: 1 + random(3), from: random(2) }),
  },
  {
    name: 'service that fails for ever',
    begin: (lab) => fail(lab, { operation: pick(OPERATIONS), effect: pick(EFFECTS) }),
  },
  { name: 'service gone', begin: (lab) => (lab.service.vanish(), {}) },
  {
    name: 'service gone half-way',
    begin: (lab) => {
      setTimeout(
        () => {
          lab.service.vanish()
        },
        300 + random(2_500),
      )
      return {}
    },
  },
  { name: 'read-only token', begin: () => ({ scopes: { ...main, readOnly: true } }) },
  {
    name: 'duplicate key',
    begin: (lab) => fail(lab, { operation: 'create', effect: { kind: 'status', status: 409 }, times: 1 }),
  },
  {
    name: 'base registry that fails for layers',
    begin: (lab) => {
      let left = 2
      lab.base.fail({
        path: { test: (path: string) => path.includes('/blobs/') && left-- > 0 } as RegExp,
        how: pick(['reset', 500, 429]),
      })
      return {}
    },
    end: (lab) => {
      lab.base.fail(undefined)
    },
  },
  {
    name: 'another branch',
    begin: () => ({ scopes: { ref: 'refs/heads/feature', others: ['refs/heads/main'] }, env: { GITHUB_BASE_REF: '' } }),
  },
]

function fail(lab: FaultLab, rule: FaultRule): LabOptions {
  lab.service.fail(rule)
  return {}
}

function evict(lab: FaultLab, text: string): LabOptions {
  lab.service.evict((key) => key.includes(text))
  return {}
}

async function flip(lab: FaultLab, key: string): Promise<void> {
  const path = lab.service.filesOf(key).at(-1)
  if (path === undefined) return
  await using file = await open(path, 'r+')
  const { size } = await file.stat()
  const at = Math.floor(size / 2)
  const byte = Buffer.alloc(1)
  await file.read(byte, 0, 1, at)
  byte[0] = (byte[0] ?? 0) ^ 0x40
  await file.write(byte, 0, 1, at)
}

await using lab = await FaultLab.open(process.env['STAGE_BUILD_REGISTRY'] ?? '')
const variant: Variant = { deps: 0, source: 0, config: 0 }
let bad = 0
const seen = new Map<string, number>()
console.log(`${builds} builds, seed ${seed}`)
let present = variant
for (let number = 1; number <= builds; number++) {
  const change = random(5)
  present = {
    deps: change === 0 ? random(2) : present.deps,
    source: change <= 2 ? random(4) : present.source,
    config: change === 3 ? random(2) : present.config,
  }
  await lab.reference(present)
  if (random(4) > 0) await lab.chill()
  const fault = pick(FAULTS)
  seen.set(fault.name, (seen.get(fault.name) ?? 0) + 1)
  const options = await fault.begin(lab)
  const run = await lab.run(present, options)
  fault.end?.(lab)
  lab.service.heal()
  const wrong = await lab.faultsOf(run, present)
  const told = run.warnings.length === 0 ? '' : `: ${run.warnings.join(' | ')}`
  console.log(`${number} ${fault.name}${wrong.length === 0 ? ' ok' : ' WRONG'}${told}`)
  if (wrong.length === 0) continue
  bad++
  console.log(wrong.join('\n'))
  console.log(run.main.stdout.split('\n').slice(-60).join('\n'), run.post.stdout.slice(-3_000))
}
console.log(`${builds - bad} right, ${bad} wrong; ${[...seen].map(([name, count]) => `${name}: ${count}`).join(', ')}`)
if (bad > 0) process.exitCode = 1
