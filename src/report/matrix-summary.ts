/** The job summary of `mode: report` and `mode: merge`: every target of the plan, and what was done with those that did not change. */
import type { Problem } from '../errors.ts'
import { code, prose, table } from './markdown.ts'
import { shortDigest } from './sizes-table.ts'
import { count } from './words.ts'

export interface MatrixRow {
  readonly name: string
  readonly status: 'changed' | 'unchanged'
  readonly tags: readonly string[]
  readonly digest: string | undefined
  /** Its tags were set just now. */
  readonly written: boolean
  readonly problem: Problem | undefined
  /** A changed one whose platforms this job put together. */
  readonly isMerged?: boolean | undefined
}

const MAX_ROWS = 300

export function renderMatrixSummary(rows: readonly MatrixRow[], { pushes }: { readonly pushes: boolean }): string {
  const changed = rows.filter(({ status }) => status === 'changed').length
  const split = rows.filter(({ isMerged }) => isMerged === true)
  const merged = split.filter(({ problem }) => problem === undefined).length
  const failed = rows.filter((row) => row.isMerged !== true && row.problem !== undefined).length
  const tagged = rows.filter((row) => row.isMerged !== true && row.written).length
  const verdict = [
    `${changed} of ${count(rows.length, 'target')} to build`,
    ...(pushes && merged > 0 ? [`${merged} merged`] : []),
    ...(split.length > merged ? [`${split.length - merged} not whole`] : []),
    ...(rows.length > changed ? [`${rows.length - changed} unchanged`] : []),
    ...(pushes && tagged > 0 ? [`${tagged} re-tagged`] : []),
    ...(failed > 0 ? [`${failed} could not be re-tagged`] : []),
  ].join(', ')
  const cells = rows
    .slice(0, MAX_ROWS)
    .map((row) => [
      code(row.name, 60),
      row.status === 'unchanged' ? outcome(row, pushes) : row.isMerged === true ? mergedText(row, pushes) : BUILT,
      row.tags.length === 0
        ? '–'
        : code(row.tags[0] ?? '', 120) + (row.tags.length > 1 ? ` +${row.tags.length - 1}` : ''),
      row.digest === undefined ? '' : `\`${shortDigest(row.digest) ?? ''}\``,
    ])
  const more = rows.length - cells.length
  return [
    `**${verdict}**`,
    table([{ title: 'Target' }, { title: 'What became of it' }, { title: 'Tags' }, { title: 'Image' }], cells),
    ...(more === 0 ? [] : [`${count(more, 'more target')} left out.`]),
    '',
  ].join('\n\n')
}

const BUILT = 'changed: built by its own job'

function mergedText({ problem, written }: MatrixRow, pushes: boolean): string {
  if (problem !== undefined) return `❌ ${prose(problem.message, 400)}`
  if (!pushes) return 'changed: built by a job for each platform'
  return written ? 'changed: its platforms are merged and tagged' : 'changed: merged, its tags are there already'
}

function outcome({ problem, written, tags }: MatrixRow, pushes: boolean): string {
  if (problem !== undefined) return `❌ ${prose(problem.message, 400)}`
  if (!pushes || tags.length === 0) return 'unchanged'
  return written ? 'unchanged, re-tagged' : 'unchanged, its tags are there already'
}
