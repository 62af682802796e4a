/**
 * What a directory's digest is over, written to one buffer and hashed there. A text that is put together of strings is copied
 * three times before it is hashed, and for a hundred thousand files that is the most of the work.
 */
import { hash } from 'node:crypto'
import type { DirectoryNode } from './tree-nodes.ts'

const START_BYTES = 1 << 16
/** Beside its name, a known file takes no more. */
const MOST_BESIDE_NAME = 100
/** A character of a string takes no more. */
const MOST_PER_CHARACTER = 3

export class DirectoryText {
  #bytes = Buffer.allocUnsafe(START_BYTES)
  #end = 0
  /** By permission bits. */
  readonly #files = new Map<number, string>()

  /** Begins a text. */
  begin(text: string): this {
    this.#end = 0
    return this.add(text)
  }

  add(text: string): this {
    this.#reserve(text.length * MOST_PER_CHARACTER)
    this.#write(text)
    return this
  }

  /** The same as `add` of `file MODE ID`, zero, name, zero. */
  addKnown(directory: DirectoryNode, index: number): void {
    const name = directory.nameAt(index)
    this.#reserve(name.length * MOST_PER_CHARACTER + MOST_BESIDE_NAME)
    this.#write(this.#fileOf(directory.modeAt(index)))
    this.#end = directory.writeIdAt(index, this.#bytes, this.#end)
    this.#bytes[this.#end++] = 0
    this.#write(name)
    this.#bytes[this.#end++] = 0
  }

  /** SHA-256 of all of it, hex digits. */
  hash(): string {
    return hash('sha256', this.#bytes.subarray(0, this.#end))
  }

  #fileOf(mode: number): string {
    const known = this.#files.get(mode)
    if (known !== undefined) return known
    const text = `file ${mode} `
    this.#files.set(mode, text)
    return text
  }

  #reserve(room: number): void {
    if (this.#end + room <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#end + room))
    larger.set(this.#bytes.subarray(0, this.#end))
    this.#bytes = larger
  }

  #write(text: string): void {
    const bytes = this.#bytes
    let at = this.#end
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      if (code > 0x7f) {
        this.#end += bytes.write(text, this.#end, 'utf8')
        return
      }
      bytes[at++] = code
    }
    this.#end = at
  }
}
