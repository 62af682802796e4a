/** A socket or a port that leads to the BuildKit in a Docker Engine, or anywhere else. */
import { once } from 'node:events'
import { request } from 'node:http'
import { createServer, type ListenOptions, type Server, type Socket } from 'node:net'

/** Joins each that connects with what is opened for it, until it is disposed of. */
export async function relay(
  at: ListenOptions,
  open: () => Promise<Socket>,
): Promise<AsyncDisposable & { readonly server: Server }> {
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    near.pause()
    open().then(
      (far) => {
        for (const [from, to] of [[near, far], [far, near]] as const) {
          sockets.add(from)
          from.on('error', () => to.destroy()).on('close', () => to.destroy())
          from.pipe(to)
        }
      },
      () => near.destroy(),
    )
  }) // prettier-ignore
  server.listen(at)
  await once(server, 'listening')
  return {
    server,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/**
 * A connection to the BuildKit in an engine.
 * https://github.com/moby/moby/blob/v28.5.1/api/server/router/grpc/grpc_routes.go
 * @param host `unix:///run/docker.sock`
 */
export async function buildkitOf(host: string): Promise<Socket> {
  const headers = { connection: 'Upgrade', upgrade: 'h2c' }
  const asked = request({ socketPath: host.replace('unix://', ''), method: 'POST', path: '/grpc', headers })
  asked.end()
  const [, socket, head] = (await once(asked, 'upgrade')) as [unknown, Socket, Buffer]
  // What the server said at once came with the answer.
  if (head.length > 0) socket.unshift(head)
  return socket
}
