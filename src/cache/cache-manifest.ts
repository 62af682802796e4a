/**
 * BuildKit's layer cache of one target, as it exports it to a registry: layers, and records that say which step gives
 * which layers. Read strictly (it comes from a cache that others may have written), pruned to what can be had, and
 * rendered again. Pure.
 * https://github.com/moby/buildkit/blob/v0.25.2/cache/remotecache/v1/types/doc.go
 */
import { field, parseJson, text } from '../json-fields.ts'
import { digestOf } from '../images/manifest.ts'
import { findableRecords, soundLayers, usedLayers, usefulRecords } from './cache-graph.ts'
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
  const layers = parseLayers(parseJson(manifest.toString('utf8')))
  const parsed = parseConfig(parseJson(config.toString('utf8')))
  if (layers === undefined || parsed === undefined) return undefined
  const named = new Set(layers.map(({ digest }) => digest))
  return parsed.layers.every(({ blob }) => named.has(blob)) ? { layers, config: parsed } : undefined
}

/** Of the configuration that a manifest names. */
export function configDigest(manifest: Buffer): string | undefined {
  return text(field(parseJson(manifest.toString('utf8')), 'config', 'digest'))
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
  const findable = findableRecords(config.records)
  const records = config.records.map((record, index) =>
    findable.has(index)
      ? linkedThrough(
          withResults(record, (layer) => sound.has(layer)),
          findable,
        )
      : { digest: '' },
  )
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
  // Go leaves a parent out that is number 0.
  const asGo = { ...config, layers: config.layers.map((layer) => (layer.parent === 0 ? { ...layer, parent: undefined } : layer)) } // prettier-ignore
  const configBytes = Buffer.from(JSON.stringify(asGo))
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
    const byAge = shrunk.layers.toSorted((a, b) => compare(createdAt(a), createdAt(b)) || compare(a.digest, b.digest))
    const oldest = new Set(byAge.slice(0, Math.ceil(byAge.length / 8)).map(({ digest }) => digest))
    shrunk = pruneTargetCache(shrunk, (digest) => !oldest.has(digest))
  }
  return shrunk
}

function fitsImport(cache: TargetCache): boolean {
  const { manifest, config } = renderTargetCache(cache)
  return manifest.length <= MAX_IMPORT_BYTES && config.length <= MAX_IMPORT_BYTES
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1
}

function createdAt({ annotations }: LayerDescriptor): string {
  return annotations?.['buildkit/createdat'] ?? ''
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

/** Without links to records that cannot be found. */
function linkedThrough(record: CacheRecord, findable: ReadonlySet<number>): CacheRecord {
  const { inputs } = record
  if (inputs === undefined) return record
  return { ...record, inputs: inputs.map((input) => input.filter(({ link }) => findable.has(link))) }
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
