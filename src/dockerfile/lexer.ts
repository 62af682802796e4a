/**
 * BuildKit's shell lexer: quotes, escapes and variables of one text, as a whole (`expandWord`) or split into words
 * (`splitWords`). Which variables exist is the caller's business.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/shell/lex.go
 */
import { SyntaxFault } from './dockerfile-error.ts'
import type { EscapeCharacter } from './directives.ts'
import { goQuote, isSpace } from './go-text.ts'
import { applyModifier } from './modifiers.ts'
import { WordCollector } from './word-collector.ts'

/** A variable's value; undefined where it is not set. */
export type Variables = (name: string) => string | undefined

export interface LexerOptions {
  readonly escape: EscapeCharacter
  /** Quotes stay in the result. */
  readonly rawQuotes?: boolean
  /** Escape characters stay in the result. */
  readonly rawEscapes?: boolean
  /** A variable that is not set stays as it is written. */
  readonly keepUnset?: boolean
  /** Quotes are ordinary characters (heredoc bodies). */
  readonly ignoreQuotes?: boolean
}

export interface Expansion {
  readonly text: string
  /** Names that were looked up and found. */
  readonly matched: ReadonlySet<string>
  /** Names that were looked up and not found. */
  readonly unmatched: ReadonlySet<string>
}

/** A text that cannot be expanded, with the names that were not found up to there. */
export class ExpansionFault extends SyntaxFault {
  readonly unmatched: ReadonlySet<string>

  constructor(message: string, unmatched: ReadonlySet<string>) {
    super(message)
    this.unmatched = unmatched
  }
}

