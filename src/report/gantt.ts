import { labelText } from './mermaid-text.ts'
import { MAX_STAGE, type TimelineEntry } from './summary-data.ts'

/**
 * The build's timeline → a Mermaid gantt chart. Owns which steps become bars and the axis; the words around the
 * picture are `summary.ts`'s.
 */

export interface Gantt {
  readonly source: string
  /** Steps without a bar for want of room, and the sum of their times. */
  readonly leftOut: number
  readonly leftOutMs: number
  readonly hasCached: boolean
}

const MAX_BARS = 40
const MAX_LABEL = 48

/**
 * Draws the longest steps in the order in which they began. No sections: Mermaid gives their titles 75 pixels, and
 * merges those that read the same. Undefined when no step took any time:
 * a chart of nothing.
 */
export function gantt(entries: readonly TimelineEntry[], maxBars = MAX_BARS): Gantt | undefined {
  const end = Math.max(0, ...entries.map((entry) => entry.endMs))
  if (entries.length === 0 || end === 0) return undefined
  const length = (entry: TimelineEntry): number => Math.max(0, entry.endMs - entry.startMs)
  const kept = new Set([...entries].sort((a, b) => length(b) - length(a)).slice(0, maxBars))
  const left = entries.filter((entry) => !kept.has(entry))
  const bars = [...kept]
    .sort((a, b) => a.startMs - b.startMs || a.endMs - b.endMs)
    .map((entry) => `  ${bar(entry, end)}`)
  const lines = ['gantt', '  dateFormat x', ...axis(end), ...bars]
  return {
    source: lines.join('\n'),
    leftOut: left.length,
    leftOutMs: left.reduce((sum, entry) => sum + length(entry), 0),
    hasCached: [...kept].some((entry) => entry.cached),
  }
}

/**
 * `%s` and `%Q` count from the epoch, at which the chart begins; `%H:%M` would be shifted by the reader's time zone.
 * (d3-time-format)
 */
function axis(endMs: number): readonly string[] {
  const step = niceStep(endMs / 8)
  if (step < 1_000) return ['  axisFormat %Q ms', `  tickInterval ${step}millisecond`]
  return ['  axisFormat %s s', `  tickInterval ${step / 1_000}second`]
}

/** The least of 1, 2, 5 × 10ⁿ milliseconds that is at least `ms`. */
function niceStep(ms: number): number {
  const power = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, ms))))
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= ms) ?? 10 * power
}

function bar(entry: TimelineEntry, end: number): string {
  const start = Math.max(0, Math.round(entry.startMs))
  // A bar without width can't be seen.
  const stop = Math.max(Math.round(entry.endMs), start + Math.ceil(end / 200))
  // The mark keeps a label from beginning with a word of the chart's grammar (`section`, `click`). No `active` for what
  // ran: the dark theme writes its labels in black on black.
  const label = `${entry.cached ? '✓' : '▸'} ${labelText(entry.stage, MAX_STAGE)}#58; ${labelText(entry.label, MAX_LABEL)}`
  return `${label} :${entry.cached ? 'done, ' : ''}${start}, ${stop}`
}
