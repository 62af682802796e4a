import { expect, test } from '@jest/globals'
import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { readRecords } from '../src/input-lists.ts'

test('a list without quotes is read as the CSV parser reads it', () => {
  const unit = fc.constantFrom('a', 'é', ' ', '\t', ',', '\n', '=', '#', "'", '\\', '\uFEFF', '\u2028')
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 30 }), fc.boolean(), (text, literalQuotes) => {
      const records = parse(text, {
        columns: false,
        relax_quotes: true,
        relax_column_count: true,
        skip_empty_lines: true,
        ...(literalQuotes ? { quote: null } : {}),
      })
      const trimmed = (items: readonly string[]): readonly string[] =>
        items.map((item) => item.trim()).filter((item) => item !== '')
      const expected = records.map((record) => trimmed([record.join(',')])).filter((record) => record.length > 0)
      expect(readRecords(text, { commas: false, literalQuotes })).toEqual(expected)
      const split = records.map((record) => trimmed(record)).filter((record) => record.length > 0)
      expect(readRecords(text, { commas: true, literalQuotes })).toEqual(split)
    }),
    { numRuns: 1_000 },
  )
})

test.each([
  ['a,"b,c"', [['a', 'b', 'c']]],
  ['"a\nb"\r\nc', [['a\nb'], ['c']]],
  ['a\r\nb', [['a'], ['b']]],
])('%j is a matter for the parser', (text, records) => {
  expect(readRecords(text, { commas: true })).toEqual(records)
})
