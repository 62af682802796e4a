import type { SizeReport } from '../measure/comparison.ts'
import { formatBytes, formatDelta } from '../measure/format.ts'
import { flowchart } from './flowchart.ts'
import { code, details } from './markdown.ts'
import { mermaidBlock } from './mermaid-text.ts'
import type { StageGraphChange } from './size-report-context.ts'
import { deltaOf } from '../measure/noise.ts'
import { count, list } from './words.ts'

/** The stage graph in a size report, with what it weighs; folded away, and only there when it changed. */

export function graphBlock(report: SizeReport, change: StageGraphChange): string {
  const failed = new Set(report.rows.filter((row) => row.status === 'failed').map((row) => row.target))
  const chart = flowchart({
    graph: change.graph,
    requested: change.targets.map(({ stage }) => stage),
    failed: change.targets.filter(({ name }) => failed.has(name)).map(({ stage }) => stage),
    shared: change.shared,
    captions: captions(report, change),
  })
  const { added, removed } = change
  const words = [
    ...(added.length === 0 ? [] : [`${added.length} new`]),
    ...(removed.length === 0 ? [] : [`${removed.length} gone`]),
  ]
  const sentences = [
    ...(added.length === 0 ? [] : [`New: ${named(added)}.`]),
    ...(removed.length === 0 ? [] : [`Gone: ${named(removed)}.`]),
    ...(words.length === 0 ? ['The same stages, but they need other ones than before.'] : []),
  ].join(' ')
  return details(
    `The stage graph changed (${[count(change.graph.stages.length, 'stage'), ...words].join(', ')})`,
    `${mermaidBlock(chart.source)}\n\n<sub>${sentences}</sub>`,
  )
}

function named(names: readonly string[]): string {
  return list(
    names.map((name) => code(name, 60)),
    20,
  )
}

/** Where a target has one platform: its size and what it gained. */
function captions(report: SizeReport, { targets }: StageGraphChange): ReadonlyMap<number, string> {
  return new Map(
    targets.flatMap(({ name, stage }) => {
      const rows = report.rows.filter((row) => row.target === name)
      const size = rows[0]?.transfer.now
      if (rows.length !== 1 || size === undefined) return []
      const bytes = deltaOf(rows[0]?.transfer ?? { now: undefined, before: undefined })
      const more = bytes === undefined || bytes === 0 || rows[0]?.unchanged === true ? '' : `, ${formatDelta(bytes)}`
      return [[stage, `${formatBytes(size)}${more}`] as const]
    }),
  )
}
