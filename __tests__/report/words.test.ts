import { describe, expect, test } from '@jest/globals'
import { count, formatChange, formatDuration, list } from '../../src/report/words.ts'

describe('durations', () => {
  test.each([
    [0, '0 ms'],
    [-5, '0 ms'],
    [840, '840 ms'],
    [999.4, '999 ms'],
    [999.6, '1.0 s'],
    [14_240, '14.2 s'],
    [59_940, '59.9 s'],
    [59_960, '1 min'],
    [125_000, '2 min 5 s'],
    [3_599_600, '1 h'],
    [3_780_000, '1 h 3 min'],
    [172_740_000, '47 h 59 min'],
    [172_799_000, '2 days'],
    [273_600_000, '3 days 4 h'],
  ])('%d ms are %s', (ms, words) => {
    expect(formatDuration(ms)).toBe(words)
  })
})

describe('changes', () => {
  test.each([
    [295, 6.47, '−97.8 %'],
    [100, 100, '0 %'],
    [100, 150, '+50.0 %'],
    [100_000, 99_999, '−<0.1 %'],
    [100_000, 100_001, '+<0.1 %'],
    [1_000_000, 1, '−99.9 %'],
    [10, 0, '−100.0 %'],
  ])('from %d to %d are %s', (before, after, words) => {
    expect(formatChange(before, after)).toBe(words)
  })

  test('from nothing have no percentage', () => {
    expect(formatChange(0, 5)).toBeUndefined()
  })
})

test('counts and lists read as English', () => {
  expect([count(1, 'target'), count(2, 'target'), count(0, 'branch', 'branches')]).toEqual([
    '1 target',
    '2 targets',
    '0 branches',
  ])
  expect([list([]), list(['a']), list(['a', 'b']), list(['a', 'b', 'c'])]).toEqual(['', 'a', 'a and b', 'a, b and c'])
  expect(list(['a', 'b', 'c', 'd', 'e'], 2)).toBe('a, b and 3 more')
})
