/** The summary's answer to "why did this rebuild?": for every target what changed, or since when nothing did. */
import { code, prose, table } from './markdown.ts'
import type { ReasonReport, SummaryData, TargetReport } from './summary-data.ts'
import { count } from './words.ts'

const MAX_ROWS = 300
const MAX_REASONS = 8

/** Undefined where nothing is known of any target. */
export function whyBuilt(data: SummaryData, maxRows = MAX_ROWS): string | undefined {
  const told = data.targets.filter(({ reasons, since }) => reasons.length > 0 || since !== undefined)
  if (told.length === 0) return undefined
  const rows = told.slice(0, maxRows).map((target) => [code(target.name, 60), whyCell(target)])
  const more = told.length - rows.length
  return [
    '#### Why',
    table([{ title: 'Target' }, { title: 'What changed since it was built last' }], rows),
    ...(more === 0 ? [] : [`${count(more, 'more target')} left out.`]),
  ].join('\n\n')
}

/** The reasons of one target, for a table's cell. */
export function whyCell({ reasons, since }: Pick<TargetReport, 'reasons' | 'since'>): string {
  if (reasons.length === 0) return since === undefined ? '' : prose(since)
  const shown = reasons.slice(0, MAX_REASONS).map(reasonText)
  const more = reasons.length - shown.length
  return [...shown, ...(more === 0 ? [] : [`and ${count(more, 'more reason')}`])].join('<br>')
}

function reasonText({ text, stage, file, line }: ReasonReport): string {
  const where = line === undefined ? '' : file === undefined ? `line ${line}` : code(`${file}:${line}`, 120)
  const place = [stage === undefined ? '' : code(stage, 60), where].filter((part) => part !== '')
  return `${prose(text, 400)}${place.length === 0 ? '' : ` <sub>${place.join(' ')}</sub>`}`
}
