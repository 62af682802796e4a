/** One address for GitHub's API, as runs have it: artifacts are answered by one stand-in, all else by another. */
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import { listen } from './twirp.ts'

export interface GithubFront extends AsyncDisposable {
  /** GITHUB_API_URL */
  readonly url: string
}

/**
 * @param artifacts whose requests are for `/repos/…/actions/…`; it knows its own token
 */
export async function startGithubFront(
  api: string,
  artifacts: { readonly url: string; readonly token: string },
): Promise<GithubFront> {
  const server = createServer((incoming, response) => {
    const isOfActions = /^\/repos\/[^/]+\/[^/]+\/actions\//.test(incoming.url ?? '')
    if (!isOfActions) pass(incoming, response, new URL(`${api}${incoming.url ?? ''}`), {})
    else {
      const authorization = `Bearer ${artifacts.token}`
      pass(incoming, response, new URL(`${artifacts.url}${incoming.url ?? ''}`), { authorization })
    }
  })
  const port = await listen(server, 0)
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function pass(
  incoming: IncomingMessage,
  response: ServerResponse,
  url: URL,
  headers: Readonly<Record<string, string>>,
): void {
  const method = incoming.method ?? 'GET'
  const outgoing = request(url, { method, headers: { ...incoming.headers, ...headers, host: url.host } }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(response)
  })
  outgoing.on('error', () => response.destroy())
  incoming.pipe(outgoing)
}
