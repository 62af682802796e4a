/**
 * What the files of an image's layers come to: the tree of what the own layers hold, the merged root file system, the
 * packages. Pure; from the indexes that `layer-files.ts` made.
 */
import type { PackageSize } from './comparison.ts'
import type { FileTree } from './file-tree.ts'
import { foldFiles } from './file-tree-fold.ts'
import { visitMerged } from './layer-merge.ts'
import { layerFiles, type FilesOrReason } from './layer-files.ts'
import type { LayerIndex } from './layer-index.ts'
import type { LayerFile, LayerFiles } from './layer-nodes.ts'
import { packageSizes } from './packages.ts'

export interface ImageLayer {
  /** The Dockerfile added it; such layers stand above the others. */
  readonly own: boolean
  /** Undefined where the layer was not read. */
  readonly index: LayerIndex | undefined
}

export interface ImageFiles {
  /** What own layers hold, folded; undefined where one of them is not known. */
  readonly tree: FileTree | undefined
  /** Bytes of the merged root file system, each inode once; undefined where a layer is not known. */
  readonly merged: number | undefined
  /** Those with bytes in own layers, the largest first, `MAX_PACKAGES` at most; undefined where one of these is not known. */
  readonly packages: readonly PackageSize[] | undefined
  /** One sentence: why the files of a layer that was read are not known. Holds no text of the layer. */
  readonly reason: string | undefined
}

/** What the layers of one image come to, the lowest first. Never throws, whatever the layers hold. */
export function imageFiles(layers: readonly ImageLayer[]): ImageFiles {
  const found = layers.map(({ own, index }) => ({ own, files: index?.files && layerFiles(index.files), index }))
  const reasons = found.map(({ files, index }) => (files !== undefined && 'reason' in files ? files : index)?.reason)
  const own = known(found.filter((layer) => layer.own))
  const all = known(found)
  return {
    tree: own && foldFiles(own.map(({ root }) => root)),
    merged: all && mergedBytes(all),
    packages: own && packageSizes(all ?? own, { inherited: all === undefined ? 0 : all.length - own.length }),
    reason: reasons.find((reason) => reason !== undefined),
  }
}

/** Of layers that are all known: the bytes of their merged root file system; undefined where it cannot be told exactly. */
export function mergedBytesOf(indexes: readonly LayerIndex[]): number | undefined {
  const all = known(indexes.map(({ files }) => ({ files: files && layerFiles(files) })))
  return all && mergedBytes(all)
}

function known(layers: readonly { readonly files: FilesOrReason | undefined }[]): readonly LayerFiles[] | undefined {
  const files = layers.flatMap((layer) => (layer.files === undefined || 'reason' in layer.files ? [] : [layer.files]))
  return files.length === layers.length ? files : undefined
}

function mergedBytes(layers: readonly LayerFiles[]): number | undefined {
  let bytes = 0
  /** Files with several names, which count once. */
  const seen = new Set<LayerFile>()
  const isExact = visitMerged(
    layers.map(({ root }) => root),
    {
      enter: () => undefined,
      visit: ({ node }) => {
        const file = node.kind === 'file' ? node : node.target
        if (file === undefined || seen.has(file)) return
        if (file.linked) seen.add(file)
        bytes += file.bytes
      },
    },
    undefined,
  )
  return isExact ? bytes : undefined
}
