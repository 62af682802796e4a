import { describe, expect, test } from '@jest/globals'
import { UserError } from '../../src/errors.ts'
import { matrixOf } from '../../src/plan/matrix.ts'
import { makePlan, serializePlan, type Plan, type PlanRequest } from '../../src/plan/plan.ts'
import type { StagePrint } from '../../src/plan/stage-print.ts'
import type { PlatformPrint } from '../../src/plan/target-print.ts'
import { chooseTargets } from '../../src/plan/targets.ts'
import { graphOf } from '../support/graph-outline.ts'

const FILE = `FROM golang:1.24 AS builder
COPY --from=tools:1 /t /t
RUN --mount=from=ctx,target=/c --mount=from=tools:1,target=/d true
COPY --from=tools:1 /u /u
FROM scratch AS prod
COPY --from=builder /app /app
COPY --from=0 /etc /etc
FROM builder AS debug
FROM alpine
`

function plan(text: string, targets: readonly string[] | 'all', more: Partial<PlanRequest> = {}): Plan {
  const graph = graphOf(text, { contexts: ['ctx'] })
  return makePlan({
    id: 'Dockerfile',
    file: 'Dockerfile',
    platforms: ['linux/amd64', 'linux/arm64'],
    graph,
    targets: chooseTargets(graph, targets, 'Dockerfile').targets,
    tagsOf: ({ name }) => [`r/${name}:1`],
    pinOf: (image) =>
      image.includes('golang') ? { digest: 'sha256:1', mapped: 'mirror/go' } : { digest: undefined, mapped: undefined },
    prints: new Map(),
    decisionOf: ({ stage }) => ({ status: 'changed', reasons: [{ kind: 'no-record', stage, text: 'no record' }] }),
    ...more,
  })
}

/** As many targets as asked for, each a stage of its own. */
function many(count: number): Plan {
  return plan(Array.from({ length: count }, (_, i) => `FROM scratch AS target-${i}\nCOPY x /\n`).join(''), 'all')
}

describe('the plan', () => {
  test('has every stage with its edges, each once, and what its images are pinned and mapped to', () => {
    const { stages } = plan(FILE, 'all')
    const golang = { image: 'docker.io/library/golang:1.24', digest: 'sha256:1', mapped: 'mirror/go' }
    const tools = { image: 'docker.io/library/tools:1', digest: null }
    expect(stages).toEqual([
      {
        index: 0,
        name: 'builder',
        line: 1,
        from: golang,
        needs: [
          { via: 'from', ...golang },
          { via: 'copy', ...tools },
          { via: 'mount', context: 'ctx' },
          { via: 'mount', ...tools },
        ],
        fingerprint: null,
      },
      {
        index: 1,
        name: 'prod',
        line: 5,
        from: { scratch: true },
        needs: [{ via: 'copy', stage: 0 }],
        fingerprint: null,
      },
      { index: 2, name: 'debug', line: 8, from: { stage: 0 }, needs: [{ via: 'from', stage: 0 }], fingerprint: null },
      expect.objectContaining({ index: 3, name: null, line: 9 }),
    ])
  })

  test('has the targets in the order asked for, with their stages in build order, and what they share', () => {
    const { targets, shared, ...rest } = plan(FILE, ['debug', 'prod'])
    expect(targets).toEqual([
      expect.objectContaining({ name: 'debug', stage: 2, stages: [0, 2], status: 'changed', tags: ['r/debug:1'] }),
      expect.objectContaining({ name: 'prod', stage: 1, stages: [0, 1], status: 'changed', tags: ['r/prod:1'] }),
    ])
    expect(shared).toEqual([0])
    expect(rest).toMatchObject({ version: 1, file: 'Dockerfile', platforms: ['linux/amd64', 'linux/arm64'] })
    expect(plan(FILE, ['prod']).shared).toEqual([])
  })

  test('says of each target whether it is built and why, and shares only what is built', () => {
    const reason = { kind: 'file', stage: 0, line: 2, text: 'x changed' } as const
    const decided = plan(FILE, ['debug', 'prod'], {
      decisionOf: ({ name }) => (name === 'prod' ? { status: 'changed', reasons: [reason] } : UNCHANGED),
    })
    expect(decided.targets.map(({ name, status, reasons }) => ({ name, status, reasons }))).toEqual([
      { name: 'debug', ...UNCHANGED },
      { name: 'prod', status: 'changed', reasons: [reason] },
    ])
    expect(decided.shared).toEqual([])
  })

  test('has fingerprints: of a stage over all platforms, none where one is not known', () => {
    const printed = (platform: string, fingerprint: string | undefined): PlatformPrint => ({
      platform,
      stages: [{ ...STAGE, platform, fingerprint }],
    })
    const of = (...platforms: readonly PlatformPrint[]): string | null | undefined =>
      plan(FILE, ['prod'], { prints: new Map([['prod', { platforms, fields: [], fingerprint: 'sha256:t' }]]) })
        .stages[1]?.fingerprint
    expect(of(printed('linux/amd64', 'sha256:a'))).toBe('sha256:a')
    const both = of(printed('linux/amd64', 'sha256:a'), printed('linux/arm64', 'sha256:b'))
    expect(both).toMatch(/^sha256:[0-9a-f]{64}$/)
    expect(of(printed('linux/amd64', 'sha256:a'), printed('linux/arm64', undefined))).toBeNull()
  })
})

