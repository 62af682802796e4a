import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Step, StepStatus } from '../../src/build/progress.ts'
import { partialDockerfile, planRescue, type Rescue } from '../../src/build/rescue.ts'
import { layoutOf, type CountedInstruction } from '../../src/build/stage-layout.ts'
import { parseDockerfile } from '../../src/dockerfile/parse.ts'
import { stagesOf } from '../../src/graph/reachability.ts'
import type { RequestedTarget } from '../../src/plan/targets.ts'
import { graphOf } from '../support/graph-outline.ts'

interface Failure {
  readonly targets: readonly string[]
  /** By line; everything else is done. */
  readonly status?: Readonly<Record<number, StepStatus>>
  /** Lines that BuildKit never told of. */
  readonly unknown?: readonly number[]
  readonly more?: readonly Step[]
  readonly noCache?: boolean
  readonly contexts?: ReadonlyMap<string, string>
}

function stepOf(step: Partial<Step>): Step {
  return {
    ...{ id: 'sha256:1', kind: 'stage', targets: [], platform: undefined, stage: undefined, stageName: undefined },
    ...{ place: undefined, total: undefined, text: '', source: undefined, status: 'done', startedMs: undefined },
    ...{ durationMs: 0, error: undefined, tail: [], inputs: [] },
    ...step,
  }
}

/** The steps of every stage, as progress tells them: FROM is one, too. */
function stepsOf(text: string, { status = {}, unknown = [] }: Pick<Failure, 'status' | 'unknown'>): readonly Step[] {
  return layoutOf(parseDockerfile(text)).flatMap(({ index, from, counted }) => [
    stepOf({ stage: index, text: 'FROM image', source: from }),
    ...counted
      .filter(({ line }) => !unknown.includes(line))
      .map((at) => stepOf({ stage: index, text: at.text, source: at, status: status[at.line] ?? 'done' })),
  ])
}

function targetOf(text: string, name: string): RequestedTarget {
  const { stages, defaultTarget } = graphOf(text)
  const stage = name === 'default' ? defaultTarget : stages.findIndex((candidate) => candidate.name === name)
  return { name, stage, stageName: stages[stage]?.name }
}

function rescue(text: string, failure: Failure): Rescue {
  return planRescue({
    graph: graphOf(text, failure.contexts === undefined ? {} : { contexts: failure.contexts }),
    layouts: layoutOf(parseDockerfile(text)),
    targets: failure.targets.map((name) => targetOf(text, name)),
    steps: [...stepsOf(text, failure), ...(failure.more ?? [])],
    noCache: failure.noCache ?? false,
  })
}

function outline(
  text: string,
  failure: Failure,
): { readonly siblings: readonly string[]; readonly parts: readonly string[] } {
  const { siblings, parts } = rescue(text, failure)
  return {
    siblings: siblings.map(({ name }) => name),
    parts: parts.map(({ stage, endsBefore }) => `${stage} before ${endsBefore}`),
  }
}

const ONE = `FROM alpine
RUN one
ENV X=1
RUN two
RUN three
`

/** Lines 2–3 shared, 5–6 a, 8–9 b. */
const SHARED = `FROM alpine AS shared
RUN one
RUN two
FROM shared AS a
RUN a1
RUN a2
FROM shared AS b
RUN b1
RUN b2
`

