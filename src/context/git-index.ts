/**
 * Git's index, read from its file: which bytes a file had when git last looked at it, and what lstat said then. Read
 * here and not through `git status`, because that walks the tree a second time, may run programs that the repository
 * names (filters, file monitors), and takes more for equal than its bytes (line ends, clean filters).
 * https://git-scm.com/docs/index-format
 */
import { createHash } from 'node:crypto'
import { Field } from './directory-listing.ts'
import { NumberTable } from './number-table.ts'

export type ObjectFormat = 'sha1' | 'sha256'

/** Bytes of one object id. */
export const ID_BYTES: Readonly<Record<ObjectFormat, number>> = { sha1: 20, sha256: 32 }

/**
 * A file that was written after this many milliseconds before the index was may have been written again since, with
 * the same time: clocks of file systems tick every few milliseconds. Such a file is read.
 */
const RACY_MS = 20

const HEADER_BYTES = 12
const STAT_BYTES = 40
const ASSUME_VALID = 0x8000
const EXTENDED = 0x4000
const STAGE = 0x3000
const SKIP_OR_INTENDED = 0x6000
const NAME_LENGTH = 0xfff
const ATTRIBUTES = Buffer.from('.gitattributes')
const SLASH = 0x2f
const DOT = 0x2e

/** What is kept of an index. */
interface Kept {
  readonly bytes: Buffer
  /** Of the same bytes. */
  readonly view: DataView
  readonly format: ObjectFormat
  /** mtime of the index's file. */
  readonly writtenMs: number
  /** Inode → where its entry starts. One of several hard links is enough: the others are read. */
  readonly entries: NumberTable
  /** Where an entry starts → its path, where the index shortens paths (version 4). */
  readonly shortened: ReadonlyMap<number, string> | undefined
  readonly attributeFiles: ReadonlySet<string>
}

/** The index of one work tree. Paths are relative to the work tree's root, with slashes. */
export class GitIndex {
  readonly format: ObjectFormat
  /** Directories with a tracked `.gitattributes`, whether it is checked out or not. */
  readonly attributeFiles: ReadonlySet<string>
  readonly #kept: Kept

  private constructor(kept: Kept) {
    this.format = kept.format
    this.attributeFiles = kept.attributeFiles
    this.#kept = kept
  }

  /**
   * Reads an index; undefined for one that is damaged, split or of an unknown version.
   * @param options.writtenMs mtime of the index's file
   */
  static parse(
    bytes: Buffer,
    options: { readonly format: ObjectFormat; readonly writtenMs: number },
  ): GitIndex | undefined {
    const idBytes = ID_BYTES[options.format]
    if (bytes.length < HEADER_BYTES + idBytes || bytes.toString('latin1', 0, 4) !== 'DIRC') return undefined
    const version = bytes.readUInt32BE(4)
    if (version < 2 || version > 4) return undefined
    const end = bytes.length - idBytes
    if (!isIntact(bytes, end, options.format)) return undefined
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const count = bytes.readUInt32BE(8)
    // An entry takes at least so many bytes.
    if (count * (STAT_BYTES + idBytes) > end) return undefined
    const entries = new NumberTable(count)
    const shortened = version === 4 ? new Map<number, string>() : undefined
    const attributeFiles = new Set<string>()
    let at = HEADER_BYTES
    let previous: Buffer = Buffer.alloc(0)
    for (let index = 0; index < count; index++) {
      if (at + STAT_BYTES + idBytes + 4 > end) return undefined
      const start = at
      const entryName = nameAt(view, start, idBytes)
      const nameStart = shortened === undefined ? entryName : skipVariable(bytes, entryName)
      const nameEnd = nameEndAt(bytes, nameStart, {
        length: shortened === undefined ? view.getUint16(start + STAT_BYTES + idBytes) & NAME_LENGTH : NAME_LENGTH,
      })
      if (nameEnd < 0 || nameEnd >= end) return undefined
      if (shortened === undefined) {
        at += (nameEnd - at + 8) & ~7
        if (isAttributeFile(bytes, nameStart, nameEnd)) {
          attributeFiles.add(directoryOf(bytes.toString('utf8', nameStart, nameEnd)))
        }
      } else {
        const kept = previous.length - readVariable(bytes, entryName)
        if (kept < 0) return undefined
        previous = Buffer.concat([previous.subarray(0, kept), bytes.subarray(nameStart, nameEnd)])
        at = nameEnd + 1
        shortened.set(start, previous.toString('utf8'))
        if (isAttributeFile(previous, 0, previous.length)) attributeFiles.add(directoryOf(previous.toString('utf8')))
      }
      if (isPlain(view, start, idBytes)) entries.set(view.getUint32(start + 20), start)
    }
    if (hasRequiredExtension(bytes, at, end)) return undefined
    return new GitIndex({ ...options, bytes, view, entries, shortened, attributeFiles })
  }

