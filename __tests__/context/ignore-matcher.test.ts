import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { UserError } from '../../src/errors.ts'
import { readIgnoreFile } from '../../src/context/ignore-file.ts'
import { IgnoreMatcher } from '../../src/context/ignore-matcher.ts'

interface Case {
  readonly name: string
  readonly dockerignore: string
  readonly patterns: readonly string[]
  readonly excluded?: readonly string[]
  readonly expectedError?: string
}

const CASES = JSON.parse(
  readFileSync(new URL('../cases/dockerignore.json', import.meta.url), 'utf8'),
) as readonly Case[]

/** Every path that a case was asked about: `**` excludes them all. */
const PATHS = CASES.find((one) => one.name === 'globstar')?.excluded ?? []

function matcherOf(text: string): IgnoreMatcher {
  return new IgnoreMatcher({ name: '.dockerignore', patterns: readIgnoreFile(text) })
}

function excluded(text: string, paths: readonly string[]): readonly string[] {
  const matcher = matcherOf(text)
  return paths.filter((path) => matcher.excludes(path, false).excluded)
}

describe("the cases answered by moby's own code", () => {
  test('ask about paths', () => {
    expect(PATHS.length).toBeGreaterThan(20)
  })

  test.each(CASES)('$name', ({ dockerignore, patterns, excluded: paths, expectedError }) => {
    expect(readIgnoreFile(dockerignore).map(({ pattern }) => pattern)).toEqual(patterns)
    if (expectedError !== undefined) expect(() => matcherOf(dockerignore)).toThrow(expectedError)
    else expect(excluded(dockerignore, PATHS)).toEqual(paths)
  })
})

describe('the text of an ignore file', () => {
  test.each([
    ['\uFEFF# comment\na', ['a']],
    ['\uFEFFa', ['a']],
    ['a\n\uFEFFb', ['a', '\uFEFFb']],
    [' # x', ['# x']],
    ['\u00a0a\u0085', ['a']],
    ['/', ['/']],
    ['//', ['/']],
    ['/a/', ['a']],
    ['.', ['.']],
    ['./', ['.']],
    ['!', ['!']],
    ['!/', ['!/']],
    ['! # not a comment', ['!# not a comment']],
    ['!!a', ['!!a']],
    ['a/./b/../c/', ['a/c']],
    ['..', ['..']],
    ['a\r\r\n', ['a']],
    ['a\fb', ['a\fb']],
  ])('%j holds %j', (text, patterns) => {
    expect(readIgnoreFile(text).map(({ pattern }) => pattern)).toEqual(patterns)
  })

  test('numbers its lines as an editor does', () => {
    expect(readIgnoreFile('# c\n\na\r\n!b\n')).toEqual([
      { pattern: 'a', line: 3 },
      { pattern: '!b', line: 4 },
    ])
  })

  test('a line of 64 KiB is refused as BuildKit refuses it, with its number', () => {
    expect(readIgnoreFile('x'.repeat(65_535))).toHaveLength(1)
    expect(() => readIgnoreFile(`a\n${'x'.repeat(65_536)}`)).toThrow('Line 2 of .dockerignore is longer than 64 KiB')
  })
})

