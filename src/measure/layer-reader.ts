/**
 * Reads a layer blob once, as its bytes arrive, and says what it holds: compression, diff id, sizes, entries. Memory
 * is bounded by a few stream buffers whatever the layer's size. It does not verify the blob's own digest (whoever
 * carries the bytes does) and keeps no file index; `onEntry` is there for one.
 */
import { createHash } from 'node:crypto'
import { addAbortSignal, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'

import { hasValidChecksum } from './tar-header.ts'
import { createTarWalker, type TarEntry } from './tar-walker.ts'
import { createZstdFrameSplitter, ZstdFormatError } from './zstd-frames.ts'
import { TarFormatError } from './tar-error.ts'

export type LayerCompression = 'gzip' | 'zstd' | 'none'

/** What a layer blob holds. Sizes are bytes. */
export interface LayerContent {
  readonly compression: LayerCompression
  /** The blob as it travels. */
  readonly compressed: number
  /** The tar archive, headers and padding included. */
  readonly tar: number
  /** `sha256:…` of the uncompressed tar, as in the image config's `rootfs.diff_ids`. */
  readonly diffId: string
  /** Σ regular files; a hard link counts nothing beside the file that it names, a sparse file its logical size. */
  readonly unpacked: number
  readonly entries: number
}

export type LayerFault = 'not-a-layer' | 'corrupt' | 'truncated'

/** The blob is no readable layer. The message holds no text from the blob. */
export class LayerFormatError extends Error {
  readonly fault: LayerFault
  constructor(fault: LayerFault, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'LayerFormatError'
    this.fault = fault
  }
}

export interface ReadLayerOptions {
  /** Called for every entry, in the archive's order. */
  readonly onEntry?: ((entry: TarEntry) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** Enough to tell a tar header by its checksum. */
const SNIFF_BYTES = 512
/**
 * Large pieces, and one or two of them ahead, so that decompression (a thread of its own) and hashing overlap. Several
 * layers are read at once, and more ahead of each takes 25 MB more.
 */
const DECOMPRESSOR = { chunkSize: 128 * 1024, readableHighWaterMark: 256 * 1024 }

/**
 * Reads a layer to its end. The blob upload does not say what it is, so the first bytes decide.
 * The source is used up, also after an error.
 * @throws LayerFormatError; an AbortError; whatever the source throws.
 */
export async function readLayer(
  source: AsyncIterable<Uint8Array>,
  options: ReadLayerOptions = {},
): Promise<LayerContent> {
  const input = source instanceof Readable ? source : Readable.from(source, { objectMode: true })
  // A layer that turns out to be unreadable ends its source with an error, which is told by the rejection; without a
  // listener the event would end the process.
  input.on('error', () => undefined)
  if (options.signal !== undefined) addAbortSignal(options.signal, input)
  let compressed = 0
  const counted = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of input as AsyncIterable<Uint8Array>) {
      compressed += chunk.byteLength
      yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    }
  }
  const { head, rest } = await sniff(counted())
  const kind = kindOfBlob(head)
  if (kind === 'json') throw new LayerFormatError('not-a-layer', 'a JSON document')

  const hash = createHash('sha256')
  let tar = 0
  let unpacked = 0
  let entries = 0
  const walker = createTarWalker((entry) => {
    unpacked += entry.size
    if (!Number.isSafeInteger(unpacked)) throw new LayerFormatError('corrupt', 'files of more than 2^53 bytes')
    entries++
    options.onEntry?.(entry)
  })
  const consume = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
    for await (const chunk of chunks) {
      hash.update(chunk)
      tar += chunk.length
      walker.push(chunk)
    }
    walker.end()
  }

  try {
    switch (kind) {
      case 'none':
        await pipeline(rest, consume)
        break
      case 'gzip':
        await pipeline(rest, createGunzip(DECOMPRESSOR), consume)
        break
      case 'zstd':
        await pipeline(frames(rest), createZstdDecompress(DECOMPRESSOR), consume)
        break
    }
  } catch (error) {
    throw asLayerError(error)
  }
  return { compression: kind, compressed, tar, diffId: `sha256:${hash.digest('hex')}`, unpacked, entries }
}

/** What a blob is, by its first bytes (up to 512 of them). */
export function kindOfBlob(head: Buffer): LayerCompression | 'json' {
  if (head.length >= 2 && head[0] === 0x1f && head[1] === 0x8b) return 'gzip'
  if (head.length >= 4) {
    const magic = head.readUInt32LE(0)
    if (magic === 0xfd2fb528 || magic >>> 4 === 0x184d2a5) return 'zstd'
  }
  // A file may be called `{…`, so what looks like JSON is a layer if it passes for a tar header.
  const isTar = head.length >= SNIFF_BYTES && hasValidChecksum(head)
  return !isTar && /^\s*[{[]/.test(head.toString('latin1', 0, 64)) ? 'json' : 'none'
}

/** The first bytes, and the whole stream with them in front again. */
async function sniff(source: AsyncGenerator<Buffer>): Promise<{ readonly head: Buffer; readonly rest: Readable }> {
  const first: Buffer[] = []
  let length = 0
  while (length < SNIFF_BYTES) {
    const next = await source.next()
    if (next.done === true) break
    first.push(next.value)
    length += next.value.length
  }
  const rest = async function* (): AsyncGenerator<Buffer> {
    yield* first
    yield* source
  }
  return { head: Buffer.concat(first).subarray(0, SNIFF_BYTES), rest: Readable.from(rest(), { objectMode: true }) }
}

async function* frames(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const splitter = createZstdFrameSplitter()
  for await (const chunk of source) yield* splitter.split(chunk)
  if (!splitter.isBetweenFrames()) throw new LayerFormatError('truncated', 'the zstd stream stops inside a frame')
}

function asLayerError(error: unknown): unknown {
  if (error instanceof TarFormatError) {
    return new LayerFormatError(error.fault === 'truncated' ? 'truncated' : 'corrupt', error.message, { cause: error })
  }
  if (error instanceof ZstdFormatError) return new LayerFormatError('corrupt', error.message, { cause: error })
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''
  if (code === 'Z_BUF_ERROR')
    return new LayerFormatError('truncated', 'the compressed stream stops early', { cause: error })
  if (/^(Z_|ZSTD_)/.test(code))
    return new LayerFormatError('corrupt', 'the compressed stream is damaged', { cause: error })
  return error
}
