/**
 * A proxy before a registry that writes down every request and answers some of them itself: how registries with immutable
 * tags, missing rights or trouble of their own refuse a write, which the plain distribution registry never does.
 */
import { createServer, request as ask, type IncomingMessage, type ServerResponse } from 'node:http'

export interface PassingRequest {
  readonly method: string
  /** Path with query. */
  readonly path: string
}

export interface Refusal {
  readonly status: number
  /** The whole body; JSON of the API's errors, or what a proxy in between says. */
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface RefusingRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`, in references to images. */
  readonly host: string
  readonly requests: readonly PassingRequest[]
  /** All that changes something: other than GET and HEAD, as `METHOD path`. */
  writes(): readonly string[]
  clear(): void
}

/** Starts it on a free port. `refuse` is asked for every request; what it does not refuse goes to `target` (`HOST:PORT`). */
export async function startRefusingRegistry(
  target: string,
  refuse: (request: PassingRequest) => Refusal | undefined = () => undefined,
): Promise<RefusingRegistry> {
  const requests: PassingRequest[] = []
  const serve = (incoming: IncomingMessage, response: ServerResponse): void => {
    const { method = 'GET', url: path = '/', headers } = incoming
    requests.push({ method, path })
    const refusal = refuse({ method, path })
    if (refusal !== undefined) {
      incoming.resume()
      response.writeHead(refusal.status, { 'content-type': 'application/json', ...refusal.headers })
      response.end(method === 'HEAD' ? undefined : refusal.body)
      return
    }
    const [hostname = '', port = ''] = target.split(':')
    // `Host` is passed on, so addresses in answers are the proxy's.
    const outgoing = ask({ hostname, port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    outgoing.on('error', () => response.destroy())
    response.once('close', () => outgoing.destroy())
    incoming.pipe(outgoing)
  }
  const server = createServer(serve)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  return {
    host: `127.0.0.1:${address.port}`,
    requests,
    writes: () =>
      requests
        .filter(({ method }) => method !== 'GET' && method !== 'HEAD')
        .map(({ method, path }) => `${method} ${path}`),
    clear: () => {
      requests.length = 0
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** The body of the distribution API's errors. */
export function apiErrors(code: string, message: string): string {
  return JSON.stringify({ errors: [{ code, message }] })
}
