import { describe, expect, test } from '@jest/globals'
import { firstSteps } from '../src/fetching-ahead.ts'
import { graphOf } from './support/graph-outline.ts'

const DOCKERFILE = `FROM golang AS base
WORKDIR /src
COPY go.mod ./
RUN go mod download
FROM base AS build
COPY . .
RUN go build
FROM alpine AS prod
RUN apk add ca-certificates
COPY --from=build /app /app
`

const LAYERS = ['g1', 'g2']

function first(lines: readonly number[], targets = [{ name: 'prod', stage: 2 }]): ReturnType<typeof firstSteps> {
  return firstSteps({
    ...{ graph: graphOf(DOCKERFILE), targets, platforms: ['linux/amd64'] },
    layersOf: (image) => (image.includes('golang') ? LAYERS : image.includes('alpine') ? [] : undefined),
    isExpected: ({ line }) => lines.includes(line),
  })
}

describe('the first steps that will run', () => {
  test('tell how many layers lie beneath, through the stages that they stand on', () => {
    expect(first([6, 7, 10])).toEqual([
      { target: 'prod', base: LAYERS, steps: 3 },
      { target: 'prod', base: [], steps: 1 },
    ])
  })

  test('of a stage beneath count once, and those right on the base image need nothing', () => {
    expect(first([3, 4, 6, 7])).toEqual([{ target: 'prod', base: LAYERS, steps: 1 }])
    expect(first([2, 3, 4, 6, 7, 9, 10])).toEqual([])
    expect(first([])).toEqual([])
  })

  test('are asked for by target, and nothing is said where the base is not known', () => {
    const targets = [
      { name: 'a', stage: 1 },
      { name: 'b', stage: 2 },
    ]
    expect(first([7], targets).map(({ target, steps }) => [target, steps])).toEqual([
      ['a', 4],
      ['b', 4],
    ])
    const graph = graphOf('FROM private\nRUN a\nRUN b\n')
    const isExpected = ({ line }: { readonly line: number }): boolean => line === 3
    const question = { graph, targets: [{ name: 'x', stage: 0 }], platforms: ['linux/amd64'], isExpected }
    expect(firstSteps({ ...question, layersOf: () => undefined })).toEqual([])
    expect(firstSteps({ ...question, layersOf: () => ['p'] })).toEqual([{ target: 'x', base: ['p'], steps: 1 }])
  })
})