describe('what is left of a failed build', () => {
  test('a stage up to the instruction that failed', () => {
    const failure: Failure = { targets: ['default'], status: { 4: 'failed', 5: 'canceled' } }
    expect(outline(ONE, failure)).toEqual({ siblings: [], parts: ['0 before 4'] })
    const [part] = rescue(ONE, failure).parts
    expect(part && partialDockerfile(ONE, part)).toBe('FROM alpine\nRUN one\nENV X=1\n')
    const lower = part && { ...part, endsBefore: part.endsBefore + 20 }
    expect(lower && partialDockerfile(ONE, lower, 20)).toBe('FROM alpine\nRUN one\nENV X=1\n')
  })

  test('nothing where the first instruction failed', () => {
    expect(outline(ONE, { targets: ['default'], status: { 2: 'failed', 4: 'waiting', 5: 'waiting' } })).toEqual({
      ...{ siblings: [], parts: [] },
    })
  })

  test('nothing where nothing was begun', () => {
    expect(outline(ONE, { targets: ['default'], unknown: [2, 4, 5] })).toEqual({ siblings: [], parts: [] })
  })

  test('what was cached counts as done, what was running or waiting does not', () => {
    for (const status of ['canceled', 'running', 'waiting'] as const) {
      expect(outline(ONE, { targets: ['default'], status: { 2: 'cached', 4: 'cached', 5: status } }).parts).toEqual([
        '0 before 5',
      ])
    }
  })

  test('an instruction that BuildKit never told of ends the part, whatever comes after', () => {
    expect(outline(ONE, { targets: ['default'], unknown: [4] }).parts).toEqual(['0 before 4'])
  })

  test('of two platforms, what both have', () => {
    const arm = stepOf({
      stage: 0,
      text: 'RUN two',
      source: { line: 4, endLine: 4 },
      status: 'failed',
      platform: 'linux/arm64',
    })
    expect(outline(ONE, { targets: ['default'], more: [arm] }).parts).toEqual(['0 before 4'])
  })

  test('a heredoc before the end is whole, one at the end is gone', () => {
    const text = 'FROM alpine\nRUN <<EOF\nFROM x\nRUN y\nEOF\nCOPY <<A <<B /etc/\na\nA\nb\nB\nRUN last\n'
    const parts = (line: number): readonly string[] => {
      const { parts: found } = rescue(text, { targets: ['default'], status: { [line]: 'failed' } })
      return found.map((part) => partialDockerfile(text, part))
    }
    expect(parts(11)).toEqual(['FROM alpine\nRUN <<EOF\nFROM x\nRUN y\nEOF\nCOPY <<A <<B /etc/\na\nA\nb\nB\n'])
    expect(parts(6)).toEqual(['FROM alpine\nRUN <<EOF\nFROM x\nRUN y\nEOF\n'])
  })

  test('a continued instruction before the end is whole; directives and line ends stay', () => {
    const text = '# escape=`\r\nARG V=1\r\nFROM alpine:$V\r\nRUN one `\r\n  two\r\nRUN three\r\n'
    const [part] = rescue(text, { targets: ['default'], status: { 6: 'failed' } }).parts
    expect(part && partialDockerfile(text, part)).toBe(
      '# escape=`\r\nARG V=1\r\nFROM alpine:$V\r\nRUN one `\r\n  two\r\n',
    )
  })

  test('a stage that a named context replaces is none', () => {
    const text = 'FROM alpine AS base\nRUN one\nFROM base\nRUN two\nRUN three\n'
    const contexts = new Map([['base', 'docker-image://other']])
    expect(outline(text, { targets: ['default'], contexts, status: { 5: 'failed' } }).parts).toEqual(['1 before 5'])
  })
})

describe('several targets', () => {
  test('those that the failure does not touch are built to their end', () => {
    expect(outline(SHARED, { targets: ['a', 'b'], status: { 6: 'failed', 8: 'canceled', 9: 'waiting' } })).toEqual({
      ...{ siblings: ['b'], parts: ['1 before 6'] },
    })
  })

  test('none is, when what they share failed; what was done of it is kept', () => {
    const status = { 3: 'failed', 5: 'waiting', 6: 'waiting', 8: 'waiting', 9: 'waiting' } as const
    expect(outline(SHARED, { targets: ['a', 'b'], status })).toEqual({ siblings: [], parts: ['0 before 3'] })
  })

  test('none is with `no-cache`, since all of it would be run again', () => {
    const status = { 6: 'failed', 9: 'canceled' } as const
    expect(outline(SHARED, { targets: ['a', 'b'], status, noCache: true })).toEqual({
      ...{ siblings: [], parts: ['1 before 6', '2 before 9'] },
    })
  })

  test('none is when nothing failed, for nobody knows what stands against them', () => {
    expect(outline(SHARED, { targets: ['a', 'b'], status: { 9: 'canceled' } })).toEqual({
      ...{ siblings: [], parts: ['1 before 7', '2 before 9'] },
    })
  })

  test('both fail: each as far as it came', () => {
    expect(outline(SHARED, { targets: ['a', 'b'], status: { 6: 'failed', 9: 'failed' } })).toEqual({
      ...{ siblings: [], parts: ['1 before 6', '2 before 9'] },
    })
  })

  test('stages that no target needs are not built', () => {
    expect(outline(SHARED, { targets: ['a'], status: { 6: 'failed' } }).parts).toEqual(['1 before 6'])
  })

  test('the push of one fails: it is not tried again, yet its stages are kept', () => {
    const push = stepOf({ kind: 'export', text: 'pushing layers', status: 'failed', targets: ['a'] })
    expect(outline(SHARED, { targets: ['a', 'b'], more: [push] })).toEqual({ siblings: ['b'], parts: ['1 before 7'] })
  })

  test('an image that is not found stands against the targets that name it', () => {
    const metadata = stepOf({ kind: 'internal', text: 'load metadata for x', status: 'failed', targets: ['a', 'b'] })
    expect(outline(SHARED, { targets: ['a', 'b'], unknown: [2, 3, 5, 6, 8, 9], more: [metadata] })).toEqual({
      ...{ siblings: [], parts: [] },
    })
  })
})

