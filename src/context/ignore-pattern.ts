/**
 * One .dockerignore pattern, compiled as moby/patternmatcher compiles it, slips included: `{`, `|`, `}` and `^` reach
 * the regular expression unescaped, a leading `**` without a slash matches a suffix, and a class may match a slash.
 * Users' files are judged by that code, so its slips are the rules.
 * https://github.com/moby/patternmatcher/blob/v0.6.0/patternmatcher.go#L332
 */
import { RE2JS } from 're2js'
import { BadPatternError } from './go-match.ts'

export type PathTest = (path: string) => boolean

type MatchType = 'exact' | 'prefix' | 'suffix' | 'regexp'

/** `.+()|{}$` as upstream lists them, less `|{}`: its table of bits has no room for them, so they are never escaped. */
const ESCAPED = new Set('.+()$')

/**
 * Compiles a cleaned pattern without its `!`.
 * @throws BadPatternError when it becomes no valid Go regular expression.
 */
export function compilePattern(pattern: string): PathTest {
  const { type, source } = translate(pattern)
  switch (type) {
    case 'exact':
      return (path) => path === pattern
    case 'prefix': {
      const prefix = pattern.slice(0, -2)
      return (path) => path.startsWith(prefix)
    }
    case 'suffix': {
      const suffix = pattern.slice(2)
      return (path) => path.endsWith(suffix) || (suffix.startsWith('/') && path === suffix.slice(1))
    }
    case 'regexp':
      return regexpTest(source)
  }
}

/**
 * What means the same to Go and to JavaScript, and takes JavaScript no time that grows with a power of the path's length:
 * names, blanks and a few wildcards. A hundred thousand paths are tried; RE2 in JavaScript is much slower at it.
 */
const ALIKE = /^\^(?:[\w \-/@~,:;!#%&='"<>`]|\\[.+()$]|\[\^\/\]\*?|\(\.\*\/\)\?|\.\*)*\$$/
const MAX_STARS = 3

function regexpTest(source: string): PathTest {
  if (ALIKE.test(source) && (source.match(/\*/g)?.length ?? 0) <= MAX_STARS) {
    // A dot of Go's stands for everything but a line feed.
    const expression = new RegExp(source.replaceAll('.*', '[^\\n]*'), 'u')
    return (path) => expression.test(path)
  }
  try {
    const expression = RE2JS.compile(source)
    return (path) => expression.test(path)
  } catch (error) {
    throw Object.assign(new BadPatternError(), { cause: error })
  }
}

function translate(pattern: string): { readonly type: MatchType; readonly source: string } {
  // Go's text scanner skips a byte order mark at the start.
  const runes = Array.from(pattern.startsWith('\uFEFF') ? pattern.slice(1) : pattern)
  let source = '^'
  let type: MatchType = 'exact'
  let at = 0
  for (let token = 0; at < runes.length; token++) {
    const rune = runes[at++] ?? ''
    if (rune === '*' && runes[at] === '*') {
      at++
      if (runes[at] === '/') at++
      if (at < runes.length) {
        source += '(.*/)?'
        type = 'regexp'
      } else if (type === 'exact') {
        type = 'prefix'
      } else {
        source += '.*'
        type = 'regexp'
      }
      if (token === 0) type = 'suffix'
    } else if (rune === '*') {
      source += '[^/]*'
      type = 'regexp'
    } else if (rune === '?') {
      source += '[^/]'
      type = 'regexp'
    } else if (rune === '\\') {
      const escaped = runes[at++]
      source += `\\${escaped ?? ''}`
      if (escaped !== undefined) type = 'regexp'
    } else if (rune === '[' || rune === ']') {
      source += rune
      type = 'regexp'
    } else {
      source += ESCAPED.has(rune) ? `\\${rune}` : rune
    }
  }
  return { type, source: `${source}$` }
}
