/** A registry behind a proxy that makes it as slow as one on the internet, counts what it gives, and can make it fail. */
import { createServer, request as send } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { Throttle } from './throttle.ts'

export interface SlowRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
  /** Bytes of blobs that it gave. */
  readonly bytes: () => number
  /** From now on requests whose path matches are answered so; undefined: no more. */
  fail: (rule: { readonly path: RegExp; readonly how: 'reset' | number } | undefined) => void
}

export async function startSlowRegistry(
  target: string,
  speed: { readonly latencyMs: number; readonly bytesPerSecond: number },
): Promise<SlowRegistry> {
  const throttle = new Throttle(speed.bytesPerSecond)
  let bytes = 0
  let fault: { readonly path: RegExp; readonly how: 'reset' | number } | undefined
  const [hostname, port] = target.split(':')
  const server = createServer((incoming, response) => {
    const answer = async (): Promise<void> => {
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
        pipeline(result, throttle.limit(), response).catch(() => response.destroy())
      })
      outgoing.once('error', () => response.destroy())
      await pipeline(incoming, outgoing)
    }
    answer().catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    host: `127.0.0.1:${address.port}`,
    bytes: () => bytes,
    fail: (rule) => {
      fault = rule
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
