/**
 * Blob uploads in flight: their bytes are hashed and counted as they pass and handed to sinks, never kept here.
 * Whatever ends early (a client that vanishes, a wrong digest) aborts its sinks and is forgotten.
 */
import { createHash, randomUUID, type Hash } from 'node:crypto'

/** Takes the bytes of one blob. A sink that fails is dropped; the upload goes on, for it must not fail a build. */
export interface BlobSink {
  /** Resolves when the next chunk may come. */
  write(chunk: Buffer): Promise<void>
  /** The blob is complete and its digest is right. */
  finish(digest: string, size: number): Promise<void>
  /** The upload ended early, or its bytes are not those of its digest. */
  abort(): void
}

interface Upload {
  readonly repository: string
  readonly hash: Hash
  /** Those that have not failed. */
  readonly sinks: Set<BlobSink>
  size: number
  /** A client writes one request at a time; a second one at once would mix up the bytes. */
  busy: boolean
}

export type FinishedUpload =
  { readonly kind: 'stored'; readonly digest: string; readonly size: number } | { readonly kind: 'wrong-digest' }

/** More than any client has open at once; beyond it one that is idle gives way, so that nobody fills the memory. */
const MAX_UPLOADS = 1_000

export class BlobUploads {
  readonly #openSinks: (repository: string) => readonly BlobSink[]
  readonly #onSinkError: (error: unknown) => void
  readonly #uploads = new Map<string, Upload>()

  /** @param openSinks Sinks for one blob; each sees all of its bytes, and one that fails does not disturb the others. */
  constructor(openSinks: (repository: string) => readonly BlobSink[], onSinkError: (error: unknown) => void) {
    this.#openSinks = openSinks
    this.#onSinkError = onSinkError
  }

  /** Starts an upload; undefined when there are too many that are being written. */
  start(repository: string): string | undefined {
    if (this.#uploads.size >= MAX_UPLOADS) {
      // One that was begun and left, most likely.
      const idle = [...this.#uploads].find(([, upload]) => !upload.busy)
      if (idle === undefined) return undefined
      this.cancel(idle[0])
    }
    const id = randomUUID()
    this.#uploads.set(id, {
      repository,
      hash: createHash('sha256'),
      sinks: new Set(this.#openSinks(repository)),
      size: 0,
      busy: false,
    })
    return id
  }

  exists(repository: string, id: string): boolean {
    return this.#uploads.get(id)?.repository === repository
  }

  /** Whether no request is writing to it. */
  isIdle(id: string): boolean {
    return this.#uploads.get(id)?.busy === false
  }

  sizeOf(id: string): number {
    return this.#uploads.get(id)?.size ?? 0
  }

  /** Appends a request's body. A body that breaks off ends the upload. */
  async append(id: string, body: AsyncIterable<Buffer>): Promise<void> {
    const upload = this.#uploads.get(id)
    if (upload === undefined) return
    upload.busy = true
    try {
      for await (const chunk of body) {
        upload.hash.update(chunk)
        upload.size += chunk.length
        await this.#feed(upload, async (sink) => {
          await sink.write(chunk)
        })
      }
      upload.busy = false
    } catch (error) {
      this.cancel(id)
      throw error
    }
  }

  /** Ends an upload: its bytes must be those of the digest. */
  async finish(id: string, digest: string): Promise<FinishedUpload> {
    const upload = this.#uploads.get(id)
    if (upload === undefined) return { kind: 'wrong-digest' }
    this.#uploads.delete(id)
    if (`sha256:${upload.hash.digest('hex')}` !== digest) {
      abortAll(upload)
      return { kind: 'wrong-digest' }
    }
    await this.#feed(upload, async (sink) => {
      await sink.finish(digest, upload.size)
    })
    return { kind: 'stored', digest, size: upload.size }
  }

  cancel(id: string): void {
    const upload = this.#uploads.get(id)
    this.#uploads.delete(id)
    if (upload !== undefined) abortAll(upload)
  }

  cancelAll(): void {
    for (const id of [...this.#uploads.keys()]) this.cancel(id)
  }

  async #feed(upload: Upload, step: (sink: BlobSink) => Promise<void>): Promise<void> {
    for (const sink of upload.sinks) {
      try {
        await step(sink)
      } catch (error) {
        upload.sinks.delete(sink)
        sink.abort()
        this.#onSinkError(error)
      }
    }
  }
}

function abortAll(upload: Upload): void {
  for (const sink of upload.sinks) sink.abort()
  upload.sinks.clear()
}
