import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { planPacks, type KnownPack, type Packing, type PackingQuestion } from '../../src/cache/packing.ts'

const MB = 1e6
const PLENTY = 1e12

/** Blobs by name with their megabytes. */
function blobs(sizes: Readonly<Record<string, number>>): ReadonlyMap<string, number> {
  return new Map(Object.entries(sizes).map(([name, megabytes]) => [name, megabytes * MB]))
}

function pack(key: string, sizes: Readonly<Record<string, number>>): KnownPack {
  return { key, blobs: blobs(sizes) }
}

/** Everything wanted that is in no pack was received in this run, unless said otherwise. */
function plan(wanted: Readonly<Record<string, number>>, more: Partial<Omit<PackingQuestion, 'wanted'>> = {}): Packing {
  const inSpool = new Set(Object.keys(wanted))
  return planPacks({ wanted: blobs(wanted), inSpool, ownPacks: [], alreadySaved: [], maxBytes: PLENTY, ...more })
}

describe('new packs', () => {
  test('nothing to save is no pack', () => {
    expect(plan({})).toEqual({ keep: [], rewrite: [], newPacks: [], dropped: [] })
  })

  test('small blobs travel together', () => {
    expect(plan({ a: 1, b: 2, c: 3 }).newPacks).toEqual([['c', 'b', 'a']])
  })

  test('large blobs travel alone as far as three packs allow', () => {
    expect(plan({ a: 1, b: 40, c: 50, d: 60 }).newPacks).toEqual([['d'], ['c'], ['b', 'a']])
    expect(plan({ b: 40, c: 50, d: 60 }).newPacks).toEqual([['d'], ['c'], ['b']])
    expect(plan({ b: 40, c: 50, d: 60, e: 70 }).newPacks).toEqual([['e'], ['d'], ['c', 'b']])
  })

  test('packs saved during the build leave fewer for its end', () => {
    const alreadySaved = [pack('early', { x: 50 }), pack('second', { y: 50 })]
    const { keep, newPacks } = plan({ a: 1, b: 40, c: 50, x: 50, y: 50 }, { alreadySaved })
    expect({ keep, newPacks }).toEqual({ keep: ['early', 'second'], newPacks: [['c', 'b', 'a']] })
  })

  test('above 1 GB no pack is larger than 512 MB, except for one blob', () => {
    const wanted = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`b${index}`, 300]))
    const { newPacks } = plan({ ...wanted, huge: 900, small: 1 })
    expect(newPacks.every((digests) => digests.length === 1 || digests.length <= 2)).toBe(true)
    expect(newPacks[0]).toEqual(['huge'])
    expect(newPacks.flat()).toHaveLength(22)
  })

  test('what was received is all that can be saved', () => {
    expect(plan({ a: 1, b: 2 }, { inSpool: new Set(['a']) }).newPacks).toEqual([['a']])
  })
})

