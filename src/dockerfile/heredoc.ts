/**
 * Which words of a logical line announce heredocs. It does not read their bodies.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/parser/parser.go (heredocFromMatch,
 * heredocsFromLine), with the blanks after `<<` that dockerfile 1.16 allows.
 */
import { SyntaxFault } from './dockerfile-error.ts'
import { splitWords, type LexerOptions } from './lexer.ts'

/** `<<EOF`, before its body is read. */
export interface HeredocStart {
  /** The terminator, quotes removed. */
  readonly name: string
  /** Nothing of the name was quoted: COPY and ADD expand the body's variables. */
  readonly expand: boolean
  /** `<<-`: leading tabs are stripped. */
  readonly chomp: boolean
  readonly fileDescriptor: number
}

export interface Heredoc extends HeredocStart {
  /** The body as written, with its line ends. */
  readonly body: string
}

// Whatever the escape directive says, heredocs are lexed with the backslash.
const WORD: LexerOptions = { escape: '\\', keepUnset: true }
const RAW_WORD: LexerOptions = { ...WORD, rawQuotes: true }
const LINE: LexerOptions = { ...RAW_WORD, rawEscapes: true }

// The blanks after `<<` are [^<]* too, so the rest is trimmed by hand.
const HEREDOC = /^([0-9]*)<<(-?)([^<]*)$/

function nothing(): undefined {
  return undefined
}

/**
 * What a word announces; undefined where it announces nothing.
 * @throws SyntaxFault when the name's quotes do not match.
 */
export function parseHeredoc(word: string): HeredocStart | undefined {
  const match = HEREDOC.exec(word)
  const rest = match?.[3]?.replace(/^[\t\n\f\r ]+/, '') ?? ''
  if (match === null || rest === '') return undefined
  const words = splitWords(rest, nothing, WORD)
  const raw = splitWords(rest, nothing, RAW_WORD)
  const name = words[0]
  if (name === undefined || words.length !== 1) return undefined
  if (raw.length !== 1) {
    throw new SyntaxFault(`internal lexing of heredoc produced inconsistent results: ${rest}`)
  }
  const expand = countQuotes(name) === countQuotes(raw[0] ?? '')
  return { name, expand, chomp: match[2] === '-', fileDescriptor: Number(match[1] ?? '0') }
}

function countQuotes(text: string): number {
  return text.split(/['"]/).length - 1
}

/**
 * The heredocs of a logical line, in order. A line that cannot be lexed has none.
 * @throws SyntaxFault as `parseHeredoc`
 */
export function heredocsOfLine(line: string): readonly HeredocStart[] {
  if (!line.includes('<<')) return []
  return wordsOrNone(line).flatMap((word) => parseHeredoc(word) ?? [])
}

function wordsOrNone(line: string): readonly string[] {
  try {
    return splitWords(line, nothing, LINE)
  } catch (error) {
    if (error instanceof SyntaxFault) return []
    throw error
  }
}
