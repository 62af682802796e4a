/**
 * The blobs that BuildKit pushed in this run, kept as files until they are saved. A blob that cannot be written (a full
 * disk) is not kept, and none after it; the build does not notice, for the last of the disk is left to its own files.
 */
import { createReadStream } from 'node:fs'
import { mkdir, open, rename, rm, statfs, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { BlobSink } from './blob-uploads.ts'
import type { BlobSource, OpenedBlob } from './blob-source.ts'

export interface SpoolOptions {
  /** A directory of its own; made when the first blob comes. */
  readonly folder: string
  /** Called for each blob that is complete. */
  readonly onBlob: (digest: string, size: number) => void
}

/** Of the disk: left to others, or the sixteenth part of a small one. */
const LEFT_BYTES = 256 << 20
/** How much is written before the disk is asked again. */
const STRIDE_BYTES = 16 << 20

export class Spool implements BlobSource {
  readonly #options: SpoolOptions
  readonly #sizes = new Map<string, number>()
  readonly #taken = new Set<string>()
  #parts = 0
  /** Bytes that may be written before the disk is asked. */
  #granted = 0
  /** Bytes that wait to be written. */
  #pending = 0
  #fault: unknown

  constructor(options: SpoolOptions) {
    this.#options = options
  }

  /** Why blobs are no longer kept; undefined while they are. */
  get fault(): unknown {
    return this.#fault
  }

  /** Digest → bytes of every blob that is kept. */
  get blobs(): ReadonlyMap<string, number> {
    return this.#sizes
  }

  pathOf(digest: string): string {
    return join(this.#options.folder, digest.replace(':', '-'))
  }

  promised(digest: string): Promise<number | undefined> {
    return Promise.resolve(this.#sizes.get(digest))
  }

  open(digest: string): Promise<OpenedBlob | undefined> {
    const size = this.#sizes.get(digest)
    if (size === undefined) return Promise.resolve(undefined)
    return Promise.resolve({ size, open: (range) => createReadStream(this.pathOf(digest), range ?? {}) })
  }

  /** Takes a file that lies on the same disk for a blob; it need not be told of. @throws Error when it cannot be moved */
  async adopt(path: string, digest: string, size: number): Promise<void> {
    await mkdir(this.#options.folder, { recursive: true })
    await rename(path, this.pathOf(digest))
    this.#taken.add(digest)
    this.#sizes.set(digest, size)
  }

  openSink(): BlobSink {
    const part = join(this.#options.folder, `part-${this.#parts++}`)
    let file: Promise<FileHandle> | undefined
    const guarded = async (step: () => Promise<void>): Promise<void> => {
      try {
        await step()
      } catch (error) {
        this.#fault ??= error
        throw error
      }
    }
    return {
      write: async (chunk) => {
        if (this.#fault !== undefined) throw new Error('the disk took no more blobs')
        await guarded(async () => {
          const handle = await (file ??= this.#create(part))
          this.#pending += chunk.length
          try {
            await this.#grant(chunk.length)
            for (let at = 0; at < chunk.length;) at += (await handle.write(chunk, at)).bytesWritten
          } finally {
            this.#pending -= chunk.length
          }
        })
      },
      finish: async (digest, size) => {
        await guarded(async () => {
          await (await (file ??= this.#create(part))).close()
          // Two targets may push the same blob at once; the first copy may be on its way to the cache already.
          const isFirst = !this.#taken.has(digest)
          this.#taken.add(digest)
          await (isFirst ? rename(part, this.pathOf(digest)) : rm(part))
          if (!isFirst) return
          this.#sizes.set(digest, size)
          this.#options.onBlob(digest, size)
        })
      },
      abort: () => {
        void file?.then((handle) => handle.close()).catch(() => undefined)
        void rm(part, { force: true }).catch(() => undefined)
      },
    }
  }

  async #create(part: string): Promise<FileHandle> {
    await mkdir(this.#options.folder, { recursive: true })
    return await open(part, 'wx')
  }

  /** @throws Error when writing these bytes would leave too little of the disk */
  async #grant(bytes: number): Promise<void> {
    this.#granted -= bytes
    if (this.#granted >= 0) return
    const { bavail, blocks, bsize } = await statfs(this.#options.folder)
    const room = bavail * bsize - Math.min(LEFT_BYTES, (blocks * bsize) / 16) - this.#pending
    if (room < 0) throw new Error('the disk is almost full')
    // Others write to it, too.
    this.#granted = Math.min(room / 4, STRIDE_BYTES)
  }
}
