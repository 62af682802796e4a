/**
 * BuildKit's layer cache of one target, as it exports it to a registry: layers, and records that say which step gives
 * which layers. Read strictly (it comes from a cache that others may have written), pruned to what can be had, and
 * rendered again. Pure.
 * https://github.com/moby/buildkit/blob/v0.25.2/cache/remotecache/v1/types/doc.go
 */
import { digestOf } from '../images/manifest.ts'
import { parseConfig, parseLayers } from './cache-manifest-parse.ts'

export interface LayerDescriptor {
  readonly mediaType: string
  readonly digest: string
  /** Bytes. */
  readonly size: number
  readonly annotations?: Readonly<Record<string, string>>
}

export interface CacheLayer {
  readonly blob: string
  /** Index of the layer beneath; -1 for none. */
  readonly parent: number
  readonly annotations?: Readonly<Record<string, unknown>>
}

export interface CacheInput {
  readonly selector?: string
  /** Index of a record. */
  readonly link: number
}

export interface CacheResult {
  /** Index of the uppermost layer. */
  readonly layer: number
  readonly createdAt?: string
}

export interface ChainResult {
  /** Indexes of layers, the lowest first. */
  readonly layers: readonly number[]
  readonly createdAt?: string
}

export interface CacheRecord {
  readonly digest: string
  readonly inputs?: readonly (readonly CacheInput[])[]
  readonly layers?: readonly CacheResult[]
  readonly chains?: readonly ChainResult[]
}

export interface CacheConfig {
  readonly layers: readonly CacheLayer[]
  readonly records: readonly CacheRecord[]
}

export interface TargetCache {
  readonly layers: readonly LayerDescriptor[]
  readonly config: CacheConfig
}

/** A cache as BuildKit reads it from a registry. */
export interface RenderedCache {
  readonly mediaType: string
  readonly manifest: Buffer
  readonly config: Buffer
  /** Number of layers. */
  readonly layers: number
}

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json'
const CONFIG_TYPE = 'application/vnd.buildkit.cacheconfig.v0'
/** https://github.com/moby/buildkit/blob/v0.25.2/cache/remotecache/import.go (readBlob) */
const MAX_IMPORT_BYTES = 1 << 20

/** Reads what BuildKit exported; undefined where it is no such cache. */
export function parseTargetCache(manifest: Buffer, config: Buffer): TargetCache | undefined {
  const layers = parseLayers(parseJson(manifest))
  const parsed = parseConfig(parseJson(config))
  if (layers === undefined || parsed === undefined) return undefined
  const named = new Set(layers.map(({ digest }) => digest))
  return parsed.layers.every(({ blob }) => named.has(blob)) ? { layers, config: parsed } : undefined
}

/** Digest → bytes. */
export function blobsOf({ layers }: TargetCache): ReadonlyMap<string, number> {
  return new Map(layers.map(({ digest, size }) => [digest, size]))
}

/**
 * The cache without layers that cannot be had, and without what rests on them. A record that loses its results stays as
 * long as others are found through it: BuildKit then runs the step again, while it fails on a layer that is named and
 * cannot be had.
 */
export function pruneTargetCache({ layers, config }: TargetCache, has: (digest: string) => boolean): TargetCache {
  const sound = soundLayers(config.layers, has)
  const records = config.records.map((record) => withResults(record, (index) => sound.has(index)))
  const useful = usefulRecords(records)
  const used = usedLayers(
    config.layers,
    records.filter((_, index) => useful.has(index)),
  )
  const layerAt = renumbered(used)
  const recordAt = renumbered(useful)
  const kept = config.layers.flatMap((layer, index) =>
    used.has(index) ? [{ ...layer, parent: layer.parent < 0 ? -1 : (layerAt.get(layer.parent) ?? -1) }] : [],
  )
  const blobs = new Set(kept.map(({ blob }) => blob))
  return {
    layers: layers.filter(({ digest }) => blobs.has(digest)),
    config: {
      layers: kept,
      records: records.flatMap((record, index) => (useful.has(index) ? [relinked(record, layerAt, recordAt)] : [])),
    },
  }
}

