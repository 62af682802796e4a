/**
 * Go's filepath.Match as it is on Linux: what BuildKit matches COPY and ADD wildcards with, and what it checks the
 * syntax of .dockerignore patterns with. Works on bytes as Go does: after a star, a `?` may take a part of a letter.
 * https://github.com/golang/go/blob/go1.24.0/src/path/filepath/match.go
 */

/** Go's `filepath.ErrBadPattern`. */
export class BadPatternError extends Error {
  constructor() {
    super('syntax error in pattern')
    this.name = 'BadPatternError'
  }
}

const STAR = 0x2a
const QUESTION = 0x3f
const OPEN = 0x5b
const CLOSE = 0x5d
const CARET = 0x5e
const DASH = 0x2d
const BACKSLASH = 0x5c
const SLASH = 0x2f
const INVALID_RUNE = 0xfffd

/**
 * Whether the whole of `name` matches the shell pattern `pattern` (`*`, `?`, `[a-z]`, `[^a]`, `\x`; nothing but a
 * class may match across a slash).
 * @throws BadPatternError where Go returns ErrBadPattern; as there, a malformed rest may go unseen when a match ends early.
 */
export function goMatch(pattern: string, name: string): boolean {
  let rest: Uint8Array = Buffer.from(pattern)
  let subject: Uint8Array = Buffer.from(name)
  while (rest.length > 0) {
    const piece = scanChunk(rest)
    rest = piece.rest
    if (piece.star && piece.chunk.length === 0) return !subject.includes(SLASH)
    const after = matchPiece(piece, subject, rest.length === 0)
    if (after === undefined) {
      checkSyntax(rest)
      return false
    }
    subject = after
  }
  return subject.length === 0
}

/** Whether a COPY source has a wildcard: `*`, `?` or `[` without a backslash before it (fsutil's containsWildcards). */
export function hasWildcard(path: string): boolean {
  return /^(?:[^\\*?[]|\\[^])*[*?[]/.test(path)
}

interface Piece {
  readonly star: boolean
  readonly chunk: Uint8Array
  readonly rest: Uint8Array
}

/** Matches one piece at the start of the subject or, after a star, at the first place that fits; gives what remains. */
function matchPiece(piece: Piece, subject: Uint8Array, last: boolean): Uint8Array | undefined {
  const here = matchChunk(piece.chunk, subject)
  if (here !== undefined && (here.length === 0 || !last)) return here
  if (!piece.star) return undefined
  for (let i = 0; i < subject.length && subject[i] !== SLASH; i++) {
    const there = matchChunk(piece.chunk, subject.subarray(i + 1))
    if (there !== undefined && !(last && there.length > 0)) return there
  }
  return undefined
}

function checkSyntax(pattern: Uint8Array): void {
  for (let rest = pattern; rest.length > 0;) {
    const piece = scanChunk(rest)
    rest = piece.rest
    matchChunk(piece.chunk, new Uint8Array())
  }
}

/** Splits off stars and the text up to the next star that is in no class. */
function scanChunk(pattern: Uint8Array): Piece {
  let start = 0
  while (pattern[start] === STAR) start++
  let inClass = false
  let end = start
  for (; end < pattern.length; end++) {
    const byte = pattern[end]
    if (byte === BACKSLASH) {
      if (end + 1 < pattern.length) end++
    } else if (byte === OPEN) inClass = true
    else if (byte === CLOSE) inClass = false
    else if (byte === STAR && !inClass) break
  }
  return { star: start > 0, chunk: pattern.subarray(start, end), rest: pattern.subarray(end) }
}

/** What remains of `text` after the chunk, or undefined; reads the chunk to its end even then, for its syntax. */
function matchChunk(chunk: Uint8Array, text: Uint8Array): Uint8Array | undefined {
  let at = 0
  let failed = false
  let i = 0
  while (i < chunk.length) {
    failed ||= at >= text.length
    const byte = chunk[i]
    switch (byte) {
      case OPEN: {
        const rune = failed ? { value: 0, size: 0 } : decodeRune(text, at)
        at += rune.size
        const judged = matchClass(chunk, i + 1, rune.value)
        i = judged.next
        failed ||= !judged.matched
        break
      }
      case QUESTION:
        if (!failed) {
          failed = text[at] === SLASH
          at += decodeRune(text, at).size
        }
        i++
        break
      case BACKSLASH:
        i++
        if (i >= chunk.length) throw new BadPatternError()
        failed ||= chunk[i] !== text[at++]
        i++
        break
      case undefined:
      default:
        failed ||= byte !== text[at++]
        i++
    }
  }
  return failed ? undefined : text.subarray(at)
}

function matchClass(
  chunk: Uint8Array,
  start: number,
  rune: number,
): { readonly matched: boolean; readonly next: number } {
  const negated = chunk[start] === CARET
  let i = negated ? start + 1 : start
  let inside = false
  for (let ranges = 0; ; ranges++) {
    if (chunk[i] === CLOSE && ranges > 0) return { matched: inside !== negated, next: i + 1 }
    const low = classRune(chunk, i)
    i = low.next
    let high = low.value
    if (chunk[i] === DASH) {
      const end = classRune(chunk, i + 1)
      high = end.value
      i = end.next
    }
    inside ||= low.value <= rune && rune <= high
  }
}

/** Go's getEsc: one possibly escaped letter of a class, with something after it. */
function classRune(chunk: Uint8Array, start: number): { readonly value: number; readonly next: number } {
  const first = chunk[start]
  if (first === undefined || first === DASH || first === CLOSE) throw new BadPatternError()
  const at = first === BACKSLASH ? start + 1 : start
  if (at >= chunk.length) throw new BadPatternError()
  const rune = decodeRune(chunk, at)
  if (rune.value === INVALID_RUNE && rune.size === 1) throw new BadPatternError()
  if (at + rune.size >= chunk.length) throw new BadPatternError()
  return { value: rune.value, next: at + rune.size }
}

/** utf8.DecodeRune: a byte that starts no whole letter is U+FFFD of size 1. */
function decodeRune(bytes: Uint8Array, at: number): { readonly value: number; readonly size: number } {
  const lead = bytes[at] ?? 0
  if (lead < 0x80) return { value: lead, size: 1 }
  const size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2
  const text = Buffer.from(bytes.subarray(at, at + size)).toString('utf8')
  const value = text.codePointAt(0) ?? INVALID_RUNE
  const whole = value !== INVALID_RUNE || Buffer.from(text).equals(bytes.subarray(at, at + size))
  return whole ? { value, size } : { value: INVALID_RUNE, size: 1 }
}
