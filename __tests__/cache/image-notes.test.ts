import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { mergeNotes, readNotes, writeNotes, type ImageNotes } from '../../src/cache/image-notes.ts'
import { digest } from '../support/target-caches.ts'

const NOTHING: ImageNotes = { unpacked: new Map(), layers: new Map(), files: new Map() }
const anyDigest = fc.nat().map((number) => digest(String(number)))
/** Names that trip a careless object; `7` is one whose place in an object is not where it was put. */
const anyName = fc.oneof(fc.constantFrom('constructor', '__proto__', 'toString', '7', ''), fc.string())
const anyNotes: fc.Arbitrary<ImageNotes> = fc.record({
  unpacked: fc.array(fc.tuple(anyDigest, fc.maxSafeNat())).map((entries) => new Map(entries)),
  layers: fc.array(fc.tuple(anyName, fc.array(anyDigest))).map((entries) => new Map(entries)),
  files: fc.array(fc.tuple(anyDigest, fc.string())).map((entries) => new Map(entries)),
})

describe('notes', () => {
  test('any: are read as they were written', () => {
    fc.assert(
      fc.property(anyNotes, (notes) => {
        expect(readNotes(JSON.parse(JSON.stringify(writeNotes(notes))))).toEqual(notes)
      }),
    )
  })

  test('of a later run win', () => {
    const one = {
      unpacked: new Map([
        ['a', 1],
        ['b', 1],
      ]),
      layers: new Map([['app', ['a']]]),
      files: new Map([
        ['a', 'x'],
        ['b', 'x'],
      ]),
    }
    const two = {
      unpacked: new Map([['b', 2]]),
      layers: new Map([
        ['app', ['b']],
        ['other', []],
      ]),
      files: new Map([['b', 'y']]),
    }
    expect(mergeNotes([one, two])).toEqual({
      unpacked: new Map([
        ['a', 1],
        ['b', 2],
      ]),
      layers: new Map([
        ['app', ['b']],
        ['other', []],
      ]),
      files: new Map([
        ['b', 'y'],
        ['a', 'x'],
      ]),
    })
    expect(mergeNotes([])).toEqual(NOTHING)
  })

  test('of files: the latest stay where there is no room for all', () => {
    const files = (...names: readonly string[]): ImageNotes => ({
      ...NOTHING,
      files: new Map(names.map((name) => [digest(name), name.repeat(900_000)])),
    })
    expect([...mergeNotes([files('a', 'b'), files('c')]).files.keys()]).toEqual([digest('c'), digest('a')])
  })

  const A = digest('a')
  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['text', 'x'],
    ['a list', []],
    ['text in place of sizes', { unpacked: 'x', layers: 'y' }],
    ['lists in place of maps', { unpacked: [5], layers: [['x']] }],
    ['null in place of maps', { unpacked: null, layers: null }],
    ['a name that is no digest', { unpacked: { '../../x': 5 } }],
    ['a size below zero', { unpacked: { [A]: -1 } }],
    ['half a byte', { unpacked: { [A]: 0.5 } }],
    ['a size beyond counting', { unpacked: { [A]: 2 ** 53 } }],
    ['a size in text', { unpacked: { [A]: '5' } }],
    ['layers that are no list', { layers: { app: { 0: A } } }],
    ['one layer that is no digest', { layers: { app: [A, 'sha256:x'] } }],
    ['one layer that is no text', { layers: { app: [[A]] } }],
  ])('from %s are none', (_, records) => {
    expect(readNotes(records)).toEqual(NOTHING)
  })

  test('that are sound stay beside those that are not', () => {
    const { unpacked, layers } = readNotes({ unpacked: { [A]: 5, x: 5 }, layers: { app: [A], other: [5] } })
    expect([unpacked, layers]).toEqual([new Map([[A, 5]]), new Map([['app', [A]]])])
  })

  test('are not without end', () => {
    const entries = Array.from({ length: 20_001 }, (_, index) => [digest(String(index)), 1] as const)
    expect(readNotes({ unpacked: Object.fromEntries(entries) }).unpacked.size).toBe(20_000)
  })

  test('whatever they are, reading them does not throw', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (unpacked, layers) => {
        const notes = readNotes({ unpacked, layers })
        expect([notes.unpacked.size, notes.layers.size].every((size) => size >= 0)).toBe(true)
      }),
    )
  })
})
