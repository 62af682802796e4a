/** What stand-ins of GitHub's services share: JSON answers, Twirp's errors, failures on demand. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { damage, type FaultEffect, type FaultRule } from './cache-faults.ts'

export interface Answer {
  readonly status: number
  readonly body: unknown
  readonly headers?: Readonly<Record<string, string>>
}

const MAX_BODY = 1 << 20

/** On loopback. @returns its port */
export async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject)
      resolve()
    })
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Sends JSON, or what the effect leaves of it. */
export async function sendAnswer(
  response: ServerResponse,
  { status, body, headers }: Answer,
  effect?: FaultEffect,
): Promise<void> {
  const bytes = Buffer.from(JSON.stringify(body))
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': bytes.length, ...headers })
  const damaging = damage(effect, bytes.length)
  if (damaging === undefined) response.end(bytes)
  else await pipeline(Readable.from([bytes]), damaging, response)
}

export function ok(body: unknown): Answer {
  return { status: 200, body }
}

/** https://twitchtv.github.io/twirp/docs/errors.html */
export function twirpError(
  status: number,
  code: string,
  msg: string,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return { status, body: { code, msg }, headers }
}

/** What a rule answers in place of the service; undefined where it does something else. */
export function failureOf(rule: FaultRule | undefined): Answer | undefined {
  const effect = rule?.effect
  if (effect?.kind === 'forbidden') return twirpError(403, 'permission_denied', 'cache access denied: on demand')
  if (effect?.kind !== 'status') return undefined
  const code = effect.status === 429 ? 'resource_exhausted' : effect.status === 503 ? 'unavailable' : 'internal'
  return twirpError(effect.status, code, `status ${effect.status} on demand`, retryAfter(effect.retryAfter))
}

export function retryAfter(seconds: number | undefined): Readonly<Record<string, string>> {
  return seconds === undefined ? {} : { 'retry-after': String(seconds) }
}

export async function readJson(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY) throw new Error('the request is too long')
    chunks.push(chunk)
  }
  const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8') || '{}')
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
