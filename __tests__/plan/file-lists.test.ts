/** Names of files behind a digest: few, folded where they are many, told shortly. */
import { describe, expect, test } from '@jest/globals'
import { compareLists, listFiles, MOST_NAMES, tellChanges, type FileList } from '../../src/plan/file-lists.ts'
import { digestOf } from '../../src/plan/stage-print.ts'

const list = (files: Readonly<Record<string, string>>): FileList => new Map(Object.entries(files))

function told(before: Readonly<Record<string, string>>, now: Readonly<Record<string, string>>): string {
  return tellChanges(compareLists(list(before), list(now)))
}

/** Directories with files, each with this content unless said otherwise. */
function tree(directories: number, files: number, other: Readonly<Record<string, string>> = {}): FileList {
  const all = function* () {
    for (let d = 0; d < directories; d++) {
      for (let f = 0; f < files; f++) {
        const path = `src/d${d}/sub/deep/f${f}`
        yield { path, digest: other[path] ?? 'x' }
      }
    }
  }
  return listFiles(all, digestOf)
}

describe('what changed between lists', () => {
  test.each([
    ['nothing', { a: '1' }, { a: '1' }, ''],
    ['a file', { a: '1', b: '1' }, { a: '2', b: '1' }, 'a changed'],
    ['a new file', {}, { a: '1' }, 'a added'],
    ['a file that is gone', { a: '1' }, {}, 'a removed'],
    ['a renamed file', { a: '1' }, { b: '1' }, 'b added, a removed'],
    ['a directory’s mode', { d: '755', 'd/a': '1' }, { d: '700', 'd/a': '1' }, 'd changed'],
    ['a new directory is told by its files', {}, { d: '1', 'd/e': '1', 'd/e/a': '1' }, 'd/e/a added'],
    ['an empty new directory', {}, { d: '1' }, 'd added'],
    ['a directory that is gone', { d: '1', 'd/a': '1' }, {}, 'd/a removed'],
    ['four', { a: '1', b: '1', c: '1' }, { a: '2', b: '2', d: '1' }, 'a changed, b changed, d added, c removed'],
    ['more than four', {}, { a: '1', b: '1', c: '1', d: '1', e: '1' }, 'a added, b added, c added and 2 more files'],
    ['changed ones come first', { z: '1' }, { a: '1', b: '1', c: '1', d: '1', z: '2' }, 'z changed, a added, b added and 2 more files'],
  ])('%s', (_what, before, now, expected) => {
    expect(told(before, now)).toBe(expected)
  }) // prettier-ignore
})

describe('a list of files', () => {
  test('keeps every name while there are few', () => {
    expect(tree(10, 10).size).toBe(100)
    expect(tree(10, 10).get('src/d3/sub/deep/f4')).toBe('x')
  })

  test('names directories where there are many files, and a change is still seen in its directory', () => {
    const before = tree(100, 100)
    const now = tree(100, 100, { 'src/d42/sub/deep/f7': 'y' })
    expect(before.size).toBe(100)
    expect(tellChanges(compareLists(before, now))).toBe('src/d42/sub/deep/ changed')
  })

  test('is never longer than its limit, and one change is never lost', () => {
    const wide = (other: string) =>
      listFiles(
        () => Array.from({ length: 3 * MOST_NAMES }, (_, i) => ({ path: `f${i}`, digest: i === 5 ? other : 'x' })),
        digestOf,
      )
    expect(wide('x').size).toBeLessThanOrEqual(MOST_NAMES)
    expect(wide('x')).toEqual(wide('x'))
    expect(tellChanges(compareLists(wide('x'), wide('y')))).toBe('/ changed')
  })

  test('say of the repository itself only what to do about it', () => {
    const before = new Map([
      ['.git/index', '1'],
      ['.git/HEAD', '1'],
      ['a', '1'],
    ])
    const now = new Map([
      ['.git/index', '2'],
      ['.git/FETCH_HEAD', '1'],
      ['a', '2'],
    ])
    expect(tellChanges(compareLists(before, now))).toBe(
      'a changed, .git changed (exclude it with a line `.git` in .dockerignore)',
    )
    expect(tellChanges(compareLists(new Map([['.gitignore', '1']]), new Map([['.gitignore', '2']])))).toBe(
      '.gitignore changed',
    )
  })
})
