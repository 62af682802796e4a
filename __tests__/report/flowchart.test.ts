import { describe, expect, test } from '@jest/globals'
import { flowchart } from '../../src/report/flowchart.ts'
import { HOSTILE_NAMES } from '../support/hostile-names.ts'
import { type StageSketch, graphOf, image, stageSource } from '../support/summary-examples.ts'

describe('the stage graph as a flowchart', () => {
  test('has a labelled edge for every way of needing, and shapes for what comes from outside', () => {
    const graph = graphOf([
      { name: 'builder', from: image('docker.io/library/golang:1.24') },
      { from: { kind: 'scratch' } },
      {
        name: 'end',
        from: stageSource(0),
        needs: [
          ['copy', stageSource(1)],
          ['copy', stageSource(1)],
          ['mount', { kind: 'context', context: 'src', image: 'docker.io/library/src:latest' }],
          ['onbuild-copy', image('docker.io/library/nginx:latest')],
          ['onbuild-mount', stageSource(0)],
        ],
      },
    ])
    const chart = flowchart({ graph, requested: [2], shared: [0], captions: new Map([[2, '6.47 MB']]) })
    expect(chart.source.split('\n')).toEqual([
      'flowchart LR',
      '  s2(["end, 6.47\u00a0MB"])',
      '  s0["builder"]',
      '  s1["stage 1"]',
      '  c0[/"src"/]',
      '  i1[("nginx")]',
      '  i2[("golang#58;1.24")]',
      '  s0 -->|from| s2',
      '  s1 -.->|copy x2| s2',
      '  c0 -.->|mount| s2',
      '  i1 -.->|onbuild copy| s2',
      '  s0 -.->|onbuild mount| s2',
      '  i2 -->|from| s0',
      '  classDef target fill:#0969da,stroke:#54aeff,color:#ffffff',
      '  classDef failed fill:#cf222e,stroke:#ff8182,color:#ffffff',
      '  classDef shared stroke:#bf8700,stroke-width:3px',
      '  classDef external stroke-dasharray:4 3',
      '  classDef rest stroke-dasharray:1 4',
      '  class s2 target',
      '  class s0 shared',
      '  class c0,i1,i2 external',
    ])
  })

  test('leaves out what no target needs, and tells which', () => {
    const graph = graphOf([
      { name: 'a' },
      { name: 'unused', from: stageSource(0) },
      { name: 'b', from: stageSource(0) },
    ])
    const chart = flowchart({ graph, requested: [2], shared: [] })
    expect(chart.unneeded).toEqual([1])
    expect(chart.source).not.toContain('unused')
  })

  test('draws at most sixty nodes: those nearest to the targets, the rest as one', () => {
    const chain = graphOf(
      Array.from({ length: 1_000 }, (_, i): StageSketch => (i === 0 ? {} : { from: stageSource(i - 1) })),
    )
    const chart = flowchart({ graph: chain, requested: [999], shared: [] })
    const nodes = chart.source.split('\n').filter((line) => /^ {2}\w+[[(]/.test(line))
    expect(nodes).toHaveLength(60)
    expect(nodes.at(-1)).toBe('  rest["941 more"]')
    expect(chart.collapsed).toBe(941)
    expect(chart.source).toContain('rest -.->|needs| s941')
    expect(chart.source).toContain('flowchart TB')
  })

  test('stays within the limits of Mermaid however dense and wordy the graph is', () => {
    const names = Array.from({ length: 300 }, (_, i) => `${'"'.repeat(300)}${i}`)
    const graph = graphOf(
      names.map((name, i): StageSketch => ({
        name,
        needs: Array.from({ length: i }, (_, j) => ['copy', stageSource(j)] as const),
      })),
    )
    const chart = flowchart({ graph, requested: [299], shared: names.map((_, i) => i) })
    expect(chart.source.length).toBeLessThanOrEqual(50_000)
    expect(chart.source.split('\n').filter((line) => line.includes('>|')).length).toBeLessThanOrEqual(500)
    expect(chart.edgesLeftOut).toBeGreaterThan(0)
  })

  test('lets no name out of its quotes', () => {
    const graph = graphOf(HOSTILE_NAMES.map((name) => ({ name, from: image(name) })))
    const { source } = flowchart({
      graph,
      requested: graph.stages.map((stage) => stage.index),
      shared: [],
      maxNodes: 999,
    })
    const node = /^ {2}(?:s\d+\(\["[^"\n<>`[\]{}|%]*"\]\)|i\d+\[\("[^"\n<>`[\]{}|%]*"\)\])$/
    const lines = source
      .split('\n')
      .filter((line) => !/^(flowchart|\s+(class|classDef)\s|\s+i\d+ -->\|from\| s\d+$)/.test(line))
    expect(lines.length).toBeGreaterThan(HOSTILE_NAMES.length)
    for (const line of lines) expect(line).toMatch(node)
  })
})