describe('older packs', () => {
  const none = { inSpool: new Set<string>() }

  test('are kept while they are of use, and forgotten when they hold nothing wanted', () => {
    const ownPacks = [pack('one', { a: 10, b: 10 }), pack('two', { x: 10 })]
    expect(plan({ a: 10, b: 10 }, { ...none, ownPacks })).toEqual({
      ...{ keep: ['one'], rewrite: [], newPacks: [], dropped: [] },
    })
  })

  test('a blob that an older pack holds is not saved again', () => {
    const { keep, newPacks } = plan({ a: 10, b: 1 }, { ownPacks: [pack('one', { a: 10 })] })
    expect({ keep, newPacks }).toEqual({ keep: ['one'], newPacks: [['b']] })
  })

  test('one that is more than half garbage is rewritten', () => {
    const ownPacks = [pack('one', { a: 10, x: 11 }), pack('two', { b: 100 })]
    const packing = plan({ a: 10, b: 100, c: 1 }, { inSpool: new Set(['c']), ownPacks })
    expect(packing).toEqual({ keep: ['two'], rewrite: ['one'], newPacks: [['a', 'c']], dropped: [] })
  })

  test('half garbage is borne while there is little of it altogether', () => {
    const ownPacks = [pack('one', { a: 10, x: 10 }), pack('two', { b: 100 })]
    expect(plan({ a: 10, b: 100 }, { ...none, ownPacks })).toMatchObject({ keep: ['one', 'two'], rewrite: [] })
  })

  test('more than a third over what is wanted: the pack with most garbage is rewritten', () => {
    const ownPacks = [pack('one', { a: 60, x: 40 }), pack('two', { b: 70, y: 30 }), pack('three', { c: 100 })]
    const packing = plan({ a: 60, b: 70, c: 100 }, { ...none, ownPacks })
    // 300 MB for 230 MB that are wanted is 1.3.
    expect(packing.rewrite).toEqual([])
    const more = plan({ a: 60, b: 70, c: 60 }, { ...none, ownPacks })
    expect(more).toEqual({ keep: ['two', 'three'], rewrite: ['one'], newPacks: [['a']], dropped: [] })
  })

  test('not much is moved for that', () => {
    const ownPacks = [pack('one', { a: 300, x: 200 })]
    expect(plan({ a: 300 }, { ...none, ownPacks })).toMatchObject({ keep: ['one'], rewrite: [] })
  })

  test('more than eight: the small ones become one', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']
    const wanted = Object.fromEntries(names.map((name, index) => [name, index + 1]))
    const ownPacks = names.map((name, index) => pack(`p${name}`, { [name]: index + 1 }))
    const { keep, rewrite, newPacks } = plan(wanted, { ...none, ownPacks })
    expect(keep).toEqual(['pf', 'pg', 'ph', 'pi'])
    expect(rewrite).toEqual(['pa', 'pb', 'pc', 'pd', 'pe'])
    expect(newPacks).toEqual([['e', 'd', 'c', 'b', 'a']])
  })

  test('large ones stay as they are, however many', () => {
    const names = Array.from({ length: 12 }, (_, index) => `n${index}`)
    const wanted = Object.fromEntries(names.map((name) => [name, 40]))
    const ownPacks = names.map((name) => pack(`p-${name}`, { [name]: 40 }))
    expect(plan(wanted, { ...none, ownPacks })).toMatchObject({ rewrite: [], newPacks: [] })
  })
})

describe('room', () => {
  test('the largest blobs are left out first', () => {
    const { newPacks, dropped } = plan({ a: 1, b: 20, c: 30 }, { maxBytes: 10 * MB })
    expect({ newPacks, dropped }).toEqual({ newPacks: [['a']], dropped: ['c', 'b'] })
  })

  test('a pack with a little garbage is rewritten rather than that a blob is left out', () => {
    const ownPacks = [pack('one', { a: 90, x: 10 })]
    const packing = plan({ a: 90, b: 5 }, { inSpool: new Set(['b']), ownPacks, maxBytes: 100 * MB })
    expect(packing).toEqual({ keep: [], rewrite: ['one'], newPacks: [['a'], ['b']], dropped: [] })
  })

  test('garbage that is too costly to leave behind takes room from what is wanted', () => {
    const ownPacks = [pack('one', { a: 300, x: 100 })]
    const packing = plan({ a: 300, b: 20, c: 5 }, { inSpool: new Set(['b', 'c']), ownPacks, maxBytes: 410 * MB })
    expect(packing.dropped).toEqual(['a'])
    expect(packing.newPacks).toEqual([['b', 'c']])
  })
})

