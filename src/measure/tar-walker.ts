/**
 * Walks the headers of a tar stream as its bytes arrive: which entries there are and how large their files are. Owns the
 * tar dialects (ustar, PAX, GNU, v7); file contents are skipped, or handed on as they come, never kept. It does not
 * decompress (`layer-reader.ts`) and does not know what a whiteout is.
 *
 * What is accepted follows Go's archive/tar, because that is what containerd and BuildKit unpack layers with:
 * https://github.com/golang/go/blob/go1.24.0/src/archive/tar/reader.go
 */
import { isZeroBlock, parseBlock, type TarHeader } from './tar-header.ts'
import { parsePaxRecords, parsePaxSize } from './tar-pax.ts'
import { TarFormatError } from './tar-error.ts'
import { decodeName } from './tar-text.ts'

export type TarEntryKind = 'file' | 'hard-link' | 'symlink' | 'directory' | 'other'

export interface TarEntry {
  /** As written in the archive (`./a`, `a`, `/a` are not made alike); untrusted. */
  readonly path: string
  readonly kind: TarEntryKind
  /** Bytes of the file as it reads once unpacked (the logical size of a sparse file); 0 for everything but files. */
  readonly size: number
  /** Where a link points; empty for all else. */
  readonly linkPath: string
}

/** Takes the content of one file as it comes. The bytes belong to the stream: what is to be kept must be copied. */
export interface ContentSink {
  readonly write: (piece: Uint8Array) => void
  /** All of it came. Not called where the archive stops early. */
  readonly end: () => void
}

export interface TarListener {
  /** Called for each entry whose header was read. */
  readonly onEntry: (entry: TarEntry) => void
  /** Called after `onEntry` for files (sparse ones aside): who wants the content? */
  readonly openContent?: ((entry: TarEntry) => ContentSink | undefined) | undefined
}

export interface TarWalker {
  /** Takes the next bytes. @throws TarFormatError */
  readonly push: (chunk: Uint8Array) => void
  /** Says that no bytes follow. @throws TarFormatError when the archive stops inside an entry. */
  readonly end: () => void
}

/** Go's limit for a PAX or GNU header's body; what is larger is refused, so memory stays bounded. */
const MAX_META_BYTES = 1 << 20
const BLOCK = 512

/** What extension headers said about the entry that follows them. */
interface Overrides {
  path?: string
  linkPath?: string
  size?: number
  logicalSize?: number
}

type MetaKind = 'pax' | 'pax-global' | 'long-name' | 'long-link'

