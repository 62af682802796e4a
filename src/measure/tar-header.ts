/**
 * One 512-byte tar header block: where its fields stand and how its numbers are written. Owns the block alone; what
 * extension headers change about an entry is `tar-walker.ts`.
 *
 * https://github.com/golang/go/blob/go1.24.0/src/archive/tar/format.go
 */
import { TarFormatError } from './tar-error.ts'
import { decodeName } from './tar-text.ts'

export interface TarHeader {
  readonly path: string
  readonly linkPath: string
  /** One character; `\0` and `0` are regular files. */
  readonly type: string
  /** Bytes that follow the header (without padding). */
  readonly size: number
  /** Logical size of an old GNU sparse file (type `S`). */
  readonly sparseSize: number | undefined
  /** The sparse map goes on in blocks of its own before the data. */
  readonly sparseContinues: boolean
}

const BLOCK = 512
const CHECKSUM_AT = 148
const CHECKSUM_END = 156
const SPACE = 0x20
const USTAR = Buffer.from('ustar\0')
const GNU = Buffer.from('ustar  \0')
const STAR = Buffer.from('tar\0')

/** Whether a block holds only zeros, as the end of an archive does. */
export function isZeroBlock(block: Buffer): boolean {
  // Nearly every header starts with a name, so the first byte decides.
  if (block[0] !== 0) return false
  return block.every((byte) => byte === 0)
}

/**
 * Whether a block is a tar header by its checksum: the only test that v7 archives, which bear no magic, can pass.
 */
export function hasValidChecksum(block: Buffer): boolean {
  let stored
  try {
    stored = parseNumber(block, CHECKSUM_AT, CHECKSUM_END)
  } catch {
    return false
  }
  const sum = sumOfBytes(block)
  // Some old writers summed signed characters; archive/tar accepts both.
  return stored === sum || stored === sum - 256 * countOfHighBytes(block)
}

/** Four bytes at a time, in two sums of two bytes each: 256 bytes of 255 at most fit in 16 bits. */
function sumOfBytes(block: Buffer): number {
  const words = new DataView(block.buffer, block.byteOffset, BLOCK)
  let sums = 0
  for (let at = 0; at < BLOCK; at += 4) {
    const word = words.getUint32(at, true)
    sums = (sums + (word & 0x00ff00ff) + ((word >>> 8) & 0x00ff00ff)) | 0
  }
  // The checksum's own place counts as if it held blanks.
  let sum = (sums & 0xffff) + (sums >>> 16) + (CHECKSUM_END - CHECKSUM_AT) * SPACE
  for (let at = CHECKSUM_AT; at < CHECKSUM_END; at++) sum -= words.getUint8(at)
  return sum
}

function countOfHighBytes(block: Buffer): number {
  return block.subarray(0, BLOCK).reduce((count, byte, at) => {
    return count + (at >= CHECKSUM_AT && at < CHECKSUM_END ? 0 : byte >>> 7)
  }, 0)
}

/**
 * Reads a header block.
 * @throws TarFormatError on a wrong checksum or an unreadable number.
 */
export function parseBlock(block: Buffer): TarHeader {
  if (!hasValidChecksum(block)) throw new TarFormatError('bad-checksum', 'a header with a wrong checksum')
  const type = String.fromCharCode(block[156] ?? 0)
  const isUstar = holds(block, 257, USTAR)
  const name = field(block, 0, 100)
  // GNU's own format uses the place of the prefix for other things; only POSIX ustar has one (star's is shorter).
  const isStar = isUstar && holds(block, 508, STAR)
  const prefix = isUstar ? field(block, 345, isStar ? 476 : 500) : ''
  const isSparse = type === 'S' && holds(block, 257, GNU)
  return {
    path: prefix === '' ? name : `${prefix}/${name}`,
    linkPath: field(block, 157, 257),
    type,
    size: parseNumber(block, 124, 136),
    sparseSize: isSparse ? parseNumber(block, 483, 495) : undefined,
    sparseContinues: isSparse && block[482] !== 0,
  }
}

function holds(block: Buffer, start: number, bytes: Buffer): boolean {
  for (let i = 0; i < bytes.length; i++) if (block[start + i] !== bytes[i]) return false
  return true
}

function field(block: Buffer, start: number, end: number): string {
  if (block[start] === 0) return ''
  const nul = block.indexOf(0, start)
  return decodeName(block, start, nul === -1 || nul > end ? end : nul)
}

/** Octal text, or base-256 when the first bit is set (GNU, for what octal cannot hold). */
function parseNumber(block: Buffer, start: number, end: number): number {
  const first = block[start] ?? 0
  if ((first & 0x80) !== 0) return parseBase256(block, start, end, first)
  let value = 0
  let digits = 0
  for (let i = start; i < end; i++) {
    const byte = block[i] ?? 0
    if (byte >= 0x30 && byte <= 0x37) {
      // A number that a blank or NUL interrupts is none.
      if (digits < 0) throw new TarFormatError('bad-number', 'a header with an unreadable number')
      value = value * 8 + (byte - 0x30)
      digits++
    } else if (byte === 0 || byte === SPACE) {
      if (digits > 0) digits = -1
    } else {
      throw new TarFormatError('bad-number', 'a header with an unreadable number')
    }
  }
  return value
}

function parseBase256(block: Buffer, start: number, end: number, first: number): number {
  if ((first & 0x40) !== 0) throw new TarFormatError('bad-number', 'a header with a negative number')
  let value = first & 0x3f
  for (let i = start + 1; i < end; i++) value = value * 256 + (block[i] ?? 0)
  if (value > Number.MAX_SAFE_INTEGER) throw new TarFormatError('bad-number', 'a header with a number beyond 2^53')
  return value
}