const PLAIN = /^[^$'"\\`<]*$/
const NOTHING: ReadonlySet<string> = new Set()

/**
 * Expands the variables and removes the quotes of a text; blanks stay.
 * @throws ExpansionFault `failed to process "…": …`
 */
export function expandWord(text: string, variables: Variables, options: LexerOptions): Expansion {
  if (PLAIN.test(text)) return { text, matched: NOTHING, unmatched: NOTHING }
  const lexer = new Lexer(text, variables, options)
  const { result } = lexer.run()
  return { text: result, matched: lexer.matched, unmatched: lexer.unmatched }
}

/**
 * The words of a text, split at blanks outside quotes after expansion.
 * @throws ExpansionFault `failed to process "…": …`
 */
export function splitWords(text: string, variables: Variables, options: LexerOptions): readonly string[] {
  return new Lexer(text, variables, options).run().words
}

const END_AS_TEXT = '\ufffd' // what string(EOF) is in Go
const SPECIAL = '@*#?-$!0'
const MAX_NESTING = 400 // words in words recurse; Go's stack is larger, but nobody nests this deep in earnest

interface Lexed {
  readonly result: string
  readonly words: readonly string[]
}

class Lexer {
  readonly matched = new Set<string>()
  readonly unmatched = new Set<string>()
  readonly #source: string
  readonly #characters: readonly string[]
  readonly #variables: Variables
  readonly #options: LexerOptions
  #position = 0
  #rawEscapes: boolean
  #depth = 0

  constructor(source: string, variables: Variables, options: LexerOptions) {
    this.#source = source
    this.#characters = Array.from(source)
    this.#variables = variables
    this.#options = options
    this.#rawEscapes = options.rawEscapes ?? false
  }

  run(): Lexed {
    try {
      return this.#until(undefined, this.#rawEscapes)
    } catch (error) {
      if (!(error instanceof SyntaxFault)) throw error
      throw new ExpansionFault(`failed to process ${goQuote(this.#source)}: ${error.message}`, this.unmatched)
    }
  }

  #peek(): string | undefined {
    return this.#characters[this.#position]
  }

  #next(): string | undefined {
    return this.#characters[this.#position++]
  }

  /** Reads up to and with `stop`, or to the end where there is none. */
  #until(stop: string | undefined, rawEscapes: boolean): Lexed {
    if (++this.#depth > MAX_NESTING) throw new SyntaxFault('nested too deep')
    const outerRawEscapes = this.#rawEscapes
    this.#rawEscapes = rawEscapes
    try {
      return this.#readUntil(stop)
    } finally {
      this.#rawEscapes = outerRawEscapes
      this.#depth--
    }
  }

  #readUntil(stop: string | undefined): Lexed {
    const words = new WordCollector()
    let result = ''
    for (let character = this.#peek(); character !== undefined; character = this.#peek()) {
      if (character === stop) {
        this.#position++
        return { result, words: words.finish() }
      }
      const special = this.#special(character)
      if (special !== undefined) {
        result += special
        if (character === '$') words.add(special)
        else words.addRaw(special)
        continue
      }
      this.#position++
      if (character !== this.#options.escape) {
        words.add(character)
        result += character
        continue
      }
      if (this.#rawEscapes) {
        words.addRaw(character)
        result += character
      }
      const escaped = this.#next()
      if (escaped === undefined) break
      words.addRaw(escaped)
      result += escaped
    }
    if (stop !== undefined) throw new SyntaxFault(`unexpected end of statement while looking for matching ${stop}`)
    return { result, words: words.finish() }
  }

  /** The text that a special character stands for, or undefined where the character is none. */
  #special(character: string): string | undefined {
    if (character === '$') return this.#dollar()
    if (character === '<') return this.#heredoc()
    if (this.#options.ignoreQuotes ?? false) return undefined
    if (character === "'") return this.#singleQuoted()
    return character === '"' ? this.#doubleQuoted() : undefined
  }

  /** `<<` takes the blanks after it along, so that `<< EOF` is one word. */
  #heredoc(): string {
    this.#position++
    if (this.#peek() !== '<') return '<'
    this.#position++
    let blanks = ''
    for (let c = this.#peek(); c !== undefined && isSpace(c); c = this.#peek()) {
      blanks += c
      this.#position++
    }
    return `<<${blanks}`
  }

  #singleQuoted(): string {
    const end = this.#characters.indexOf("'", this.#position + 1)
    if (end === -1) {
      this.#position = this.#characters.length
      throw new SyntaxFault('unexpected end of statement while looking for matching single-quote')
    }
    const inner = this.#characters.slice(this.#position + 1, end).join('')
    this.#position = end + 1
    return this.#quoted("'", inner)
  }

  #doubleQuoted(): string {
    this.#position++
    let result = ''
    for (;;) {
      const character = this.#peek()
      if (character === undefined) {
        throw new SyntaxFault('unexpected end of statement while looking for matching double-quote')
      }
      if (character === '$') {
        result += this.#dollar()
        continue
      }
      this.#position++
      if (character === '"') return this.#quoted('"', result)
      if (character !== this.#options.escape) {
        result += character
        continue
      }
      if (this.#rawEscapes) result += character
      const escaped = this.#peek()
      if (escaped === undefined) continue
      // Only these can be escaped inside quotes; before any other character the escape is an ordinary one.
      if (escaped === '"' || escaped === '$' || escaped === this.#options.escape) result += this.#next() ?? ''
      else result += character
    }
  }

  #quoted(quote: string, inner: string): string {
    return (this.#options.rawQuotes ?? false) ? `${quote}${inner}${quote}` : inner
  }

  #dollar(): string {
    this.#position++
    if (this.#peek() !== '{') {
      const name = this.#name()
      if (name === '') return '$'
      const value = this.#lookUp(name)
      return value ?? ((this.#options.keepUnset ?? false) ? `$${name}` : '')
    }
    this.#position++
    const first = this.#peek()
    if (first === undefined) throw new SyntaxFault("syntax error: missing '}'")
    if (first === '{' || first === '}' || first === ':') throw new SyntaxFault('syntax error: bad substitution')
    return this.#substitution(this.#name())
  }

  #substitution(name: string): string {
    let operator = this.#next() ?? END_AS_TEXT
    if (operator === '}') {
      const value = this.#lookUp(name)
      return value ?? ((this.#options.keepUnset ?? false) ? `\${${name}}` : '')
    }
    if (operator === '/') return this.#replacement(name)
    const emptyIsUnset = operator === ':'
    if (emptyIsUnset) operator = this.#next() ?? END_AS_TEXT
    const written = emptyIsUnset ? `:${operator}` : operator
    const isPattern = operator === '#' || operator === '%'
    // The word of `${V:x…}` is read before it is found that x is no modifier, so there a missing brace is said first.
    if (emptyIsUnset ? isPattern : !'+-?#%'.includes(operator)) {
      throw new SyntaxFault(`unsupported modifier (${written}) in substitution`)
    }
    const word = this.#operand('}', isPattern, "syntax error: missing '}'")
    const value = this.#lookUp(name)
    if (value === undefined && (this.#options.keepUnset ?? false)) return `\${${name}${written}${word}}`
    return applyModifier({ name, value, operator, written, word, emptyIsUnset })
  }

  #replacement(name: string): string {
    const all = this.#peek() === '/'
    if (all) this.#position++
    const word = this.#operand('/', true, "syntax error: missing '/' in ${}")
    const replacement = this.#operand('}', true, "syntax error: missing '}'")
    const value = this.#lookUp(name)
    if (value === undefined && (this.#options.keepUnset ?? false)) return `\${${name}/${word}/${replacement}}`
    const operator = all ? '//' : '/'
    return applyModifier({ name, value, operator, written: operator, word, emptyIsUnset: false, replacement })
  }

  /** The word after a modifier; `missing` is said where the text ends before `stop`. */
  #operand(stop: string, rawEscapes: boolean, missing: string): string {
    try {
      return this.#until(stop, rawEscapes).result
    } catch (error) {
      if (error instanceof SyntaxFault && this.#peek() === undefined) throw new SyntaxFault(missing)
      throw error
    }
  }

  /** A name, a number, or one special parameter; empty where there is none. */
  #name(): string {
    const first = this.#peek()
    if (first === undefined) return ''
    if (/\p{Nd}/u.test(first)) return this.#while(/\p{Nd}/u)
    if (SPECIAL.includes(first)) return this.#next() ?? ''
    return this.#while(/[\p{L}\p{Nd}_]/u)
  }

  #while(pattern: RegExp): string {
    const start = this.#position
    for (let c = this.#peek(); c !== undefined && pattern.test(c); c = this.#peek()) this.#position++
    return this.#characters.slice(start, this.#position).join('')
  }

  #lookUp(name: string): string | undefined {
    const value = this.#variables(name)
    ;(value === undefined ? this.unmatched : this.matched).add(name)
    return value
  }
}
