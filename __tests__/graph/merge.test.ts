import { describe, expect, test } from '@jest/globals'
import { mergeGraphs } from '../../src/graph/merge.ts'
import type { StageGraph } from '../../src/graph/stage-graph.ts'
import { graphOf } from '../support/graph-outline.ts'

const FILE = 'ARG TARGETARCH\nFROM base-${TARGETARCH} AS base\nFROM base AS final\nCOPY --from=both / /\n'

const on = (platform: string, text = FILE): StageGraph => graphOf(text, { platform })

describe('one graph of several platforms', () => {
  test('has the needs of all, each once, the first platform’s first', () => {
    const text =
      'FROM scratch AS amd64\nFROM scratch AS arm64\nARG TARGETARCH\nFROM ${TARGETARCH} AS final\nCOPY --from=both / /\n'
    const [amd64, arm64] = [on('linux/amd64', `ARG TARGETARCH\n${text}`), on('linux/arm64', `ARG TARGETARCH\n${text}`)]
    expect(amd64.stages[2]?.from).toEqual({ kind: 'stage', stage: 0 })
    const { from, needs } = mergeGraphs([amd64, arm64]).stages[2] ?? {}
    expect(from).toEqual({ kind: 'stage', stage: 0 })
    expect(needs).toEqual([
      { via: 'copy', source: { kind: 'image', image: 'docker.io/library/both:latest' }, line: 6 },
      { via: 'from', source: { kind: 'stage', stage: 1 }, line: 5 },
    ])
  })

  test('keeps a base image of each platform', () => {
    const merged = mergeGraphs([on('linux/amd64'), on('linux/arm64')])
    expect(merged.stages[0]?.from).toMatchObject({ image: 'docker.io/library/base-amd64:latest' })
    expect(merged.stages[0]?.needs).toEqual([
      { via: 'from', source: { kind: 'image', image: 'docker.io/library/base-arm64:latest' }, line: 2 },
    ])
  })

  test('of one platform, or of the same twice, is that graph', () => {
    const graph = on('linux/amd64')
    expect(mergeGraphs([graph])).toEqual(graph)
    expect(mergeGraphs([graph, on('linux/amd64')])).toEqual(graph)
  })
})
