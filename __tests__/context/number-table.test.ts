import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { NumberTable } from '../../src/context/number-table.ts'

test('a table of numbers has what a map has', () => {
  const number = fc.oneof(fc.nat(20), fc.integer({ min: 0, max: 0xffffffff }))
  const value = fc.integer({ min: 1, max: 0xffffffff })
  fc.assert(
    fc.property(fc.array(fc.tuple(number, value)), fc.array(number), (pairs, others) => {
      const map = new Map(pairs)
      const table = new NumberTable(pairs.length)
      for (const [key, set] of pairs) table.set(key, set)
      for (const key of [...map.keys(), ...others]) expect(table.get(key)).toBe(map.get(key))
    }),
  )
})