/** As a manifest and its config. */
export function renderTargetCache({ layers, config }: TargetCache): RenderedCache {
  const configBytes = Buffer.from(JSON.stringify(config))
  const manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: { mediaType: CONFIG_TYPE, digest: digestOf(configBytes), size: configBytes.length },
    layers,
  }
  return {
    mediaType: MANIFEST_TYPE,
    manifest: Buffer.from(JSON.stringify(manifest)),
    config: configBytes,
    layers: layers.length,
  }
}

/** The cache, or as much of it as BuildKit imports: at most 1 MiB of manifest and of config. The oldest layers go first. */
export function shrinkToImport(cache: TargetCache): TargetCache {
  let shrunk = cache
  while (!fitsImport(shrunk) && shrunk.layers.length > 0) {
    const byAge = shrunk.layers.toSorted((a, b) => (createdAt(a) < createdAt(b) ? -1 : 1))
    const oldest = new Set(byAge.slice(0, Math.ceil(byAge.length / 8)).map(({ digest }) => digest))
    shrunk = pruneTargetCache(shrunk, (digest) => !oldest.has(digest))
  }
  return shrunk
}

function fitsImport(cache: TargetCache): boolean {
  const { manifest, config } = renderTargetCache(cache)
  return manifest.length <= MAX_IMPORT_BYTES && config.length <= MAX_IMPORT_BYTES
}

function createdAt({ annotations }: LayerDescriptor): string {
  return annotations?.['buildkit/createdat'] ?? ''
}

/** Layers that can be had together with all that lie beneath. */
function soundLayers(layers: readonly CacheLayer[], has: (digest: string) => boolean): ReadonlySet<number> {
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

function withResults(record: CacheRecord, has: (layer: number) => boolean): CacheRecord {
  const layers = (record.layers ?? []).filter(({ layer }) => has(layer))
  const chains = (record.chains ?? []).filter((chain) => chain.layers.every(has))
  const { digest, inputs } = record
  return {
    ...(layers.length === 0 ? {} : { layers }),
    ...(chains.length === 0 ? {} : { chains }),
    digest,
    ...(inputs === undefined ? {} : { inputs }),
  }
}

/** Records with results, and those through which they are found. */
function usefulRecords(records: readonly CacheRecord[]): ReadonlySet<number> {
  const useful = new Set(
    [...records.keys()].filter((index) => {
      const record = records[index]
      return (record?.layers?.length ?? 0) + (record?.chains?.length ?? 0) > 0
    }),
  )
  for (const index of useful) for (const input of (records[index]?.inputs ?? []).flat()) useful.add(input.link)
  return new Set([...useful].sort((a, b) => a - b))
}

function usedLayers(layers: readonly CacheLayer[], records: readonly CacheRecord[]): ReadonlySet<number> {
  const used = new Set<number>()
  for (const { layers: results = [], chains = [] } of records) {
    for (const { layer } of results) used.add(layer)
    for (const index of chains.flatMap((chain) => chain.layers)) used.add(index)
  }
  for (const index of used) if ((layers[index]?.parent ?? -1) >= 0) used.add(layers[index]?.parent ?? -1)
  return new Set([...used].sort((a, b) => a - b))
}

function renumbered(kept: ReadonlySet<number>): ReadonlyMap<number, number> {
  return new Map([...kept].map((old, now) => [old, now]))
}

function relinked(
  record: CacheRecord,
  layerAt: ReadonlyMap<number, number>,
  recordAt: ReadonlyMap<number, number>,
): CacheRecord {
  const { layers, chains, inputs } = record
  return {
    ...record,
    ...(layers && { layers: layers.map((result) => ({ ...result, layer: layerAt.get(result.layer) ?? 0 })) }),
    ...(chains && {
      chains: chains.map((chain) => ({ ...chain, layers: chain.layers.map((index) => layerAt.get(index) ?? 0) })),
    }),
    ...(inputs && {
      inputs: inputs.map((input) => input.map((from) => ({ ...from, link: recordAt.get(from.link) ?? 0 }))),
    }),
  }
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}
