/**
 * Splits a stream of characters into words: blanks end a word, unless they come in raw (quoted or escaped). It knows
 * nothing of quotes; the lexer tells it.
 */
import { isSpace } from './go-text.ts'

export class WordCollector {
  readonly #words: string[] = []
  #word = ''

  /** Text whose blanks separate words. */
  add(text: string): void {
    for (const character of text) {
      if (isSpace(character)) this.#end()
      else this.#word += character
    }
  }

  /** Text that belongs to the word as it is. */
  addRaw(text: string): void {
    this.#word += text
  }

  /** The words so far; an empty one (`''`) does not count, as in BuildKit. */
  finish(): readonly string[] {
    this.#end()
    return this.#words
  }

  #end(): void {
    if (this.#word !== '') this.#words.push(this.#word)
    this.#word = ''
  }
}
