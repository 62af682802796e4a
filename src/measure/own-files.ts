/**
 * What is in an image's own layers, layer by layer: a layer that is not read again in a later run is told of from what was
 * remembered of it. Pure.
 */
import type { PackageSize } from './comparison.ts'
import type { FileTree } from './file-tree.ts'
import { imageFiles, mergedBytesOf } from './image-files.ts'
import type { LayerIndex } from './layer-index.ts'
import type { LayerSize, PlatformSizes, TargetSizes } from './sizes.ts'

export interface FileSources {
  /** Of a layer that was read in this run, by digest. */
  readonly indexOf: (digest: string) => LayerIndex | undefined
  /** Of a layer that earlier runs read; it does not tell packages. */
  readonly storedIndexOf: (digest: string) => LayerIndex | undefined
  /** What earlier runs found out of the same targets. */
  readonly remembered: readonly PlatformSizes[]
}

/** Sizes with what is in the own layers, as far as it is known. */
export function withFiles(sizes: TargetSizes, sources: FileSources): TargetSizes {
  const remembered = new Map(
    sources.remembered.flatMap(({ layers }) => layers.map((layer) => [layer.diffId, layer] as const)),
  )
  return {
    platforms: sizes.platforms.map((platform) => {
      const layers = platform.layers.map((layer) => withLayerFiles(layer, sources.indexOf, remembered))
      const merged = mergedBytes(platform, sources)
      return { ...platform, layers, ...ownFiles(layers), ...(merged === undefined ? {} : { merged }) }
    }),
  }
}

function withLayerFiles(
  layer: LayerSize,
  indexOf: FileSources['indexOf'],
  remembered: ReadonlyMap<string, LayerSize>,
): LayerSize {
  if (!layer.own) return layer
  const index = indexOf(layer.digest)
  if (index === undefined) {
    const known = remembered.get(layer.diffId)
    return known?.files === undefined ? layer : { ...layer, files: known.files, packages: known.packages }
  }
  const { tree, packages } = imageFiles([{ own: true, index }])
  return tree === undefined ? layer : { ...layer, files: tree, packages }
}

/** The merged root file system needs every layer, those of the base, too. */
function mergedBytes(
  { layers }: PlatformSizes,
  { indexOf, storedIndexOf, remembered }: FileSources,
): number | undefined {
  const same = remembered.find(
    (known) => known.merged !== undefined && diffIds(known.layers).join() === diffIds(layers).join(),
  )
  if (same !== undefined) return same.merged
  const indexes = layers.flatMap(({ digest }) => indexOf(digest) ?? storedIndexOf(digest) ?? [])
  return indexes.length === layers.length ? mergedBytesOf(indexes) : undefined
}

function diffIds(layers: readonly LayerSize[]): readonly string[] {
  return layers.map(({ diffId }) => diffId)
}

/** What own layers hold together; undefined where one of them is not known. */
export function ownFiles(layers: readonly LayerSize[]): Pick<PlatformSizes, 'files' | 'packages'> {
  const own = layers.filter((layer) => layer.own)
  if (own.length === 0) return {}
  const trees = own.flatMap(({ files }) => files ?? [])
  const packages = own.flatMap((layer) => (layer.packages === undefined ? [] : [layer.packages]))
  return {
    ...(trees.length === own.length ? { files: sumOf(trees) } : {}),
    ...(packages.length === own.length ? { packages: packagesOf(packages.flat()) } : {}),
  }
}

/** Trees laid over one another. What stands alone in one of them only does so in the sum, too, with what is known of it. */
function sumOf(trees: readonly FileTree[]): FileTree {
  const [only, ...others] = trees
  if (only !== undefined && others.length === 0) return only
  const bytes = trees.reduce((sum, tree) => sum + tree.bytes, 0)
  const files = trees.reduce((sum, tree) => sum + tree.files, 0)
  const directories = trees.flatMap(({ children }) => (children === undefined ? [] : [children]))
  if (trees.length > 0 && directories.length === 0) return { bytes, files }
  const names = new Set(directories.flatMap((children) => [...children.keys()]))
  const children = [...names].map((name) => [name, sumOf(directories.flatMap((all) => all.get(name) ?? []))] as const)
  return { bytes, files, children: new Map(children.sort(([x, a], [y, b]) => b.bytes - a.bytes || (x < y ? -1 : 1))) }
}

/** Of a package that several layers hold, the upper one tells the version. */
function packagesOf(all: readonly PackageSize[]): readonly PackageSize[] {
  const found = new Map<string, PackageSize>()
  for (const one of all) {
    const key = `${one.manager} ${one.name}`
    found.set(key, { ...one, bytes: one.bytes + (found.get(key)?.bytes ?? 0) })
  }
  return [...found.values()].sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1))
}
