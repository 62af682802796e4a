/**
 * The few functions of Go's standard library whose exact results reach Dockerfile semantics or error texts: white space,
 * quoting, edit distance. JavaScript's own differ (`\s`, `trim` and `JSON.stringify` treat other characters).
 */

// unicode.IsSpace: https://pkg.go.dev/unicode#IsSpace
const OTHER_SPACE = /[\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/

/** Go's `unicode.IsSpace`. */
export function isSpace(character: string): boolean {
  const code = character.charCodeAt(0)
  return code === 0x20 || (code >= 0x09 && code <= 0x0d) || (code >= 0x85 && OTHER_SPACE.test(character))
}

/** Go's `strings.TrimSpace`. */
export function trimSpace(text: string): string {
  // No regular expression: `[…]+$` takes quadratic time on a long run of blanks in the middle.
  let end = text.length
  while (end > 0 && isSpace(text.charAt(end - 1))) end--
  return trimSpaceLeft(text.slice(0, end))
}

/** Go's `strings.TrimLeftFunc(text, unicode.IsSpace)`. */
export function trimSpaceLeft(text: string): string {
  let start = 0
  while (start < text.length && isSpace(text.charAt(start))) start++
  return text.slice(start)
}

// parser.go reWhitespace
const BLANKS = /[\t\v\f\r ]+/

/** Splits at blanks as BuildKit's parser does; with `limit`, the last part keeps its blanks. */
export function splitBlanks(text: string, limit?: 2): string[] {
  if (limit === undefined) return text.split(BLANKS)
  const match = BLANKS.exec(text)
  return match === null ? [text] : [text.slice(0, match.index), text.slice(match.index + match[0].length)]
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '\\"'],
  ['\\', '\\\\'],
  ['\u0007', '\\a'],
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\v', '\\v'],
])
const PRINTABLE = /[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u

/** Go's `%q`: the text in double quotes, unprintable characters escaped. */
export function goQuote(text: string): string {
  // A pattern of Unicode's classes takes 2 ms to come to be.
  if (/^[ !#-[\]-~]*$/.test(text)) return `"${text}"`
  let out = ''
  for (const character of text)
    out += ESCAPES.get(character) ?? (PRINTABLE.test(character) ? character : hex(character))
  return `"${out}"`
}

function hex(character: string): string {
  const code = character.codePointAt(0) ?? 0
  const digits = code.toString(16)
  if (code < 0x80) return `\\x${digits.padStart(2, '0')}`
  return code < 0x10000 ? `\\u${digits.padStart(4, '0')}` : `\\U${digits.padStart(8, '0')}`
}

/** Go's `path.Join('/', text)`: rooted, without `.`, `..` and doubled slashes. */
export function rootedPath(text: string): string {
  const parts: string[] = []
  for (const part of text.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return `/${parts.join('/')}`
}

/** Go's `strconv.Atoi`; undefined where it fails. A bigint, because messages repeat the number. */
export function atoi(text: string): bigint | undefined {
  if (!/^[+-]?[0-9]+$/.test(text)) return undefined
  const value = BigInt(text.replace(/^\+/, ''))
  return value >= -(2n ** 63n) && value < 2n ** 63n ? value : undefined
}

/** Go's `strconv.ParseBool`. */
export function parseBool(text: string): boolean | undefined {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true
  return ['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text) ? false : undefined
}
