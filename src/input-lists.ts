/**
 * How lists are written in inputs: the same text means the same list as in docker/build-push-action, which reads them
 * as CSV records (one a line) with quotes, so a value with a comma or a line break can be quoted.
 * https://github.com/docker/actions-toolkit/blob/v0.62.1/src/util.ts#L31-L66
 */
import { parse } from 'csv-parse/sync'
import type { Pair } from './build/build-request.ts'
import type { Problem } from './errors.ts'

export interface ListOptions {
  /** Commas separate items on one line, too (`a,b` is two items). */
  readonly commas: boolean
  /** Quotes are plain characters (for `outputs`, whose values carry quotes of their own). */
  readonly literalQuotes?: boolean
}

/** The records of a list input: one array of items a line. Without `commas` each record has exactly one item. */
export function readRecords(text: string, options: ListOptions): readonly (readonly string[])[] {
  return recordsOf(text, options.literalQuotes === true)
    .map((record) => (options.commas ? record.flatMap((item) => item.split(',')) : [record.join(',')]))
    .map((record) => record.map((item) => item.trim()).filter((item) => item !== ''))
    .filter((record) => record.length > 0)
}

function recordsOf(text: string, literalQuotes: boolean): readonly (readonly string[])[] {
  // Most inputs have no quote: the parser's start takes longer (5 ms) than all the rest of reading them.
  if (!text.includes('\r') && (literalQuotes || !text.includes('"'))) {
    return text.split('\n').map((line) => line.split(','))
  }
  return parse(text, {
    columns: false,
    relax_quotes: true,
    relax_column_count: true,
    skip_empty_lines: true,
    ...(literalQuotes ? { quote: null } : {}),
  })
}

/**
 * Labels: as `docker build --label` reads a line, with the value as it is, and none behind a key alone. A line that was
 * meant for a comment is a problem: it would be a label, too.
 */
export function readLabels(lines: readonly string[], problems: Problem[]): readonly Pair[] {
  return lines.flatMap((line): readonly Pair[] => {
    const at = line.indexOf('=')
    const key = (at === -1 ? line : line.slice(0, at)).trim()
    if (key !== '' && !key.startsWith('#')) return [{ key, value: at === -1 ? '' : line.slice(at + 1) }]
    const message = `\`labels\`: \`${shown(line)}\` is not of the form \`KEY=VALUE\`.`
    problems.push({ input: 'labels', message, mend: 'Write one `KEY=VALUE` a line.' })
    return []
  })
}

/** Lines `KEY=VALUE`; a line without `=` or with an empty key is a problem that names it. */
export function readPairs(input: string, lines: readonly string[], problems: Problem[], form: string): readonly Pair[] {
  const pairs: Pair[] = []
  for (const line of lines) {
    const at = line.indexOf('=')
    if (at <= 0) {
      problems.push({
        input,
        message: `\`${input}\`: \`${shown(line)}\` is not of the form \`${form}\`.`,
        mend: `Write one \`${form}\` a line.`,
      })
      continue
    }
    pairs.push({ key: line.slice(0, at).trim(), value: line.slice(at + 1).trim() })
  }
  return pairs
}

/** A value as it is shown in a message: one line, not too long. */
export function shown(value: string): string {
  const line = value.replaceAll(/\s+/g, ' ')
  return line.length > 120 ? `${line.slice(0, 117)}…` : line
}