/** A walker that tells its listener what it comes by. Memory: one block and one extension header. */
export function createTarWalker({ onEntry, openContent }: TarListener): TarWalker {
  const block = Buffer.alloc(BLOCK)
  let filled = 0
  /** Bytes still to be skipped: contents and padding. */
  let skip = 0
  let meta: { readonly kind: MetaKind; readonly body: Buffer; filled: number; readonly padding: number } | undefined
  let sparse: { readonly dataBytes: number } | undefined
  /** Who takes the content that follows, and how much of it is to come. */
  let content: { readonly sink: ContentSink; left: number } | undefined
  let zeroBlocks = 0
  let overrides: Overrides = {}
  let hasOverrides = false

  const takeMeta = (kind: MetaKind, body: Buffer): void => {
    if (kind !== 'pax-global') hasOverrides = true
    switch (kind) {
      case 'pax':
        overrides = { ...overrides, ...paxOverrides(body) }
        break
      case 'pax-global':
        // archive/tar hands global records to its caller and applies none of them; containerd ignores them.
        parsePaxRecords(body)
        break
      case 'long-name':
        overrides.path = untilNul(body)
        break
      case 'long-link':
        overrides.linkPath = untilNul(body)
        break
    }
  }

  const startMeta = (kind: MetaKind, size: number): void => {
    if (size > MAX_META_BYTES) throw new TarFormatError('extension-too-large', `an extension header of ${size} bytes`)
    if (size === 0) takeMeta(kind, Buffer.alloc(0))
    else meta = { kind, body: Buffer.alloc(size), filled: 0, padding: padding(size) }
  }

  /** Reports the entry; returns the bytes of data that follow its header. */
  const startEntry = (header: TarHeader): number => {
    const path = overrides.path ?? header.path
    const kind = kindOf(header.type, path)
    const dataBytes = HEADER_ONLY.has(header.type) ? 0 : (overrides.size ?? header.size)
    const logical = overrides.logicalSize ?? header.sparseSize ?? dataBytes
    const entry = {
      path,
      kind,
      size: kind === 'file' ? logical : 0,
      linkPath: kind === 'hard-link' || kind === 'symlink' ? (overrides.linkPath ?? header.linkPath) : '',
    }
    onEntry(entry)
    if (openContent !== undefined && kind === 'file' && logical === dataBytes && !header.sparseContinues) {
      const sink = openContent(entry)
      if (sink !== undefined && dataBytes === 0) sink.end()
      else if (sink !== undefined) content = { sink, left: dataBytes }
    }
    if (hasOverrides) {
      overrides = {}
      hasOverrides = false
    }
    return dataBytes
  }

  const takeBlock = (bytes: Buffer): void => {
    if (sparse !== undefined) {
      // Further blocks of an old GNU sparse map; byte 504 tells whether one more follows.
      if (bytes[504] === 0) {
        skip = sparse.dataBytes + padding(sparse.dataBytes)
        sparse = undefined
      }
      return
    }
    if (isZeroBlock(bytes)) {
      zeroBlocks++
      return
    }
    if (zeroBlocks > 0) throw new TarFormatError('bad-header', 'an entry after an empty block')
    const header = parseBlock(bytes)
    const metaKind = META_TYPES.get(header.type)
    if (metaKind !== undefined) {
      startMeta(metaKind, header.size)
      return
    }
    const dataBytes = startEntry(header)
    if (header.sparseContinues) sparse = { dataBytes }
    else skip = dataBytes + padding(dataBytes)
  }

  const passContent = (bytes: Buffer, at: number, length: number): void => {
    if (content === undefined) return
    const step = Math.min(content.left, length)
    content.sink.write(bytes.subarray(at, at + step))
    content.left -= step
    if (content.left > 0) return
    const { sink } = content
    content = undefined
    sink.end()
  }

  const push = (chunk: Uint8Array): void => {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let at = 0
    // Two empty blocks end the archive; what follows is padding of the tape.
    while (at < bytes.length && zeroBlocks < 2) {
      if (skip > 0) {
        const step = Math.min(skip, bytes.length - at)
        if (content !== undefined) passContent(bytes, at, step)
        skip -= step
        at += step
      } else if (meta !== undefined) {
        const step = bytes.copy(meta.body, meta.filled, at)
        meta.filled += step
        at += step
        if (meta.filled === meta.body.length) {
          const { kind, body } = meta
          skip = meta.padding
          meta = undefined
          takeMeta(kind, body)
        }
      } else if (filled === 0 && bytes.length - at >= BLOCK) {
        takeBlock(bytes.subarray(at, at + BLOCK))
        at += BLOCK
      } else {
        const step = bytes.copy(block, filled, at)
        filled += step
        at += step
        if (filled === BLOCK) {
          filled = 0
          takeBlock(block)
        }
      }
    }
  }

  const end = (): void => {
    if (zeroBlocks >= 2) return
    if (skip > 0 || filled > 0 || meta !== undefined || sparse !== undefined || hasOverrides) {
      throw new TarFormatError('truncated', 'the archive stops inside an entry')
    }
  }

  return { push, end }
}

const META_TYPES: ReadonlyMap<string, MetaKind> = new Map([
  ['x', 'pax'],
  ['g', 'pax-global'],
  ['L', 'long-name'],
  ['K', 'long-link'],
])

/** Types whose size field means nothing: links, devices, directories, pipes (isHeaderOnlyType in archive/tar). */
const HEADER_ONLY: ReadonlySet<string> = new Set(['1', '2', '3', '4', '5', '6'])

function kindOf(type: string, path: string): TarEntryKind {
  switch (type) {
    case '\0':
    case '0':
      // v7 archives mark a directory by a slash at the end of its name.
      return path.endsWith('/') ? 'directory' : 'file'
    case '7':
    case 'S':
      return 'file'
    case '1':
      return 'hard-link'
    case '2':
      return 'symlink'
    case '5':
      return 'directory'
    default:
      return 'other'
  }
}

function paxOverrides(body: Buffer): Overrides {
  const overrides: Overrides = {}
  for (const [key, value] of parsePaxRecords(body)) {
    if (key === 'path' || key === 'GNU.sparse.name') overrides.path = value
    else if (key === 'linkpath') overrides.linkPath = value
    else if (key === 'size') overrides.size = parsePaxSize(key, value)
    else if (key === 'GNU.sparse.realsize' || key === 'GNU.sparse.size')
      overrides.logicalSize = parsePaxSize(key, value)
  }
  return overrides
}

function untilNul(body: Buffer): string {
  const nul = body.indexOf(0)
  return decodeName(body, 0, nul === -1 ? body.length : nul)
}

function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK
}
