import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { goMatch, hasWildcard } from '../../src/context/go-match.ts'

/** Go's own table (path/filepath/match_test.go) and what was seen of go1.24 beside it. */
const TABLE: readonly (readonly [string, string, boolean | 'error'])[] = [
  ['abc', 'abc', true],
  ['*', 'abc', true],
  ['*c', 'abc', true],
  ['a*', 'a', true],
  ['a*', 'abc', true],
  ['a*', 'ab/c', false],
  ['a*/b', 'abc/b', true],
  ['a*/b', 'a/c/b', false],
  ['a*b*c*d*e*/f', 'axbxcxdxe/f', true],
  ['a*b*c*d*e*/f', 'axbxcxdxexxx/f', true],
  ['a*b*c*d*e*/f', 'axbxcxdxe/xxx/f', false],
  ['a*b*c*d*e*/f', 'axbxcxdxexxx/fff', false],
  ['a*b?c*x', 'abxbbxdbxebxczzx', true],
  ['a*b?c*x', 'abxbbxdbxebxczzy', false],
  ['ab[c]', 'abc', true],
  ['ab[b-d]', 'abc', true],
  ['ab[e-g]', 'abc', false],
  ['ab[^c]', 'abc', false],
  ['ab[^b-d]', 'abc', false],
  ['ab[^e-g]', 'abc', true],
  ['a\\*b', 'a*b', true],
  ['a\\*b', 'ab', false],
  ['a?b', 'a☺b', true],
  ['a[^a]b', 'a☺b', true],
  ['a???b', 'a☺b', false],
  ['a[^a][^a][^a]b', 'a☺b', false],
  ['[a-ζ]*', 'α', true],
  ['*[a-ζ]', 'A', false],
  ['a?b', 'a/b', false],
  ['a*b', 'a/b', false],
  ['[\\]a]', ']', true],
  ['[\\-]', '-', true],
  ['[x\\-]', 'x', true],
  ['[x\\-]', '-', true],
  ['[x\\-]', 'z', false],
  ['[\\-x]', 'a', false],
  ['[]a]', ']', 'error'],
  ['[-]', '-', 'error'],
  ['[x-]', 'x', 'error'],
  ['[x-]', 'z', 'error'],
  ['[-x]', '-', 'error'],
  ['\\', 'a', 'error'],
  ['[a-b-c]', 'a', 'error'],
  ['[', 'a', 'error'],
  ['[^', 'a', 'error'],
  ['[^bc', 'a', 'error'],
  ['a[', 'a', 'error'],
  ['a[', 'ab', 'error'],
  ['a[', 'x', 'error'],
  ['a/b[', 'x', 'error'],
  ['*x', 'xxx', true],
  ['[!a]', 'b', false],
  ['[!a]', '!', true],
  ['[^a]', '/', true],
  ['{a,b}', 'a', false],
  ['**', 'a/b', false],
  ['', '', true],
  ['', 'a', false],
  // After a star Go looks at single bytes, so two marks can share one letter of three bytes.
  ['*??', '€', true],
  ['*??', 'é', false],
  // A match that ends at a trailing star does not look at what would be wrong behind it.
  ['*[', 'a', 'error'],
  ['a\\', 'b', 'error'],
]

describe("Go's filepath.Match", () => {
  test.each(TABLE)('%j against %j is %j', (pattern, name, result) => {
    if (result === 'error') expect(() => goMatch(pattern, name)).toThrow('syntax error in pattern')
    else expect(goMatch(pattern, name)).toBe(result)
  })

  test('agrees with a regular expression on patterns of letters, stars and question marks', () => {
    const piece = fc.constantFrom('a', 'b', '/', '*', '?', 'ab')
    const name = fc.array(fc.constantFrom('a', 'b', '/'), { maxLength: 8 }).map((letters) => letters.join(''))
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), name, (pieces, subject) => {
        const source = pieces.map((p) => (p === '*' ? '[^/]*' : p === '?' ? '[^/]' : p)).join('')
        expect(goMatch(pieces.join(''), subject)).toBe(new RegExp(`^${source}$`).test(subject))
      }),
    )
  })

  test('a hostile pattern ends soon', () => {
    const started = performance.now()
    expect(goMatch('*a'.repeat(200) + 'b', 'a'.repeat(2000))).toBe(false)
    expect(performance.now() - started).toBeLessThan(2000)
  })
})

describe('a wildcard in a COPY source', () => {
  test.each([
    ['src', false],
    ['*.go', true],
    ['a?', true],
    ['[a]', true],
    ['a\\*', false],
    ['a\\*b*', true],
    ['a\\', false],
    ['{a,b}', false],
  ])('of %j: %j', (path, wildcard) => {
    expect(hasWildcard(path)).toBe(wildcard)
  })
})