describe('parts that are in others', () => {
  const COPIED = `FROM alpine AS one
RUN one
FROM alpine AS two
RUN two
FROM alpine
COPY --from=one /x /x
RUN --mount=from=two,target=/m three
RUN four
`
  test('are not built for themselves', () => {
    expect(outline(COPIED, { targets: ['default'], status: { 8: 'failed' } }).parts).toEqual(['2 before 8'])
    expect(outline(COPIED, { targets: ['default'], status: { 7: 'failed', 8: 'waiting' } }).parts).toEqual([
      '1 before 5',
      '2 before 7',
    ])
    expect(
      outline(COPIED, { targets: ['default'], status: { 6: 'failed', 7: 'waiting', 8: 'waiting' } }).parts,
    ).toEqual(['0 before 3', '1 before 5'])
  })

  test('are built when only half of them is done', () => {
    const text = 'FROM alpine AS base\nRUN one\nRUN two\nFROM base\nRUN three\n'
    expect(outline(text, { targets: ['default'], status: { 3: 'failed', 5: 'waiting' } }).parts).toEqual(['0 before 3'])
  })

  test('stages without a name are found by their number', () => {
    const text = 'FROM alpine\nRUN one\nFROM alpine\nCOPY --from=0 /x /x\nRUN two\n'
    expect(outline(text, { targets: ['default'], status: { 5: 'failed' } }).parts).toEqual(['1 before 5'])
    expect(outline(text, { targets: ['default'], status: { 4: 'failed', 5: 'waiting' } }).parts).toEqual(['0 before 3'])
  })

  test('what a trigger of the base copies is in, too', () => {
    const text =
      'FROM alpine AS tools\nRUN one\nFROM alpine AS base\nONBUILD COPY --from=tools /x /x\nFROM base\nRUN two\nRUN three\n'
    expect(outline(text, { targets: ['default'], status: { 7: 'failed' } }).parts).toEqual(['2 before 7'])
  })
})

/** Any Dockerfile of a few stages on each other, and what came of each of its instructions. */
interface Attempt {
  readonly text: string
  readonly targets: readonly RequestedTarget[]
  readonly status: Readonly<Record<number, StepStatus>>
  readonly noCache: boolean
}

const anyInstruction = fc.oneof(
  fc.constant(() => 'RUN x'),
  fc.constant(() => 'ENV A=b'),
  fc.constant(() => 'RUN <<EOF\nFROM y\nRUN z\nEOF'),
  fc.constant(() => 'COPY a \\\n  /b'),
  fc.nat(9).map((from) => (stage: number) => (stage === 0 ? 'WORKDIR /w' : `COPY --from=${from % stage} /x /y`)),
  fc
    .nat(9)
    .map((from) => (stage: number) => (stage === 0 ? 'ADD x /y' : `RUN --mount=from=s${from % stage},target=/m x`)),
)
const anyStage = fc.record({ from: fc.option(fc.nat(9)), instructions: fc.array(anyInstruction, { maxLength: 4 }) })

