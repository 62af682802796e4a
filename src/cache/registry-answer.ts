/** Answers of the distribution API, and request bodies read with a bound. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'

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