  /**
   * The entry of a file that is still as git saw it; 0 where its bytes have to be read.
   * @param path undefined where it does not matter under which path git saw it
   * @param numbers what lstat says of it, from `at` on
   */
  entryOf(path: string | undefined, numbers: Float64Array, at: number): number {
    const { bytes, view, entries, format, shortened, writtenMs } = this.#kept
    const entry = entries.get((numbers[at + Field.ino] ?? 0) >>> 0)
    if (entry === undefined) return 0
    const mtimeMs = milliseconds(view, entry + 8)
    const same =
      view.getUint32(entry + 36) === numbers[at + Field.size] &&
      mtimeMs === numbers[at + Field.mtimeMs] &&
      milliseconds(view, entry) === numbers[at + Field.ctimeMs] &&
      view.getUint32(entry + 16) === (numbers[at + Field.dev] ?? 0) >>> 0 &&
      view.getUint32(entry + 28) === (numbers[at + Field.uid] ?? 0) >>> 0 &&
      view.getUint32(entry + 32) === (numbers[at + Field.gid] ?? 0) >>> 0
    if (!same || mtimeMs + RACY_MS >= writtenMs) return 0
    const idEnd = entry + STAT_BYTES + ID_BYTES[format]
    return path !== undefined && (shortened?.get(entry) ?? nameIn(bytes, idEnd)) !== path ? 0 : entry
  }

  /** The id of an entry's file: hex digits. */
  idOf(entry: number): string {
    const { bytes, format } = this.#kept
    return bytes.toString('hex', entry + STAT_BYTES, entry + STAT_BYTES + ID_BYTES[format])
  }

  /** Writes the same to a buffer; returns where it ends. A hundred thousand strings would take longer than all else. */
  writeId(entry: number, target: Uint8Array, start: number): number {
    const { bytes, format } = this.#kept
    const first = entry + STAT_BYTES
    for (let from = first, at = start; from < first + ID_BYTES[format]; from++, at += 2) {
      const byte = bytes[from] ?? 0
      target[at] = HEX[byte >> 4] ?? 0
      target[at + 1] = HEX[byte & 0xf] ?? 0
    }
    return start + 2 * ID_BYTES[format]
  }
}

const HEX = Buffer.from('0123456789abcdef')

/** As Node computes a time of a Stats, so that both are equal to the last bit. */
function milliseconds(view: DataView, at: number): number {
  return view.getUint32(at) * 1000 + view.getUint32(at + 4) / 1_000_000
}

/** Where a name ends: its length is told, unless it is too long for that. -1 where there is no end. */
function nameEndAt(bytes: Buffer, start: number, { length }: { readonly length: number }): number {
  const told = start + length
  return length < NAME_LENGTH && bytes[told] === 0 ? told : bytes.indexOf(0, start)
}

function nameAt(view: DataView, start: number, idBytes: number): number {
  const flagsAt = start + STAT_BYTES + idBytes
  return flagsAt + ((view.getUint16(flagsAt) & EXTENDED) === 0 ? 2 : 4)
}

/** An entry's name, in an index that does not shorten names. */
function nameIn(bytes: Buffer, idEnd: number): string {
  const length = bytes.readUInt16BE(idEnd) & NAME_LENGTH
  const name = idEnd + ((bytes.readUInt16BE(idEnd) & EXTENDED) === 0 ? 2 : 4)
  return bytes.toString('utf8', name, length < NAME_LENGTH ? name + length : bytes.indexOf(0, name))
}

/** Whether an entry is of a file and has no flag that keeps its id from being used. */
function isPlain(view: DataView, start: number, idBytes: number): boolean {
  const flagsAt = start + STAT_BYTES + idBytes
  const flags = view.getUint16(flagsAt)
  const extended = (flags & EXTENDED) === 0 ? 0 : view.getUint16(flagsAt + 2)
  if ((flags & (ASSUME_VALID | STAGE)) !== 0 || (extended & SKIP_OR_INTENDED) !== 0) return false
  const mode = view.getUint32(start + 24)
  return mode === 0o100644 || mode === 0o100755
}

function isAttributeFile(bytes: Buffer, start: number, end: number): boolean {
  const at = end - ATTRIBUTES.length
  // Asked of every file: most are told by one byte.
  if (bytes[at] !== DOT || at < start || (at > start && bytes[at - 1] !== SLASH)) return false
  return bytes.subarray(at, end).equals(ATTRIBUTES)
}

function directoryOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

/** The checksum at the end; it is all zeros where `index.skipHash` is set. */
function isIntact(bytes: Buffer, end: number, format: ObjectFormat): boolean {
  const trailer = bytes.subarray(end)
  return (
    trailer.every((byte) => byte === 0) || createHash(format).update(bytes.subarray(0, end)).digest().equals(trailer)
  )
}

/** Git's offset encoding, as in packs: big endian groups of seven bits, each but the first with one added. */
function readVariable(bytes: Buffer, start: number): number {
  let at = start
  let byte = bytes[at++] ?? 0
  let value = byte & 0x7f
  while ((byte & 0x80) !== 0) {
    byte = bytes[at++] ?? 0
    value = (value + 1) * 128 + (byte & 0x7f)
  }
  return value
}

function skipVariable(bytes: Buffer, start: number): number {
  let at = start
  while (((bytes[at] ?? 0) & 0x80) !== 0) at++
  return at + 1
}

/**
 * Whether there is an extension that must be understood (a small letter first): a split index has most of its entries in
 * another file. `sdir` only says that some entries are directories, which nobody asks for.
 */
function hasRequiredExtension(bytes: Buffer, start: number, end: number): boolean {
  let at = start
  while (at + 8 <= end) {
    const signature = bytes.toString('latin1', at, at + 4)
    if (!/^[A-Z]/.test(signature) && signature !== 'sdir') return true
    at += 8 + bytes.readUInt32BE(at + 4)
  }
  return at !== end
}
