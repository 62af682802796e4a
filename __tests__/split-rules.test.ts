import { describe, expect, test } from '@jest/globals'
import { UserError } from '../src/errors.ts'
import { readInputs, type InputName } from '../src/inputs.ts'

type Given = Readonly<Partial<Record<InputName, string>>>

/** Each problem as `input: message mend`. */
function problemsOf(given: Given, env: NodeJS.ProcessEnv = {}): readonly string[] {
  try {
    readInputs((name) => given[name] ?? '', env)
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    return error.problems.map(({ input = '', message, mend = '' }) => `${input}: ${message} ${mend}`)
  }
  return []
}

describe('a leg that builds one platform', () => {
  const LEG = { 'matrix-by': 'platform', platforms: 'linux/arm64', push: 'true', tags: 'ghcr.io/org/app-{target}' }

  test('pushes to repositories, of which it may name several', () => {
    const tags = 'ghcr.io/org/app-{target}\nlocalhost:5000/app'
    expect(problemsOf({ ...LEG, tags, outputs: 'type=image,name=ghcr.io/org/other' })).toEqual([])
  })

  test.each([
    ['ghcr.io/org/app-{target}:v1', 'ghcr.io/org/app-{target}'],
    ['prod=localhost:5000/app:v1', 'localhost:5000/app'],
    [`app@sha256:${'a'.repeat(64)}`, 'app'],
    ['app:v1@sha256:' + 'a'.repeat(64), 'app'],
  ])('refuses a tag, and says where it belongs: %s', (tags, mended) => {
    const [problem = '', ...others] = problemsOf({ ...LEG, tags })
    expect(others).toEqual([])
    expect(problem).toContain('would be pushed with a tag')
    expect(problem).toContain(`Write \`${mended}\` here, and give the tags to the job with \`mode: merge\`.`)
  })

  test.each([
    ['type=registry,name=ghcr.io/org/app:v1', 'false'],
    ['type=image,push=true,name=ghcr.io/org/app:v1', 'false'],
    ['type=image,"name=ghcr.io/org/a,ghcr.io/org/app:v1"', 'true'],
  ])('refuses a tag in an output that pushes: %s', (outputs, push) => {
    expect(problemsOf({ ...LEG, push, outputs })).toEqual([
      expect.stringContaining('outputs: `outputs`: `ghcr.io/org/app:v1`'),
    ])
  })

  test('may have tags where nothing is pushed', () => {
    const tags = 'app:v1'
    const outputs = 'type=image,name=app:v1\ntype=docker,name=app:v2'
    expect(problemsOf({ ...LEG, tags, push: 'false', outputs })).toEqual([])
  })

  test.each([
    ['', 'and this is empty'],
    ['linux/amd64, linux/arm64', 'and this names 2: `linux/amd64, linux/arm64`'],
  ])('has one platform: %j', (platforms, said) => {
    const [problem, ...others] = problemsOf({ ...LEG, platforms })
    expect([problem, others]).toEqual([expect.stringContaining(said), []])
    expect(problem).toContain('Write `${{ matrix.platform }}`')
  })

  test('and one that is written in full', () => {
    expect(problemsOf({ ...LEG, platforms: 'windows(10.0)/amd64' })).toEqual([
      expect.stringContaining('Write `OS/ARCH`'),
    ])
    expect(problemsOf({ ...LEG, platforms: 'arm64' })).toEqual([])
  })
})

describe('the plan of legs for platforms', () => {
  const PLAN = { mode: 'plan', 'matrix-by': 'platform' }

  test('needs platforms, which count once each', () => {
    expect(problemsOf(PLAN)).toEqual([expect.stringContaining('makes a leg for each of `platforms`, and it is empty')])
    expect(problemsOf({ ...PLAN, platforms: 'linux/arm64,linux/amd64,linux/arm64/v8' })).toEqual([])
    expect(problemsOf({ ...PLAN, platforms: 'linux/arm/v6,linux/arm/v7', tags: 'app:v1', push: 'true' })).toEqual([])
  })
})

describe('bake files', () => {
  const FILES = { 'matrix-by': 'platform', 'bake-files': 'docker-bake.hcl' }

  test('name platforms of each target themselves', () => {
    expect(problemsOf({ ...FILES, mode: 'plan' })).toEqual([])
    expect(problemsOf({ ...FILES, mode: 'plan', platforms: 'windows(10.0)/amd64' })).toEqual([
      expect.stringContaining('Write `OS/ARCH`'),
    ])
  })

  test('do not excuse a tag in an input of a leg', () => {
    const leg = { ...FILES, platforms: 'linux/arm64', push: 'true' }
    expect(problemsOf(leg)).toEqual([])
    expect(problemsOf({ ...leg, tags: 'app=ghcr.io/org/app:v1' })).toEqual([
      expect.stringContaining('would be pushed with a tag'),
    ])
  })
})

describe('the job that merges', () => {
  test('needs the plan, and is of the run that it is about', () => {
    expect(problemsOf({ mode: 'merge' })).toEqual([expect.stringContaining('`mode: merge` needs `plan`')])
    expect(problemsOf({ mode: 'merge', plan: '{}' })).toEqual([])
    expect(problemsOf({ mode: 'merge', plan: '{}' }, { GITHUB_EVENT_NAME: 'workflow_run' })).toEqual([
      expect.stringContaining('this run is about another one'),
    ])
  })
})
