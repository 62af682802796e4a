/** Sizes as they are remembered and handed over: JSON that others may have written, read strictly. Pure. */
import type { PackageSize } from './comparison.ts'
import { fileTreeToJson, parseFileTree } from './file-tree-json.ts'
import { all, field, isCount, isText } from '../json-fields.ts'
import type { LayerCompression } from './layer-reader.ts'
import { ownFiles } from './own-files.ts'
import type { LayerSize, LayerSource, PlatformSizes, SizeSplit, TargetSizes } from './sizes.ts'

const MOST_PLATFORMS = 64
/** Engines take no more than 127 layers. */
const MOST_LAYERS = 1_000
const MOST_PACKAGES = 20_000
const LONGEST = 20_000
const LONGEST_NAME = 500

/** Undefined where it is not what was written. */
export function parseTargetSizes(value: unknown): TargetSizes | undefined {
  const platforms = parsePlatforms(field(value, 'platforms'))
  return platforms === undefined || platforms.length === 0 ? undefined : { platforms }
}

/** The sizes of no platform or more; undefined where it is not what was written. */
export function parsePlatforms(value: unknown): readonly PlatformSizes[] | undefined {
  return all(value, platformOf, MOST_PLATFORMS)
}

/** As data that `JSON.stringify` writes and `parsePlatforms` reads. */
export function platformToJson({ files, packages, ...sizes }: PlatformSizes): Readonly<Record<string, unknown>> {
  const layers = sizes.layers.map((layer) => ({
    ...layer,
    files: layer.files === undefined ? undefined : fileTreeToJson(layer.files),
  }))
  // What follows from the layers is not written twice.
  const own = ownFiles(sizes.layers)
  return {
    ...{ ...sizes, layers },
    files: own.files !== undefined || files === undefined ? undefined : fileTreeToJson(files),
    packages: own.packages === undefined ? packages : undefined,
  }
}

/** Three sizes, each of which may be unknown; undefined for what is no object. */
export function parseSplit(value: unknown): SizeSplit | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  return { total: bytesOf(value, 'total'), own: bytesOf(value, 'own'), inherited: bytesOf(value, 'inherited') }
}

function platformOf(value: unknown): PlatformSizes | undefined {
  const [platform, digest, configDigest] = ['platform', 'digest', 'configDigest'].map((key) => field(value, key))
  const [transfer, unpacked] = [parseSplit(field(value, 'transfer')), parseSplit(field(value, 'unpacked'))]
  const layers = all(field(value, 'layers'), layerOf, MOST_LAYERS)
  if (!isName(platform) || !isName(digest) || !isName(configDigest)) return undefined
  if (transfer === undefined || unpacked === undefined || layers === undefined) return undefined
  const unknownReason = field(value, 'unknownReason')
  return {
    ...{ platform, digest, configDigest, transfer, unpacked, layers },
    unknownReason: isText(unknownReason, LONGEST) ? unknownReason : undefined,
    ...ownFiles(layers),
    ...detailsOf(value),
  }
}

/** What explains a size. A part that cannot be read is not known; the sizes count all the same. */
function detailsOf(value: unknown): Pick<PlatformSizes, 'base' | 'files' | 'packages' | 'merged'> {
  const [base, merged] = [baseOf(field(value, 'base')), bytesOf(value, 'merged')]
  const files = parseFileTree(field(value, 'files'))
  const packages = all(field(value, 'packages'), packageOf, MOST_PACKAGES)
  return {
    ...(base === undefined ? {} : { base }),
    ...(files === undefined ? {} : { files }),
    ...(packages === undefined ? {} : { packages }),
    ...(merged === undefined ? {} : { merged }),
  }
}

function baseOf(value: unknown): PlatformSizes['base'] {
  const [image, digest] = [field(value, 'image'), field(value, 'digest')]
  return isName(image) ? { image, digest: isName(digest) ? digest : undefined } : undefined
}

const MANAGERS: readonly PackageSize['manager'][] = ['apk', 'dpkg', 'npm']

function packageOf(value: unknown): PackageSize | undefined {
  const manager = MANAGERS.find((known) => known === field(value, 'manager'))
  const [name, version, bytes] = ['name', 'version', 'bytes'].map((key) => field(value, key))
  return manager !== undefined && isName(name) && isName(version) && isCount(bytes)
    ? { manager, name, version, bytes }
    : undefined
}

const COMPRESSIONS: readonly LayerCompression[] = ['gzip', 'zstd', 'none']

function layerOf(value: unknown): LayerSize | undefined {
  const [digest, diffId, createdBy] = ['digest', 'diffId', 'createdBy'].map((key) => field(value, key))
  const [size, own] = [field(value, 'size'), field(value, 'own')]
  if (!isName(digest) || !isName(diffId) || !isText(createdBy, LONGEST)) return undefined
  if (!isCount(size) || typeof own !== 'boolean') return undefined
  const compression = COMPRESSIONS.find((known) => known === field(value, 'compression'))
  const source = sourceOf(field(value, 'source'))
  const files = parseFileTree(field(value, 'files'))
  const packages = all(field(value, 'packages'), packageOf, MOST_PACKAGES)
  return {
    ...{ digest, diffId, createdBy, size, own, unpacked: bytesOf(value, 'unpacked') },
    ...(compression === undefined ? {} : { compression }),
    ...(source === undefined ? {} : { source }),
    ...(files === undefined ? {} : { files }),
    ...(packages === undefined ? {} : { packages }),
  }
}

function sourceOf(value: unknown): LayerSource | undefined {
  const [file, line, text] = [field(value, 'file'), field(value, 'line'), field(value, 'text')]
  return isName(file) && isCount(line) && line > 0 && isText(text, LONGEST) ? { file, line, text } : undefined
}

function bytesOf(value: unknown, key: string): number | undefined {
  const found = field(value, key)
  return isCount(found) ? found : undefined
}

function isName(value: unknown): value is string {
  return isText(value, LONGEST_NAME)
}
