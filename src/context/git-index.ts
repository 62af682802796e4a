/**
 * Git's index, read from its file: which bytes a file had when git last looked at it, and what lstat said then. Read
 * here and not through `git status`, because that walks the tree a second time, may run programs that the repository
 * names (filters, file monitors), and takes more for equal than its bytes (line ends, clean filters).
 * https://git-scm.com/docs/index-format
 */
import { createHash } from 'node:crypto'
import type { Stats } from 'node:fs'

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
const REGULAR_MODES = new Set([0o100644, 0o100755])
const ASSUME_VALID = 0x8000
const EXTENDED = 0x4000
const STAGE = 0x3000
const SKIP_OR_INTENDED = 0x6000

interface EntryAt {
  readonly start: number
  /** Where the name starts. */
  readonly name: number
  /** Behind the entry's flags there is nothing that keeps its id from being used. */
  readonly plain: boolean
}

/** The index of one work tree. Paths are relative to the work tree's root, with slashes. */
export class GitIndex {
  readonly format: ObjectFormat
  /** Directories with a tracked `.gitattributes`, whether it is checked out or not. */
  readonly attributeFiles: ReadonlySet<string>
  readonly #bytes: Buffer
  readonly #offsets: ReadonlyMap<string, number>
  readonly #writtenMs: number

  private constructor(
    bytes: Buffer,
    options: {
      readonly format: ObjectFormat
      readonly offsets: ReadonlyMap<string, number>
      readonly writtenMs: number
    },
    attributeFiles: ReadonlySet<string>,
  ) {
    this.format = options.format
    this.attributeFiles = attributeFiles
    this.#bytes = bytes
    this.#offsets = options.offsets
    this.#writtenMs = options.writtenMs
  }

  /**
   * Reads an index; undefined for one that is damaged, split or of an unknown version.
   * @param options.writtenMs mtime of the index's file
   * @param options.prefix only files below this directory (`''`, or with a slash at its end) are wanted
   */
  static parse(
    bytes: Buffer,
    options: { readonly format: ObjectFormat; readonly writtenMs: number; readonly prefix: string },
  ): GitIndex | undefined {
    const idBytes = ID_BYTES[options.format]
    if (bytes.length < HEADER_BYTES + idBytes || bytes.toString('latin1', 0, 4) !== 'DIRC') return undefined
    const version = bytes.readUInt32BE(4)
    if (version < 2 || version > 4) return undefined
    const end = bytes.length - idBytes
    if (!isIntact(bytes, end, options.format)) return undefined
    const offsets = new Map<string, number>()
    const attributeFiles = new Set<string>()
    let at = HEADER_BYTES
    let previous: Buffer = Buffer.alloc(0)
    for (let count = bytes.readUInt32BE(8); count > 0; count--) {
      const entry = entryAt(bytes, at, idBytes)
      const nameStart = version === 4 ? skipVariable(bytes, entry.name) : entry.name
      const nameEnd = bytes.indexOf(0, nameStart)
      if (nameEnd < 0 || nameEnd >= end) return undefined
      let name = bytes.subarray(nameStart, nameEnd)
      if (version === 4) {
        const kept = previous.length - readVariable(bytes, entry.name)
        if (kept < 0) return undefined
        name = Buffer.concat([previous.subarray(0, kept), name])
        previous = name
        at = nameEnd + 1
      } else {
        at += (nameEnd - at + 8) & ~7
      }
      const path = name.toString('utf8')
      const attributes = isAttributeFile(path)
      if (attributes) attributeFiles.add(path.slice(0, -'/.gitattributes'.length))
      if (entry.plain && (attributes || path.startsWith(options.prefix))) offsets.set(path, entry.start)
    }
    return hasRequiredExtension(bytes, at, end)
      ? undefined
      : new GitIndex(bytes, { ...options, offsets }, attributeFiles)
  }

  /** The id of a file's bytes, where the file is still as git saw it; undefined where its bytes have to be read. */
  blobId(path: string, stat: Stats): string | undefined {
    const at = this.#offsets.get(path)
    if (at === undefined) return undefined
    const bytes = this.#bytes
    const mtimeMs = milliseconds(bytes, at + 8)
    const same =
      bytes.readUInt32BE(at + 36) === stat.size &&
      mtimeMs === stat.mtimeMs &&
      milliseconds(bytes, at) === stat.ctimeMs &&
      bytes.readUInt32BE(at + 20) === stat.ino >>> 0 &&
      bytes.readUInt32BE(at + 28) === stat.uid >>> 0 &&
      bytes.readUInt32BE(at + 32) === stat.gid >>> 0
    if (!same || mtimeMs + RACY_MS >= this.#writtenMs) return undefined
    return bytes.toString('hex', at + STAT_BYTES, at + STAT_BYTES + ID_BYTES[this.format])
  }
}

/** As Node computes a time of a Stats, so that both are equal to the last bit. */
function milliseconds(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 1000 + bytes.readUInt32BE(at + 4) / 1_000_000
}

function entryAt(bytes: Buffer, start: number, idBytes: number): EntryAt {
  const flagsAt = start + STAT_BYTES + idBytes
  const flags = bytes.readUInt16BE(flagsAt)
  const extended = (flags & EXTENDED) === 0 ? 0 : bytes.readUInt16BE(flagsAt + 2)
  const plain =
    (flags & (ASSUME_VALID | STAGE)) === 0 &&
    (extended & SKIP_OR_INTENDED) === 0 &&
    REGULAR_MODES.has(bytes.readUInt32BE(start + 24))
  return { start, name: flagsAt + ((flags & EXTENDED) === 0 ? 2 : 4), plain }
}

function isAttributeFile(path: string): boolean {
  return (
    path.endsWith('.gitattributes') && (path.length === '.gitattributes'.length || path.endsWith('/.gitattributes'))
  )
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
