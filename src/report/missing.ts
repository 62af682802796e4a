/** The summary's section about what a builder keeps from being told or done. */
import { prose, table } from './markdown.ts'
import type { SummaryData } from './summary-data.ts'

/** One thing. Plain words without a full stop; names in them stand between backticks. */
export interface Missing {
  readonly what: string
  readonly why: string
  /** What it would take; undefined: nothing is needed. */
  readonly need: string | undefined
}

/** Undefined where nothing is missing. */
export function missing(data: SummaryData): string | undefined {
  if (data.missing === undefined || data.missing.length === 0) return undefined
  const rows = data.missing.map(({ what, why, need }) => [
    prose(what),
    prose(why),
    need === undefined ? '–' : prose(need),
  ])
  const columns = [{ title: 'What is missing' }, { title: 'Why' }, { title: 'What it would take' }]
  return ['#### Not with this builder', table(columns, rows)].join('\n\n')
}
