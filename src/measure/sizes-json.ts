/** Sizes as they are remembered: JSON that others may have written, read strictly. Pure. */
import type { LayerSize, PlatformSizes, SizeSplit, TargetSizes } from './sizes.ts'

const MOST = 10_000

/** Undefined where it is not what was written. */
export function parseTargetSizes(value: unknown): TargetSizes | undefined {
  const platforms = all(field(value, 'platforms'), platformOf)
  return platforms === undefined || platforms.length === 0 ? undefined : { platforms }
}

function platformOf(value: unknown): PlatformSizes | undefined {
  const [platform, digest, configDigest, unknownReason] = ['platform', 'digest', 'configDigest', 'unknownReason'].map(
    (key) => field(value, key),
  )
  const [transfer, unpacked] = [splitOf(field(value, 'transfer')), splitOf(field(value, 'unpacked'))]
  const layers = all(field(value, 'layers'), layerOf)
  if (!isText(platform) || !isText(digest) || !isText(configDigest)) return undefined
  if (transfer === undefined || unpacked === undefined || layers === undefined) return undefined
  return {
    ...{ platform, digest, configDigest, transfer, unpacked, layers },
    unknownReason: isText(unknownReason) ? unknownReason : undefined,
  }
}

function layerOf(value: unknown): LayerSize | undefined {
  const [digest, diffId, createdBy] = ['digest', 'diffId', 'createdBy'].map((key) => field(value, key))
  const [size, unpacked, own] = [field(value, 'size'), field(value, 'unpacked'), field(value, 'own')]
  if (!isText(digest) || !isText(diffId) || !isText(createdBy) || !isBytes(size) || typeof own !== 'boolean')
    return undefined
  return { digest, diffId, createdBy, size, own, unpacked: isBytes(unpacked) ? unpacked : undefined }
}

function splitOf(value: unknown): SizeSplit | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const bytes = (key: string): number | undefined => {
    const found = field(value, key)
    return isBytes(found) ? found : undefined
  }
  return { total: bytes('total'), own: bytes('own'), inherited: bytes('inherited') }
}

function all<T>(value: unknown, read: (item: unknown) => T | undefined): readonly T[] | undefined {
  if (!Array.isArray(value) || value.length > MOST) return undefined
  const items = (value as readonly unknown[]).map(read)
  return items.every((item) => item !== undefined) ? items : undefined
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Readonly<Record<string, unknown>>)[key]
    : undefined
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 20_000
}

function isBytes(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
