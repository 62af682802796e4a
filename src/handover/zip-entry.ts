/**
 * Reads the one file of an artifact's zip. An artifact may be anybody's: its names are compared and never used as
 * paths, what its header claims is held against limits before anything is unpacked, and nothing is written to disk.
 * https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 */
import { crc32, inflateRawSync } from 'node:zlib'
import { errorCode } from '../errors.ts'

export type EntryResult =
  | { readonly kind: 'read'; readonly text: string }
  /** `reason` completes "it was left out: …". */
  | { readonly kind: 'refused'; readonly reason: string }

const END = 0x06054b50
const CENTRAL = 0x02014b50
const LOCAL = 0x04034b50
const [END_BYTES, CENTRAL_BYTES, LOCAL_BYTES] = [22, 46, 30]
const MAX_COMMENT = 0xffff
const [STORED, DEFLATED] = [0, 8]
const ENCRYPTED = 1

class ZipFault extends Error {}

/**
 * The text of the file `name` in a zip that holds that file and no other; a text that is no zip stands for itself, as
 * an artifact may be uploaded without being packed.
 * @param maxBytes of the unpacked file
 */
export function readArtifact(bytes: Buffer, name: string, maxBytes: number): EntryResult {
  try {
    const content = isZip(bytes) ? onlyEntry(bytes, name, maxBytes) : bytes
    if (content.length > maxBytes) throw tooLarge(maxBytes)
    return { kind: 'read', text: new TextDecoder('utf-8', { fatal: true }).decode(content) }
  } catch (error) {
    if (error instanceof ZipFault) return { kind: 'refused', reason: error.message }
    const code = errorCode(error) ?? ''
    if (code === 'ERR_BUFFER_TOO_LARGE') return { kind: 'refused', reason: tooLarge(maxBytes).message }
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return { kind: 'refused', reason: 'it is not text in UTF-8' }
    // Reads beyond the end (RangeError) and zlib's own.
    return { kind: 'refused', reason: 'its zip is damaged' }
  }
}

function isZip(bytes: Buffer): boolean {
  const first = bytes.length < 4 ? 0 : bytes.readUInt32LE(0)
  return first === LOCAL || first === END
}

function onlyEntry(zip: Buffer, name: string, maxBytes: number): Buffer {
  const end = endOf(zip)
  const count = zip.readUInt16LE(end + 10)
  if (count !== 1) throw new ZipFault(`its zip holds ${count === 0xffff ? 'too many' : count} files instead of one`)
  const at = zip.readUInt32LE(end + 16)
  if (zip.readUInt32LE(at) !== CENTRAL) throw new ZipFault('its zip is damaged')
  const found = zip.toString('utf8', at + CENTRAL_BYTES, at + CENTRAL_BYTES + zip.readUInt16LE(at + 28))
  if (found !== name) throw new ZipFault(`its zip holds another file than ${name}`)
  if ((zip.readUInt16LE(at + 8) & ENCRYPTED) !== 0) throw new ZipFault('its zip is encrypted')
  const method = zip.readUInt16LE(at + 10)
  const [checksum, packed, size] = [zip.readUInt32LE(at + 16), zip.readUInt32LE(at + 20), zip.readUInt32LE(at + 24)]
  // Also where 0xffffffff says that a zip64 field has the size.
  if (size > maxBytes || packed > zip.length) throw tooLarge(maxBytes)
  const local = zip.readUInt32LE(at + 42)
  if (zip.readUInt32LE(local) !== LOCAL) throw new ZipFault('its zip is damaged')
  const start = local + LOCAL_BYTES + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28)
  if (start + packed > zip.length) throw new ZipFault('its zip is cut short')
  const data = zip.subarray(start, start + packed)
  const content = unpack(data, method, maxBytes)
  if (content.length !== size || crc32(content) !== checksum) throw new ZipFault('its zip is damaged')
  return content
}

function unpack(data: Buffer, method: number, maxBytes: number): Buffer {
  if (method === STORED) return data
  // What the header says of the size may be a lie: zlib stops at the limit.
  if (method === DEFLATED) return inflateRawSync(data, { maxOutputLength: maxBytes })
  throw new ZipFault('its zip is packed in a way of its own')
}

/** Where the end record stands: last in the file, but for a comment. */
function endOf(zip: Buffer): number {
  const lowest = Math.max(0, zip.length - END_BYTES - MAX_COMMENT)
  for (let at = zip.length - END_BYTES; at >= lowest; at--) {
    if (zip.readUInt32LE(at) === END && at + END_BYTES + zip.readUInt16LE(at + 20) === zip.length) return at
  }
  throw new ZipFault('its zip is cut short')
}

function tooLarge(maxBytes: number): ZipFault {
  return new ZipFault(`it is larger than ${maxBytes} bytes`)
}
