import { describe, expect, test } from '@jest/globals'
import { indexKeys, newIndexKey, newPack, packPrefix } from '../../src/cache/cache-keys.ts'
import {
  indexesToRead,
  isOurs,
  unreferencedPacks,
  uselessAtSight,
  withoutNamed,
  type StoredEntry,
} from '../../src/cache/cleanup-plan.ts'

const HOUR = 3_600_000
const NOW = Date.parse('2026-11-21T12:00:00Z')
const MAIN = 'refs/heads/main'
const PULL = 'refs/pull/7/merge'

const last = { id: 0 }

function entry(key: string, { ref = MAIN, hours = 10 } = {}): StoredEntry {
  return { id: ++last.id, ref, key, createdAt: NOW - hours * HOUR, size: 10 }
}

function index(
  more: { ref?: string; hours?: number; commit?: string; id?: string; targets?: string[] } = {},
): StoredEntry {
  const { ref = MAIN, hours = 10, commit, id = 'a', targets = ['t'] } = more
  const { prefix } = indexKeys({ id, scope: '', ref, targets, platforms: [] })
  return entry(newIndexKey(prefix, { now: NOW - hours * HOUR, commit }), { ref, hours })
}

function pack({ id = 'a', ...more }: { id?: string; ref?: string; hours?: number } = {}): StoredEntry {
  return entry(newPack(packPrefix({ id, scope: '' })).key, more)
}

function atSight(entries: readonly StoredEntry[], openPulls?: readonly number[]): readonly StoredEntry[] {
  const open = openPulls === undefined ? undefined : new Set(openPulls)
  return uselessAtSight({ entries, openPulls: open, now: NOW }).map(({ entry }) => entry)
}

test('what others made is not ours, whatever it is called', () => {
  const foreign = [
    'sb1-',
    'sb1-index-x',
    'sb1-pack-0123456789abcdef-short',
    'node-cache',
    `x${index().key}`,
    `${pack().key}0`,
  ]
  expect(foreign.map((key) => isOurs({ key }))).toEqual(foreign.map(() => false))
  expect([index(), pack(), index({ commit: 'c'.repeat(40) })].map(isOurs)).toEqual([true, true, true])
  const entries = foreign.map((key) => entry(key, { ref: PULL, hours: 1_000 }))
  expect(atSight(entries, [])).toEqual([])
  expect(unreferencedPacks({ entries, now: NOW }, [PULL], new Map())).toEqual([])
})

describe('pull requests', () => {
  test('that are closed leave nothing, not even what is young', () => {
    const entries = [index({ ref: PULL, hours: 0 }), pack({ ref: PULL }), index({ ref: 'refs/pull/8/merge' }), index()]
    expect(atSight(entries, [8])).toEqual(entries.slice(0, 2))
  })

  test('of which nothing is known leave all', () => {
    expect(atSight([index({ ref: PULL }), pack({ ref: PULL })])).toEqual([])
  })

  test('that are open leave only their last index', () => {
    const [old, later, young] = [
      index({ ref: PULL, hours: 9 }),
      index({ ref: PULL, hours: 8 }),
      index({ ref: PULL, hours: 1 }),
    ]
    expect(atSight([old, later, young], [7])).toEqual([old, later])
  })
})

describe('indexes of a branch', () => {
  test('stay for three days, one of each commit, and the last one always', () => {
    const commit = (letter: string): string => letter.repeat(40)
    const ages = [index({ hours: 200, commit: commit('a') }), index({ hours: 73, commit: commit('b') })]
    const twice = [index({ hours: 71, commit: commit('c') }), index({ hours: 70, commit: commit('c') })]
    const newest = index({ hours: 20, commit: commit('d') })
    expect(atSight([...ages, ...twice, newest])).toEqual([...ages, twice[0]])
    expect(atSight([index({ hours: 2_000 })])).toEqual([])
  })

  test('stand in only for those of the same targets, project and branch', () => {
    const others = [index({ targets: ['u'] }), index({ id: 'b' }), index({ ref: 'refs/heads/next' })]
    expect(atSight([...others, index({ hours: 8 })])).toEqual([])
  })

  test('that are a few hours old may be read by a run just now', () => {
    expect(atSight([index({ hours: 5 }), index({ hours: 4 })])).toEqual([])
  })
})

test('an index that a later one stands in for stays while its blobs are named, or where that cannot be read', () => {
  const [old, named, unread] = [index({ hours: 100 }), index({ hours: 90 }), index({ hours: 80, id: 'b' })]
  const elsewhere = index({ hours: 100, ref: 'refs/heads/next' })
  const later = [index(), index({ id: 'b' }), index({ ref: 'refs/heads/next' })]
  const entries = [old, named, unread, elsewhere, ...later]
  const useless = uselessAtSight({ entries, openPulls: undefined, now: NOW })
  expect(useless.map(({ entry }) => entry)).toEqual([old, named, unread, elsewhere])
  const read = new Map([
    [later[0]?.key ?? '', [named.key]],
    [later[1]?.key ?? '', undefined],
  ] as const)
  expect(withoutNamed(useless, [MAIN], read).map(({ entry }) => entry)).toEqual([old])
  const closed = uselessAtSight({ entries: [index({ ref: PULL })], openPulls: new Set(), now: NOW })
  expect(withoutNamed(closed, [MAIN], new Map())).toEqual(closed)
})

describe('packs', () => {
  test('go where no index names them, which stays and was read', () => {
    const [named, unnamed, young] = [pack(), pack(), pack({ hours: 5 })]
    const [elsewhere, ofOther] = [pack({ ref: 'refs/heads/next' }), pack({ id: 'b' })]
    const [ours, theirs] = [index(), index({ id: 'b' })]
    const entries = [named, unnamed, young, elsewhere, ofOther, ours, theirs]
    const keys = indexesToRead({ entries }, [], [MAIN])
    expect(keys).toEqual([ours.key, theirs.key])
    const read = new Map([
      [ours.key, [named.key]],
      [theirs.key, undefined],
    ] as const)
    expect(unreferencedPacks({ entries, now: NOW }, [MAIN], read).map(({ entry }) => entry)).toEqual([unnamed])
  })

  test('that only an index names that goes, go with it', () => {
    const [old, later] = [index({ hours: 100 }), index()]
    const entries = [old, later, pack({ hours: 100 })]
    const useless = uselessAtSight({ entries, openPulls: undefined, now: NOW })
    expect(indexesToRead({ entries }, useless, [MAIN])).toEqual([later.key])
  })
})
