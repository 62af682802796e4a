/**
 * A loopback HTTP server that speaks the distribution API's wire format by a script, for what a healthy registry will
 * not do: token challenges, failures, redirects, broken bodies. It records what it was asked.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

export interface WireRequest {
  readonly method: string
  /** Path with query. */
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export type WireHandler = (request: WireRequest, response: ServerResponse) => void

export interface WireServer extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
  readonly requests: readonly WireRequest[]
}

export async function startWireServer(handler: WireHandler): Promise<WireServer> {
  const requests: WireRequest[] = []
  const server = createServer((incoming, response) => {
    let body = ''
    incoming.setEncoding('utf8').on('data', (text: string) => (body += text))
    incoming.on('end', () => {
      const request = { method: incoming.method ?? '', path: incoming.url ?? '', headers: incoming.headers, body }
      requests.push(request)
      handler(request, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  return {
    host: `127.0.0.1:${address.port}`,
    requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Answers with JSON. */
export function answerJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(value))
}
