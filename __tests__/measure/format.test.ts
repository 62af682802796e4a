import { expect, test } from '@jest/globals'
import { formatBytes, formatDelta } from '../../src/measure/format.ts'

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1_000, '1.00 kB'],
  [1_234, '1.23 kB'],
  [9_994, '9.99 kB'],
  [9_996, '10.0 kB'],
  [99_960, '100 kB'],
  [999_400, '999 kB'],
  [999_600, '1.00 MB'],
  [6_470_000, '6.47 MB'],
  [12_100_000, '12.1 MB'],
  [295_000_000, '295 MB'],
  [1_500_000_000, '1.50 GB'],
])('%d bytes are %s', (bytes, words) => {
  expect(formatBytes(bytes)).toBe(words)
})

test('a difference has a sign', () => {
  expect([formatDelta(38_400_000), formatDelta(-600_000), formatDelta(0)]).toEqual(['+38.4 MB', '−600 kB', '0 B'])
})
