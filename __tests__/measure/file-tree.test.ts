import { describe, expect, test } from '@jest/globals'
import type { FileTree } from '../../src/measure/file-tree.ts'
import { MAX_TREE_CHARACTERS, MAX_TREE_NODES } from '../../src/measure/file-tree-fold.ts'
import { fileTreeToJson, parseFileTree } from '../../src/measure/file-tree-json.ts'
import { file, filesOf, folder, hardLink } from '../support/layers.ts'
import type { RawEntry } from '../support/raw-tar.ts'

async function treeOf(...layers: readonly (readonly RawEntry[])[]): Promise<FileTree> {
  const { tree } = await filesOf(layers)
  if (tree === undefined) throw new Error('no tree')
  return tree
}

function at(tree: FileTree, path: string): FileTree | undefined {
  return path.split('/').reduce<FileTree | undefined>((node, name) => node?.children?.get(name), tree)
}

function nodes(tree: FileTree): number {
  return [...(tree.children?.values() ?? [])].reduce((sum, child) => sum + 1 + nodes(child), 0)
}

describe('the tree of own layers', () => {
  test('names what is in it, with bytes and files', async () => {
    const tree = await treeOf([
      folder('a'),
      folder('a/b'),
      file('a/b/x', 100),
      hardLink('a/b/h', 'a/b/x'),
      file('z', 7),
    ])
    expect(fileTreeToJson(tree)).toEqual(
      ['', 107, 3, [['a', 100, 2, [['b', 100, 2, [['x', 100, 1]]]]], ['z', 7, 1]]], // prettier-ignore
    )
  })

  test('sums layers, whatever is visible in the end', async () => {
    const tree = await treeOf(
      [file('a/x', 100), file('a/y', 10)],
      [file('a/.wh.y', 0), file('a/x', 50), file('a/new/z', 1)],
      [file('a', 5)],
    )
    expect(fileTreeToJson(tree)).toEqual([
      ...['', 166, 4],
      [['a', 166, 4, [['x', 150, 1], ['y', 10, 1], ['new', 1, 1, [['z', 1, 1]]]]]], // prettier-ignore
    ])
  })

  test('counts what is small where it lies', async () => {
    const tree = await treeOf([
      file('large/x', 6_000_000),
      ...Array.from({ length: 300 }, (_, i) => file(`small/${i}`, 1_000)),
      ...Array.from({ length: 30 }, (_, i) => file(`tiny/${i}`, 10)),
    ])
    expect(at(tree, 'small')).toEqual({ bytes: 300_000, files: 300, children: new Map() })
    expect([...(tree.children?.keys() ?? [])]).toEqual(['large', 'small'])
    expect([tree.bytes, tree.files]).toEqual([6_300_300, 331])
  })

  test('is bounded, keeps the largest, and is the same whatever the order', async () => {
    const entries = Array.from({ length: 6_000 }, (_, i) =>
      file(`d${i % 40}/${'n'.repeat(i % 60)}${i}`, 100 + (i % 977)),
    )
    const tree = await treeOf(entries)
    expect(nodes(tree)).toBeLessThanOrEqual(MAX_TREE_NODES)
    expect(nodes(tree)).toBeGreaterThan(300)
    expect(JSON.stringify(fileTreeToJson(tree)).length).toBeLessThanOrEqual(MAX_TREE_CHARACTERS)
    expect([tree.bytes, tree.files]).toEqual([entries.reduce((sum, { body = '' }) => sum + body.length, 0), 6_000])
    const sizes = new Map(entries.map(({ path, body = '' }) => [path, body.length]))
    const standing = [...sizes].filter(([path]) => at(tree, path) !== undefined).map(([, size]) => size)
    const folded = [...sizes].filter(([path]) => at(tree, path) === undefined).map(([, size]) => size)
    expect(Math.min(...standing)).toBeGreaterThanOrEqual(Math.max(...folded))
    expect(await treeOf(entries.toReversed())).toEqual(tree)
  })

  test('goes no deeper than a reader would', async () => {
    const tree = await treeOf([file(`${'d/'.repeat(45)}x`, 5), file(`${'e/'.repeat(45)}x`, 5)])
    expect(parseFileTree(fileTreeToJson(tree))).toEqual(tree)
    const [deep] = await Promise.all([filesOf([longPaths()])])
    expect(deep.tree?.bytes).toBe(9)
    expect(parseFileTree(fileTreeToJson(deep.tree ?? { bytes: 0, files: 0 }))).toEqual(deep.tree)
  })

  /** 1,000 directories within one another, told by a GNU long name. */
  function longPaths(): readonly RawEntry[] {
    return [{ path: '././@LongLink', type: 'L', body: `${'d/'.repeat(1_000)}x\0` }, file('x', 9)]
  }
})

describe('trees as JSON', () => {
  test('names that mean something to JavaScript are names', async () => {
    const tree = await treeOf([file('__proto__/constructor', 5), file('1', 2), file('toString', 1), file('a"b\\☃', 1)])
    const parsed = parseFileTree(JSON.parse(JSON.stringify(fileTreeToJson(tree))))
    expect(parsed).toEqual(tree)
    expect(parsed?.children?.get('__proto__')?.children?.get('constructor')?.bytes).toBe(5)
    expect(({} as Record<string, unknown>)['constructor']).toBe(Object)
  })

  let deep: unknown = ['', 1, 1]
  for (let i = 0; i < 100_000; i++) deep = [i === 99_999 ? '' : 'd', 1, 1, [deep]]

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['an object', { 0: '', 1: 1, 2: 1, length: 3 }],
    ['a tree with a name', ['a', 1, 1]],
    ['a number too few', ['', 1]],
    ['a thing too many', ['', 1, 1, [], 1]],
    ['a negative size', ['', -1, 1]],
    ['half a byte', ['', 0.5, 1]],
    ['more than 2^53 bytes', ['', 2 ** 53, 1]],
    ['NaN', ['', NaN, 1]],
    ['a size as text', ['', '1', 1]],
    ['children as text', ['', 1, 1, 'abc']],
    ['a child without a name', ['', 1, 1, [['', 1, 1]]]],
    ['a child with a slash in its name', ['', 1, 1, [['a/b', 1, 1]]]],
    ['a child with a NUL in its name', ['', 1, 1, [['a\0', 1, 1]]]],
    ['a child that leads upwards', ['', 1, 1, [['..', 1, 1]]]],
    ['a name of 60,000 characters', ['', 1, 1, [['n'.repeat(60_000), 1, 1]]]],
    ['two children of a name', ['', 2, 2, [['a', 1, 1], ['a', 1, 1]]]], // prettier-ignore
    ['children larger than their directory', ['', 1, 1, [['a', 2, 1]]]],
    ['children of more files than their directory', ['', 1, 1, [['a', 1, 2]]]],
    ['far too many', ['', 1e6, 1e6, Array.from({ length: 100_000 }, (_, i) => [`n${i}`, 1, 1])]],
    ['far too deep', deep],
  ])('%s is no tree', (_name, json) => {
    expect(parseFileTree(json)).toBeUndefined()
  })
})
