/**
 * The rigs of the layer-cache bench in a process of their own, so that their memory and their event loop are not the
 * bench's: GitHub's cache service, the registry of base images and the registry that is pushed to, all slow.
 * `node bench/rigs-main.ts REGISTRY` prints one line of JSON, the addresses, and ends when its input is closed.
 */
import { rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { GithubCacheService, type ServiceStats } from '../__tests__/support/github-cache-service.ts'
import { startRegistry } from '../__tests__/support/registry.ts'
import { startSlowRegistry } from '../__tests__/support/slow-registry.ts'

export interface RigAddresses {
  /** `http://127.0.0.1:PORT/`: GET `stats`, POST `reset` (the counts), POST `clear` (the service's entries, too). */
  readonly control: string
  readonly service: string
  /** `127.0.0.1:PORT` of the slow registry of base images. */
  readonly images: string
  /** `127.0.0.1:PORT` of the slow registry that images are pushed to; empty at first. */
  readonly pushed: string
}

export interface RigStats {
  readonly service: ServiceStats
  readonly images: { readonly bytes: number; readonly requests: number }
  readonly pushed: { readonly bytes: number; readonly bytesTaken: number; readonly requests: number }
}

const SERVICE_SPEED = { latencyMs: 60, bytesPerSecond: 120e6 }
const REGISTRY_SPEED = { latencyMs: 15, bytesPerSecond: 120e6 }

if (import.meta.main) await serve(process.argv[2] ?? '')

async function serve(registry: string): Promise<void> {
  await using service = await GithubCacheService.start(SERVICE_SPEED)
  await using target = await startRegistry()
  await using images = await startSlowRegistry(registry, REGISTRY_SPEED)
  await using pushed = await startSlowRegistry(target.host, REGISTRY_SPEED)
  const reset = (): void => {
    service.resetStats()
    images.resetStats()
    pushed.resetStats()
  }
  const act = async (path: string): Promise<void> => {
    if (path !== '/reset' && path !== '/clear') return
    reset()
    if (path === '/reset') return
    const files = service.filesOf('')
    service.evict(() => true)
    await Promise.all(files.map((file) => rm(file, { force: true })))
  }
  const control = createServer((request, response) => {
    request.resume()
    void act(request.url ?? '').then(() => {
      const stats: RigStats = {
        service: service.stats(),
        images: { bytes: images.bytes(), requests: images.requests() },
        pushed: { bytes: pushed.bytes(), bytesTaken: pushed.bytesTaken(), requests: pushed.requests() },
      }
      response.end(JSON.stringify(stats))
    })
  })
  await new Promise<void>((resolve) => control.listen(0, '127.0.0.1', resolve))
  const address = control.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const addresses: RigAddresses = {
    control: `http://127.0.0.1:${port}/`,
    service: service.url,
    images: images.host,
    pushed: pushed.host,
  }
  console.log(JSON.stringify(addresses))
  await new Promise<void>((resolve) => process.stdin.resume().once('close', resolve))
  control.closeAllConnections()
  control.close()
}