describe('any plan', () => {
  const NAMES = Array.from({ length: 24 }, (_, index) => `b${index}`)
  /** From nothing to more than a pack holds. */
  const anySize = fc.oneof(fc.nat(5), fc.nat(60), fc.nat(700)).map((megabytes) => megabytes * MB)
  const anyQuestion: fc.Arbitrary<PackingQuestion> = fc
    .record({
      sizes: fc.tuple(...NAMES.map(() => anySize)),
      wanted: fc.subarray(NAMES),
      spool: fc.subarray(NAMES),
      /** Which pack a blob is in; 0 is none, 1 and 2 are this run's. */
      homes: fc.tuple(...NAMES.map(() => fc.nat(14))),
      maxBytes: fc.oneof(
        fc.constant(PLENTY),
        fc.nat(3_000).map((megabytes) => megabytes * MB),
      ),
    })
    .map(({ sizes, wanted, spool, homes, maxBytes }) => {
      const sizeOf = (name: string): number => sizes[NAMES.indexOf(name)] ?? 0
      const packs = Array.from({ length: 14 }, (_, index): KnownPack => {
        const names = NAMES.filter((_name, blob) => homes[blob] === index + 1)
        return { key: `p${index}`, blobs: new Map(names.map((name) => [name, sizeOf(name)])) }
      }).filter((known) => known.blobs.size > 0)
      const isEarly = ({ key }: KnownPack): boolean => key === 'p0' || key === 'p1'
      return {
        wanted: new Map(wanted.map((name) => [name, sizeOf(name)])),
        inSpool: new Set(spool),
        alreadySaved: packs.filter(isEarly),
        ownPacks: packs.filter((known) => !isEarly(known)),
        maxBytes,
      }
    })

  test('keeps what is wanted and can be had once, in few packs of bounded size', () => {
    fc.assert(
      fc.property(anyQuestion, (question) => {
        const { keep, rewrite, newPacks, dropped } = planPacks(question)
        const known = [...question.alreadySaved, ...question.ownPacks]
        const kept = known.filter(({ key }) => keep.includes(key))
        const referenced = [...kept.flatMap((one) => [...one.blobs.keys()]), ...newPacks.flat()]
        expect(new Set(referenced).size).toBe(referenced.length)

        const isThere = (name: string): boolean =>
          question.inSpool.has(name) || known.some((one) => one.blobs.has(name))
        const due = [...question.wanted.keys()].filter((name) => isThere(name) && !dropped.includes(name))
        expect(referenced).toEqual(expect.arrayContaining(due))
        expect(newPacks.flat().filter((name) => !due.includes(name))).toEqual([])
        expect(kept.filter((one) => ![...one.blobs.keys()].some((name) => due.includes(name)))).toEqual([])
        expect(rewrite.filter((key) => keep.includes(key))).toEqual([])

        const sizeOf = (name: string): number => question.wanted.get(name) ?? 0
        const bytesOf = (names: readonly string[]): number => names.reduce((sum, name) => sum + sizeOf(name), 0)
        const keptBytes = kept.flatMap((one) => [...one.blobs.values()]).reduce((sum, size) => sum + size, 0)
        expect(keptBytes + bytesOf(newPacks.flat())).toBeLessThanOrEqual(question.maxBytes)

        const earlyBytes = question.alreadySaved.flatMap((one) => [...one.blobs.values()]).reduce((a, b) => a + b, 0)
        if (bytesOf(newPacks.flat()) + earlyBytes <= 1_000 * MB) {
          expect(newPacks.length + question.alreadySaved.length).toBeLessThanOrEqual(3)
        } else {
          expect(newPacks.filter((names) => names.length > 1 && bytesOf(names) > 512 * MB)).toEqual([])
          expect(newPacks.length).toBeLessThanOrEqual(4 + (3 * bytesOf(newPacks.flat())) / (512 * MB))
        }
        for (const { key, blobs: content } of kept) {
          const live = [...content].filter(([name]) => due.includes(name)).reduce((sum, [, size]) => sum + size, 0)
          const total = [...content.values()].reduce((sum, size) => sum + size, 0)
          expect(`${key} ${String(live * 2 >= total)}`).toBe(`${key} true`)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  test('is the same in whatever order blobs are named', () => {
    fc.assert(
      fc.property(anyQuestion, (question) => {
        const { newPacks, dropped } = planPacks(question)
        const turned = planPacks({ ...question, wanted: new Map([...question.wanted].reverse()) })
        expect({ newPacks: turned.newPacks, dropped: turned.dropped }).toEqual({ newPacks, dropped })
      }),
    )
  })
})
