/**
 * Reads a layer blob once, as its bytes arrive, and says what it holds: compression, diff id, sizes, entries. Memory
 * is bounded by a few stream buffers whatever the layer's size. It does not verify the blob's own digest (whoever
 * carries the bytes does) and keeps no file index; `listener` is there for one (`layer-files.ts`).
 */
import { createHash } from 'node:crypto'
import { addAbortSignal, Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'

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
/**
 * Large pieces in and out, for each is a round trip to the thread that decompresses. Of what goes in, no more is taken
 * than is worked on, as it lies in a buffer that is used again.
 */
const PIECE_BYTES = 1 << 20
const DECOMPRESSOR = { chunkSize: PIECE_BYTES, readableHighWaterMark: 2 * PIECE_BYTES, writableHighWaterMark: 1 }

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
    if (kind !== 'none') release(chunk)
  }

  try {
    switch (kind) {
      case 'none':
        await pipeline(whole, afterwards(take, 1))
        break
      case 'gzip':
        await pipeline(whole, createGunzip(DECOMPRESSOR), afterwards(take))
        break
      case 'zstd':
        await pipeline(frames(whole()), createZstdDecompress(DECOMPRESSOR), afterwards(take))
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
 * Takes each piece only after whoever brought it went on: a decompressor hands a piece over and then begins the next one,
 * in a thread of its own, so that both sides work at the same time.
 */
function afterwards(take: (chunk: Buffer) => void, highWaterMark = 2 * PIECE_BYTES): Writable {
  return new Writable({
    highWaterMark,
    write: (chunk: Buffer, _encoding, done) => {
      queueMicrotask(() => {
        try {
          take(chunk)
        } catch (error) {
          done(error instanceof Error ? error : new Error(String(error)))
          return
        }
        done()
      })
    },
  })
}

/**
 * Gives the memory of a whole output buffer back at once, for a garbage collector would keep a hundred megabytes of them,
 * and new memory is slower than what was just used. A decompressor cannot need a buffer that it handed out to its end.
 */
function release({ buffer, byteOffset, byteLength }: Buffer): void {
  if ('transfer' in buffer && buffer.byteLength === PIECE_BYTES && byteOffset + byteLength === PIECE_BYTES)
    buffer.transfer(0)
}

/**
 * The bytes in large pieces, the next one gathered while one is worked on. Each is only good until another one is asked
 * for: there are two buffers.
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
      const taken = left.subarray(0, piece.length - filled)
      piece.set(taken, filled)
      filled += taken.length
      left = left.subarray(taken.length)
    }
    return piece.subarray(0, filled)
  }
  let [now, then] = [Buffer.allocUnsafeSlow(PIECE_BYTES), Buffer.allocUnsafeSlow(PIECE_BYTES)]
  let gathering = gather(now)
  for (;;) {
    const piece = await gathering
    if (piece.length === 0) return
    ;[now, then] = [then, now]
    gathering = gather(now)
    // It is awaited above, unless nobody asks for more.
    gathering.catch(() => undefined)
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
