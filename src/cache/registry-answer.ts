/** Answers of the distribution API, and request bodies read with a bound. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { readRange, type ByteRange } from './byte-range.ts'

/** https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes */
export type ErrorCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'DIGEST_INVALID'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_UNKNOWN'
  | 'TOOMANYREQUESTS'
  /** Not in the specification; distribution uses it for its own faults. */
  | 'UNKNOWN'
  | 'UNSUPPORTED'

const VERSION = { 'docker-distribution-api-version': 'registry/2.0' }

export function answer(
  response: ServerResponse,
  status: number,
  headers: OutgoingHttpHeaders = {},
  body?: Buffer,
): void {
  const length = status === 204 ? {} : { 'content-length': body?.length ?? 0 }
  response.writeHead(status, { ...VERSION, ...length, ...headers })
  response.end(body)
}

export function answerError(response: ServerResponse, status: number, code: ErrorCode): void {
  const body = Buffer.from(JSON.stringify({ errors: [{ code, message: code.toLowerCase().replaceAll('_', ' ') }] }))
  answer(response, status, { 'content-type': 'application/json' }, body)
}

/** A blob that can be sent. */
export interface SendableBlob {
  readonly digest: string
  /** Bytes. */
  readonly size: number
  /** Its bytes, or a part of them; not called for an empty blob. */
  readonly open: (range: ByteRange | undefined) => Readable
}

/** Answers GET (also of a range) and HEAD for a blob. */
export async function sendBlob(blob: SendableBlob, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { digest, size } = blob
  const headers = {
    'docker-content-digest': digest,
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
  }
  if (request.method === 'HEAD') {
    answer(response, 200, { ...headers, 'content-length': size })
    return
  }
  const asked = readRange(request.headers.range, size)
  if (asked.kind === 'outside') {
    answer(response, 416, { 'content-range': `bytes */${size}` })
    return
  }
  const range = asked.kind === 'part' ? asked.range : undefined
  response.writeHead(range === undefined ? 200 : 206, {
    ...VERSION,
    ...headers,
    ...(range === undefined ? {} : { 'content-range': `bytes ${range.start}-${range.end}/${size}` }),
    'content-length': range === undefined ? size : range.end - range.start + 1,
  })
  if (size === 0) response.end()
  else await pipeline(blob.open(range), response)
}

/** A request's body, or undefined where it is longer than `limit` bytes; the rest is not kept. */
export async function readBounded(request: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size <= limit) chunks.push(chunk)
  }
  return size > limit ? undefined : Buffer.concat(chunks)
}
