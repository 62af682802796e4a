/** Targets that are called otherwise than before and are the same in all else. Pure. */
import { targetKey, type SizeCell } from './size-cells.ts'

interface Target {
  readonly id: string
  readonly target: string
  readonly fingerprint: string | undefined
  /** Digests of images, and diff ids of own layers, by platform. */
  readonly digests: ReadonlySet<string>
  readonly layers: ReadonlySet<string>
}

/** The most comparisons: with more targets at once that came and went, nobody thinks of a rename. */
const MOST_TARGETS = 200

/**
 * From the key (`targetKey`) of a target that is new to the name of the one of its `id` that is gone, where the two have one
 * fingerprint, one image, or most of their own layers in common. Each has one name at most, the likest.
 */
export function findRenames(gone: readonly SizeCell[], added: readonly SizeCell[]): ReadonlyMap<string, string> {
  const [olds, news] = [targetsOf(gone), targetsOf(added)]
  if (olds.length > MOST_TARGETS || news.length > MOST_TARGETS) return new Map()
  const likely = news
    .flatMap((now) => olds.filter(({ id }) => id === now.id).map((old) => ({ now, old, score: likeness(old, now) })))
    .filter(({ score }) => score > 0.5)
    .sort((a, b) => b.score - a.score)
  const [names, taken] = [new Map<string, string>(), new Set<Target>()]
  for (const { now, old } of likely) {
    const key = targetKey(now)
    if (names.has(key) || taken.has(old)) continue
    names.set(key, old.target)
    taken.add(old)
  }
  return names
}

function targetsOf(cells: readonly SizeCell[]): readonly Target[] {
  const groups = Map.groupBy(cells, targetKey)
  return [...groups.values()].flatMap((group): readonly Target[] => {
    const [first] = group
    if (first === undefined) return []
    const known = group.flatMap(({ platform, sizes }) => (sizes === undefined ? [] : [{ platform, sizes }]))
    const digests = known.flatMap(({ platform, sizes }) => (sizes.digest === '' ? [] : [`${platform} ${sizes.digest}`]))
    const layers = known.flatMap(({ platform, sizes }) =>
      sizes.layers.flatMap(({ own, diffId }) => (own && diffId !== '' ? [`${platform} ${diffId}`] : [])),
    )
    const { id, target, record } = first
    return [{ id, target, fingerprint: record.fingerprint, digests: new Set(digests), layers: new Set(layers) }]
  })
}

/** 0 to 1 for the share of layers in common; above 1 where there is no doubt. */
function likeness(old: Target, now: Target): number {
  if (old.fingerprint !== undefined && old.fingerprint === now.fingerprint) return 3
  if ([...now.digests].some((digest) => old.digests.has(digest))) return 2
  const common = [...now.layers].filter((layer) => old.layers.has(layer)).length
  return common / Math.max(1, old.layers.size, now.layers.size)
}