describe('the rules that surprise', () => {
  const paths = ['foo', 'foob', 'x/foob', 'foo/x', 'ab', 'a', 'b', 'aa', 'x]', 'a/b', 'node_modules', 'p/node_modules']

  test.each([
    // A name matches in the root only.
    ['node_modules', ['node_modules']],
    // Two stars without a slash are a suffix.
    ['**b', ['foob', 'x/foob', 'ab', 'b', 'a/b']],
    ['foo/**', ['foo/x']],
    ['foo**', ['foo', 'foob', 'foo/x']],
    ['**/node_modules', ['node_modules', 'p/node_modules']],
    // A repetition, as in a regular expression, once something else makes it one; an ordinary name otherwise.
    ['a{2}', []],
    ['[a]{2}', ['aa']],
    ['a{2}*', ['aa']],
    ['[[:alpha:]]', ['x/foob', 'a', 'b', 'a/b', 'p/node_modules']],
    ['\\w\\w', ['ab', 'aa']],
    ['x]', ['x]']],
    // A class may match a slash.
    ['a[^x]b', ['a/b']],
    ['A', []],
  ])('%s', (text, expected) => {
    expect(excluded(text, paths)).toEqual(expected)
  })

  test('the last pattern that matches decides, and names itself as the reason', () => {
    const matcher = matcherOf('src\n!src/keep\nsrc/keep/not\n')
    expect(matcher.excludes('src/a', false)).toMatchObject({ excluded: true, rule: { pattern: 'src', line: 1 } })
    expect(matcher.excludes('src/keep/a', false)).toMatchObject({ excluded: false, rule: undefined })
    expect(matcher.excludes('src/keep/not/a', false).rule).toEqual({ pattern: 'src/keep/not', line: 3 })
  })

  test('a directory is left unread only when no exception can reach into it', () => {
    const plain = matcherOf('a\nb\n!a/x/y\n!c/**\n')
    expect(plain.enter('a', true)).toMatchObject({ excluded: true, cut: false })
    expect(plain.enter('b', true)).toMatchObject({ excluded: true, cut: true })
    expect(matcherOf('a\n!**/x').enter('a', true)).toMatchObject({ excluded: true, cut: false })
    expect(matcherOf('a').enter('a', false)).toMatchObject({ excluded: true, cut: false })
  })
})

describe('a pattern that is none', () => {
  test('every one is reported with line and mend', () => {
    const act = (): unknown => matcherOf('ok\n[a\n!\n!/\n')
    expect(act).toThrow(UserError)
    try {
      act()
    } catch (error) {
      expect((error as UserError).problems.map(({ line, file }) => [file, line])).toEqual([
        ['.dockerignore', 2],
        ['.dockerignore', 3],
        ['.dockerignore', 4],
      ])
      expect((error as UserError).problems.every(({ mend }) => mend !== undefined)).toBe(true)
    }
  })

  test('an invalid expression fails when it is tried, not before, as in BuildKit', () => {
    const matcher = matcherOf('a\n!b[z-a]')
    expect(matcher.excludes('x', false).excluded).toBe(false)
    expect(() => matcher.excludes('a', false)).toThrow('"!b[z-a]" is not a valid pattern: syntax error in pattern.')
  })
})

test('a walk that knows how deep it is leaves out what a look at one path does', () => {
  const name = fc.constantFrom('a', 'b.md', 'src', '.env', 'é')
  const part = fc.constantFrom('a', '*', '*.md', 's?c', '[a-c]', '**', 'src', '.e*', '\\a', 'é')
  const pattern = fc
    .tuple(fc.boolean(), fc.array(part, { minLength: 1, maxLength: 3 }))
    .map(([isException, parts]) => `${isException ? '!' : ''}${parts.join('/')}`)
  const rules = fc.array(pattern, { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(rules, fc.array(name, { minLength: 1, maxLength: 4 }), (patterns, names) => {
      const matcher = new IgnoreMatcher({ name: '', patterns: patterns.map((text) => ({ pattern: text, line: 1 })) })
      let state: readonly boolean[] | undefined
      for (let depth = 1; depth < names.length; depth++) {
        const verdict = matcher.enter(names.slice(0, depth).join('/'), true, state)
        if (verdict.cut) return
        state = verdict.state
      }
      const path = names.join('/')
      const start = path.slice(0, path.lastIndexOf('/') + 1)
      const isLeftOut = matcher.leavesOut(start, names.at(-1) ?? '', { depth: names.length, state })
      expect(isLeftOut).toBe(matcher.excludes(path, false).excluded)
    }),
    { numRuns: 2_000 },
  )
})
