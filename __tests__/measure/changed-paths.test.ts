import { describe, expect, test } from '@jest/globals'
import { changedPaths } from '../../src/measure/changed-paths.ts'
import type { FileTree } from '../../src/measure/file-tree.ts'
import { Random } from '../support/random.ts'

type Sketch = number | { readonly [name: string]: Sketch }

/** Numbers are files; `loose` is what a directory counts of things that do not stand alone. */
function tree(sketch: Sketch): FileTree {
  if (typeof sketch === 'number') return { bytes: sketch, files: 1 }
  const { loose = 0, ...named } = sketch
  const children = new Map(Object.entries(named).map(([name, child]) => [name, tree(child)]))
  const bytes = [...children.values()].reduce((sum, child) => sum + child.bytes, Number(loose))
  return { bytes, files: children.size, children }
}

function told(before: Sketch, now: Sketch): readonly string[] {
  return changedPaths(tree(before), tree(now)).map(({ path, now: bytes, before: was }) => `${path} ${was} → ${bytes}`)
}

/** So many things of a size. */
function many(count: number, size: number): Sketch {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`n${i}`, size]))
}

describe('what explains a change', () => {
  test.each<[string, Sketch, Sketch, readonly string[]]>([
    ['nothing changed', { a: { b: 5 } }, { a: { b: 5 } }, []],
    ['one file', { a: { b: { c: 5, d: 9 } }, e: 3 }, { a: { b: { c: 50, d: 9 } }, e: 3 }, ['a/b/c 5 → 50']],
    ['a new directory', { a: 5 }, { a: 5, n: many(30, 3) }, ['n/ 0 → 90']],
    ['a directory that is gone', { a: 5, n: many(30, 3) }, { a: 5 }, ['n/ 90 → 0']],
    [
      'two packages and a little more, as the survey draws it',
      { app: { node_modules: { x: many(30, 10) }, dist: { m: 100 } } },
      {
        app: {
          node_modules: { '@swc': many(30, 29), typescript: many(30, 7), x: many(30, 10) },
          dist: { m: 104 },
        },
      },
      ['app/node_modules/@swc/ 0 → 870', 'app/node_modules/typescript/ 0 → 210'],
    ],
    ['many alike', { a: { m: many(30, 10) } }, { a: { m: many(30, 13) } }, ['a/m/ 300 → 390']],
    [
      'growth and shrinkage that cancel each other',
      { a: { x: 100 }, b: { y: 200 }, c: many(5, 3) },
      { a: { x: 200 }, b: { y: 100 }, c: many(5, 3) },
      ['a/x 100 → 200', 'b/y 200 → 100'],
    ],
    [
      'much that moved, and a little that came',
      { assets: { ...many2('old', 30, 10) }, lib: { x: 5 } },
      { assets: { ...many2('new', 30, 10) }, lib: { x: 25 } },
      ['lib/x 5 → 25', 'assets/ 300 → 300'],
    ],
    ['a directory that one side has folded', { a: { loose: 300 } }, { a: { b: 390 } }, ['a/ 300 → 390']],
    ['a directory that both have folded', { a: { loose: 300 }, b: 1 }, { a: { loose: 390 }, b: 1 }, ['a/ 300 → 390']],
    ['what is loose', { a: { b: 10, loose: 5 } }, { a: { b: 10, loose: 95 } }, ['a/ 15 → 105']],
    ['a file in the place of a directory', { a: { b: many(5, 10) } }, { a: { b: 500 } }, ['a/b 50 → 500']],
  ])('%s', (_name, before, now, expected) => {
    expect(told(before, now)).toEqual(expected)
  })

  function many2(prefix: string, count: number, size: number): Record<string, number> {
    return Object.fromEntries(Array.from({ length: count }, (_, i) => [`${prefix}${i}`, size]))
  }

  test('what stood alone and is folded now has not gone', () => {
    // 20 bytes are missing as `b`, and are there as loose ones: only c changed.
    expect(told({ a: { b: 20, c: 100, loose: 5 } }, { a: { c: 150, loose: 25 } })).toEqual(['a/c 100 → 150'])
    expect(told({ a: { b: 20, loose: 5 } }, { a: { loose: 25, n: 0 } })).toEqual([])
  })

  test('of twelve alike, ten are told, and never the whole image', () => {
    const before = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`d${i}`, { x: 10 }]))
    const now = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`d${i}`, { x: 20 + i }]))
    const paths = told(before, now)
    expect(paths).toHaveLength(10)
    expect(paths[0]).toBe('d11/x 10 → 31')
  })

  test('where nothing stands alone, the root is all there is to tell', () => {
    expect(told({ loose: 5 }, { loose: 50 })).toEqual(['/ 5 → 50'])
  })
})

test.each(Array.from({ length: 200 }, (_, seed) => [seed]))(
  'seed %i: few paths, none in another, explain it',
  (seed) => {
    const random = new Random(seed)
    const sketch = (depth: number): Sketch => {
      if (depth === 0 || random.below(4) === 0) return random.below(1_000)
      return Object.fromEntries(Array.from({ length: 1 + random.below(6) }, (_, i) => [`n${i}`, sketch(depth - 1)]))
    }
    /** The same, with something changed here and there. */
    const mutated = (one: Sketch): Sketch => {
      if (typeof one === 'number') return random.below(6) === 0 ? random.below(3_000) : one
      const kept = Object.entries(one).filter(() => random.below(20) > 0)
      const added = random.below(10) === 0 ? [['new', sketch(2)] as const] : []
      return Object.fromEntries([...kept.map(([name, child]) => [name, mutated(child)] as const), ...added])
    }
    const before: Sketch = { a: sketch(4), b: sketch(4) }
    const now: Sketch = { ...(mutated(before) as object) }
    const paths = changedPaths(tree(before), tree(now))

    const was = leaves(before)
    const is = leaves(now)
    const moved = new Map(
      [...new Set([...was.keys(), ...is.keys()])].map((path) => [
        path,
        Math.abs((is.get(path) ?? 0) - (was.get(path) ?? 0)),
      ]),
    )
    const total = [...moved.values()].reduce((sum, bytes) => sum + bytes, 0)
    const within = (path: string, { path: at }: { path: string }): boolean => path === at || path.startsWith(at)
    const explained = [...moved]
      .filter(([path]) => paths.some((one) => within(path, one)))
      .reduce((sum, [, bytes]) => sum + bytes, 0)
    expect(paths.length).toBeLessThanOrEqual(10)
    expect(explained).toBeGreaterThanOrEqual(0.9 * total)
    for (const one of paths) {
      expect(paths.filter((other) => other !== one && within(one.path, other))).toEqual([])
      const sum = (of: ReadonlyMap<string, number>): number =>
        [...of].filter(([path]) => within(path, one)).reduce((bytes, [, size]) => bytes + size, 0)
      expect([one.before, one.now]).toEqual([sum(was), sum(is)])
    }

    function leaves(one: Sketch, path = ''): ReadonlyMap<string, number> {
      if (typeof one === 'number') return new Map([[path, one]])
      return new Map(
        Object.entries(one).flatMap(([name, child]) => [...leaves(child, path === '' ? name : `${path}/${name}`)]),
      )
    }
  },
)
