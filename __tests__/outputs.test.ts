import { describe, expect, test } from '@jest/globals'
import type { SizeRowComparison } from '../src/measure/comparison.ts'
import type { PlatformSizes, TargetSizes } from '../src/measure/sizes.ts'
import { OUTPUT_NAMES, writeBuildOutputs, writePlanOutputs, type BuiltImage } from '../src/outputs.ts'
import type { Plan, PlanTarget } from '../src/plan/plan.ts'
import type { Runner } from '../src/runner.ts'

interface Written {
  readonly outputs: Readonly<Record<string, string>>
  readonly notices: readonly string[]
}

/** What is written to a runner that only takes outputs and notices. */
function written(write: (runner: Runner) => void): Written {
  const outputs: Record<string, string> = {}
  const notices: string[] = []
  const runner: Pick<Runner, 'setOutput' | 'notice'> = {
    setOutput: (name, value) => {
      outputs[name] = value
    },
    notice: (message) => notices.push(message),
  }
  write(runner as Runner)
  for (const name of Object.keys(outputs)) expect(OUTPUT_NAMES).toContain(name)
  return { outputs, notices }
}

const target = (name: string, status: PlanTarget['status']): PlanTarget => ({
  ...{ name, status, stage: 0, stages: [0], tags: [], reasons: [], fingerprint: null },
})
const plan = (...targets: readonly PlanTarget[]): Plan => ({
  ...{ version: 1, id: 'Dockerfile', file: 'Dockerfile', platforms: ['linux/amd64'], stages: [], targets, shared: [] },
})

describe('a plan’s outputs', () => {
  test('tell changed from unchanged targets', () => {
    const made = plan(target('a', 'changed'), target('b', 'unchanged'))
    const matrix = { include: [{ target: 'a', platform: 'linux/amd64' }] }
    const { outputs, notices } = written((runner) => {
      writePlanOutputs(runner, made, matrix)
    })
    expect(outputs).toEqual({
      plan: JSON.stringify(made),
      matrix: JSON.stringify(matrix),
      changed: '["a"]',
      unchanged: '["b"]',
      'any-changed': 'true',
    })
    expect(notices).toEqual([])
  })

  test('say so where nothing changed, where the plan was cut, and hold no matrix that GitHub would refuse', () => {
    const large = plan(...Array.from({ length: 9000 }, (_, i) => target(`target-${i}`, 'unchanged')))
    const { outputs, notices } = written((runner) => {
      writePlanOutputs(runner, large, undefined)
    })
    expect(outputs).toMatchObject({ changed: '[]', 'any-changed': 'false' })
    expect(outputs).not.toHaveProperty('matrix')
    expect(notices).toEqual([expect.stringMatching(/over 1 MB/)])
  })
})

describe('a build’s outputs', () => {
  const size = (total: number, own: number) => ({ total, own, inherited: total - own })
  const sizes = {
    platforms: [
      { platform: 'linux/amd64', transfer: size(9, 4), unpacked: size(20, 8) },
    ] as unknown as readonly PlatformSizes[],
  } as TargetSizes
  const image = (name: string, more: Partial<BuiltImage> = {}): BuiltImage => ({
    ...{ target: name, tags: [`r/${name}:1`], digest: `sha256:${name}`, imageId: `sha256:id-${name}`, sizes },
    ...more,
  })
  const entry = {
    'linux/amd64': { transfer: size(9, 4), unpacked: size(20, 8), baseline: null, delta: null },
  }

  test('of one target have its digest and image id', () => {
    const { outputs } = written((runner) => {
      writeBuildOutputs(runner, [image('a')], { metadata: { a: { x: 1 } } })
    })
    expect(outputs).toMatchObject({ digest: 'sha256:a', imageid: 'sha256:id-a' })
    expect(JSON.parse(outputs['metadata'] ?? '')).toEqual({ a: { x: 1 } })
    expect(JSON.parse(outputs['sizes'] ?? '')).toEqual({ version: 1, targets: { a: entry } })
  })

  test('have the baseline and the difference, where something was compared', () => {
    const now = { now: 9, before: 7 }
    const row = {
      target: 'a',
      platform: 'linux/amd64',
      status: 'compared',
      transfer: now,
      unpacked: { now: 20, before: undefined },
    }
    const rows = [row as SizeRowComparison]
    const { outputs } = written((runner) => {
      const report = { rows, baselineSha: 'abc', commentUrl: 'https://x/1' }
      writeBuildOutputs(runner, [image('a')], { metadata: {}, report })
    })
    const delta = { baseline: { transfer: 7, unpacked: null }, delta: { transfer: 2, unpacked: null } }
    expect(JSON.parse(outputs['sizes'] ?? '')).toEqual({
      version: 1,
      targets: { a: { 'linux/amd64': { ...entry['linux/amd64'], ...delta } } },
    })
    expect(outputs).toMatchObject({ 'baseline-sha': 'abc', 'comment-url': 'https://x/1' })
  })

  test('of several have them by target; what is not known is null', () => {
    const unknown = image('b', { tags: [], digest: undefined, imageId: undefined, sizes: undefined })
    const { outputs } = written((runner) => {
      writeBuildOutputs(runner, [image('a'), unknown], { metadata: {} })
    })
    expect(outputs).not.toHaveProperty('digest')
    expect(outputs).not.toHaveProperty('imageid')
    expect(JSON.parse(outputs['images'] ?? '')).toEqual({
      a: { tags: ['r/a:1'], digest: 'sha256:a', imageid: 'sha256:id-a', sizes: entry },
      b: { tags: [], digest: null, imageid: null, sizes: {} },
    })
  })
})
