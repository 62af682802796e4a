import { describe, expect, test } from '@jest/globals'
import { summarize, summaryLines } from '../../src/build/progress-summary.ts'
import type { Step } from '../../src/build/progress.ts'
import { FAILING_RUN, TWO_TARGETS, at, layout, readFixture, replay } from './fixtures.ts'

function find(steps: readonly Step[], text: string): Step {
  const step = steps.find((candidate) => candidate.text.startsWith(text))
  if (step === undefined) throw new Error(`no step ${text}`)
  return step
}

describe('the model of a build', () => {
  test('merges the views of several targets into one step with one duration', async () => {
    const { progress } = replay(await readFixture('two-targets.rawjson'), {
      targets: ['prod', 'test'],
      stages: TWO_TARGETS,
    })
    const steps = progress.steps()
    const run = find(steps, 'RUN echo "héllo')
    expect(run).toMatchObject({ status: 'done', stageName: 'builder', stage: 0, place: 4, total: 5, source: at(4) })
    expect(run.targets.toSorted()).toEqual(['prod', 'test'])
    expect(run.durationMs).toBeGreaterThan(1000)
    expect(run.durationMs).toBeLessThan(1900)
    expect(find(steps, 'RUN cp').source).toEqual(at(6))
    expect(find(steps, 'RUN echo prod')).toMatchObject({ targets: ['prod'], source: at(13, 14) })
    expect(find(steps, 'RUN echo testing')).toMatchObject({ targets: ['test'], stage: 1 })
    expect(new Set(steps.map((step) => step.id)).size).toBe(steps.length)
  })

  test('has the output as whole lines, the last state of an overwritten one, harmless to the runner', async () => {
    const { progress } = replay(await readFixture('two-targets.rawjson'), { targets: ['prod', 'test'] })
    const { tail } = find(progress.steps(), 'RUN echo "héllo')
    expect(tail).toEqual([expect.stringMatching(/^héllo \d+$/), '::error::boo', '#\u200b#[error]boo', '100%'])
  })

  test('says cached of steps that were, and nothing else', async () => {
    const { progress } = replay(await readFixture('two-targets-cached.rawjson'), {
      targets: ['prod', 'test'],
      stages: TWO_TARGETS,
    })
    const instructions = progress.steps().filter((step) => step.kind === 'stage' && !step.text.startsWith('FROM '))
    expect(instructions.map((step) => step.status)).toEqual(instructions.map(() => 'cached'))
    expect(instructions.length).toBe(7)
  })

  test('says cached of a step whose result is fetched from an imported cache, from the first to the last', async () => {
    const ended: string[] = []
    const listener = {
      onStep: ({ text, status }: Step) => {
        if (text.startsWith('RUN') && !['waiting', 'running'].includes(status)) ended.push(status)
      },
    }
    const { progress } = replay(await readFixture('fetched-cache.rawjson'), { targets: ['default'], listener })
    expect(new Set(ended)).toEqual(new Set(['cached']))
    expect(find(progress.steps(), 'RUN').status).toBe('cached')
  })

  test('finds the line of a step that belongs to another target’s Dockerfile than the one that told of it first', () => {
    const at = '2026-11-22T01:50:00Z'
    const vertex = (target: string): object => ({
      ...{ digest: `sha256:${'a'.repeat(64)}`, name: `[${target} runtime 2/3] RUN sh -n lib`, inputs: ['sha256:b'] },
      ...{ started: at, completed: at, error: 'process "/bin/sh -c sh -n lib" did not complete successfully: exit code: 2' },
    })
    const [service, site] = [layout('FROM a AS runtime\n\nRUN sh -n lib\n'), layout('FROM a AS pages\nRUN x\nFROM b\nRUN y\n')]
    const { progress } = replay(JSON.stringify({ vertexes: [vertex('docs'), vertex('runtime')] }), {
      targets: ['docs', 'runtime'],
      stagesOf: (target) => (target === 'docs' ? site : service),
    })
    expect(progress.steps()).toEqual([
      expect.objectContaining({ status: 'failed', stage: 0, source: { line: 3, endLine: 3 }, targets: ['docs', 'runtime'] }),
    ])
  }) // prettier-ignore

  test('says of a step that was left and taken up again when its work ended, not when it would have ended in one go', () => {
    const time = (second: number): string => `2026-11-22T01:50:${String(second).padStart(2, '0')}Z`
    const vertex = (started: number, completed?: number): object => ({
      ...{ digest: `sha256:${'a'.repeat(64)}`, name: '[base 1/2] FROM golang', started: time(started) },
      ...(completed === undefined ? {} : { completed: time(completed) }),
    })
    const told = [vertex(1, 5), vertex(7), vertex(7, 9)].map((one) => JSON.stringify({ vertexes: [one] }))
    const { progress } = replay(told.join('\n'), { targets: ['app'], stages: layout('FROM golang AS base\nRUN y\n') })
    expect(find(progress.steps(), 'FROM')).toMatchObject({ durationMs: 6_000, startedMs: Date.parse(time(3)) })
  })

  test('tells the root cause of a failure from what was cancelled with it', async () => {
    const { progress } = replay(await readFixture('failing-run.rawjson'), {
      targets: ['a', 'base', 'slow'],
      stages: FAILING_RUN,
    })
    const failed = progress.steps().filter((step) => step.status === 'failed')
    expect(failed).toHaveLength(1)
    expect(failed[0]).toMatchObject({ source: at(2, 4), stageName: 'base' })
    expect(failed[0]?.tail.at(-1)).toBe('last words')
    expect(find(progress.steps(), 'RUN true').status).toBe('waiting')
    expect(['canceled', 'waiting', 'running']).toContain(
      progress.steps().find((step) => step.text.endsWith('sleep 30'))?.status,
    )
  })

  test.each([
    ['exporting to oci image format', 'canceled', `error writing config blob: failed to open writer: ref moby/1/sha256:${'4a'.repeat(32)} locked for 7.089023ms (since 2026-11-22 16:53:09.5425152 +0000 UTC m=+2.834208303): unavailable`],
    ['[base 1/1] RUN sleep 9', 'canceled', 'process "/bin/sh -c sleep 9" did not complete successfully: exit code: 137: context canceled: context canceled'],
    ['[base 1/1] RUN go test', 'failed', 'process "/bin/sh -c go test || echo \"context canceled\"" did not complete successfully: exit code: 1'],
    ['exporting to image', 'failed', 'failed to push ghcr.io/o/i:1: unavailable: try later'],
  ] as const)('%s is %s', (name, status, error) => {
    const at = '2026-11-22T16:53:09Z'
    const vertex = { digest: `sha256:${'a'.repeat(64)}`, name, started: at, completed: at, error }
    const { progress } = replay(JSON.stringify({ vertexes: [vertex] }), { targets: ['a'] })
    expect(progress.steps()).toEqual([expect.objectContaining({ status, error })])
  }) // prettier-ignore

  test('reads places with padding and platforms, and what was pushed', async () => {
    const { progress } = replay(await readFixture('two-platforms-push.rawjson'), {
      targets: ['long'],
      stages: layout(['FROM x', ...Array.from({ length: 11 }, (_, i) => `COPY f.txt /f${i + 1}`)].join('\n')),
    })
    const step = progress.steps().find(({ platform, place }) => platform === 'linux/arm64' && place === 2)
    expect(step).toMatchObject({ text: 'COPY f.txt /f1', total: 12, stage: 0, source: at(2), stageName: undefined })
    expect(progress.pushed()).toEqual([
      { reference: '127.0.0.1:5577/sbt/long:1', digest: expect.stringMatching(/^sha256:/) as unknown },
    ])
  })

  test('keeps secrets out of names, errors and output', async () => {
    const mask = (text: string): string => text.replaceAll('last words', '***').replaceAll('one', '###')
    const { progress } = replay(await readFixture('failing-run.rawjson'), { targets: ['a', 'base', 'slow'], mask })
    const all = JSON.stringify(progress.steps())
    expect(all).toContain('***')
    expect(all).toContain('###')
    expect(all).not.toMatch(/last words|\bone\b/)
  })

  test('is summed up by target and stage', async () => {
    const { progress } = replay(await readFixture('two-targets.rawjson'), {
      targets: ['prod', 'test'],
      stages: TWO_TARGETS,
    })
    const lines = summaryLines(summarize(progress.steps(), ['prod', 'test']))
    expect(lines).toEqual([
      expect.stringMatching(/^prod: builder 4 run 1\.\ds · prod 2 run 0\.\ds$/),
      expect.stringMatching(/^test: builder 4 run 1\.\ds · test 1 run 0\.\ds$/),
    ])
  })
})
