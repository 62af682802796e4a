/**
 * What in a cache can be used and what is needed for that: layers rest on layers, and records are found through records.
 * Linear in the size of the cache, however hostile. Pure.
 */
import type { CacheLayer, CacheRecord } from './cache-manifest.ts'

/** Whether links lead nowhere back to where they came from. Numbers that are no node's are passed over. */
export function isAcyclic(links: readonly (readonly number[])[]): boolean {
  const arriving = links.map(() => 0)
  for (const to of links.flat()) arriving[to] = (arriving[to] ?? 0) + 1
  const free = [...links.keys()].filter((node) => arriving[node] === 0)
  let freed = 0
  for (let node = free.pop(); node !== undefined; node = free.pop()) {
    freed++
    for (const to of links[node] ?? []) {
      arriving[to] = (arriving[to] ?? 0) - 1
      if (arriving[to] === 0) free.push(to)
    }
  }
  return freed >= links.length
}

/** Layers that can be had together with all that lie beneath. */
export function soundLayers(layers: readonly CacheLayer[], has: (digest: string) => boolean): ReadonlySet<number> {
  const known = new Map<number, boolean>()
  for (const start of layers.keys()) {
    // Down to the bottom, or to what is known, and up again: a chain may be long, and a circle is no chain.
    const path: number[] = []
    const entered = new Set<number>()
    let at = start
    while (at >= 0 && !known.has(at) && !entered.has(at)) {
      entered.add(at)
      path.push(at)
      at = layers[at]?.parent ?? -1
    }
    let sound = at < 0 || known.get(at) === true
    for (const index of path.toReversed()) {
      sound &&= has(layers[index]?.blob ?? '')
      known.set(index, sound)
    }
  }
  return new Set([...known].filter(([, sound]) => sound).map(([index]) => index))
}

/**
 * The records without links that lead nowhere. BuildKit leaves out links that would make a circle, and an input without
 * any link left makes its importer refuse the whole cache ("invalid empty input"); such a record cannot be found anyway.
 * https://github.com/moby/buildkit/blob/v0.25.2/cache/remotecache/v1/utils.go (marshalItem)
 * https://github.com/moby/buildkit/blob/v0.25.2/cache/remotecache/v1/parse.go (parseRecord)
 */
export function findableRecords(records: readonly CacheRecord[]): ReadonlySet<number> {
  const left = records.map(({ inputs = [] }) => inputs.map((input) => input.length))
  const lost = new Set([...records.keys()].filter((index) => left[index]?.includes(0)))
  if (lost.size === 0) return new Set(records.keys())
  const linksTo = new Map<number, (readonly [record: number, input: number])[]>()
  for (const [index, { inputs = [] }] of records.entries()) {
    for (const [input, links] of inputs.entries()) {
      for (const { link } of links) {
        const known = linksTo.get(link)
        if (known === undefined) linksTo.set(link, [[index, input]])
        else known.push([index, input])
      }
    }
  }
  for (const index of lost) {
    for (const [record, input] of linksTo.get(index) ?? []) {
      const counts = left[record] ?? []
      counts[input] = (counts[input] ?? 0) - 1
      if (counts[input] === 0) lost.add(record)
    }
  }
  return new Set([...records.keys()].filter((index) => !lost.has(index)))
}

/** Records with results, and those through which they are found. */
export function usefulRecords(records: readonly CacheRecord[]): ReadonlySet<number> {
  const useful = new Set(
    [...records.keys()].filter((index) => {
      const record = records[index]
      return (record?.layers?.length ?? 0) + (record?.chains?.length ?? 0) > 0
    }),
  )
  for (const index of useful) for (const input of (records[index]?.inputs ?? []).flat()) useful.add(input.link)
  return new Set([...useful].sort((a, b) => a - b))
}

/** Layers of the records' results, and those beneath. */
export function usedLayers(layers: readonly CacheLayer[], records: readonly CacheRecord[]): ReadonlySet<number> {
  const used = new Set<number>()
  for (const { layers: results = [], chains = [] } of records) {
    for (const { layer } of results) used.add(layer)
    for (const index of chains.flatMap((chain) => chain.layers)) used.add(index)
  }
  for (const index of used) if ((layers[index]?.parent ?? -1) >= 0) used.add(layers[index]?.parent ?? -1)
  return new Set([...used].sort((a, b) => a - b))
}
