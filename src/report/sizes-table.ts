import { formatBytes } from '../measure/format.ts'
import { visible } from './markdown.ts'

/**
 * Sizes as an aligned table of plain text, in the manner of `docker image ls`, for the step's log, a terminal and a
 * code block. Knows nothing of where its rows come from: they may be targets of several runs side by side.
 */

export interface SizeRow {
  readonly name: string
  readonly platform: string
  /** The image's digest; its first twelve hex digits are shown. */
  readonly digest: string | undefined
  /** Bytes; undefined is shown as `unknown`. */
  readonly transfer: number | undefined
  readonly unpacked: number | undefined
  readonly unpackedOwn: number | undefined
  readonly unpackedInherited: number | undefined
}

const BAR_WIDTH = 20
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

/**
 * The table without a line break at its end, one line per row below the titles. Bars compare the unpacked sizes (or
 * the transfer sizes, where no unpacked one is known) and are left out when there is nothing to compare.
 *
 * @param options.nameTitle what the first column holds; default `TARGET`
 */
export function sizesTable(rows: readonly SizeRow[], options: { readonly nameTitle?: string } = {}): string {
  const metric = rows.some((row) => row.unpacked !== undefined) ? 'unpacked' : 'transfer'
  const max = Math.max(0, ...rows.map((row) => row[metric] ?? 0))
  const bars = rows.length > 1 && max > 0
  const cells = [
    [options.nameTitle ?? 'TARGET', 'PLATFORM', 'DIGEST', 'TRANSFER', 'UNPACKED', 'OWN', 'BASE', ''],
    ...rows.map((row) => [
      logText(visible(row.name, 40)),
      visible(row.platform, 24),
      shortDigest(row.digest) ?? '-',
      bytes(row.transfer),
      bytes(row.unpacked),
      bytes(row.unpackedOwn),
      bytes(row.unpackedInherited),
      bars ? bar((row[metric] ?? 0) / max, row[metric] === undefined) : '',
    ]),
  ]
  const widths = (cells[0] ?? []).map((_, i) => Math.max(...cells.map((row) => width(row[i] ?? ''))))
  const isNumber = (i: number): boolean => i >= 3 && i <= 6
  return cells
    .map((row) =>
      row
        .map((cell, i) => {
          const gap = ' '.repeat((widths[i] ?? 0) - width(cell))
          return isNumber(i) ? gap + cell : cell + gap
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** The first twelve hex digits, as Docker shows image ids; undefined for what is no digest. */
export function shortDigest(digest: string | undefined): string | undefined {
  return /^(?:[a-z0-9+._-]+:)?([0-9a-f]{12})[0-9a-f]*$/.exec(digest ?? '')?.[1]
}

/**
 * Text that may stand in a step's log without being taken for a workflow command: the runner reads `::` at the start
 * of a line and `##[` anywhere (`ActionCommand.TryParseV2` and `TryParse` in actions/runner).
 */
export function logText(text: string): string {
  return text.replace(/^(\s*):(?=:)/, '$1: ').replace(/##\[/g, '# #[')
}

function bytes(size: number | undefined): string {
  return size === undefined ? 'unknown' : formatBytes(size)
}

function bar(share: number, unknown: boolean): string {
  if (unknown) return '?'
  const eighths = Math.round(share * BAR_WIDTH * 8)
  // Something is never shown as nothing.
  return '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? '') || (share > 0 ? '▏' : '')
}

function width(text: string): number {
  return Array.from(text).length
}
