/**
 * A socket in the place of an SSH agent: bake wants one to print a target whose context is fetched by SSH, and does not ask it
 * for anything.
 */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'

/** @param use is given the socket's path; the socket is gone afterwards */
export async function withIdleAgent<T>(tempRoot: string, use: (socket: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tempRoot, 'stage-build-agent-'))
  const server = createServer((connection) => connection.destroy())
  try {
    const path = join(folder, 'agent')
    await once(server.listen(path), 'listening')
    return await use(path)
  } finally {
    server.close()
    await rm(folder, { recursive: true, force: true })
  }
}
