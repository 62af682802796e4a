/**
 * The rigs of the layer-cache bench in a process of their own, so that their memory and their event loop are not the
 * bench's: GitHub's cache service, the registry of base images and the registry that is pushed to, all slow.
 * `node bench/rigs-main.ts REGISTRY` prints one line of JSON, the addresses, and ends when its input is closed.
 */
import { createServer } from 'node:http'
import { startCacheService, type CacheServiceStats } from '../__tests__/support/cache-service.ts'
import { startRegistry } from '../__tests__/support/registry.ts'
import { startThrottledProxy, type ThrottledProxyStats } from '../__tests__/support/throttled-registry.ts'

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
  readonly service: CacheServiceStats
  readonly images: ThrottledProxyStats
  readonly pushed: ThrottledProxyStats
}

const SERVICE_SPEED = { latencyMs: 60, bytesPerSecond: 120e6 }
const REGISTRY_SPEED = { latencyMs: 15, bytesPerSecond: 120e6 }

if (import.meta.main) await serve(process.argv[2] ?? '')

async function serve(registry: string): Promise<void> {
  await using service = await startCacheService(SERVICE_SPEED)
  await using target = await startRegistry()
  await using images = await startThrottledProxy({ target: registry, ...REGISTRY_SPEED })
  await using pushed = await startThrottledProxy({ target: target.host, ...REGISTRY_SPEED })
  const act = async (path: string): Promise<void> => {
    if (path !== '/reset' && path !== '/clear') return
    for (const rig of [service, images, pushed]) rig.reset()
    if (path === '/clear') await service.evictAll()
  }
  const control = createServer((request, response) => {
    request.resume()
    void act(request.url ?? '').then(() => {
      const stats: RigStats = { service: service.stats(), images: images.stats(), pushed: pushed.stats() }
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