const UNCHANGED = { status: 'unchanged', reasons: [] } as const
const STAGE: StagePrint = {
  ...{
    index: 1,
    name: 'prod',
    line: 5,
    platform: '',
    steps: [],
    options: [],
    files: undefined,
    fingerprint: undefined,
    unknown: [],
  },
  base: { kind: 'scratch', name: 'scratch', digest: 'scratch' },
}

describe('the text of the plan', () => {
  test('is the whole of it, or its targets where GitHub would refuse it', () => {
    const small = many(3)
    expect(serializePlan(small)).toEqual({ text: JSON.stringify(small), cut: false })
    const large = many(5000)
    const { text, cut } = serializePlan(large)
    expect(cut).toBe(true)
    // GitHub counts two bytes a letter.
    expect(JSON.stringify(large).length * 2).toBeGreaterThan(1_000_000)
    expect(JSON.parse(text)).toEqual({ ...large, stages: [] })
  })
})

describe('the matrix', () => {
  test('has a leg for each changed target, all platforms in one', () => {
    expect(matrixOf(plan(FILE, ['prod', 'debug']))).toEqual({
      include: [
        { target: 'prod', platform: 'linux/amd64,linux/arm64' },
        { target: 'debug', platform: 'linux/amd64,linux/arm64' },
      ],
    })
  })

  test('has a leg for each platform where those are built apart, and counts them', () => {
    const split = plan(FILE, ['prod', 'debug'], { matrixBy: 'platform' })
    expect(split).toMatchObject({ matrixBy: 'platform', platforms: ['linux/amd64', 'linux/arm64'] })
    expect(matrixOf(split)).toEqual({
      include: ['prod', 'debug'].flatMap((target) =>
        ['linux/amd64', 'linux/arm64'].map((platform) => ({ target, platform })),
      ),
    })
    expect(plan(FILE, ['prod'])).not.toHaveProperty('matrixBy')
    expect(matrixOf({ ...many(128), matrixBy: 'platform' }).include).toHaveLength(256)
    const error = thrown(() => matrixOf({ ...many(129), matrixBy: 'platform' }))
    expect(error.message).toContain('129 changed targets on 2 platforms make more than the 256 legs')
  })

  test('is empty where nothing changed', () => {
    const made = plan(FILE, ['prod'])
    const unchanged = made.targets.map((target) => ({ ...target, status: 'unchanged' as const }))
    expect(matrixOf({ ...made, targets: unchanged })).toEqual({ include: [] })
  })

  test('has 256 legs at most, as GitHub does; more is a problem with its mend', () => {
    expect(matrixOf(many(256)).include).toHaveLength(256)
    const error = thrown(() => matrixOf(many(257)))
    expect(error.problems).toEqual([
      {
        input: 'targets',
        message: '257 changed targets make more than the 256 legs that GitHub allows in a matrix.',
        mend: 'Split `targets` over several plan steps, or build them in one step without a matrix.',
      },
    ])
  })
})

function thrown(act: () => unknown): UserError {
  try {
    act()
  } catch (error) {
    if (error instanceof UserError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
