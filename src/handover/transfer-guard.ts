/**
 * Watches what a call of `@actions/artifact` receives. The toolkit writes whatever comes to disk, and hears nothing of a
 * connection that breaks before its timer of 30 s ends. Node's own channel tells of each request as it is sent.
 * https://nodejs.org/docs/latest-v24.x/api/diagnostics_channel.html#http
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe } from 'node:diagnostics_channel'
import type { ClientRequest, IncomingMessage } from 'node:http'

interface Transfer {
  readonly maxBytes: number
  bytes: number
  /** Ends the call, once. */
  readonly cut: (error: Error) => void
}

const transfers = new AsyncLocalStorage<Transfer>()
/** Not those of a service that is busy. */
const FINAL = /^4(?!08|29)/

/** From now on answers to requests of guarded calls are counted. */
export function watchTransfers(): void {
  subscribe('http.client.request.start', (message) => {
    const transfer = transfers.getStore()
    if (transfer === undefined) return
    const { request } = message as { readonly request: ClientRequest }
    request.prependOnceListener('response', (response: IncomingMessage) => {
      watch(response, transfer)
      // The toolkit asks for a blob again and again. (Its calls are POSTs, and their errors are understood.)
      const { statusCode = 0 } = response
      if (request.method === 'GET' && FINAL.test(String(statusCode))) {
        transfer.cut(new Error(`the service answered ${statusCode}`))
      }
    })
  })
}

/**
 * Runs a call that receives at most `maxBytes` within `timeMs`. The call itself cannot be ended; what it still receives
 * afterwards is cut off all the same.
 * @throws Error with a reason for people
 */
export async function guarded<T>(
  call: () => Promise<T>,
  { maxBytes, timeMs }: { readonly maxBytes: number; readonly timeMs: number },
): Promise<T> {
  const { promise: ended, reject: cut } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    cut(new Error(`it did not come within ${Math.round(timeMs / 1000)} s`))
  }, timeMs)
  try {
    return await Promise.race([transfers.run({ maxBytes, bytes: 0, cut }, call), ended])
  } finally {
    clearTimeout(timer)
  }
}

function watch(response: IncomingMessage, transfer: Transfer): void {
  const push = response.push.bind(response)
  response.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (chunk instanceof Uint8Array) transfer.bytes += chunk.length
    if (transfer.bytes <= transfer.maxBytes) return push(chunk, encoding)
    transfer.cut(new Error(`it is larger than ${transfer.maxBytes} bytes`))
    response.destroy()
    return false
  }
  response.once('close', () => {
    if (!response.complete) transfer.cut(new Error('the connection broke'))
  })
}
