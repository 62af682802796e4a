/**
 * The part of the stand-ins of GitHub's cache and artifact services that is Azure's blob storage: Put Blob, Put Block, Put Block List, HEAD and
 * ranged GET at signed addresses. https://learn.microsoft.com/rest/api/storageservices/put-block-list
 */
import { createHmac, randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { Readable, Transform, type TransformCallback } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { BlobPart } from './cache-entries.ts'
import { breakOff, damage, type FaultEffect } from './cache-faults.ts'
import type { Throttle } from './throttle.ts'

/** What an address may be used for, as in Azure's `sp`. */
export type Permission = 'r' | 'w'

/** What has the blobs, by number. */
export interface BlobStore {
  byId(id: number): { readonly key: string; readonly isFinal: boolean; readonly parts: readonly BlobPart[] } | undefined
  use(id: number): void
  put(id: number, part: BlobPart): Promise<void>
  putBlock(id: number, block: string, part: BlobPart): Promise<void>
  commit(id: number, blocks: readonly string[]): Promise<boolean>
}

export interface BlobRig {
  readonly entries: BlobStore
  /** First part of the path of addresses. Default `actions-cache`. */
  readonly container?: string
  /** Of a blob that is read, over `application/octet-stream`. */
  readonly headersOf?: (id: number) => Readonly<Record<string, string>>
  readonly folder: string
  /** Of addresses: `http://127.0.0.1:PORT`. */
  readonly origin: string
  readonly secret: string
  readonly up: Throttle
  readonly down: Throttle
  readonly count: (direction: 'up' | 'down', bytes: number) => void
}

const PATH = /^\/([a-z-]+)\/(\d+)$/
/** Longer than any list of the 50,000 blocks that Azure allows. */
const MAX_LIST = 16 << 20

export class Blobs {
  readonly #rig: BlobRig

  constructor(rig: BlobRig) {
    this.#rig = rig
  }

  get #container(): string {
    return this.#rig.container ?? 'actions-cache'
  }

  /** An address with a signature, good for an hour. */
  link(id: number, permission: Permission): string {
    const expiry = new Date(Date.now() + 3_600_000).toISOString()
    const query = new URLSearchParams({ se: expiry, sp: permission, sr: 'b', sv: '2025-05-05' })
    query.set('sig', this.#sign(id, permission, expiry))
    return `${this.#rig.origin}/${this.#container}/${id}?${query.toString()}`
  }

  /** The key of the entry that an address names, for the rules of failure. */
  keyOf(url: URL): string {
    return this.#rig.entries.byId(this.#idOf(url))?.key ?? ''
  }

  async serve(url: URL, request: IncomingMessage, response: ServerResponse, effect?: FaultEffect): Promise<void> {
    const id = this.#idOf(url)
    const permission: Permission = request.method === 'PUT' ? 'w' : 'r'
    const entry = this.#rig.entries.byId(id)
    const refusal = this.#isSigned(url, id, permission) ? undefined : ([403, 'AuthenticationFailed'] as const)
    if (refusal !== undefined) refuse(request, response, ...refusal)
    else if (entry === undefined) refuse(request, response, 404, 'BlobNotFound')
    else if (request.method === 'PUT' && entry.isFinal) refuse(request, response, 409, 'BlobImmutableDueToPolicy')
    else if (request.method === 'PUT') await this.#put(id, url.searchParams, request, response, effect)
    else if (request.method === 'GET' || request.method === 'HEAD') await this.#get(id, request, response, effect)
    else refuse(request, response, 405, 'UnsupportedHttpVerb')
  }

  async #put(
    id: number,
    query: URLSearchParams,
    request: IncomingMessage,
    response: ServerResponse,
    effect: FaultEffect | undefined,
  ): Promise<void> {
    const { entries } = this.#rig
    const comp = query.get('comp')
    const block = query.get('blockid')
    if (comp === 'blocklist') {
      const names = [...(await readText(request)).matchAll(/<(?:Latest|Uncommitted)>([^<]+)</g)]
      const blocks = names.map(([, name = '']) => name)
      if (!(await entries.commit(id, blocks))) {
        refuse(request, response, 400, 'InvalidBlockList')
        return
      }
    } else if (comp === 'block' && block !== null) {
      await entries.putBlock(id, block, await this.#receive(request, effect))
    } else if (comp === null && request.headers['x-ms-blob-type'] === 'BlockBlob') {
      await entries.put(id, await this.#receive(request, effect))
    } else {
      refuse(request, response, 400, 'InvalidQueryParameterValue')
      return
    }
    if (await breakOff(effect, response)) return
    response.writeHead(201, { ...azureHeaders(id), 'content-length': 0 }).end()
  }

  async #receive(request: IncomingMessage, effect: FaultEffect | undefined): Promise<BlobPart> {
    const file = join(this.#rig.folder, randomUUID())
    let size = 0
    const count = counter((bytes) => {
      size += bytes
      this.#rig.count('up', bytes)
    })
    const damaging = damage(effect, Number(request.headers['content-length'] ?? 0))
    try {
      const stages = [this.#rig.up.limit(), count, ...(damaging === undefined ? [] : [damaging])]
      await pipeline([request, ...stages, createWriteStream(file)])
    } catch (error) {
      await rm(file, { force: true })
      throw error
    }
    return { file, size }
  }

  async #get(
    id: number,
    request: IncomingMessage,
    response: ServerResponse,
    effect: FaultEffect | undefined,
  ): Promise<void> {
    const { entries, down } = this.#rig
    const parts = entries.byId(id)?.parts ?? []
    const total = parts.reduce((sum, { size }) => sum + size, 0)
    const header = request.headers['x-ms-range'] ?? request.headers.range
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(String(header ?? '')) ?? []
    const start = Number(first ?? 0)
    const end = Math.min(last === undefined || last === '' ? total - 1 : Number(last), total - 1)
    if (first !== undefined && (start >= total || start > end)) {
      refuse(request, response, 416, 'InvalidRange')
      return
    }
    const headers = {
      ...azureHeaders(id),
      'accept-ranges': 'bytes',
      'content-type': 'application/octet-stream',
      'content-length': end - start + 1,
      'x-ms-blob-type': 'BlockBlob',
      ...this.#rig.headersOf?.(id),
      ...(first === undefined ? {} : { 'content-range': `bytes ${start}-${end}/${total}` }),
    }
    entries.use(id)
    if (await breakOff(effect, response)) return
    response.writeHead(first === undefined ? 200 : 206, headers)
    if (request.method === 'HEAD') {
      response.end()
      return
    }
    const damaging = damage(effect, end - start + 1)
    const count = counter((bytes) => { this.#rig.count('down', bytes) }) // prettier-ignore
    const stages = [down.limit(), ...(damaging === undefined ? [] : [damaging]), count]
    await pipeline([Readable.from(read(parts, start, end)), ...stages, response])
  }

  #idOf(url: URL): number {
    const [, container, id] = PATH.exec(url.pathname) ?? []
    return container === this.#container ? Number(id) : 0
  }

  #sign(id: number, permission: Permission, expiry: string): string {
    return createHmac('sha256', this.#rig.secret).update(`${id}\n${permission}\n${expiry}`).digest('base64')
  }

  #isSigned(url: URL, id: number, permission: Permission): boolean {
    const expiry = url.searchParams.get('se') ?? ''
    const isRight = url.searchParams.get('sig') === this.#sign(id, permission, expiry)
    return isRight && url.searchParams.get('sp') === permission && Date.parse(expiry) > Date.now()
  }
}

/** An error as Azure answers it. https://learn.microsoft.com/rest/api/storageservices/status-and-error-codes2 */
export function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  code: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  request.resume()
  const body = `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`
  const length = Buffer.byteLength(body)
  const own = { 'x-ms-error-code': code, 'content-type': 'application/xml', 'content-length': length }
  response.writeHead(status, { ...azureHeaders(0), ...own, ...headers }).end(body)
}

/** BuildKit's client breaks without the request's id. */
function azureHeaders(id: number): Readonly<Record<string, string>> {
  return {
    'x-ms-request-id': randomUUID(),
    'x-ms-version': '2025-05-05',
    etag: `"0x8DE${id.toString(16).toUpperCase().padStart(12, '0')}"`,
    'last-modified': 'Sat, 21 Nov 2026 00:00:00 GMT',
  }
}

function counter(add: (bytes: number) => void): Transform {
  return new Transform({
    transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback) {
      add(chunk.length)
      done(null, chunk)
    },
  })
}

/** Bytes `start` to `end`, both included, of parts one after the other. */
async function* read(parts: readonly BlobPart[], start: number, end: number): AsyncGenerator<Buffer> {
  let at = 0
  for (const { file, size } of parts) {
    const [from, to] = [Math.max(start - at, 0), Math.min(end - at, size - 1)]
    at += size
    if (from > to) continue
    for await (const chunk of createReadStream(file, { start: from, end: to })) yield chunk as Buffer
  }
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_LIST) throw new Error('the list of blocks is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
