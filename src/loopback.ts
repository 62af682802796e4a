/** The layer registry of a run, with what it serves and what listens to it: base images, the layer cache, the counting. */
import type { BlobSource } from './cache/blob-source.ts'
import type { BlobSink } from './cache/blob-uploads.ts'
import { LayerRegistry } from './cache/layer-registry.ts'
import { Upstream } from './cache/upstream.ts'
import type { RegistryClient } from './images/registry-client.ts'
import { LayerCounter } from './measure/layer-counter.ts'
import type { Planned } from './planning.ts'
import { CACHE } from './layer-caching.ts'

export interface LoopbackOptions {
  readonly planned: Planned
  readonly client: RegistryClient
  /** The layer cache, where there is one. */
  readonly cache: { readonly sources: readonly BlobSource[]; openSinks(): readonly BlobSink[] } | undefined
  readonly debug: (line: string) => void
  readonly signal: AbortSignal
}

/** Layers that base images' registries keep: what lies in an OCI layout no registry does. */
export function baseLayers({ images }: Planned): ReadonlySet<string> {
  const kept = images.bases().filter(({ image }) => images.sourceOf(image).kind === 'registry')
  return new Set(kept.flatMap(({ resolved }) => resolved.layers.map(({ digest }) => digest)))
}

export class Loopback {
  readonly registry: LayerRegistry
  readonly upstream: Upstream
  readonly counter: LayerCounter
  readonly #cached: readonly BlobSource[]

  private constructor(
    registry: LayerRegistry,
    {
      upstream,
      counter,
      cached,
    }: { readonly upstream: Upstream; readonly counter: LayerCounter; readonly cached: readonly BlobSource[] },
  ) {
    this.registry = registry
    this.upstream = upstream
    this.counter = counter
    this.#cached = cached
  }

  static async start({ planned, client, cache, debug, signal }: LoopbackOptions): Promise<Loopback> {
    const upstream = new Upstream()
    for (const { image, resolved } of planned.images.bases()) {
      const source = planned.images.sourceOf(image)
      // What lies in an OCI layout no registry keeps: it is pushed here, and cached.
      if (source.kind !== 'registry') continue
      upstream.add({
        layers: resolved.layers,
        open: async (digest, range) =>
          (await client.openBlob(source.ref, digest, { signal, ...(range && { range }) })).stream,
        publicUrl: async (digest) => (await client.publicBlobUrl(source.ref, digest, { signal }))?.href,
      })
    }
    const counter = new LayerCounter()
    const registry = await LayerRegistry.start({
      // Most of what only the cache gets is in no image, and reading it takes as long as compressing it did.
      openSinks: (name) => [...(name === CACHE ? [] : [counter.openSink()]), ...(cache?.openSinks() ?? [])],
      sources: [...(cache?.sources ?? []), upstream],
      debug,
    })
    return new Loopback(registry, { upstream, counter, cached: cache?.sources ?? [] })
  }

  /** File bytes of a layer that was received, or that the cache has; undefined where nobody can tell. Never rejects. */
  async unpackedOf(digest: string): Promise<number | undefined> {
    const content = await this.counter.count(digest, async () => {
      for (const source of this.#cached) {
        const found = await source.open(digest)
        if (found !== undefined && 'open' in found) return await found.open(undefined)
      }
      return undefined
    })
    return content?.unpacked
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry.close()
  }
}
