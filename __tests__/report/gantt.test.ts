import { describe, expect, test } from '@jest/globals'
import { gantt } from '../../src/report/gantt.ts'
import { HOSTILE_NAMES } from '../support/hostile-names.ts'

const step = (label: string, startMs: number, endMs: number, cached = false) => ({
  ...{ label, stage: 'builder', target: undefined, startMs, endMs, cached },
})

describe('the timeline as a gantt chart', () => {
  test('has a bar per step in the order in which they began, cached ones marked', () => {
    const chart = gantt([step('RUN go build', 1_000, 9_000), step('COPY . .', 200, 1_000, true)])
    expect(chart?.source.split('\n')).toEqual([
      'gantt',
      '  dateFormat x',
      '  axisFormat %s s',
      '  tickInterval 2second',
      '  ✓ builder#58; COPY . . :done, 200, 1000',
      '  ▸ builder#58; RUN go build :1000, 9000',
    ])
    expect(chart?.hasCached).toBe(true)
  })

  test('counts milliseconds on the axis when the build is short', () => {
    expect(gantt([step('a', 0, 700)])?.source).toContain('axisFormat %Q ms\n  tickInterval 100millisecond')
  })

  test('shows the forty longest and sums up the rest', () => {
    const chart = gantt(Array.from({ length: 100 }, (_, i) => step(`${i}`, 0, 1_000 + i)))
    expect(chart?.source.match(/▸/g)).toHaveLength(40)
    expect(chart?.source).toContain('99 :')
    expect(chart?.source).not.toContain(' 0 :')
    expect(chart?.leftOut).toBe(60)
    expect(chart?.leftOutMs).toBe(Array.from({ length: 60 }, (_, i) => 1_000 + i).reduce((a, b) => a + b))
  })

  test('gives even the shortest step a bar that can be seen', () => {
    expect(gantt([step('a', 0, 0), step('b', 0, 20_000)])?.source).toContain(' a :0, 100')
  })

  test('is not drawn of nothing', () => {
    expect(gantt([])).toBeUndefined()
    expect(gantt([step('a', 0, 0)])).toBeUndefined()
  })

  test('lets no label out of its line', () => {
    const chart = gantt(
      HOSTILE_NAMES.map((name, i) => ({ ...step(name, i, i + 10), stage: name })),
      999,
    )
    const bars = chart?.source.split('\n').slice(4) ?? []
    expect(bars).toHaveLength(HOSTILE_NAMES.length)
    for (const bar of bars) expect(bar).toMatch(/^ {2}▸ [^:\n<>`"%]* :\d+, \d+$/)
  })
})
