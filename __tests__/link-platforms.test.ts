/** What each target of bake files is built for where legs build a platform each. */
import { expect, test } from '@jest/globals'
import { readBakeTargets } from '../src/build/bake-targets.ts'
import { readInputs, type InputName } from '../src/inputs.ts'
import { linkedPlatform, splitTargets } from '../src/link-platforms.ts'

const [AMD64, ARM64, S390X] = ['linux/amd64', 'linux/arm64', 'linux/s390x'] as const

interface Target {
  readonly platforms?: readonly string[]
  /** Names of targets that it is built from. */
  readonly uses?: readonly string[]
}

function split(
  targets: Readonly<Record<string, Target>>,
  asked: readonly string[],
  given: Partial<Record<InputName, string>> = {},
): { readonly platforms: unknown; readonly cells: unknown; readonly problems: readonly string[] } {
  const json = Object.entries(targets).map(([name, { platforms, uses = [] }]) => [
    name,
    { context: '.', platforms, contexts: Object.fromEntries(uses.map((used) => [used, `target:${used}`])) },
  ])
  const read = readBakeTargets({ target: Object.fromEntries(json) as unknown }, { env: {} }).targets
  const inputs = readInputs((name) => given[name] ?? '', {}).inputs
  const found = splitTargets(read, { asked, inputs, host: AMD64 })
  const text = ({ platform, leg }: { readonly platform: string; readonly leg: string }): string =>
    `${platform} in ${leg}`
  return {
    platforms: Object.fromEntries(found.targets.map(({ name, platforms }) => [name, platforms])),
    cells: Object.fromEntries(found.targets.map(({ name, cells }) => [name, cells.map(text)])),
    problems: found.problems.map(({ message, mend = '' }) => `${message} ${mend}`),
  }
}

const PLAN = { mode: 'plan', 'matrix-by': 'platform', 'bake-files': 'b' }
const LEG = { 'matrix-by': 'platform', 'bake-files': 'b' }

test('of one platform a target serves all, of several each its own, of none whichever is asked for', () => {
  expect(linkedPlatform([], ARM64)).toBe(ARM64)
  expect(linkedPlatform([AMD64], ARM64)).toBe(AMD64)
  expect(linkedPlatform([AMD64, 'linux/arm64/v8'], ARM64)).toBe('linux/arm64/v8')
  expect(linkedPlatform([AMD64, S390X], ARM64)).toBeUndefined()
})

const TARGETS = {
  app: { platforms: [AMD64, ARM64], uses: ['base', 'tools', 'both'] },
  aid: {},
  base: {},
  tools: { platforms: [S390X] },
  both: { platforms: [ARM64, AMD64, S390X] },
} as const

test('the plan has what all legs build, and a leg what the plan has for it', () => {
  const plan = split(TARGETS, ['app', 'aid'], PLAN)
  expect(plan.platforms).toEqual({
    app: [AMD64, ARM64],
    aid: [AMD64],
    base: [AMD64, ARM64],
    tools: [S390X],
    both: [AMD64, ARM64],
  })
  expect(plan.cells).toMatchObject({
    base: ['linux/amd64 in linux/amd64', 'linux/arm64 in linux/arm64'],
    tools: ['linux/s390x in linux/amd64', 'linux/s390x in linux/arm64'],
  })
  const leg = split(TARGETS, ['app'], { ...LEG, platforms: ARM64 })
  expect(leg.platforms).toMatchObject({ app: [ARM64], base: [ARM64], tools: [S390X], both: [ARM64] })
  expect([...plan.problems, ...leg.problems]).toEqual([])
})

test('`platforms` is for what is asked for; what that is built from holds to the files', () => {
  const { platforms } = split(TARGETS, ['app'], { ...PLAN, platforms: `${S390X},${ARM64}` })
  expect(platforms).toMatchObject({ app: [S390X, ARM64], base: [S390X, ARM64], tools: [S390X], both: [S390X, ARM64] })
})

test('what is built for another platform on the way is followed at that one', () => {
  const targets = {
    app: { platforms: [AMD64, ARM64], uses: ['mid'] },
    mid: { platforms: [AMD64], uses: ['base'] },
    base: { platforms: [AMD64, ARM64] },
  }
  expect(split(targets, ['app'], { ...LEG, platforms: ARM64 }).platforms).toEqual({
    app: [ARM64],
    mid: [AMD64],
    base: [AMD64],
  })
  const lacking = { app: { platforms: [ARM64], uses: ['base'] }, base: { platforms: [AMD64, S390X] } }
  expect(split(lacking, ['app'], PLAN).platforms).toEqual({ app: [ARM64], base: [AMD64] })
  // In one leg it would have to be both.
  expect(split(targets, ['app', 'base'], { ...LEG, platforms: ARM64 }).problems).toEqual([
    '`targets`: this leg builds `base` for linux/arm64, and `mid`, which is built in it, too, needs it for linux/amd64. Build `base` in a leg of its own, as the plan’s matrix has it.',
  ])
  expect(split(targets, ['app', 'base'], PLAN).problems).toEqual([])
})

test('platforms have to be named, in full', () => {
  expect(split({ a: {}, b: {} }, ['a', 'b'], PLAN).problems).toEqual([
    expect.stringContaining('neither `platforms` nor a target names any. Name them in the bake files'),
  ])
  const { problems } = split({ a: { platforms: ['windows(10.0)/amd64', ARM64] }, b: {} }, ['a', 'b'], PLAN)
  expect(problems).toEqual([
    expect.stringContaining('The bake target `a`: the platform `windows(10.0)/amd64` is not written in full'),
  ])
})
