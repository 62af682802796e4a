/**
 * What `${V:-w}`, `${V#p}`, `${V/p/r}` and their kin make of a value. Patterns know `*`, `?` and `\`; they are matched
 * without regular expressions, in linear time, because the pattern is somebody else's text.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/shell/lex.go (processDollar, trimPrefix,
 * trimSuffix, convertShellPatternToRegex)
 */
import { SyntaxFault } from './dockerfile-error.ts'

export interface Modifier {
  readonly name: string
  /** Undefined where the variable is not set. */
  readonly value: string | undefined
  /** `-`, `+`, `?`, `#`, `%`, `/`, `//`, or a character that is none of them. */
  readonly operator: string
  /** The operator as written, with its colon. */
  readonly written: string
  readonly word: string
  /** There was a colon: an empty value counts as unset. */
  readonly emptyIsUnset: boolean
  readonly replacement?: string
}

/** @throws SyntaxFault where the operator is unknown, the pattern is bad, or `?` demands a value. */
export function applyModifier(modifier: Modifier): string {
  const { value, operator, word, emptyIsUnset } = modifier
  const isUnset = value === undefined || (emptyIsUnset && value === '')
  switch (operator) {
    case '-':
      return isUnset ? word : value
    case '+':
      return isUnset ? '' : word
    case '?':
      if (!isUnset) return value
      throw new SyntaxFault(`${modifier.name}: ${word === '' ? demand(value) : word}`)
    case '#':
    case '%':
      return trimmed(value ?? '', operator, word)
    case '/':
    case '//':
      return replaced(value ?? '', modifier)
    default:
      throw new SyntaxFault(`unsupported modifier (${modifier.written}) in substitution`)
  }
}

function demand(value: string | undefined): string {
  return `is not allowed to be ${value === undefined ? 'unset' : 'empty'}`
}

function trimmed(value: string, operator: '#' | '%', word: string): string {
  const longest = word.startsWith(operator)
  const written = longest ? word.slice(1) : word
  const prefix = operator === '#'
  const pattern = parsePattern(prefix ? written : reversedPattern(written))
  const characters = Array.from(value)
  if (!prefix) characters.reverse()
  const end = matchEnd(pattern, characters, 0, longest)
  if (typeof end !== 'number') return value
  const rest = characters.slice(end)
  if (!prefix) rest.reverse()
  return rest.join('')
}

function replaced(value: string, { operator, word, replacement = '' }: Modifier): string {
  const pattern = parsePattern(word)
  const characters = Array.from(value)
  const all = operator === '//'
  let out = ''
  let position = 0
  let copied = 0
  let previousEnd = -1
  while (position <= characters.length) {
    const found = findFrom(pattern, characters, position)
    if (found === undefined) break
    const { start, end } = found
    // An empty match that touches the one before does not count (Go's regexp).
    if (end > start || start !== previousEnd) {
      const matched = characters.slice(start, end).join('')
      out += characters.slice(copied, start).join('') + (all ? expandTemplate(replacement, matched) : replacement)
      copied = end
      previousEnd = end
      if (!all) break
    }
    position = end > start ? end : start + 1
  }
  return out + characters.slice(copied).join('')
}

/** Go's ReplaceAllString reads `$0`, `$name` and `$$` in the replacement; there are no groups, so names are empty. */
function expandTemplate(replacement: string, matched: string): string {
  return replacement.replace(
    /\$(?:\$|\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))/g,
    (text, braced?: string, bare?: string) => {
      if (text === '$$') return '$'
      return (braced ?? bare) === '0' ? matched : ''
    },
  )
}

/** `*`, `?`, or one literal character. */
type Token = { readonly kind: 'any' } | { readonly kind: 'one' } | { readonly kind: 'literal'; readonly text: string }
const ANY: Token = { kind: 'any' }
const ONE: Token = { kind: 'one' }

function parsePattern(pattern: string): readonly Token[] {
  const characters = Array.from(pattern)
  const tokens: Token[] = []
  for (let i = 0; i < characters.length; i++) {
    let character = characters[i] ?? ''
    if (character === '*' || character === '?') {
      tokens.push(character === '*' ? ANY : ONE)
      continue
    }
    if (character === '\\') {
      const escaped = characters[++i] ?? '\ufffd'
      if (!'*?\\}/'.includes(escaped)) {
        throw new SyntaxFault(`invalid pattern (${pattern}) in substitution: invalid escape '\\${escaped}'`)
      }
      character = escaped
    }
    tokens.push({ kind: 'literal', text: character })
  }
  return tokens
}

/** The pattern backwards, each escape still before its character. */
function reversedPattern(pattern: string): string {
  const out: string[] = []
  const characters = Array.from(pattern)
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i] ?? ''
    if (character === '\\' && i < characters.length - 1) out.unshift(character, characters[++i] ?? '')
    else out.unshift(character)
  }
  return out.join('')
}

/**
 * Where a match that begins at `start` ends: the longest or the shortest. `none`: no match begins there. `never`: nor
 * later, for a `*` has looked through the rest already.
 */
function matchEnd(
  pattern: readonly Token[],
  characters: readonly string[],
  start: number,
  longest: boolean,
): number | 'none' | 'never' {
  let states = closure(pattern, [0])
  let end: number | undefined
  for (let i = start; ; i++) {
    if (states.has(pattern.length)) {
      end = i
      if (!longest) return end
    }
    const character = characters[i]
    if (states.size === 0) return end ?? 'none'
    if (character === undefined) return end ?? (startsAfterAny(pattern, states) ? 'never' : 'none')
    states = closure(pattern, step(pattern, states, character))
  }
}

function startsAfterAny(pattern: readonly Token[], states: ReadonlySet<number>): boolean {
  const any = pattern.findIndex((token) => token.kind === 'any')
  return any !== -1 && states.has(any)
}

function step(pattern: readonly Token[], states: ReadonlySet<number>, character: string): number[] {
  const next: number[] = []
  for (const state of states) {
    const token = pattern[state]
    if (token === undefined) continue
    if (token.kind === 'literal') {
      if (token.text === character) next.push(state + 1)
    } else if (character !== '\n') {
      // Go's `.` does not match a line feed.
      next.push(token.kind === 'any' ? state : state + 1)
    }
  }
  return next
}

/** `*` may match nothing, so whoever stands before it stands behind it too. */
function closure(pattern: readonly Token[], states: readonly number[]): ReadonlySet<number> {
  const all = new Set<number>()
  for (const first of states) {
    let state = first
    while (!all.has(state)) {
      all.add(state)
      if (pattern[state]?.kind === 'any') state++
    }
  }
  return all
}

/** The leftmost match at or after `from`, as long as can be. */
function findFrom(
  pattern: readonly Token[],
  characters: readonly string[],
  from: number,
): { readonly start: number; readonly end: number } | undefined {
  const first = pattern[0]
  for (let start = from; start <= characters.length; start++) {
    if (first?.kind === 'literal' && characters[start] !== first.text) continue
    const end = matchEnd(pattern, characters, start, true)
    if (end === 'never') return undefined
    if (end !== 'none') return { start, end }
  }
  return undefined
}
