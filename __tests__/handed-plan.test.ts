/** Plans that another run reads, of whomever they are. */
import { describe, expect, test } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { handOverPlan, readHandedPlans } from '../src/handed-plan.ts'
import { artifactName, isPlanName, planName } from '../src/handover/artifact-name.ts'
import { gatherSizes } from '../src/handover/size-handover.ts'
import type { GivenPlan } from '../src/plan/plan-input.ts'
import { startArtifactService } from './support/artifact-service.ts'

const COMMIT = 'c0ffee1'.padEnd(40, '0')
const SIZES = [{ platform: 'linux/amd64', transfer: { total: 5, own: 2, inherited: 3 }, unpacked: {}, layers: [] }]
const PLAN: GivenPlan = {
  ...{ id: 'shop', file: 'Dockerfile', platforms: ['linux/amd64'], isSplit: false },
  targets: [
    { name: 'app', status: 'changed', tags: ['org/app:1'], sizes: undefined, since: undefined },
    { name: 'web', status: 'unchanged', tags: [], sizes: SIZES, since: COMMIT },
  ],
}
const NAMES = 'it names what cannot be a target or a platform'
const NAME = `${planName('shop')}.attempt-1`

test('a plan comes as it was handed over, of its highest attempt, and is no record', async () => {
  await using service = await startArtifactService()
  const folder = await mkdtemp(join(tmpdir(), 'handed-plan-'))
  const clientPath = join(import.meta.dirname, '../src/handover/artifact-client.ts')
  const env = { PATH: process.env['PATH'], ...service.env({ runId: 1 }) }
  const options = { env, clientPath, folder: join(folder, 'handover') }
  const [target] = PLAN.targets
  const first = { ...PLAN, targets: target === undefined ? [] : [target] }
  for (const [attempt, plan] of [
    [1, first],
    [2, PLAN],
  ] as const) {
    expect(await handOverPlan(plan, { commit: COMMIT, attempt }, options)).toMatchObject({ kind: 'uploaded' })
  }
  const gathered = await gatherSizes(['own'], {}, options)
  expect([gathered.records, gathered.left, gathered.warnings]).toEqual([[], [], []])
  expect(readHandedPlans(gathered.plans, COMMIT)).toEqual({ plans: [PLAN], left: [] })
  await rm(folder, { recursive: true })
})

test('its name is that of no leg', () => {
  expect(isPlanName(NAME)).toBe(true)
  for (const id of ['shop', 'plan']) {
    const leg = { id, cells: [{ target: 'plan', platform: 'linux/amd64' }] }
    expect(isPlanName(artifactName(leg, 1))).toBe(false)
  }
})

describe('left out and named', () => {
  const text = (change: object = {}, plan: object = {}): string =>
    JSON.stringify({ version: 1, commit: COMMIT, plan: { version: 1, ...PLAN, ...plan }, ...change })

  test.each([
    ['no JSON', '{', 'it is of a version that is not known'],
    ['another version', text({ version: 2 }), 'it is of a version that is not known'],
    ['another commit', text({ commit: 'd'.repeat(40) }), 'it is about another commit'],
    ['no plan', text({ plan: null }), 'it is no plan'],
    ['a plan of another version', text({}, { version: 2 }), 'it is no plan'],
    ['too many targets', text({}, { targets: Array.from({ length: 1_001 }, () => PLAN.targets[0]) }), 'it is no plan'],
    ['a tag that is none', text({}, { targets: [{ ...PLAN.targets[0], tags: ['A B'] }] }), 'it is no plan'],
    ['a target that is none', text({}, { targets: [{ ...PLAN.targets[0], name: '<img src=x>' }] }), NAMES],
    ['a platform that is none', text({}, { platforms: ['@everyone'] }), NAMES],
    [
      'too many tags',
      text({}, { targets: [{ ...PLAN.targets[0], tags: Array(201).fill('org/app:1') as string[] }] }),
      NAMES,
    ],
    ['another project', text({}, { id: 'bank' }), 'it is about another project than its name says'],
  ])('%s', (_, handed, reason) => {
    expect(readHandedPlans([{ name: NAME, text: handed }], COMMIT)).toEqual({
      plans: [],
      left: [{ name: NAME, reason }],
    })
  })

  test('but a sound one beside it counts', () => {
    const read = readHandedPlans(
      [
        { name: NAME, text: '[]' },
        { name: NAME, text: text() },
      ],
      COMMIT,
    )
    expect(read).toMatchObject({ plans: [{ id: 'shop' }], left: [{ name: NAME }] })
  })
})
