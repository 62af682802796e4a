/**
 * One CSV record, as `--mount` values are written. It does not know what the fields mean.
 * Source: https://github.com/tonistiigi/go-csvvalue (the rules and messages of Go's encoding/csv for one line)
 */
import { SyntaxFault } from './dockerfile-error.ts'

/** @throws SyntaxFault in Go's words, with the column of the fault */
export function csvFields(record: string): readonly string[] {
  const line = record.replace(/\r?\n$/, '')
  if (line === '') throw new SyntaxFault('EOF')
  const fields: string[] = []
  let position = 0
  for (;;) {
    if (line.charAt(position) === '"') {
      const { field, end } = quotedField(line, position)
      fields.push(field)
      if (end >= line.length) return fields
      position = end + 1
      continue
    }
    const comma = line.indexOf(',', position)
    const field = line.slice(position, comma === -1 ? undefined : comma)
    const quote = field.indexOf('"')
    if (quote !== -1) throw fault(line, position + quote, 'bare " in non-quoted-field')
    fields.push(field)
    if (comma === -1) return fields
    position = comma + 1
  }
}

/** Reads from an opening quote to behind the closing one; doubled quotes stand for one. */
function quotedField(line: string, start: number): { readonly field: string; readonly end: number } {
  let field = ''
  let position = start + 1
  for (;;) {
    const quote = line.indexOf('"', position)
    if (quote === -1) throw fault(line, position, 'extraneous or missing " in quoted-field')
    field += line.slice(position, quote)
    position = quote + 1
    const next = line.charAt(position)
    if (next === ',' || next === '') return { field, end: position }
    if (next !== '"') throw fault(line, quote, 'extraneous or missing " in quoted-field')
    field += '"'
    position++
  }
}

function fault(line: string, index: number, what: string): SyntaxFault {
  const column = Buffer.byteLength(line.slice(0, index), 'utf8') + 1
  return new SyntaxFault(`parse error on line 1, column ${column}: ${what}`)
}
