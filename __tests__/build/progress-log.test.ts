import { describe, expect, test } from '@jest/globals'
import { progressLog } from '../../src/build/progress-log.ts'
import type { Step } from '../../src/build/progress.ts'
import { FAILING_RUN, TWO_TARGETS, readFixture, replay } from './fixtures.ts'

function recorder(now: () => number = Date.now): { lines: string[]; log: ReturnType<typeof progressLog> } {
  const lines: string[] = []
  return { lines, log: progressLog({ write: (line) => lines.push(line), now }) }
}

function step(more: Partial<Step>): Step {
  return {
    id: more.text ?? 'id',
    kind: 'stage',
    targets: ['prod'],
    platform: undefined,
    stage: 0,
    stageName: 'builder',
    place: 1,
    total: 9,
    text: 'RUN x',
    source: undefined,
    status: 'running',
    startedMs: 0,
    durationMs: 0,
    error: undefined,
    tail: [],
    inputs: [],
    ...more,
  }
}

describe('the live log', () => {
  test('shows output as it comes under its stage, and one line when a step ends', async () => {
    const { lines, log } = recorder()
    replay(await readFixture('two-targets.rawjson'), { targets: ['prod', 'test'], stages: TWO_TARGETS, listener: log })
    log.finish()
    expect(lines.filter((line) => line.includes('[builder 4/5]'))).toEqual([
      expect.stringMatching(/^▸ \[builder 4\/5\] RUN echo "héllo/),
      expect.stringMatching(/^\[builder 4\/5\] héllo \d+$/),
      '[builder 4/5] ::error::boo',
      '[builder 4/5] #\u200b#[error]boo',
      '[builder 4/5] 100%',
      expect.stringMatching(/^✓ \[builder 4\/5\] RUN echo "héllo .* 1\.\ds$/),
    ])
    expect(lines.filter((line) => line.includes('[test 1/1]'))).toHaveLength(3)
    expect(lines.join('\n')).not.toContain('load metadata')
  })

  test('has no line that the runner would take for a command', async () => {
    for (const name of ['two-targets.rawjson', 'failing-run.rawjson']) {
      const { lines, log } = recorder()
      replay(await readFixture(name), { targets: ['prod', 'test'], listener: log })
      log.finish()
      for (const line of lines) expect(line).not.toMatch(/^\s*::|##\[|[\r\n]/)
    }
  })

  test('of several Dockerfiles a stage without a name is told by the path of its own, a long one by its end', () => {
    const { lines, log } = recorder()
    const long = `services/${'deep/'.repeat(9)}api/Dockerfile`
    const files: readonly (readonly [string, string])[] = [['api/Dockerfile', 'stage 1'], ['web/Dockerfile', 'stage 1'], ['web/Dockerfile', 'base'], [long, 'stage 0']]
    for (const [index, [file, stageName]] of files.entries()) {
      const source = { file, line: 1, endLine: 1 }
      log.onStep?.(step({ id: `${index}`, stageName, source, status: 'done', durationMs: 1_000 }))
    }
    expect(lines.map((line) => /\[(.*) 1\/9\]/.exec(line)?.[1])).toEqual([
      ...['api/Dockerfile', 'web/Dockerfile', 'base'],
      `…${long.slice(-39)}`,
    ])
  }) // prettier-ignore

  test('a cache that is not there yet is no failure; one that cannot be had is', () => {
    const { lines, log } = recorder()
    const text = 'importing cache manifest from registry/cache:prod'
    const failed = { kind: 'internal', text, status: 'failed', place: undefined } as const
    log.onStep?.(step({ ...failed, id: '1', error: 'registry/cache:prod: not found' }))
    log.onStep?.(step({ ...failed, id: '2', error: 'failed to authorize: 401 Unauthorized' }))
    expect(lines).toEqual(['– [prod] no cache yet in registry/cache:prod', `✗ [prod] ${text} failed after 0.0s`])
  })

  test('folds what is cached: a line a stage, however many steps', () => {
    const { lines, log } = recorder()
    for (let stage = 0; stage < 50; stage++) {
      for (let place = 1; place <= 6; place++) {
        const text = `RUN ${stage} ${place}`
        log.onStep?.(step({ stageName: `s${stage}`, stage, place, text, status: 'cached' }))
      }
    }
    log.onStep?.(step({ stageName: 'last', place: 2, total: 2, text: 'COPY a b', status: 'cached' }))
    log.finish()
    expect(lines).toHaveLength(51)
    expect(lines[0]).toBe('✓ [s0] 6 steps cached')
    expect(lines.at(-1)).toBe('✓ [last 2/2] COPY a b cached')
  })

  test('shows a failure, and not what was cancelled with it', async () => {
    const { lines, log } = recorder()
    replay(await readFixture('failing-run.rawjson'), {
      targets: ['a', 'base', 'slow'],
      stages: FAILING_RUN,
      listener: log,
    })
    log.finish()
    expect(lines.filter((line) => line.startsWith('✗'))).toEqual([
      expect.stringMatching(/^✗ \[base 2\/2\] RUN echo \d+ one && .* failed after 1\.\ds$/),
    ])
  })

  test('gives a sign of life from a step that is silent, and not too often', () => {
    let time = 0
    const { lines, log } = recorder(() => time)
    log.onStep?.(step({ text: 'RUN make', startedMs: 0 }))
    for (time = 0; time <= 130_000; time += 5_000) log.tick()
    expect(lines).toEqual([
      '… [builder 1/9] RUN make still running (20.0s)',
      '… [builder 1/9] RUN make still running (1m20s)',
    ])
    log.onStep?.(step({ text: 'RUN make', status: 'done', durationMs: 131_000 }))
    time += 100_000
    log.tick()
    expect(lines.at(-1)).toBe('✓ [builder 1/9] RUN make 2m11s')
  })

  test('leaves out housekeeping unless it is slow or fails', () => {
    const { lines, log } = recorder()
    const internal = { kind: 'internal', place: undefined, stageName: undefined } as const
    log.onStep?.(step({ ...internal, text: 'load build context', status: 'done', durationMs: 100 }))
    log.onStep?.(step({ ...internal, text: 'load metadata for x', status: 'done', durationMs: 7000 }))
    log.onStep?.(
      step({ ...internal, text: 'load metadata for y', status: 'failed', durationMs: 100, targets: ['a', 'b'] }),
    )
    expect(lines).toEqual(['✓ [prod] load metadata for x 7.0s', '✗ load metadata for y failed after 0.1s'])
  })
})
