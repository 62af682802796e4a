/**
 * The entries of a tar archive as bytes, one after another: 20 to 40 bytes each, nothing for a garbage collector to walk.
 * Owns that form only; what entries mean is `layer-files.ts`.
 */
import { trimPath } from './layer-nodes.ts'
import type { TarEntry, TarEntryKind } from './tar-walker.ts'

const KINDS: readonly TarEntryKind[] = ['file', 'hard-link', 'symlink', 'directory', 'other']
const KIND_NUMBERS: ReadonlyMap<TarEntryKind, number> = new Map(KINDS.map((kind, index) => [kind, index]))
/** The name is that of a file in the directory of the entry before. */
const SAME_DIRECTORY = 0x80
const FIRST_BYTES = 16 * 1024

export class EntryPacker {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES)
  #length = 0
  /** That of the last entry, with a slash at its end. */
  #directory = ''

  /** Bytes so far. */
  get length(): number {
    return this.#length
  }

  /** Adds an entry; of links only hard ones keep where they point. */
  add({ path: written, kind, size, linkPath }: TarEntry): void {
    const path = trimPath(written)
    const link = kind === 'hard-link' ? linkPath : ''
    // A kind, three numbers of up to eight bytes, texts of up to three bytes a character.
    this.#reserve(32 + (path.length + link.length) * 3)
    const nameAt = path.lastIndexOf('/') + 1
    const isBeside = nameAt === this.#directory.length && path.startsWith(this.#directory)
    if (!isBeside) this.#directory = path.slice(0, nameAt)
    this.#bytes[this.#length++] = (KIND_NUMBERS.get(kind) ?? 0) | (isBeside ? SAME_DIRECTORY : 0)
    this.#text(isBeside ? path.slice(nameAt) : path)
    if (kind === 'file') this.#number(size)
    if (kind === 'hard-link') this.#text(link)
  }

  /** All entries. */
  finish(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#length))
  }

  #text(text: string): void {
    const length = Buffer.byteLength(text)
    this.#number(length)
    this.#length += this.#bytes.write(text, this.#length)
  }

  /** Seven bits a byte, the lowest first. */
  #number(value: number): void {
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.#length++] = rest
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#length + bytes))
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}

export interface PackedEntry extends Omit<TarEntry, 'path'> {
  /** It lies in the directory of the entry before (of the first one: the root). */
  readonly isBeside: boolean
  /** From the root; beside another entry the last name only. No slash at either end. */
  readonly path: string
}

/** Visits the entries as they were packed. Each is only good until `visit` returns: one object tells them all. */
export function visitEntries(bytes: Buffer, visit: (entry: PackedEntry) => void): void {
  let at = 0
  const number = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 0x80) {
      const byte = bytes[at++] ?? 0
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
  }
  const text = (): string => {
    const length = number()
    at += length
    return bytes.toString('utf8', at - length, at)
  }
  const entry: { -readonly [Key in keyof PackedEntry]: PackedEntry[Key] } = {
    isBeside: false,
    path: '',
    kind: 'other',
    size: 0,
    linkPath: '',
  }
  while (at < bytes.length) {
    const head = bytes[at++] ?? 0
    entry.isBeside = (head & SAME_DIRECTORY) !== 0
    entry.kind = KINDS[head & ~SAME_DIRECTORY] ?? 'other'
    entry.path = text()
    entry.size = entry.kind === 'file' ? number() : 0
    entry.linkPath = entry.kind === 'hard-link' ? text() : ''
    visit(entry)
  }
}
