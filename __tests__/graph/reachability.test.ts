import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  errorsFor,
  externalImages,
  neededStages,
  sharedStages,
  stagesOf,
  stagesOfAll,
} from '../../src/graph/reachability.ts'
import { defaultTargets, findTarget } from '../../src/graph/targets.ts'
import { graphOf, resolveText } from '../support/graph-outline.ts'

const FILE = `FROM golang AS base
FROM base AS build
COPY --from=tools:1 /t /t
FROM base AS test
COPY --from=build / /
FROM scratch AS prod
COPY --from=build /app /app
FROM debian AS docs
`

describe('stagesOf', () => {
  test('a target’s stages stand in build order', () => {
    const graph = graphOf(FILE)
    expect(stagesOf(graph, 2)).toEqual([0, 1, 2])
    expect(stagesOf(graph, 3)).toEqual([0, 1, 3])
    expect(stagesOf(graph, 4)).toEqual([4])
    expect(stagesOfAll(graph, [3, 2])).toEqual([0, 1, 2, 3])
  })

  test('a chain of thousands neither overflows nor takes long', () => {
    const lines = Array.from({ length: 5000 }, (_, i) => (i === 0 ? 'FROM x AS s0' : `FROM s${i - 1} AS s${i}`))
    const graph = graphOf(lines.join('\n'))
    expect(stagesOf(graph, 4999)).toHaveLength(5000)
  })

  test('a circle through a base is no endless walk', () => {
    const { graph } = resolveText('FROM x AS a\nCOPY --from=b / /\nFROM a AS b\n')
    expect(graph === undefined ? undefined : [...stagesOf(graph, 1)].sort()).toEqual([0, 1])
  })

  test('every stage comes after those it needs, and nothing else is in it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.nat(20), { maxLength: 4 }), { minLength: 1, maxLength: 20 }),
        fc.nat(),
        (needs, seed) => {
          const text = needs.map((sources, index) => {
            const copies = sources.filter((source) => source < index).map((source) => `COPY --from=${source} / /\n`)
            return `FROM ${index % 3 === 1 ? `s${index - 1}` : 'x'} AS s${index}\n${copies.join('')}`
          })
          const graph = graphOf(text.join(''))
          const target = seed % needs.length
          const order = stagesOf(graph, target)
          const position = new Map(order.map((stage, index) => [stage, index]))
          expect(order.at(-1)).toBe(target)
          expect(new Set(order).size).toBe(order.length)
          for (const stage of order) {
            for (const needed of neededStages(graph, stage)) {
              expect(position.get(needed)).toBeLessThan(position.get(stage) ?? -1)
            }
          }
        },
      ),
    )
  })
})

test('stages that several targets need are shared', () => {
  const graph = graphOf(FILE)
  expect(sharedStages(graph, [2, 3])).toEqual([0, 1])
  expect(sharedStages(graph, [3, 4])).toEqual([])
  expect(sharedStages(graph, [1, 3])).toEqual([0, 1])
  expect(sharedStages(graph, [3, 3])).toEqual([])
})

test('all targets are the stages that no other needs, and the last', () => {
  expect(defaultTargets(graphOf(FILE), 'all')).toEqual([2, 3, 4])
  expect(defaultTargets(graphOf(FILE), 'last')).toEqual([4])
  expect(defaultTargets(graphOf('FROM x AS a\nFROM a AS b\nONBUILD COPY --from=b / /\n'), 'all')).toEqual([1])
})

describe('findTarget', () => {
  const graph = graphOf('FROM x AS build\nFROM y AS test\nFROM z AS build\nFROM w\n')

  test('finds the last of a name, in any letters; nothing is the last stage', () => {
    expect(findTarget(graph, 'BUILD')).toEqual({ kind: 'stage', stage: 2 })
    expect(findTarget(graph, '')).toEqual({ kind: 'stage', stage: 3 })
  })

  test('never takes a number, and says what may be meant', () => {
    expect(findTarget(graph, '0')).toMatchObject({ kind: 'missing', didYouMean: undefined })
    expect(findTarget(graph, 'biuld')).toMatchObject({
      ...{ kind: 'missing', didYouMean: 'build' },
      error: {
        message: 'target stage "biuld" could not be found (did you mean build?)',
        phase: 'target',
        scope: 'target',
      },
    })
  })
})

test('images from outside, with every place and platform', () => {
  const graph = graphOf(
    'FROM --platform=linux/arm64 a AS x\nFROM a\nCOPY --from=a / /\nRUN --mount=from=b:1,target=/m true\nFROM x\nFROM scratch\n',
  )
  expect(externalImages(graph)).toEqual([
    {
      image: 'docker.io/library/a:latest',
      platforms: ['linux/arm64', 'linux/amd64'],
      uses: [
        { stage: 0, line: 1, via: 'from', platform: 'linux/arm64' },
        { stage: 1, line: 2, via: 'from', platform: 'linux/amd64' },
        { stage: 1, line: 3, via: 'copy', platform: 'linux/amd64' },
      ],
    },
    {
      ...{ image: 'docker.io/library/b:1', platforms: ['linux/amd64'] },
      uses: [{ stage: 1, line: 4, via: 'mount', platform: 'linux/amd64' }],
    },
  ])
  expect(externalImages(graph, [0, 2]).map(({ image }) => image)).toEqual(['docker.io/library/a:latest'])
})

test('errors of stages that a target does not need do not count for it', () => {
  const { graph, errors } = resolveText('FROM x AS a\nCOPY --chmod=999 x y\nFROM a AS b\nFROM z AS c\n')
  expect(errorsFor(errors, graph, [1])).toHaveLength(1)
  expect(errorsFor(errors, graph, [2])).toHaveLength(0)
  expect(errorsFor(errors, graph, [2, 0])).toHaveLength(1)
})
