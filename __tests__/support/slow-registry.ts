/** A registry behind a proxy that makes it as slow as one on the internet, counts what passes, and can make it fail. */
import { createServer, request as send } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { Throttle } from './throttle.ts'

export interface SlowRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
  /** Bytes that it gave: blobs and documents. */
  readonly bytes: () => number
  /** Bytes that were pushed to it. */
  readonly bytesTaken: () => number
  readonly requests: () => number
  /** From now on requests whose path matches are answered so; undefined: no more. */
  fail: (rule: { readonly path: RegExp; readonly how: 'reset' | number } | undefined) => void
  resetStats: () => void
}

/** @param speed latency is added to every request; each direction has its own rate, shared by all transfers */
export async function startSlowRegistry(
  target: string,
  speed: { readonly latencyMs: number; readonly bytesPerSecond: number },
): Promise<SlowRegistry> {
  const down = new Throttle(speed.bytesPerSecond)
  const up = new Throttle(speed.bytesPerSecond)
  let [bytes, bytesTaken, requests] = [0, 0, 0]
  let fault: { readonly path: RegExp; readonly how: 'reset' | number } | undefined
  const [hostname, port] = target.split(':')
  const server = createServer((incoming, response) => {
    const answer = async (): Promise<void> => {
      requests++
      if (speed.latencyMs > 0) await delay(speed.latencyMs)
      if (fault?.path.test(incoming.url ?? '') === true) {
        incoming.resume()
        if (fault.how === 'reset') response.destroy()
        else response.writeHead(fault.how).end()
        return
      }
      // The registry writes addresses with the host that it was asked by: that of this proxy.
      const { method, url, headers } = incoming
      const outgoing = send({ hostname, port, method, path: url, headers })
      outgoing.once('response', (result) => {
        response.writeHead(result.statusCode ?? 500, result.headers)
        result.on('data', (chunk: Buffer) => (bytes += chunk.length))
        pipeline(result, down.limit(), response).catch(() => response.destroy())
      })
      outgoing.once('error', () => response.destroy())
      incoming.on('data', (chunk: Buffer) => (bytesTaken += chunk.length))
      await pipeline(incoming, up.limit(), outgoing)
    }
    answer().catch(() => response.destroy())
  })
  // A throttled upload of half a gigabyte may take its time.
  server.requestTimeout = 0
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    host: `127.0.0.1:${address.port}`,
    bytes: () => bytes,
    bytesTaken: () => bytesTaken,
    requests: () => requests,
    fail: (rule) => {
      fault = rule
    },
    resetStats: () => {
      bytes = bytesTaken = requests = 0
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
