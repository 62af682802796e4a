/** The job summary of `mode: cleanup`: what of the cache is of no use, and whether it is gone now. */
import { formatBytes } from '../measure/format.ts'
import { code, prose, table } from './markdown.ts'
import { count, formatDuration } from './words.ts'

export interface CleanupRow {
  readonly key: string
  readonly ref: string
  /** Bytes. */
  readonly size: number
  /** Milliseconds. */
  readonly age: number
  readonly why: string
}

export interface CleanupSummary {
  readonly dryRun: boolean
  /** What is of no use. */
  readonly rows: readonly CleanupRow[]
  readonly deleted: { readonly entries: number; readonly bytes: number }
  /** Entries of stage-build that stay. */
  readonly kept: { readonly entries: number; readonly bytes: number }
  /** What could not be known or done: sentences. */
  readonly notes: readonly string[]
}

const MAX_ROWS = 200

/** `12 of 40 entries of the layer cache (1.2 GB) are of no use`, and what became of them. */
export function cleanupVerdict({ dryRun, rows, deleted, kept }: CleanupSummary): string {
  const all = count(rows.length + kept.entries, 'entry', 'entries')
  const bytes = formatBytes(rows.reduce((sum, { size }) => sum + size, 0))
  if (rows.length === 0) return `All of the layer cache is of use: ${all}, ${formatBytes(kept.bytes)}`
  const found = `${rows.length} of ${all} of the layer cache (${bytes}) ${rows.length === 1 ? 'is' : 'are'} of no use`
  if (dryRun) return `${found}; nothing was deleted: set \`dry-run: false\` for that`
  return `${found}; ${deleted.entries} deleted (${formatBytes(deleted.bytes)})`
}

export function renderCleanupSummary(summary: CleanupSummary): string {
  const rows = [...summary.rows].sort((a, b) => b.size - a.size || (a.key < b.key ? -1 : 1))
  const cells = rows
    .slice(0, MAX_ROWS)
    .map(({ key, ref, size, age, why }) => [code(key, 120), code(ref, 60), formatBytes(size), formatDuration(age), why])
  const more = rows.length - cells.length
  const columns = [
    { title: 'Entry' },
    { title: 'Branch' },
    { title: 'Size', align: 'right' as const },
    { title: 'Age', align: 'right' as const },
    { title: 'Why it is of no use' },
  ]
  return [
    `### Cache clean-up`,
    `**${prose(cleanupVerdict(summary))}**`,
    ...(cells.length === 0 ? [] : [table(columns, cells)]),
    ...(more === 0 ? [] : [`${count(more, 'smaller entry', 'smaller entries')} left out of this table.`]),
    ...summary.notes.map((note) => prose(note)),
    '',
  ].join('\n\n')
}
