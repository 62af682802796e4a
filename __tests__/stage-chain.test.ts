import { describe, expect, test } from '@jest/globals'
import { baseOfStage, layerSources } from '../src/stage-chain.ts'
import { graphOf } from './support/graph-outline.ts'

const DOCKERFILE = `FROM alpine AS base
ARG X=1
RUN one
ENV A=b
FROM base AS deps
WORKDIR /src
COPY a b ./
FROM deps AS prod
LABEL x=y
RUN two \\
  three
USER me
ADD c /
CMD ["x"]
FROM scratch AS empty
COPY --from=prod /x /
FROM ctx AS named
RUN four
`

describe('the instructions that make the layers of an image', () => {
  test('are those of every stage in the chain, from the base up, with their lines', () => {
    const sources = layerSources(graphOf(DOCKERFILE), 2, 'app/Dockerfile')
    expect(sources?.map(({ line, text }) => [line, text.replace(/\s+/g, ' ')])).toEqual([
      [3, 'RUN one'],
      [6, 'WORKDIR /src'],
      [7, 'COPY a b ./'],
      [10, expect.stringMatching(/^RUN two/)],
      [13, 'ADD c /'],
    ])
    expect(new Set(sources?.map(({ file }) => file))).toEqual(new Set(['app/Dockerfile']))
  })

  test('of a stage on nothing are its own; what stands on a named context has other ones beneath', () => {
    expect(layerSources(graphOf(DOCKERFILE), 3, 'f')?.map(({ line }) => line)).toEqual([16])
    expect(layerSources(graphOf(DOCKERFILE, { contexts: ['ctx'] }), 4, 'f')).toBeUndefined()
    expect(layerSources(graphOf(DOCKERFILE, { contexts: ['base'] }), 2, 'f')).toBeUndefined()
  })
})

test('a stage is based in the end on an image, on nothing, or on a named context', () => {
  const graph = graphOf(DOCKERFILE)
  expect(baseOfStage(graph, 2)).toEqual({ kind: 'image', image: 'docker.io/library/alpine:latest' })
  expect(baseOfStage(graph, 3)).toEqual({ kind: 'scratch' })
  expect(baseOfStage(graphOf(DOCKERFILE, { contexts: ['base'] }), 2)).toEqual({ kind: 'context' })
})
