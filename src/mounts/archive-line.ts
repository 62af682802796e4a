/**
 * A line for archives between this process and the helper build on the same machine: a socket on loopback that the helper's
 * shell opens, so that packing and unpacking go on while an archive is under way, and BuildKit copies none of it.
 */
import { randomBytes } from 'node:crypto'
import { open, rm, type FileHandle } from 'node:fs/promises'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'

export interface ArchiveLineOptions {
  readonly kind: 'give' | 'take'
  /** Name → where an archive lies, or is to be written. */
  readonly archives: ReadonlyMap<string, string>
  /** Of one archive that is taken; what is larger is broken off, and leaves no file. */
  readonly maxBytes: number
  readonly signal: AbortSignal
}

/** What a shell needs to know to use the line. */
export interface LineAddress {
  readonly port: number
  /** What it says first, so that nobody else on this machine is served. */
  readonly question: string
  /** What it is told then, so that it takes nothing from anybody else. */
  readonly answer: string
}

const GIVEN_BYTES = 1 << 20
const TAKEN_BYTES = 128 << 10
/** For a greeting that does not come. */
const PATIENCE_MS = 10_000
const MOST_GREETING_BYTES = 256

export class ArchiveLine implements AsyncDisposable {
  readonly #options: ArchiveLineOptions
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #transfers: Promise<unknown>[] = []
  readonly #secrets = { question: randomBytes(16).toString('hex'), answer: randomBytes(16).toString('hex') }

  private constructor(options: ArchiveLineOptions) {
    this.#options = options
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
      socket.once('close', () => this.#sockets.delete(socket))
      // It never rejects.
      void this.#greet(socket)
    })
    options.signal.addEventListener('abort', this.#hangUp)
  }

  /** @throws Error where nothing can listen on loopback. */
  static async open(options: ArchiveLineOptions): Promise<ArchiveLine> {
    const line = new ArchiveLine(options)
    await new Promise<void>((resolve, reject) => {
      line.#server.once('error', reject)
      line.#server.listen(0, '127.0.0.1', resolve)
    })
    return line
  }

  get address(): LineAddress {
    return { port: (this.#server.address() as AddressInfo).port, ...this.#secrets }
  }

  /** Whether the helper was heard at all. */
  get wasUsed(): boolean {
    return this.#transfers.length > 0
  }

  /** When all that was begun is written or broken off. The helper has ended, so no more will come. */
  async settled(): Promise<void> {
    await Promise.all(this.#transfers)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.signal.removeEventListener('abort', this.#hangUp)
    this.#server.close()
    this.#hangUp()
    await this.settled()
  }

  readonly #hangUp = (): void => {
    for (const socket of this.#sockets) socket.destroy()
  }

  async #greet(socket: Socket): Promise<void> {
    const name = this.#nameIn(await firstLine(socket))
    const path = name === undefined ? undefined : this.#options.archives.get(name)
    if (path === undefined || this.#options.signal.aborted) {
      socket.destroy()
      return
    }
    const transfer = this.#transfer(socket, path)
    this.#transfers.push(transfer)
    await transfer
  }

  #nameIn(line: string | undefined): string | undefined {
    const { question } = this.#secrets
    return line?.startsWith(`${question} `) === true ? line.slice(question.length + 1) : undefined
  }

  /** What is broken off the shell notices by itself, and of what it packed by this file, which is gone then. */
  async #transfer(socket: Socket, path: string): Promise<void> {
    socket.write(`${this.#secrets.answer}\n`)
    try {
      if (this.#options.kind === 'give') {
        await give(path, socket)
      } else {
        await take(socket, path, this.#options.maxBytes)
        socket.destroy()
      }
    } catch {
      socket.destroy()
      if (this.#options.kind === 'take') await rm(path, { force: true })
    }
  }
}

/** Without its end; undefined where none comes in time. What follows it is left in the socket. */
async function firstLine(socket: Socket): Promise<string | undefined> {
  const patience = setTimeout(() => socket.destroy(), PATIENCE_MS)
  try {
    let text = Buffer.alloc(0)
    while (text.length <= MOST_GREETING_BYTES) {
      const chunk = (socket.read() as Buffer | null) ?? undefined
      if (chunk === undefined) {
        if (socket.destroyed || socket.readableEnded) return undefined
        await readable(socket)
        continue
      }
      text = Buffer.concat([text, chunk])
      const end = text.indexOf('\n')
      if (end === -1) continue
      socket.unshift(text.subarray(end + 1))
      return text.toString('latin1', 0, end)
    }
    return undefined
  } finally {
    clearTimeout(patience)
  }
}

/** When there is something to read, or nothing will come. */
async function readable(socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const event of ['readable', 'end', 'close'] as const) socket.once(event, resolve)
  })
}

/** From a file to a socket through two buffers, which are all the memory that it takes. */
async function give(path: string, socket: Socket): Promise<void> {
  socket.resume() // its end is noticed
  await using file = await open(path)
  let [buffer, other] = [Buffer.allocUnsafeSlow(GIVEN_BYTES), Buffer.allocUnsafeSlow(GIVEN_BYTES)]
  let written: Promise<void> = Promise.resolve()
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, GIVEN_BYTES)
    await written
    if (bytesRead === 0) break
    written = write(socket, buffer.subarray(0, bytesRead))
    written.catch(() => undefined) // told when it is waited for
    ;[buffer, other] = [other, buffer]
  }
  socket.end()
}

/** When the buffer is free again. */
async function write(socket: Socket, bytes: Buffer): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.write(bytes, (error) => {
      if (error instanceof Error) reject(error)
      else resolve()
    })
  })
}

/** What comes is collected, since a write of each piece of 64 KiB takes twice the time. */
async function take(socket: Socket, path: string, maxBytes: number): Promise<void> {
  await using file = await open(path, 'w')
  let [buffer, other] = [Buffer.allocUnsafeSlow(TAKEN_BYTES), Buffer.allocUnsafeSlow(TAKEN_BYTES)]
  let [bytes, filled, written] = [0, 0, Promise.resolve()]
  const flush = async (): Promise<void> => {
    await written
    written = writeAll(file, buffer.subarray(0, filled))
    written.catch(() => undefined) // told when it is waited for
    ;[buffer, other, filled] = [other, buffer, 0]
  }
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBytes) throw new Error('too large')
    for (let at = 0; at < chunk.length;) {
      const copied = chunk.copy(buffer, filled, at)
      at += copied
      filled += copied
      if (filled === TAKEN_BYTES) await flush()
    }
  }
  await flush()
  await written
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at)).bytesWritten
}
