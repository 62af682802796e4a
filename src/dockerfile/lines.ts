/**
 * Physical lines to logical lines: byte-order mark, line ends, the length limit, comments, continuations, and the bodies
 * of heredocs. It does not look into a line.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/parser/parser.go (Parse)
 */
import { DirectiveReader, parseEscape, type EscapeCharacter } from './directives.ts'
import { SyntaxFault } from './dockerfile-error.ts'
import { trimSpaceLeft } from './go-text.ts'
import type { Heredoc, HeredocStart } from './heredoc.ts'

/** In bytes, without the line feed; BuildKit reads with a buffer of 64 KiB. */
export const MAX_LINE_BYTES = 65535

export interface LogicalLine {
  readonly text: string
  /** 1-based. */
  readonly line: number
  /** Of the last physical line read, blank ones at the end included. */
  readonly endLine: number
  /** A blank line stands within a continuation. */
  readonly emptyContinuation: boolean
}

export class LineReader {
  readonly #text: string
  readonly #above: number
  readonly #directives = new DirectiveReader()
  #escape: EscapeCharacter = '\\'
  #offset = 0
  #line: number
  #tooLong = false

  /** @param above how many lines of its file stand above the text */
  constructor(text: string, above = 0) {
    this.#text = text
    this.#above = above
    this.#line = above
  }

  /** As the directives read so far say; complete from the first logical line on. */
  get escape(): EscapeCharacter {
    return this.#escape
  }

  /** The physical line that was read last. */
  get line(): number {
    return this.#line
  }

  /** A line was too long: reading ended before it. */
  get tooLong(): boolean {
    return this.#tooLong
  }

  /**
   * The next logical line; undefined at the end.
   * @throws SyntaxFault for a bad directive; reading can go on behind it
   */
  next(): LogicalLine | undefined {
    for (;;) {
      const physical = this.#read()
      if (physical === undefined) return undefined
      const content = trimSpaceLeft(
        withoutLineEnd(this.#line === this.#above + 1 ? physical.replace(/^\ufeff/, '') : physical),
      )
      const directive = this.#directives.read(content)
      if (directive?.name === 'escape') this.#escape = parseEscape(directive.value)
      if (content === '' || content.startsWith('#')) continue
      return this.#continue(content)
    }
  }

  #continue(first: string): LogicalLine {
    const line = this.#line
    const parts: string[] = []
    let emptyContinuation = false
    let continued = this.#continued(first)
    if (continued === undefined) return { text: first, line, endLine: line, emptyContinuation }
    parts.push(continued)
    while (continued !== undefined) {
      const physical = this.#read()
      if (physical === undefined) break
      const content = withoutLineEnd(physical)
      const trimmed = trimSpaceLeft(content)
      if (trimmed.startsWith('#')) continue
      if (trimmed === '') {
        emptyContinuation = true
        continue
      }
      continued = this.#continued(content)
      parts.push(continued ?? content)
    }
    return { text: parts.join(''), line, endLine: this.#line, emptyContinuation }
  }

  /** The line without its continuation character; undefined where it is not continued (or the character is escaped). */
  #continued(content: string): string | undefined {
    let end = content.length
    while (end > 0 && ' \t'.includes(content.charAt(end - 1))) end--
    if (content.charAt(end - 1) !== this.#escape || content.charAt(end - 2) === this.#escape) return undefined
    return content.slice(0, end - 1)
  }

  /** Reads a heredoc's body. @throws SyntaxFault where its terminator is missing */
  readHeredoc(start: HeredocStart): Heredoc {
    const body: string[] = []
    for (;;) {
      const physical = this.#read()
      if (physical === undefined) throw new SyntaxFault('unterminated heredoc')
      const content = withoutLineEnd(physical)
      if ((start.chomp ? content.replace(/^\t+/, '') : content) === start.name) return { ...start, body: body.join('') }
      body.push(physical)
    }
  }

  /** A physical line with its line feed. */
  #read(): string | undefined {
    if (this.#tooLong || this.#offset >= this.#text.length) return undefined
    const lineFeed = this.#text.indexOf('\n', this.#offset)
    const end = lineFeed === -1 ? this.#text.length : lineFeed + 1
    const physical = this.#text.slice(this.#offset, end)
    const bytes = Buffer.byteLength(physical, 'utf8') - (lineFeed === -1 ? 0 : 1)
    if (bytes > MAX_LINE_BYTES) {
      this.#tooLong = true
      return undefined
    }
    this.#offset = end
    this.#line++
    return physical
  }
}

/** Cuts line feeds and carriage returns off the end; one within the line is a blank like others. */
function withoutLineEnd(physical: string): string {
  let end = physical.length
  while (end > 0 && '\r\n'.includes(physical.charAt(end - 1))) end--
  return physical.slice(0, end)
}
