import { describe, expect, test } from '@jest/globals'
import { verdictLine } from '../../src/report/size-report-verdict.ts'
import { renderSizeReport } from '../../src/report/size-report.ts'
import { HOSTILE_NAMES } from '../support/hostile-names.ts'
import {
  baseline,
  budget,
  change,
  comingsAndGoings,
  failedAndPartial,
  fiftyTargets,
  fromRegistry,
  noBaseline,
  noChange,
  notComparable,
  olderBaseline,
  overBudget,
  saying,
  sizeContext,
  sizeReport,
  sizeRow,
} from '../support/size-report-examples.ts'

describe('the verdict', () => {
  test.each([
    [
      overBudget,
      'Image sizes: 1 of 4 targets over budget · `runtime` 187 MB of 160 MB, +38.4 MB (+25.9 %) · `worker` +4.90 MB (+5.6 %) · `web` −600 kB (−2.7 %)',
    ],
    [
      noChange,
      'Image sizes: no change in 4 targets · `runtime` 148 MB · `worker` 87.2 MB · `web` 21.9 MB · `migrate` 64.0 MB',
    ],
    [
      noBaseline,
      'Image sizes: 3 targets measured, no baseline yet · `runtime` 187 MB · `worker` 92.1 MB · `web` 21.3 MB',
    ],
    [
      olderBaseline,
      'Image sizes: 1 of 2 targets over budget but allowed by label, 1 over budget as before · `runtime` 187 MB of 160 MB, +38.4 MB (+25.9 %) · `worker` 92.1 MB of 90.0 MB',
    ],
    [
      failedAndPartial,
      'Image sizes: 2 of 4 targets reported, 1 failed to build · `runtime` failed · `worker` +4.90 MB (+5.6 %)',
    ],
    [
      comingsAndGoings,
      'Image sizes: 3 of 4 targets changed · `api` +2.10 MB (+5.0 %) · `debug` new, 61.0 MB · `legacy` removed',
    ],
    [fromRegistry, 'Image sizes: `prod` +1.70 MB (+7.4 %)'],
  ])('of %p', (example, line) => {
    const [report] = example()
    expect(verdictLine(report)).toBe(line)
  })

  test('names the identity, and the metric where it is not the transfer size', () => {
    const [report, context] = notComparable()
    expect(verdictLine(report, context.title)).toBe(
      'Image sizes of `shop`: 1 of 2 targets over budget · `runtime` 513 MB of 450 MB unpacked, +122 MB (+31.1 %)',
    )
  })

  test('of one target has no counts', () => {
    const of = (over: Parameters<typeof sizeRow>[1], report = {}): string =>
      verdictLine(sizeReport([sizeRow('a', { transfer: change(2, 2), ...over })], report))
    expect(of({ unchanged: true })).toBe('Image sizes: no change · `a` 2.00 MB')
    expect(of({ status: 'failed' })).toBe('Image sizes: failed to build · `a` failed')
    expect(of({ budgets: [budget('a=1MB', 1, 2, 'over')] })).toBe('Image sizes: over budget · `a` 2.00 MB of 1.00 MB')
    expect(of({ budgets: [budget('a=2MB', 2, 2.000_1, 'over')] })).toBe(
      'Image sizes: over budget · `a` 100 B over 2.00 MB',
    )
    expect(of({ transfer: change(2, 3) })).toBe('Image sizes: `a` −1.00 MB (−33.3 %)')
    expect(of({ status: 'no-baseline' }, { baseline: baseline({ source: 'none' }) })).toBe(
      'Image sizes: 1 target measured, no baseline yet · `a` 2.00 MB',
    )
  })

  test('tells of unpacked sizes where only they changed, and never of a percentage of nothing', () => {
    const row = sizeRow('a', { transfer: change(2.001, 2), unpacked: change(9, 8) })
    expect(verdictLine(sizeReport([row]))).toBe('Image sizes: `a` +1.00 MB (+12.5 %) unpacked')
    expect(verdictLine(sizeReport([sizeRow('a', { transfer: change(2, 0) })]))).toBe('Image sizes: `a` +2.00 MB')
  })

  test('counts the targets that it does not name', () => {
    const [report] = fiftyTargets()
    expect(verdictLine(report)).toMatch(/^Image sizes: 1 of 51 targets over budget · `service-0` .* · 47 more$/)
  })

  test('tells targets of the same name apart by what they were built from', () => {
    const rows = ['web', 'api'].map((id) => sizeRow('prod', { id, transfer: change(3, 2) }))
    expect(verdictLine(sizeReport(rows))).toBe(
      'Image sizes: 2 of 2 targets changed · `prod` of `web` +1.00 MB (+50.0 %) · `prod` of `api` +1.00 MB (+50.0 %)',
    )
  })

  test('of nothing says so', () => {
    expect(verdictLine(sizeReport([]))).toBe('Image sizes: nothing was measured')
    expect(verdictLine(sizeReport([], { missing: ['a', 'b'] }))).toBe('Image sizes: 0 of 2 targets reported')
  })

  test('is one line of a log that holds no workflow command', () => {
    for (const name of HOSTILE_NAMES) {
      const line = verdictLine(saying(name)[0], name)
      expect(line).toMatch(/^Image sizes( of `|: )/)
      expect(line).not.toMatch(/[\n\r\u2028]|##\[/)
      expect(line.length).toBeLessThan(2_000)
    }
  })

  test('is the first line of the Markdown, where numbers stay with their units', () => {
    const [report] = overBudget()
    expect(renderSizeReport(report, sizeContext({ title: 'a b' })).split('\n')[0]).toBe(
      '### Image sizes of `a b`: 1 of 4 targets over budget · `runtime` 187&nbsp;MB of 160&nbsp;MB, +38.4&nbsp;MB (+25.9&nbsp;%) · `worker` +4.90&nbsp;MB (+5.6&nbsp;%) · `web` −600&nbsp;kB (−2.7&nbsp;%)',
    )
  })
})
