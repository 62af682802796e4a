/** Which layers of a cache lie beneath a step: BuildKit fetches them when that step runs. Pure. */
import type { TargetCache } from './cache-manifest.ts'

/** A place in the chains of layers of a target's cache. */
export interface Beneath {
  readonly target: string
  /** Digests of the layers of the base image, the lowest first. */
  readonly base: readonly string[]
  /** Layers that steps made on top of it. */
  readonly steps: number
}

/**
 * Digests of the layers that steps made above a base image, as far up as is asked for. Where several stages stand on the
 * same image, those of all.
 */
export function layersBeneath({ config }: TargetCache, { base, steps }: Omit<Beneath, 'target'>): readonly string[] {
  const above = new Map<number, number[]>()
  for (const [index, { parent }] of config.layers.entries()) {
    const known = above.get(parent)
    if (known === undefined) above.set(parent, [index])
    else known.push(index)
  }
  const blobOf = (index: number): string => config.layers[index]?.blob ?? ''
  const children = (under: readonly number[]): readonly number[] => under.flatMap((index) => above.get(index) ?? [])
  let level: readonly number[] = [-1]
  for (const digest of base) level = children(level).filter((index) => blobOf(index) === digest)
  const found = new Set<string>()
  // A circle cannot be reached from the bottom: each layer has one parent.
  for (let step = 0; step < steps && level.length > 0; step++) {
    level = children(level)
    for (const index of level) found.add(blobOf(index))
  }
  return [...found]
}
