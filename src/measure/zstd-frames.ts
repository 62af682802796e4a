/**
 * Cuts a zstd stream at the ends of its frames without decompressing it. Needed because Node's decompressor silently
 * drops whatever follows a frame's end within one write (https://github.com/nodejs/node/issues/64741), and layers of
 * several frames are ordinary (pzstd, zstd:chunked): they would be measured too small. It also sees truncation that
 * the decompressor then misses. Owns the frame format's outline only.
 *
 * https://www.rfc-editor.org/rfc/rfc8878#section-3.1
 */

/** Bytes that do not follow the zstd frame format. */
export class ZstdFormatError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ZstdFormatError'
  }
}

export interface ZstdFrameSplitter {
  /** The chunk cut so that no piece holds bytes of two frames. @throws ZstdFormatError */
  readonly split: (chunk: Buffer) => readonly Buffer[]
  /** Whether the stream may end here. */
  readonly isBetweenFrames: () => boolean
}

const FRAME_MAGIC = 0xfd2fb528
const SKIPPABLE_MAGIC = 0x184d2a50
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const

/** What the bytes being collected are. */
type Field = 'magic' | 'skippable-size' | 'descriptor' | 'block-header'

/** What follows the bytes being skipped. */
type Next = 'block-header' | 'frame-end'

/** A splitter at the start of a stream. */
export function createZstdFrameSplitter(): ZstdFrameSplitter {
  let field: Field = 'magic'
  /** A little-endian number under way, and how many of its bytes have come. */
  let value = 0
  let got = 0
  let skip = 0
  let next: Next = 'frame-end'
  let hasChecksum = false

  const collect = (into: Field): void => {
    field = into
    value = 0
    got = 0
  }

  const skipThen = (bytes: number, then: Next): void => {
    skip = bytes
    next = then
  }

  /** Takes a whole field; true when a frame ends with it. */
  const takeField = (): boolean => {
    switch (field) {
      case 'magic':
        if (value === FRAME_MAGIC) collect('descriptor')
        else if (value - (value % 16) === SKIPPABLE_MAGIC) collect('skippable-size')
        else throw new ZstdFormatError('bytes between or after the frames')
        return false
      case 'skippable-size':
        skipThen(value, 'frame-end')
        return value === 0
      case 'descriptor': {
        const isSingleSegment = (value & 0x20) !== 0
        const contentSize = CONTENT_SIZE_BYTES[value >> 6] ?? 0
        hasChecksum = (value & 0x04) !== 0
        const rest =
          (isSingleSegment ? 0 : 1) +
          (DICTIONARY_ID_BYTES[value & 3] ?? 0) +
          (contentSize === 0 && isSingleSegment ? 1 : contentSize)
        skipThen(rest, 'block-header')
        if (rest === 0) collect('block-header')
        return false
      }
      case 'block-header': {
        const isLast = (value & 1) === 1
        const type = (value >> 1) & 3
        if (type === 3) throw new ZstdFormatError('a block of a reserved type')
        // A block of type 1 is one byte, repeated; its size field says how often.
        const body = type === 1 ? 1 : value >> 3
        if (isLast) {
          const rest = body + (hasChecksum ? 4 : 0)
          skipThen(rest, 'frame-end')
          return rest === 0
        }
        skipThen(body, 'block-header')
        if (body === 0) collect('block-header')
        return false
      }
    }
  }

  const split = (chunk: Buffer): readonly Buffer[] => {
    const pieces: Buffer[] = []
    let start = 0
    let at = 0
    const endFrame = (): void => {
      pieces.push(chunk.subarray(start, at))
      start = at
      collect('magic')
    }
    while (at < chunk.length) {
      if (skip > 0) {
        const step = Math.min(skip, chunk.length - at)
        skip -= step
        at += step
        if (skip > 0) break
        if (next === 'frame-end') endFrame()
        else collect('block-header')
      } else {
        value += (chunk[at] ?? 0) * 2 ** (8 * got)
        got++
        at++
        if (got === FIELD_BYTES[field] && takeField()) endFrame()
      }
    }
    if (start < chunk.length) pieces.push(chunk.subarray(start))
    return pieces
  }

  return { split, isBetweenFrames: () => field === 'magic' && got === 0 && skip === 0 }
}

const FIELD_BYTES: Readonly<Record<Field, number>> = {
  magic: 4,
  'skippable-size': 4,
  descriptor: 1,
  'block-header': 3,
}
