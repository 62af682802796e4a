/**
 * Layers of an image of which no copy came to this machine: what is in them is read back from the registry that the builder
 * pushed them to, where nobody knows it yet, and no more than a bound of them.
 */
import type { Readable } from 'node:stream'
import type { BuildOutcome } from './build/build.ts'
import type { PushedImage } from './build/progress.ts'
import type { Descriptor } from './images/manifest.ts'
import type { RegistryClient } from './images/registry-client.ts'
import type { BaseLayers } from './measure/base-layers.ts'
import type { LayerSize } from './measure/sizes.ts'
import type { RequestedTarget } from './plan/targets.ts'
import type { Planned } from './planning.ts'

/** Of all targets of a run: a few seconds from a registry nearby. */
export const READ_BACK_BYTES = 256 << 20

export interface PushedLayersOptions {
  readonly client: RegistryClient
  readonly layers: BaseLayers
  /** Unpacked bytes that earlier runs counted, by digest. */
  readonly known: ReadonlyMap<string, number>
  /** What earlier runs found in layers. */
  readonly stored: ReadonlyMap<string, string> | undefined
  readonly signal: AbortSignal
}

export class PushedLayers {
  readonly #options: PushedLayersOptions
  readonly #counts = new Map<string, Promise<number | undefined>>()
  #left = READ_BACK_BYTES
  #unread = 0
  #unreadBytes = 0

  constructor(options: PushedLayersOptions) {
    this.#options = options
  }

  /** Layers that the bound left out, and their bytes as the registry keeps them. */
  get unread(): { readonly layers: number; readonly bytes: number } {
    return { layers: this.#unread, bytes: this.#unreadBytes }
  }

  /**
   * File bytes of a layer; undefined where it is not read. Never rejects.
   * @param reference of the image
   * @param remembered what earlier runs measured of the target
   */
  async unpackedOf(
    reference: string,
    { digest, size }: Descriptor,
    remembered: readonly LayerSize[],
  ): Promise<number | undefined> {
    const { known, stored } = this.#options
    const before = remembered.find((layer) => layer.digest === digest)
    const bytes = known.get(digest) ?? before?.unpacked
    if (bytes !== undefined && (before?.files !== undefined || stored?.has(digest) === true)) return bytes
    let count = this.#counts.get(digest)
    if (count === undefined) {
      count = this.#count(reference, digest, size)
      this.#counts.set(digest, count)
    }
    return (await count) ?? bytes
  }

  async #count(reference: string, digest: string, size: number): Promise<number | undefined> {
    if (size > this.#left) {
      this.#unread++
      this.#unreadBytes += size
      return undefined
    }
    this.#left -= size
    const { client, layers, signal } = this.#options
    const open = async (): Promise<Readable> => (await client.openBlob(reference, digest, { signal })).stream
    return await layers.count(digest, { open, isWanted: true })
  }
}

/** Where a target's image went that the user pushes somewhere. */
export function pushedTo(
  { name }: RequestedTarget,
  { tagsOf }: Planned,
  outcome: BuildOutcome,
): PushedImage | undefined {
  const digest = outcome.metadata.results.find(({ target }) => target === name)?.digest
  if (digest === undefined || outcome.pushed.length === 0) return undefined
  const [reference = outcome.pushed.find((image) => image.digest === digest)?.reference] = tagsOf.get(name) ?? []
  return reference === undefined ? undefined : { reference, digest }
}
