/** Answers of the distribution API, and request bodies read with a bound. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { OpenedBlob } from './blob-source.ts'
import { readRange } from './byte-range.ts'

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

interface BlobHead {
  readonly digest: string
  /** Bytes. */
  readonly size: number
}

/** Answers HEAD for a blob. */
export function answerBlobHead(response: ServerResponse, { digest, size }: BlobHead): void {
  answer(response, 200, { ...blobHeaders(digest), 'content-length': size })
}

/** Answers GET (also of a range) and HEAD for a blob. */
export async function sendBlob(
  blob: BlobHead & OpenedBlob,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { digest, size } = blob
  if (request.method === 'HEAD') {
    answerBlobHead(response, blob)
    return
  }
  const asked = readRange(request.headers.range, size)
  if (asked.kind === 'outside') {
    answer(response, 416, { 'content-range': `bytes */${size}` })
    return
  }
  const range = asked.kind === 'part' ? asked.range : undefined
  // Opened before the headers are sent: where that fails, the client is told so and can try again.
  const body = size === 0 ? undefined : await blob.open(range)
  response.writeHead(range === undefined ? 200 : 206, {
    ...VERSION,
    ...blobHeaders(digest),
    ...(range === undefined ? {} : { 'content-range': `bytes ${range.start}-${range.end}/${size}` }),
    'content-length': range === undefined ? size : range.end - range.start + 1,
  })
  if (body === undefined) response.end()
  else await pipeline(body, response)
}

function blobHeaders(digest: string): OutgoingHttpHeaders {
  return {
    'docker-content-digest': digest,
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
  }
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
