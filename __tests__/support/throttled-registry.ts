/**
 * A registry behind a proxy that makes it as slow as one on the internet, counts what passes, and can make it fail, by
 * digest too. Alone: `node __tests__/support/throttled-registry.ts --target 127.0.0.1:5577 --rate 120000000 --latency 15`
 * prints one line of JSON with its `host` and ends with SIGTERM.
 */
import { createServer, request as ask, type IncomingMessage, type ServerResponse } from 'node:http'
import { Transform, type TransformCallback } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { breakOff, damage, FaultBook, type Fault, type FaultEffect, type FaultRule } from './cache-faults.ts'
import { Throttle } from './throttle.ts'

/**
 * `probe`: HEAD of a blob. Where it fails, the layer registry fetches the base image's blobs itself; where it does not, it
 * sends BuildKit here. `upload`: all that writes; `other`: the API's root, tags.
 */
export type RegistryOperation = 'blob' | 'probe' | 'manifest' | 'upload' | 'other'

export interface ThrottledProxyOptions {
  /** `HOST:PORT` of a registry that speaks plain HTTP. */
  readonly target: string
  /** Shared by all transfers of a direction. Default 0: no limit. */
  readonly bytesPerSecond?: number
  /** Added to each request. Default 0. */
  readonly latencyMs?: number
}

export interface ThrottledProxyStats {
  readonly requests: Readonly<Record<RegistryOperation, number>>
  /** Bytes of bodies: to the registry, and from it. */
  readonly bytesUp: number
  readonly bytesDown: number
}

export interface ThrottledProxy extends AsyncDisposable {
  /** `127.0.0.1:PORT`, in references to images. */
  readonly host: string
  stats(): ThrottledProxyStats
  reset(): void
  /** `key` of the rule is matched with the path, which ends in the digest of a blob, a blank, and the client's name. */
  fail(rule: FaultRule<RegistryOperation>): Fault
  heal(): void
}

/** Starts it on a free port. Logins pass through; addresses in answers are the proxy's, since it passes on `Host`. */
export async function startThrottledProxy(options: ThrottledProxyOptions): Promise<ThrottledProxy> {
  const { target, bytesPerSecond = 0, latencyMs = 0 } = options
  const [up, down] = [new Throttle(bytesPerSecond), new Throttle(bytesPerSecond)]
  const faults = new FaultBook<RegistryOperation>()
  let requests = noRequests()
  let bytes = { up: 0, down: 0 }
  const count = (direction: 'up' | 'down'): Transform =>
    new Transform({
      transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback) {
        bytes[direction] += chunk.length
        done(null, chunk)
      },
    })

  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const operation = operationOf(incoming)
    requests[operation]++
    if (latencyMs > 0) await delay(latencyMs)
    const rule = faults.next(operation, `${incoming.url ?? ''} ${incoming.headers['user-agent'] ?? ''}`)
    const effect = rule?.effect
    if (rule?.late !== true && (await breakOff(effect, response))) return
    const status = effect === undefined ? undefined : statusOf(effect)
    if (status !== undefined) {
      incoming.resume()
      response.statusCode = status
      response.setHeader('content-type', 'application/json')
      if (effect?.kind === 'status' && effect.retryAfter !== undefined)
        response.setHeader('retry-after', effect.retryAfter)
      response.end(
        JSON.stringify({ errors: [{ code: CODES.get(status) ?? 'UNKNOWN', message: `status ${status} on demand` }] }),
      )
      return
    }
    const { method = 'GET', url = '/', headers } = incoming
    const [hostname = '', port = ''] = target.split(':')
    const outgoing = ask({ hostname, port, method, path: url, headers })
    response.once('close', () => outgoing.destroy())
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve).once('error', reject)
    })
    // An answer may come before the upload has ended.
    pipeline(incoming, up.limit(), count('up'), outgoing).catch(() => outgoing.destroy())
    const answer = await answered
    if (await breakOff(effect, response)) {
      answer.destroy()
      return
    }
    response.writeHead(answer.statusCode ?? 502, answer.headers)
    const damaging = damage(effect, Number(answer.headers['content-length'] ?? 0))
    await pipeline([answer, down.limit(), ...(damaging === undefined ? [] : [damaging]), count('down'), response])
  }

  const server = createServer((incoming, response) => {
    serve(incoming, response).catch(() => response.destroy())
  })
  // A throttled upload may take its time.
  server.requestTimeout = 0
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    host: `127.0.0.1:${address.port}`,
    stats: () => ({ requests: { ...requests }, bytesUp: bytes.up, bytesDown: bytes.down }),
    reset: () => {
      requests = noRequests()
      bytes = { up: 0, down: 0 }
    },
    fail: (rule) => faults.add(rule),
    heal: () => {
      faults.clear()
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      target: { type: 'string', default: '127.0.0.1:5577' },
      rate: { type: 'string', default: '0' },
      latency: { type: 'string', default: '0' },
    },
  })
  const { host } = await startThrottledProxy({
    target: values.target,
    bytesPerSecond: Number(values.rate),
    latencyMs: Number(values.latency),
  })
  console.log(JSON.stringify({ host }))
}

/** As the distribution registry calls them. https://github.com/distribution/distribution/blob/v3.0.0/registry/api/errcode/register.go */
const CODES: ReadonlyMap<number, string> = new Map([
  [401, 'UNAUTHORIZED'],
  [403, 'DENIED'],
  [429, 'TOOMANYREQUESTS'],
  [503, 'UNAVAILABLE'],
])

function noRequests(): Record<RegistryOperation, number> {
  return { blob: 0, probe: 0, manifest: 0, upload: 0, other: 0 }
}

function operationOf({ method, url }: IncomingMessage): RegistryOperation {
  if (method !== 'GET' && method !== 'HEAD') return 'upload'
  const [, kind] = /\/(blobs|manifests)\/[^/]+$/.exec(new URL(url ?? '/', 'http://registry').pathname) ?? []
  if (kind === 'blobs') return method === 'HEAD' ? 'probe' : 'blob'
  return kind === 'manifests' ? 'manifest' : 'other'
}

function statusOf(effect: FaultEffect): number | undefined {
  if (effect.kind === 'status') return effect.status
  // A proxy that is gone is one that does not reach its registry.
  if (effect.kind === 'gone') return 502
  return effect.kind === 'forbidden' || effect.kind === 'readOnly' ? 403 : undefined
}
