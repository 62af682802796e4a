import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { BuildRequest } from '../../src/build/build-request.ts'
import type { BuildFailure } from '../../src/build/failure.ts'
import type { Step } from '../../src/build/progress.ts'
import { Rounds, type Ran, type RoundsOptions } from '../../src/build/rounds.ts'

const HOST = '127.0.0.1:4007'
const ERRORS = {
  command: 'process "/bin/sh -c false" did not complete successfully: exit code: 1',
  passing: 'failed to push ghcr.io/o/a:1: unavailable: service unavailable',
  lasting: 'failed to push ghcr.io/o/a:1: denied: no',
  cache: `failed to copy: httpReadSeeker: failed open: content at http://${HOST}/v2/sb${'a'.repeat(32)}/cache not found`,
  lost: 'failed to mount /tmp/m: lowerdir=/data/snapshots/7/fs: no such file or directory',
  loopback: `failed to push ${HOST}/sb/target0: dial tcp: connection refused`,
} as const
type Kind = keyof typeof ERRORS

function roundsOf(names: readonly string[], options: Partial<RoundsOptions> = {}, more: Partial<BuildRequest> = {}) {
  const targets = names.map((name) => ({ name, stage: name, tags: [], outputs: [], cacheFrom: ['cache'], cacheTo: ['cache'] }))
  const request: BuildRequest = {
    ...{ contextDir: '/', dockerfile: '/Dockerfile', workspace: '/', targets },
    ...{ measure: { host: HOST, repository: () => 'x' } },
    ...more,
  }
  const cacheTrouble = (errors: readonly string[]): string | undefined =>
    errors.some((error) => error.includes('/cache not found')) ? 'it is gone' : undefined
  return new Rounds(request, { stages: [], mask: (text) => text, retries: 2, cacheTrouble, ...options })
} // prettier-ignore

function run(failures: readonly (readonly [Kind, readonly string[]])[], active: readonly string[] = []): Ran {
  const steps = failures.map(([kind, targets], index): Step => ({
    ...{ id: `sha256:${kind}${targets.join()}${index}`, kind: 'export', targets, platform: undefined, stage: undefined, stageName: undefined },
    ...{ place: undefined, total: undefined, text: 'exporting to image', source: undefined, status: 'failed', startedMs: 1 },
    ...{ durationMs: 0, error: ERRORS[kind], tail: [], inputs: [] },
  }))
  const results = active.map((target) => ({ target, digest: 'x', configDigest: 'x', names: [], mediaType: '', buildRef: '', provenance: '' }))
  return {
    ...{ kind: failures.length > 0 ? 'failed' : 'built', steps, checks: [], warnings: [], text: [], pushed: [] },
    metadata: { results, output: {} },
    failures: steps.map((step): BuildFailure => ({ step, targets: step.targets, problem: { message: step.error ?? '' } })),
  }
} // prettier-ignore

const named = ({ targets }: BuildRequest): readonly string[] => targets.map(({ name }) => name)

describe('a layer that the builder has lost', () => {
  test('is carried out anew, once', () => {
    const rounds = roundsOf(['a', 'b'], {}, { noCacheFilters: ['a'] })
    rounds.begin()
    rounds.take(run([['lost', ['a']]]))
    const anew = rounds.begin()
    expect(named(anew)).toEqual(['a', 'b'])
    expect([anew.noCache, anew.noCacheFilters, anew.targets.map(({ cacheFrom }) => cacheFrom)]).toEqual([true, [], [[], []]])
    expect(rounds.warnings()).toEqual([{ message: expect.stringContaining('was built without that cache') }])
    rounds.take(run([['lost', ['a']]]))
    expect(rounds.failures.map(({ targets }) => targets)).toEqual([['a']])
    expect([named(rounds.begin()), rounds.warnings().length]).toEqual([['b'], 1])
  }) // prettier-ignore

  test('spares nothing that fails for good beside it', () => {
    const rounds = roundsOf(['a', 'b'])
    rounds.begin()
    rounds.take(run([['command', ['b']], ['lost', ['a']]])) // prettier-ignore
    expect([rounds.left, rounds.begin().noCache]).toEqual([['a'], true])
  })
})

