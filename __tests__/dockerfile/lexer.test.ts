import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { expandWord, splitWords } from '../../src/dockerfile/lexer.ts'

const VALUES: Readonly<Record<string, string>> = { V: 'a-b-c', E: '', P: '*-', X: 'x' }
const lookUp = (name: string): string | undefined => (Object.hasOwn(VALUES, name) ? VALUES[name] : undefined)

function expand(text: string, escape: '\\' | '`' = '\\'): string {
  return expandWord(text, lookUp, { escape }).text
}

describe('expandWord', () => {
  test.each([
    ['$V${V}', 'a-b-ca-b-c'],
    ['a  b', 'a  b'],
    ['\'$V\' "$V"', '$V a-b-c'],
    ['"a\\"b\\$V\\\\n\\n"', 'a"b$V\\n\\n'],
    ['\\$V\\a', '$Va'],
    ["'a\\'", 'a\\'],
    ['$', '$'],
    ['$%', '$%'],
    ['$1x$$y$@z', 'xyz'],
    ['${U-d}${E-d}${U:-d}${E:-d}', 'ddd'],
    ['${U+d}${E+d}${U:+d}${E:+d}${X:+d}', 'dd'],
    ['${U:-${V#a-}}', 'b-c'],
    ["${U:-'}'}", '}'],
    ['${U:-"$V"}', 'a-b-c'],
    ['${V#$P}', 'b-c'],
    ['${V##*-}', 'c'],
    ['${V%-*}', 'a-b'],
    ['${V%%-*}', 'a'],
    ['${V/-/+}', 'a+b-c'],
    ['${V//-/}', 'abc'],
    ['${V/?-?/y}', 'y-c'],
    ['${U/a/b}', ''],
    ['<<EOF <x', '<<EOF <x'],
  ])('%s is %s', (text, expected) => {
    expect(expand(text)).toBe(expected)
  })

  test('the backtick escapes where the file says so', () => {
    expect(expand('`$V\\$V"`$\\"', '`')).toBe('$V\\a-b-c$\\')
  })

  test('says which names were there and which were not', () => {
    const { matched, unmatched } = expandWord('$V ${U:-$W}', lookUp, { escape: '\\' })
    expect([...matched]).toEqual(['V'])
    expect([...unmatched]).toEqual(['W', 'U'])
  })

  test('a text without special characters is itself', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-zA-Z0-9 :/.@_-]*$/), (text) => {
        expect(expand(text)).toBe(text)
      }),
    )
  })

  test('a pattern cuts what the same regular expression would', () => {
    const token = fc.constantFrom('a', 'b', '*', '?', 'ab')
    const value = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 10 })
    fc.assert(
      fc.property(fc.array(token, { minLength: 1, maxLength: 5 }), value, (tokens, text) => {
        const values = (name: string): string | undefined => (name === 'T' ? text : undefined)
        const run = (word: string): string => expandWord(word, values, { escape: '\\' }).text
        const pattern = tokens.join('')
        const greedy = pattern.replaceAll('?', '.').replaceAll('*', '.*')
        const lazy = pattern.replaceAll('?', '.').replaceAll('*', '.*?')
        expect(run(`\${T#${pattern}}`)).toBe(text.replace(new RegExp(`^${lazy}`), ''))
        expect(run(`\${T##${pattern}}`)).toBe(text.replace(new RegExp(`^${greedy}`), ''))
        expect(run(`\${T/${pattern}/x}`)).toBe(text.replace(new RegExp(greedy), 'x'))
      }),
    )
  })
})

describe('splitWords', () => {
  const split = (text: string): readonly string[] =>
    splitWords(text, lookUp, { escape: '\\', rawQuotes: true, rawEscapes: true, keepUnset: true })

  test.each([
    ['a  b\tc', ['a', 'b', 'c']],
    ['a \'b c\' "d e"f', ['a', "'b c'", '"d e"f']],
    ['a\\ b $U ${U} ${U:-x}', ['a\\ b', '$U', '${U}', '${U:-x}']],
    ['a << EOF b', ['a', '<< EOF', 'b']],
    ['$V', ['a-b-c']],
    ["''", ["''"]],
  ])('%s', (text, expected) => {
    expect(split(text)).toEqual(expected)
  })
})
