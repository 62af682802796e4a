/** Reads BuildKit's cache manifest and config from untrusted JSON: everything has the form and lies in the range that it must. */
import { all, field } from '../json-fields.ts'
import type {
  CacheConfig,
  CacheInput,
  CacheLayer,
  CacheRecord,
  CacheResult,
  ChainResult,
  LayerDescriptor,
} from './cache-manifest.ts'
import { isAcyclic } from './cache-graph.ts'
import { isDigest } from './registry-route.ts'

const MAX_LAYERS = 10_000
const MAX_RECORDS = 50_000
const MAX_TEXT = 2_000
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/

/** The layers of a manifest; undefined where one is not as it must be. */
export function parseLayers(manifest: unknown): readonly LayerDescriptor[] | undefined {
  return all(field(manifest, 'layers'), layerDescriptor, MAX_LAYERS)
}

/** A config; undefined where anything in it is not as it must be. */
export function parseConfig(config: unknown): CacheConfig | undefined {
  if (typeof config !== 'object' || config === null || Array.isArray(config)) return undefined
  const given = { layers: field(config, 'layers') ?? [], records: field(config, 'records') ?? [] }
  const layerCount = Array.isArray(given.layers) ? given.layers.length : 0
  const recordCount = Array.isArray(given.records) ? given.records.length : 0
  const layers = all(given.layers, (layer) => cacheLayer(layer, layerCount), MAX_LAYERS)
  const records = all(given.records, (record) => cacheRecord(record, { layerCount, recordCount }), MAX_RECORDS)
  if (layers === undefined || records === undefined) return undefined
  // BuildKit refuses circles, and writes none.
  const ordered =
    isAcyclic(layers.map(({ parent }) => (parent < 0 ? [] : [parent]))) &&
    isAcyclic(records.map(({ inputs = [] }) => inputs.flat().map(({ link }) => link)))
  return ordered ? { layers, records } : undefined
}

/** A layer of a manifest, or undefined. */
function layerDescriptor(value: unknown): LayerDescriptor | undefined {
  const mediaType = text(field(value, 'mediaType'))
  const digest = text(field(value, 'digest'))
  const size = field(value, 'size')
  const annotations = textMap(field(value, 'annotations'))
  if (mediaType === undefined || digest === undefined || !isDigest(digest) || annotations === false) return undefined
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return undefined
  return { mediaType, digest, size, ...(annotations === undefined ? {} : { annotations }) }
}

function cacheLayer(value: unknown, count: number): CacheLayer | undefined {
  const blob = text(field(value, 'blob'))
  // Go leaves a zero out.
  const parent = field(value, 'parent') ?? 0
  const annotations = field(value, 'annotations')
  if (blob === undefined || !isDigest(blob) || (parent !== -1 && !isIndex(parent, count))) return undefined
  if (annotations !== undefined && !isLayerAnnotations(annotations)) return undefined
  return {
    blob,
    parent,
    ...(annotations === undefined ? {} : { annotations }),
  }
}

/** https://github.com/moby/buildkit/blob/v0.25.2/cache/remotecache/v1/types/spec.go (LayerAnnotations) */
function isLayerAnnotations(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.entries(value).every(
    ([name, entry]) => text(name) !== undefined && (text(entry) !== undefined || Number.isSafeInteger(entry)),
  )
}

function cacheRecord(
  value: unknown,
  counts: { readonly layerCount: number; readonly recordCount: number },
): CacheRecord | undefined {
  const digest = text(field(value, 'digest'))
  if (digest === undefined || !/^[a-z0-9]+:[0-9a-f]{32,128}$/.test(digest)) return undefined
  const layers = optionalList(field(value, 'layers'), (result) => cacheResult(result, counts.layerCount))
  const chains = optionalList(field(value, 'chains'), (chain) => chainResult(chain, counts.layerCount))
  const inputs = optionalList(field(value, 'inputs'), (input) =>
    // Go writes null for an input whose links were all left out.
    all(input ?? [], (from) => cacheInput(from, counts.recordCount), MAX_RECORDS),
  )
  if (layers === false || chains === false || inputs === false) return undefined
  return {
    ...(layers === undefined ? {} : { layers }),
    ...(chains === undefined ? {} : { chains }),
    digest,
    ...(inputs === undefined ? {} : { inputs }),
  }
}

function cacheResult(value: unknown, count: number): CacheResult | undefined {
  const layer = field(value, 'layer') ?? 0
  const since = created(value)
  return isIndex(layer, count) && since !== undefined ? { layer, ...since } : undefined
}

function chainResult(value: unknown, count: number): ChainResult | undefined {
  const layers = all(field(value, 'layers'), (index) => (isIndex(index, count) ? index : undefined), MAX_LAYERS)
  const since = created(value)
  return layers === undefined || since === undefined ? undefined : { layers, ...since }
}

function cacheInput(value: unknown, count: number): CacheInput | undefined {
  const link = field(value, 'link') ?? 0
  const selector = field(value, 'selector')
  if (!isIndex(link, count) || (selector !== undefined && text(selector) === undefined)) return undefined
  return { ...(selector === undefined ? {} : { selector: selector as string }), link }
}

/** Go reads RFC 3339 only, and nothing of the cache where one time is none. */
function created(value: unknown): { readonly createdAt?: string } | undefined {
  const createdAt = field(value, 'createdAt')
  if (createdAt === undefined) return {}
  const isTime = typeof createdAt === 'string' && RFC_3339.test(createdAt) && !Number.isNaN(Date.parse(createdAt))
  return isTime ? { createdAt } : undefined
}

function isIndex(value: unknown, count: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < count
}

function optionalList<T>(value: unknown, read: (item: unknown) => T | undefined): readonly T[] | undefined | false {
  return value === undefined || value === null ? undefined : (all(value, read, MAX_RECORDS) ?? false)
}

function textMap(value: unknown): Readonly<Record<string, string>> | undefined | false {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'object' || Object.values(value).some((entry) => text(entry) === undefined)) return false
  return value as Readonly<Record<string, string>>
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= MAX_TEXT ? value : undefined
}
