/** What is worth knowing of the measured layers in a later run that does not see them. Pure. */
import type { ImageNotes } from './cache/image-notes.ts'
import type { LayerIndex } from './measure/layer-index.ts'
import type { LayerSize, PlatformSizes, TargetSizes } from './measure/sizes.ts'
import { storeFiles } from './measure/stored-files.ts'

/** Digests of the layers of images. */
export function layersIn(images: readonly PlatformSizes[]): ReadonlySet<string> {
  return new Set(images.flatMap(({ layers }) => layers.map(({ digest }) => digest)))
}

export function notesOf(
  sizes: ReadonlyMap<string, TargetSizes>,
  options: {
    /** Of layers that were read in this run. */
    readonly readIndexOf: (digest: string) => LayerIndex | undefined
    /** What earlier runs stored. */
    readonly stored: ReadonlyMap<string, string>
  },
): ImageNotes {
  const images = [...sizes].map(([name, { platforms }]) => [name, platforms.flatMap(({ layers }) => layers)] as const)
  const all = new Map(images.flatMap(([, layers]) => layers.map((layer) => [layer.digest, layer] as const)))
  const unpacked = [...all].flatMap(([digest, layer]) =>
    layer.unpacked === undefined ? [] : [[digest, layer.unpacked] as const],
  )
  const own = (layers: readonly LayerSize[]): readonly string[] =>
    layers.filter((layer) => layer.own).map(({ digest }) => digest)
  const files = [...all.keys()].flatMap((digest) => {
    const known = options.stored.get(digest)
    if (known !== undefined) return [[digest, known] as const]
    const index = options.readIndexOf(digest)
    return index === undefined ? [] : [[digest, storeFiles(index)] as const]
  })
  return {
    unpacked: new Map(unpacked),
    layers: new Map(images.map(([name, layers]) => [name, own(layers)])),
    files: new Map(files),
  }
}