const anyAttempt: fc.Arbitrary<Attempt> = fc
  .record({
    stages: fc.array(anyStage, { minLength: 1, maxLength: 6 }),
    fates: fc.array(fc.constantFrom<StepStatus>('done', 'cached', 'done', 'cached', 'done', 'failed', 'canceled'), {
      minLength: 24,
      maxLength: 24,
    }),
    targets: fc.uniqueArray(fc.nat(5), { minLength: 1, maxLength: 4 }),
    noCache: fc.boolean(),
  })
  .map(({ stages, fates, targets, noCache }) => {
    const text = stages
      .flatMap(({ from, instructions }, index) => [
        `FROM ${from === null || index === 0 ? 'alpine' : `s${from % index}`} AS s${index}`,
        ...instructions.map((write) => write(index)),
      ])
      .map((line) => `${line}\n`)
      .join('')
    const wanted = targets.filter((stage) => stage < stages.length)
    return {
      ...{ text, noCache, status: carriedOut(text, fates) },
      targets: (wanted.length === 0 ? [0] : wanted).map((stage) => ({
        name: `s${stage}`,
        stage,
        stageName: `s${stage}`,
      })),
    }
  })

/** What becomes of instructions when each may fail: none comes before what it is made from. */
function carriedOut(text: string, fates: readonly StepStatus[]): Readonly<Record<number, StepStatus>> {
  const { stages } = graphOf(text)
  const status: Record<number, StepStatus> = {}
  const whole: boolean[] = []
  let next = 0
  for (const { index, counted } of layoutOf(parseDockerfile(text))) {
    const stage = stages[index]
    let sound = stage?.from.kind !== 'stage' || whole[stage.from.stage] === true
    for (const { line } of counted) {
      const sources = (stage?.needs ?? []).filter((need) => need.line === line).map((need) => need.source)
      const isReady = sound && sources.every((source) => source.kind !== 'stage' || whole[source.stage] === true)
      const fate = fates[next++] ?? 'done'
      status[line] = isReady ? fate : 'waiting'
      sound = isReady && (fate === 'done' || fate === 'cached')
    }
    whole[index] = sound
  }
  return status
}

/** The instructions that a target's or a part's build consists of. */
function builtBy(text: string, stage: number): readonly CountedInstruction[] {
  const layouts = layoutOf(parseDockerfile(text))
  return stagesOf(graphOf(text), stage).flatMap((index) => layouts[index]?.counted ?? [])
}

describe('any failed build', () => {
  test('keeps all that was done, and runs nothing that was not', () => {
    fc.assert(
      fc.property(anyAttempt, ({ text, targets, status, noCache }) => {
        const steps = stepsOf(text, { status })
        const reached = new Set(targets.flatMap(({ stage }) => stagesOf(graphOf(text), stage)))
        const { siblings, parts } = planRescue({
          ...{ graph: graphOf(text), layouts: layoutOf(parseDockerfile(text)), targets, noCache },
          steps: steps.filter(({ stage = -1 }) => reached.has(stage)),
        })
        const isDone = ({ line }: CountedInstruction): boolean => status[line] === 'done' || status[line] === 'cached'
        const built = parts.map((part) => {
          const partial = partialDockerfile(text, part)
          // It is a Dockerfile, and the stage is its last.
          expect(graphOf(partial).defaultTarget).toBe(part.stage)
          return builtBy(partial, part.stage)
        })
        expect(built.flat().filter((instruction) => !isDone(instruction))).toEqual([])

        const finished = siblings.flatMap(({ stage }) => builtBy(text, stage))
        expect(finished.filter(({ line }) => status[line] === 'failed')).toEqual([])
        const hasFailed = [...reached].some((stage) =>
          (layoutOf(parseDockerfile(text))[stage]?.counted ?? []).some(({ line }) => status[line] === 'failed'),
        )
        if (noCache || !hasFailed) expect(siblings).toEqual([])
        else {
          const sound = targets.filter(({ stage }) =>
            builtBy(text, stage).every(({ line }) => status[line] !== 'failed'),
          )
          expect(siblings).toEqual(sound)
        }

        const kept = new Set([...built.flat(), ...finished].map(({ line }) => line))
        const due = targets.flatMap(({ stage }) => builtBy(text, stage)).filter(isDone)
        expect(due.filter(({ line }) => !kept.has(line))).toEqual([])

        // No part is in another one.
        const lines = built.map((instructions) => new Set(instructions.map(({ line }) => line)))
        const idle = lines.filter((one) =>
          lines.some((other) => other !== one && [...one].every((line) => other.has(line))),
        )
        expect(idle).toEqual([])
      }),
      { numRuns: 2_000 },
    )
  })
})