describe('the next run', () => {
  test('is for what nothing stands against; what a registry failed with comes last, and no more often than allowed', () => {
    const rounds = roundsOf(['a', 'b', 'c'], { retries: 1 })
    expect(named(rounds.begin())).toEqual(['a', 'b', 'c'])
    const [retry] = rounds.take(run([['command', ['a']], ['passing', ['b']]])) // prettier-ignore
    expect(retry).toMatchObject({ targets: ['b'], retry: 1 })
    if (retry !== undefined) rounds.tryAgain(retry, 5)
    expect([rounds.restsUntil, named(rounds.begin())]).toEqual([0, ['c']])
    rounds.take(run([]))
    expect([rounds.restsUntil, named(rounds.begin())]).toEqual([5, ['b']])
    expect(rounds.take(run([['passing', ['b']]]))).toEqual([])
    expect([rounds.left, [...rounds.built]]).toEqual([[], ['c']])
    expect(rounds.failures.map(({ targets, problem }) => [targets, problem.message])).toEqual([
      [['a'], ERRORS.command],
      [['b'], `${ERRORS.passing} It was tried 2 times.`],
    ])
  })

  test('is for nothing with `failFast`', () => {
    const rounds = roundsOf(['a', 'b'], { failFast: true })
    rounds.begin()
    expect(rounds.take(run([['command', ['a']], ['passing', ['b']]]))).toEqual([]) // prettier-ignore
    expect([rounds.left, rounds.failures.length]).toEqual([[], 1])
  })

  test('goes without the measured copies, then without cached content, each once, beside what failed for good', () => {
    const rounds = roundsOf(['a', 'b'])
    const first = rounds.begin()
    expect([first.measure?.host, first.targets[0]?.cacheFrom]).toEqual([HOST, ['cache']])
    rounds.take(run([['cache', ['a']], ['command', ['b']]])) // prettier-ignore
    const second = rounds.begin()
    expect([named(second), second.targets[0]?.cacheFrom, second.targets[0]?.cacheTo]).toEqual([['a'], [], ['cache']])
    rounds.take(run([['loopback', ['a']]]))
    const third = rounds.begin()
    expect([named(third), third.measure, third.targets[0]?.cacheTo]).toEqual([['a'], undefined, []])
    rounds.take(run([]))
    expect([[...rounds.built], rounds.warnings().length, rounds.measures]).toEqual([['a'], 2, false])
  })

  test('is not for a cached layer that is known to be gone: no waiting for a registry helps', () => {
    const rounds = roundsOf(['a'], { cacheTrouble: () => 'it is gone' })
    rounds.begin()
    expect(rounds.take(run([['passing', ['a']]]))).toEqual([])
    expect(rounds.begin().targets[0]?.cacheFrom).toEqual([])
    expect(rounds.take(run([['passing', ['a']]]))).toHaveLength(1)
  })

  test('is for no target when buildx says the same again, under another’s name', () => {
    const rounds = roundsOf(['a', 'b', 'c'])
    const said = (name: string): Ran => ({
      ...run([]),
      kind: 'failed',
      failures: [{ step: undefined, targets: [name], problem: { message: `Target \`${name}\`: odd.` } }],
    })
    rounds.begin()
    rounds.take(said('a'))
    expect(named(rounds.begin())).toEqual(['b', 'c'])
    rounds.take(said('b'))
    expect(rounds.left).toEqual([])
  })
})

test('there is an end, and every target is built or has a problem', () => {
  const names = ['a', 'b', 'c', 'd']
  const failure = fc.tuple(fc.constantFrom(...(Object.keys(ERRORS) as Kind[])), fc.subarray(names))
  const course = fc.array(fc.array(failure, { maxLength: 3 }), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(course, fc.boolean(), fc.nat(3), (runs, failFast, retries) => {
      const rounds = roundsOf(names, { failFast, retries })
      let count = 0
      for (; rounds.left.length > 0; count++) {
        expect(count).toBeLessThan(names.length * (retries + 1) + 3)
        expect(named(rounds.begin()).length).toBeGreaterThan(0)
        for (const retry of rounds.take(run(runs[count % runs.length] ?? []))) rounds.tryAgain(retry, 0)
      }
      const failed = rounds.failures.flatMap(({ targets }) => targets)
      const known = new Set([...rounds.built, ...failed])
      if (!failFast || rounds.failures.length === 0) expect([...known].sort()).toEqual(names)
      expect(failed.filter((name) => rounds.built.has(name))).toEqual([])
    }),
  )
})
