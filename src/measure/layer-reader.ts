/**
 * Reads a layer blob once, as its bytes arrive, and says what it holds: compression, diff id, sizes, entries. Memory
 * is bounded by a few stream buffers whatever the layer's size. It does not verify the blob's own digest (whoever
 * carries the bytes does) and keeps no file index; `listener` is there for one (`layer-files.ts`).
 */
import { createHash } from 'node:crypto'
import { addAbortSignal, Readable } from 'node:stream'

import { decompress, PIECE_BYTES } from './decompression.ts'
import { hasValidChecksum } from './tar-header.ts'
import { createTarWalker, type TarListener } from './tar-walker.ts'
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
  /** `sha256:…` of the uncompressed tar, as in the image config's `rootfs.diff_ids`; undefined where it was not asked for. */
  readonly diffId: string | undefined
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
  /** Hears of every entry, in the archive's order. */
  readonly listener?: TarListener | undefined
  /** Whether to work out the diff id, which takes half as long again as reading does; not without. */
  readonly diffId?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** Enough to tell a tar header by its checksum. */
const SNIFF_BYTES = 512
/** What need not be gathered to a larger piece. */
const ENOUGH_BYTES = PIECE_BYTES / 2
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
  const blob = pieces(input, (bytes) => (compressed += bytes))
  const first = await blob.next()
  const kind = kindOfBlob(first.done === true ? Buffer.alloc(0) : first.value.subarray(0, SNIFF_BYTES))
  if (kind === 'json') {
    input.destroy()
    throw new LayerFormatError('not-a-layer', 'a JSON document')
  }
  const whole = async function* (): AsyncGenerator<Buffer> {
    if (first.done !== true) yield first.value
    yield* blob
  }

  const hash = options.diffId === true ? createHash('sha256') : undefined
  let tar = 0
  let unpacked = 0
  let entries = 0
  const walker = createTarWalker({
    onEntry: (entry) => {
      unpacked += entry.size
      if (!Number.isSafeInteger(unpacked)) throw new LayerFormatError('corrupt', 'files of more than 2^53 bytes')
      entries++
      options.listener?.onEntry(entry)
    },
    openContent: options.listener?.openContent,
  })
  const take = (chunk: Buffer): void => {
    hash?.update(chunk)
    tar += chunk.length
    walker.push(chunk)
  }

  try {
    switch (kind) {
      case 'none':
        for await (const piece of whole()) take(piece)
        break
      case 'gzip':
        await decompress(whole(), { format: kind, take })
        break
      case 'zstd':
        await decompress(frames(whole()), { format: kind, take })
        break
    }
    walker.end()
  } catch (error) {
    throw asLayerError(error)
  } finally {
    input.destroy()
  }
  const diffId = hash === undefined ? undefined : `sha256:${hash.digest('hex')}`
  return { compression: kind, compressed, tar, diffId, unpacked, entries }
}

/**
 * The bytes in large pieces, the next one gathered while others are worked on. Each is only good until the next but one is
 * asked for: there are three buffers.
 */
async function* pieces(source: AsyncIterable<Uint8Array>, count: (bytes: number) => void): AsyncGenerator<Buffer> {
  const chunks = source[Symbol.asyncIterator]()
  let left: Uint8Array = Buffer.alloc(0)
  const gather = async (piece: Buffer): Promise<Buffer> => {
    let filled = 0
    while (filled < piece.length) {
      if (left.length === 0) {
        const chunk = await chunks.next()
        if (chunk.done === true) break
        left = chunk.value
        count(left.length)
      }
      if (filled === 0 && left.length >= ENOUGH_BYTES && left.length <= piece.length) {
        const whole = Buffer.from(left.buffer, left.byteOffset, left.byteLength)
        left = left.subarray(left.length)
        return whole
      }
      const taken = left.subarray(0, piece.length - filled)
      piece.set(taken, filled)
      filled += taken.length
      left = left.subarray(taken.length)
    }
    return piece.subarray(0, filled)
  }
  const buffers = Array.from({ length: 3 }, () => Buffer.allocUnsafeSlow(PIECE_BYTES))
  const gatherNext = (number: number): Promise<Buffer> => {
    const gathering = gather(buffers[number % buffers.length] ?? Buffer.alloc(0))
    // It is awaited below, unless nobody asks for more.
    gathering.catch(() => undefined)
    return gathering
  }
  let gathering = gatherNext(0)
  for (let number = 1; ; number++) {
    const piece = await gathering
    if (piece.length === 0) return
    gathering = gatherNext(number)
    yield piece
  }
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
