/**
 * Untrusted text → GitHub-flavoured Markdown that shows it and does nothing else. Owns escaping and the two block
 * shapes made of cells and lines (tables, code blocks); knows nothing of what a report says.
 *
 * Two ways in: `code` for names (stages, tags, paths, digests), `prose` for sentences. GitHub looks for mentions,
 * issue references and bare links in text nodes, after entities were decoded, but not in `code` and `pre`; hence the
 * zero-width spaces in `prose`. Entities can't form Markdown structure (CommonMark 0.31 §2.5), hence entities
 * elsewhere, which also hold inside table cells and HTML blocks, where backslashes don't.
 */

/** Shown where text was cut. */
const CUT = '…'
const DEFAULT_CODE_LENGTH = 100
const DEFAULT_PROSE_LENGTH = 2_000

// Controls, bidirectional overrides, zero-width and tag characters: they hide or reorder what a reader sees.
const UNSEEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffd\u{e0000}-\u{e0fff}]/gu
const ANSI = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g
const PLAIN_CODE = /^[\w./:@=+,-](?:[\w./:@=+, -]*[\w./:@=+,-])?$/

/**
 * Text with everything invisible made visible (`\u{202e}`), line breaks and tabs as spaces, and cut to `maxLength`
 * code points with a mark: in the middle, since names differ at both ends. Not escaped for Markdown.
 */
export function visible(text: string, maxLength = DEFAULT_CODE_LENGTH): string {
  return cut(flatten(cut(text, maxLength)), maxLength)
}

function flatten(text: string): string {
  return text
    .toWellFormed()
    .replace(/\s+/g, ' ')
    .replace(UNSEEN, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`)
}

function cut(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text
  // Slicing first keeps this constant for text of any length; a code point takes at most two UTF-16 units.
  const head = Array.from(text.slice(0, 2 * maxLength))
  if (text.length <= 2 * maxLength && head.length <= maxLength) return text
  const tail = Array.from(text.slice(-2 * maxLength))
  const tailLength = Math.floor((maxLength - 1) / 3)
  return (
    head.slice(0, maxLength - 1 - tailLength).join('') +
    CUT +
    (tailLength === 0 ? '' : tail.slice(-tailLength).join(''))
  )
}

/** A name as a code span, for any place in Markdown (cells, headings, lists, HTML): `` `prod` ``. */
export function code(text: string, maxLength = DEFAULT_CODE_LENGTH): string {
  const shown = visible(text, maxLength)
  return PLAIN_CODE.test(shown) ? `\`${shown}\`` : htmlCode(text, maxLength)
}

/** As {@link code}, in HTML: for `<summary>` and wherever Markdown isn't read. */
export function htmlCode(text: string, maxLength = DEFAULT_CODE_LENGTH): string {
  return `<code>${entities(visible(text, maxLength))}</code>`
}

function entities(text: string): string {
  return text.replace(/[!-/:-@[-`{-~]/g, (c) => (/[./-]/.test(c) ? c : `&#${c.charCodeAt(0)};`))
}

/**
 * A sentence that may hold untrusted words. What stands between backticks becomes a code span (our own messages are
 * written so); everything else is shown letter by letter: no emphasis, HTML, links, mentions, references or formulas.
 */
export function prose(text: string, maxLength = DEFAULT_PROSE_LENGTH): string {
  return visible(text, maxLength)
    .split(/`([^`]+)`/)
    .map((part, i) => (i % 2 === 1 ? code(part, maxLength) : plain(part, i === 0)))
    .join('')
}

function plain(text: string, atStart: boolean): string {
  const escaped = text
    .replace(/[!-/:-@[-`{-~]/g, (c) => (/[,.;'/()%?-]/.test(c) ? c : `&#${c.charCodeAt(0)};`))
    .replace(/&#(?:36|35|64);/g, '$&&#8203;')
    .replace(/\b(www)\./gi, '$1.&#8203;')
    .replace(/\b(gh)-(?=\d)/gi, '$1-&#8203;')
  // A block marker counts only at the start of a line.
  return atStart
    ? escaped
        .replace(/^(\s*)-/, '$1&#45;')
        .replace(/^(\s*\d+)([.)])/, (_, n: string, c: string) => `${n}&#${c.charCodeAt(0)};`)
    : escaped
}

/**
 * Lines as a code block: terminal colours removed, each line and their number bounded (the last ones are kept), the
 * fence longer than any run of backticks within.
 */
export function codeBlock(
  lines: readonly string[],
  options: { readonly maxLines?: number; readonly maxLineLength?: number; readonly language?: string } = {},
): string {
  const { maxLines = 100, maxLineLength = 1_000, language = '' } = options
  const kept = lines.slice(-maxLines).map((line) => codeLine(line, maxLineLength))
  if (kept.length < lines.length) kept.unshift(`${CUT} ${lines.length - kept.length} earlier lines`)
  const longest = Math.max(0, ...kept.flatMap((line) => (line.match(/`+/g) ?? []).map((run) => run.length)))
  const fence = '`'.repeat(Math.max(3, longest + 1))
  return [fence + language, ...kept, fence].join('\n')
}

function codeLine(line: string, maxLength: number): string {
  // Progress bars overwrite themselves with carriage returns: what stood last is what was seen.
  const seen = cut(line, maxLength * 4)
    .replace(ANSI, '')
    .replace(/\r+$/, '')
  const shown = seen
    .slice(seen.lastIndexOf('\r') + 1)
    .replace(/\t/g, '    ')
    .toWellFormed()
  return cut(
    shown.replace(UNSEEN, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`),
    maxLength,
  )
}

export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right' | undefined
}

/** A table from cells that are Markdown already. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [
    line(columns.map((column) => column.title)),
    line(columns.map((column) => (column.align === 'right' ? '--:' : ':--'))),
    ...rows.map(line),
  ].join('\n')
}

/** A block folded away under a line. `summary` is HTML already, `body` Markdown. */
export function details(summary: string, body: string): string {
  // Markdown is read inside only after a blank line.
  return `<details><summary>${summary}</summary>\n\n${body}\n\n</details>`
}
