import { describe, expect, test } from '@jest/globals'
import { assignTags, untagged, type TagLine } from '../../src/plan/target-tags.ts'
import { chooseTargets, type RequestedTarget } from '../../src/plan/targets.ts'
import { graphOf } from '../support/graph-outline.ts'

const NAMED = 'FROM scratch AS Builder\nFROM builder AS test\nFROM scratch AS prod\nCOPY --from=builder / /\n'

function choose(text: string, wanted?: readonly string[] | 'all') {
  const { targets, problems } = chooseTargets(graphOf(text), wanted, 'app/Dockerfile')
  return { targets: targets.map(({ name, stage }) => `${name}=${stage}`), problems }
}

function mendFor(text: string, wanted: string): string {
  const { targets, problems } = choose(text, [wanted])
  expect(targets).toEqual([])
  expect(problems).toMatchObject([
    { input: 'targets', message: `\`targets\`: app/Dockerfile has no stage \`${wanted}\`.` },
  ])
  return problems[0]?.mend ?? ''
}

describe('the targets', () => {
  test.each<[string, string, readonly string[] | 'all' | undefined, readonly string[]]>([
    ['the last stage', NAMED, undefined, ['prod=2']],
    ['the last stage, unnamed', 'FROM a AS x\nFROM b\n', undefined, ['default=1']],
    ['an unnamed last stage by its name', 'FROM a AS x\nFROM b\n', ['x', 'default'], ['x=0', 'default=1']],
    ['a stage that is called default', 'FROM a AS default\nFROM b\n', ['default'], ['default=0']],
    ['in the order and letters of the user', NAMED, ['prod', 'BUILDER'], ['prod=2', 'BUILDER=0']],
    ['two spellings of one stage are one', NAMED, ['builder', 'Builder'], ['builder=0']],
    ['the last of two stages of one name', 'FROM a AS x\nFROM b AS x\nFROM c\n', ['x'], ['x=1']],
    ['all: what no other stage needs, and the last', NAMED, 'all', ['test=1', 'prod=2']],
    ['all, where the last is needed by none and unnamed', 'FROM a AS x\nFROM b\n', 'all', ['x=0', 'default=1']],
  ])('%s', (_name, text, wanted, expected) => {
    expect(choose(text, wanted)).toEqual({ targets: expected, problems: [] })
  })

  test('an unnamed stage that `all` would build is asked to be named, on its line', () => {
    expect(choose('FROM a AS x\nFROM golang:1\nFROM b\n', 'all').problems).toEqual([
      {
        input: 'targets',
        file: 'app/Dockerfile',
        line: 2,
        message: '`targets: all`: stage 1 has no name, so it cannot be built by itself.',
        mend: 'Name it: `FROM golang:1 AS NAME`; or list the targets.',
      },
    ])
  })

  test('a stage that a later one of its name hides cannot be built by `all`', () => {
    expect(choose('FROM a AS x\nFROM b AS x\nFROM c\n', 'all').problems).toMatchObject([
      { line: 1, message: expect.stringContaining('a later stage is called `x`, too') as unknown },
    ])
  })

  test('that do not exist are told with what was meant', () => {
    expect(mendFor(NAMED, 'bulider')).toBe('Did you mean `builder`?')
    expect(mendFor(NAMED, 'xyz')).toBe('Its stages are `builder`, `test`, `prod`.')
    expect(mendFor('FROM a\n', 'xyz')).toMatch(/^No stage has a name: leave `targets` out/)
    expect(mendFor('FROM golang:1\nFROM b\n', '0')).toBe(
      'A target is named, not numbered: write `FROM golang:1 AS NAME` on line 1 and `targets: NAME`.',
    )
    expect(mendFor(NAMED, '2')).toBe('A target is named, not numbered: write `targets: prod`.')
    expect(mendFor(NAMED, 'default')).toMatch(/^Its stages are/)
  })

  test('all that do not exist are told', () => {
    expect(choose(NAMED, ['prdo', 'test', 'tset']).problems).toHaveLength(2)
  })
})

describe('tags', () => {
  const targets: readonly RequestedTarget[] = ['Prod', 'debug'].map((name, stage) => ({
    name,
    stage,
    stageName: name.toLowerCase(),
  }))
  const assign = (...lines: readonly (readonly [string | undefined, string])[]) => {
    const given: readonly TagLine[] = lines.map(([target, ref]) => ({ target, ref }))
    const { tagsOf, problems } = assignTags(targets, given)
    return { tags: Object.fromEntries(tagsOf), problems }
  }

  test('go to their target in any letters, `{target}` in lower case to each, in order and once', () => {
    const { tags, problems } = assign(
      ['PROD', 'r/a:1'],
      [undefined, 'r/{target}:1'],
      ['prod', 'r/a:1'],
      ['debug', 'r/d'],
    )
    expect(tags).toEqual({ Prod: ['r/a:1', 'r/prod:1'], debug: ['r/debug:1', 'r/d'] })
    expect(problems).toEqual([])
  })

  test('for a target that is not built, or for two at once, are problems', () => {
    expect(assign(['prdo', 'r/a'], ['xyz', 'r/a']).problems).toEqual([
      { input: 'tags', message: '`tags`: `prdo=r/a` is for a target that is not built.', mend: 'Did you mean `Prod`?' },
      {
        input: 'tags',
        message: '`tags`: `xyz=r/a` is for a target that is not built.',
        mend: 'The targets are `Prod`, `debug`.',
      },
    ])
    expect(assign(['prod', 'r/a:1'], ['debug', 'r/a:1']).problems).toMatchObject([
      { message: '`tags`: `r/a:1` is given to both `Prod` and `debug`.' },
    ])
    expect(assign([undefined, 'r/a:1']).problems).toHaveLength(1)
  })

  test('are what a push needs, for every target', () => {
    expect(untagged(new Map([['a', ['r/a']]]))).toEqual([])
    const [one] = untagged(new Map([['a', []]]))
    expect(one).toMatchObject({ input: 'push', mend: 'Give it one with `tags`, such as `ghcr.io/org/app:1`.' })
    const several = untagged(new Map<string, readonly string[]>([['a', []], ['b', ['x']], ['c', []]])) // prettier-ignore
    expect(several.map(({ message }) => message)).toEqual([
      '`push`: the target `a` has no tag, so there is nowhere to push it.',
      '`push`: the target `c` has no tag, so there is nowhere to push it.',
    ])
  })
})
