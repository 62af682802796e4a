/**
 * Decompresses a stream in large pieces on a thread of Node's pool, beside whoever takes what comes out. The thread is never
 * left waiting for this one: the next input lies ready when one is used up, and what came out is only looked at after more
 * was asked for. Memory: some pieces.
 */
import { finished } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'

/** Large, for each piece in or out is a round trip to the thread. */
export const PIECE_BYTES = 1 << 20
const OPTIONS = { chunkSize: PIECE_BYTES, readableHighWaterMark: 2 * PIECE_BYTES }
/** One that is worked on, one that is ready. */
const WRITES = 2

/**
 * Passes on what the blob holds, each piece good only until `take` returns.
 * @param blob each piece is used until the next but one is asked for. With zstd none holds bytes of two frames.
 * @throws what the blob or `take` throws; zlib's errors.
 */
export async function decompress(
  blob: AsyncIterable<Buffer>,
  { format, take }: { readonly format: 'gzip' | 'zstd'; readonly take: (piece: Buffer) => void },
): Promise<void> {
  const decompressor = format === 'gzip' ? createGunzip(OPTIONS) : createZstdDecompress(OPTIONS)
  const ended = finished(decompressor)
  // It is awaited below, unless the blob fails first.
  ended.catch(() => undefined)
  let failure: { readonly error: unknown } | undefined
  decompressor.on('data', (piece: Buffer) => {
    // Until then the thread has its next work.
    queueMicrotask(() => {
      if (failure !== undefined) return
      try {
        take(piece)
        release(piece)
      } catch (error) {
        failure = { error }
        decompressor.destroy()
      }
    })
  })

  let writes = 0
  let goOn = (): void => undefined
  decompressor.once('close', () => {
    goOn()
  })
  const written = (): void => {
    writes--
    goOn()
  }
  try {
    for await (const piece of blob) {
      writes++
      decompressor.write(piece, written)
      while (writes >= WRITES && !decompressor.destroyed) {
        await new Promise<void>((resolve) => {
          goOn = resolve
        })
      }
      if (decompressor.destroyed) break
    }
    if (!decompressor.destroyed) decompressor.end()
    await ended
  } catch (error) {
    throw failure === undefined ? error : failure.error
  } finally {
    decompressor.destroy()
  }
  if (failure !== undefined) throw failure.error
}

/**
 * Gives the memory of a whole output buffer back at once, for a garbage collector would keep a hundred megabytes of them,
 * and new memory is slower than what was just used. A decompressor cannot need a buffer that it handed out to its end.
 */
function release({ buffer, byteOffset, byteLength }: Buffer): void {
  if ('transfer' in buffer && buffer.byteLength === PIECE_BYTES && byteOffset + byteLength === PIECE_BYTES)
    buffer.transfer(0)
}
