/**
 * The id of a file's bytes as git gives it: the hash of `blob SIZE`, a zero byte and the bytes as they lie there, without
 * filters. So it is the same whether git knew it or it was read here.
 */
import { createHash, hash } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { errorCode, UserError } from '../errors.ts'
import type { ObjectFormat } from './git-index.ts'
import { fromHere } from './near-path.ts'

/** A file as it was while its bytes were read: the same before and after. */
export interface ReadContent {
  readonly id: string
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number
}

/** Files up to this size are read at once, without a trip through the thread pool. */
export const SMALL_FILE_BYTES = 64 * 1024

const CHUNK_BYTES = 1 << 20
const HEADER_ROOM = 32
const ATTEMPTS = 5
/** No link is followed, and a pipe does not wait for a writer. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** Reads files of one context. */
export class ContentReader {
  readonly #small = Buffer.allocUnsafe(HEADER_ROOM + SMALL_FILE_BYTES)

  /**
   * Reads a file of at most SMALL_FILE_BYTES. Undefined where it is gone; `large` where it has grown since it was listed.
   * @throws UserError for a file that cannot be read, is no file any more, or keeps changing
   */
  readSmall(path: string, format: ObjectFormat): ReadContent | 'large' | undefined {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const fd = orGone(path, () => openSync(fromHere(path), OPEN_FLAGS))
      if (fd === undefined) return undefined
      try {
        const before = requireFile(path, fstatSync(fd))
        if (before.size > SMALL_FILE_BYTES) return 'large'
        const header = this.#small.write(`blob ${before.size}\0`, 'latin1')
        const end = header + before.size
        let at = header
        for (let got = -1; at < end && got !== 0; at += got) got = readSync(fd, this.#small, at, end - at, null)
        if (at === end && isSame(before, fstatSync(fd))) {
          return { id: hash(format, this.#small.subarray(0, end), 'hex'), mode: before.mode & 0o7777 }
        }
      } finally {
        closeSync(fd)
      }
    }
    throw changing(path)
  }

  /** Reads a file of any size in pieces. Undefined where it is gone. @throws UserError see readSmall */
  async readLarge(path: string, format: ObjectFormat): Promise<ReadContent | undefined> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      try {
        await using file = await open(path, OPEN_FLAGS)
        const before = requireFile(path, await file.stat())
        const id = await streamedId(file, { format, size: before.size })
        if (id !== undefined && isSame(before, await file.stat())) return { id, mode: before.mode & 0o7777 }
      } catch (error) {
        return orGone<ReadContent>(path, () => {
          throw error
        })
      }
    }
    throw changing(path)
  }
}

async function streamedId(
  file: FileHandle,
  { format, size }: { readonly format: ObjectFormat; readonly size: number },
): Promise<string | undefined> {
  const digest = createHash(format).update(`blob ${size}\0`)
  const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size + 1))
  let left = size
  while (left > 0) {
    const { bytesRead } = await file.read(chunk, 0, Math.min(chunk.length, left), null)
    if (bytesRead === 0) return undefined
    digest.update(chunk.subarray(0, bytesRead))
    left -= bytesRead
  }
  return digest.digest('hex')
}

/** Runs what opens or reads a file; undefined where it is gone. */
function orGone<T>(path: string, read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    switch (errorCode(error)) {
      case 'ENOENT':
      case 'ENOTDIR':
        return undefined
      case 'ELOOP':
      case 'EISDIR':
      case 'ENXIO':
        throw changing(path, error)
      case 'EACCES':
      case 'EPERM':
        throw new UserError(
          {
            message: `A file of the build context cannot be read: ${path}.`,
            mend: 'Give the user that runs this step read access to it, or exclude it in .dockerignore.',
          },
          { cause: error },
        )
      case undefined:
      default:
        throw error
    }
  }
}

function requireFile(path: string, stats: Stats): Stats {
  if (!stats.isFile()) throw changing(path)
  return stats
}

function isSame(before: Stats, after: Stats): boolean {
  return before.size === after.size && before.mtimeMs === after.mtimeMs && before.ctimeMs === after.ctimeMs
}

function changing(path: string, cause?: unknown): UserError {
  return new UserError(
    {
      message: `A file of the build context changes while it is read: ${path}.`,
      mend: 'End what writes to it before this step, or exclude it in .dockerignore.',
    },
    { cause },
  )
}
