/**
 * An instruction's arguments, split the way its kind asks for: blanks, shell-like words with their quotes, name–value
 * pairs, JSON. It knows no instruction.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/parser/line_parsers.go
 */
import { parseJson } from '../json-fields.ts'
import type { EscapeCharacter } from './directives.ts'
import { SyntaxFault } from './dockerfile-error.ts'
import { goQuote, isSpace, splitBlanks, trimSpaceLeft } from './go-text.ts'

export interface Pair {
  readonly name: string
  readonly value: string
  /** The old form `ENV name value`. */
  readonly legacy: boolean
}

export interface JsonOrText {
  readonly args: readonly string[]
  readonly json: boolean
}

/** Words split at blanks outside quotes; quotes and escapes stay in them. */
export function quotedWords(text: string, escape: EscapeCharacter): readonly string[] {
  const words: string[] = []
  let word = ''
  let quote: string | undefined
  let started = false
  const end = (): void => {
    if (started) words.push(word)
    word = ''
    started = false
  }
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i)
    if (quote === undefined && isSpace(character)) {
      end()
      continue
    }
    // An escape protects any character, save in single quotes; at the end of the text it is dropped.
    if (character === escape && quote !== "'") {
      if (i + 1 === text.length) break
      word += character + text.charAt(++i)
      started = true
      continue
    }
    if (quote === undefined && (character === "'" || character === '"')) quote = character
    else if (character === quote) quote = undefined
    word += character
    started = true
  }
  end()
  return words
}

/** @throws SyntaxFault where a pair has no value */
export function nameValuePairs(text: string, keyword: string, escape: EscapeCharacter): readonly Pair[] {
  const words = quotedWords(text, escape)
  if (words[0] === undefined) return []
  if (!words[0].includes('=')) {
    const [name = '', value] = splitBlanks(text, 2)
    if (value === undefined) throw new SyntaxFault(`${keyword} must have two arguments`)
    return [{ name, value, legacy: true }]
  }
  return words.map((word) => {
    const equals = word.indexOf('=')
    if (equals === -1) {
      throw new SyntaxFault(`Syntax error - can't find = in ${goQuote(word)}. Must be of the form: name=value`)
    }
    return { name: word.slice(0, equals), value: word.slice(equals + 1), legacy: false }
  })
}

/** A JSON array of strings, or the whole text as one argument. @throws SyntaxFault as `jsonArray` */
export function jsonOrLine(text: string): JsonOrText {
  if (text === '') return { args: [], json: false }
  const array = jsonArray(text)
  return array === undefined ? { args: [text], json: false } : { args: array, json: true }
}

/** A JSON array of strings, or words split at blanks. @throws SyntaxFault as `jsonArray` */
export function jsonOrWords(text: string): JsonOrText {
  const array = jsonArray(text)
  if (array !== undefined) return { args: array, json: true }
  return { args: text === '' ? [] : splitBlanks(text), json: false }
}

/**
 * The strings of a JSON array; undefined where the text is none.
 * @throws SyntaxFault where it is an array with something else in it
 */
function jsonArray(text: string): readonly string[] | undefined {
  const start = trimSpaceLeft(text)
  if (!start.startsWith('[')) return undefined
  const values = parseJson(start)
  // Go cannot hold a number like 1e999, so for it this is no JSON.
  if (!Array.isArray(values) || values.some((value) => value === Infinity || value === -Infinity)) return undefined
  return values.map((value: unknown) => {
    if (typeof value === 'string') return value
    throw new SyntaxFault('when using JSON array syntax, arrays must be comprised of strings only')
  })
}
