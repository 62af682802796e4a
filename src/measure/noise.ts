/** Which differences say something. Layers carry times and are compressed by many threads: no two builds weigh the same. */
import type { Change } from './comparison.ts'

const LEAST_BYTES = 10_000
const LEAST_SHARE = 0.0005

/** Differences below so many bytes are noise, for a size that was `before` bytes. */
export function noiseFloor(before: number): number {
  return Math.max(LEAST_BYTES, before * LEAST_SHARE)
}

/** Bytes more than before; undefined where one of the two is not known. */
export function deltaOf({ now, before }: Change): number | undefined {
  return now === undefined || before === undefined ? undefined : now - before
}

/** The difference is noise; undefined where it is not known. */
export function isNoise(change: Change): boolean | undefined {
  const delta = deltaOf(change)
  return delta === undefined ? undefined : Math.abs(delta) < noiseFloor(change.before ?? 0)
}
