/**
 * What an image weighs, per platform: transfer (the layer blobs, as a registry keeps them) and unpacked (file bytes in
 * the layers' tars), each split into what the Dockerfile added and what came with the external image beneath. From
 * manifests and configs; never from an engine's own idea of a size. Attestations count nothing.
 */
import type { Descriptor, ImageConfig, IndexEntry, Manifest } from '../images/manifest.ts'
import { formatPlatform } from '../images/platform.ts'
import type { PackageSize } from './comparison.ts'
import type { FileTree } from './file-tree.ts'
import type { LayerCompression } from './layer-reader.ts'

/** Bytes; undefined means unknown, never 0. */
export interface SizeSplit {
  readonly total: number | undefined
  /** Layers that the Dockerfile added. */
  readonly own: number | undefined
  /** Layers of the external image that the target is based on. */
  readonly inherited: number | undefined
}

export interface LayerSize {
  readonly digest: string
  readonly diffId: string
  /** Bytes of the blob. */
  readonly size: number
  /** File bytes in its tar. */
  readonly unpacked: number | undefined
  readonly own: boolean
  /** The instruction that made it, as the image's history tells; untrusted. */
  readonly createdBy: string
  /** How the blob is compressed, by its media type. */
  readonly compression?: LayerCompression | undefined
  /** Where the instruction stands that made it, for own layers. */
  readonly source?: LayerSource | undefined
  /** What it holds, of own layers; undefined where it was not read. */
  readonly files?: FileTree | undefined
  readonly packages?: readonly PackageSize[] | undefined
}

/** An instruction of a Dockerfile. */
export interface LayerSource {
  /** POSIX, from the repository's root. */
  readonly file: string
  /** 1-based. */
  readonly line: number
  /** As written, on one line. */
  readonly text: string
}

export interface PlatformSizes {
  readonly platform: string
  /** Digest of the platform's manifest. */
  readonly digest: string
  /** Digest of its config: what docker calls the image id. */
  readonly configDigest: string
  readonly transfer: SizeSplit
  readonly unpacked: SizeSplit
  readonly layers: readonly LayerSize[]
  /** The external image beneath. */
  readonly base?: { readonly image: string; readonly digest: string | undefined } | undefined
  /** What the own layers hold; undefined where a layer could not be read. */
  readonly files?: FileTree | undefined
  readonly packages?: readonly PackageSize[] | undefined
  /** Bytes of the merged root file system; undefined where a layer's files are not known. */
  readonly merged?: number | undefined
  /** One sentence: why a size is unknown. */
  readonly unknownReason: string | undefined
}

export interface TargetSizes {
  readonly platforms: readonly PlatformSizes[]
}

export interface MeasureSources {
  readonly manifest: (digest: string) => Promise<Manifest>
  readonly config: (digest: string) => Promise<ImageConfig>
  /**
   * Diff ids, the lowest first, of the external image beneath; one list for each platform that it was looked up for, as
   * `FROM --platform` may take another one. Undefined where it is not known.
   */
  readonly baseDiffIds: readonly (readonly string[])[] | undefined
  /** File bytes of a layer; undefined where not known. */
  readonly unpackedOf: (layer: Descriptor, own: boolean) => Promise<number | undefined>
  /** The instructions that make layers, from the base image up; undefined where they are not known. */
  readonly instructions?: readonly LayerSource[] | undefined
  /** The external image beneath. */
  readonly base?: PlatformSizes['base']
}

/**
 * Measures the image (or all images of the index) that a digest names.
 * @throws what the sources throw.
 */
export async function measureImage(digest: string, sources: MeasureSources): Promise<TargetSizes> {
  const root = await sources.manifest(digest)
  if (root.kind === 'image') return { platforms: [await measureManifest({ digest, ...root }, sources)] }
  const images = root.manifests.filter((entry) => !isAttestation(entry))
  const platforms = await Promise.all(
    images.map(async (entry) => {
      const manifest = await sources.manifest(entry.digest)
      return manifest.kind === 'image'
        ? await measureManifest({ digest: entry.digest, ...manifest }, sources)
        : undefined
    }),
  )
  return { platforms: platforms.filter((platform) => platform !== undefined) }
}

/**
 * An attestation stands in an index beside the images that it is about.
 * https://github.com/moby/buildkit/blob/v0.25.2/docs/attestations/attestation-storage.md
 */
function isAttestation({ annotations, platform }: IndexEntry): boolean {
  return annotations['vnd.docker.reference.type'] !== undefined || platform?.os === 'unknown'
}

async function measureManifest(
  manifest: { readonly digest: string; readonly config: Descriptor; readonly layers: readonly Descriptor[] },
  sources: MeasureSources,
): Promise<PlatformSizes> {
  const config = await sources.config(manifest.config.digest)
  const platform = formatPlatform(config.platform)
  const prefixes = sources.baseDiffIds?.map((base) => commonPrefix(base, config.diffIds))
  const inheritedCount = prefixes === undefined ? undefined : Math.max(0, ...prefixes)
  const createdBy = layerHistory(config)
  const own = manifest.layers.length - (inheritedCount ?? 0)
  // What does not fit says nothing, rather than something about the wrong layer.
  const instructions = sources.instructions?.length === own ? sources.instructions : []
  const layers = await Promise.all(
    manifest.layers.map(async (layer, index): Promise<LayerSize> => {
      const own = index >= (inheritedCount ?? 0)
      return {
        digest: layer.digest,
        diffId: config.diffIds[index] ?? '',
        size: layer.size,
        unpacked: await sources.unpackedOf(layer, own),
        own,
        createdBy: createdBy[index] ?? '',
        compression: compressionOf(layer.mediaType),
        source: own ? instructions[index - (inheritedCount ?? 0)] : undefined,
      }
    }),
  )
  const known = inheritedCount !== undefined
  const transfer = split(layers, known, (layer) => layer.size)
  const unpacked = split(layers, known, (layer) => layer.unpacked)
  return {
    platform,
    digest: manifest.digest,
    configDigest: manifest.config.digest,
    transfer,
    unpacked,
    layers,
    base: sources.base,
    unknownReason: reason(known, unpacked),
  }
}

/** https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#layer-media-types, and Docker’s own types */
function compressionOf(mediaType: string): LayerCompression | undefined {
  if (/[+.]gzip$/.test(mediaType)) return 'gzip'
  if (/[+.]zstd$/.test(mediaType)) return 'zstd'
  return /\.tar$/.test(mediaType) ? 'none' : undefined
}

/** The layers are those of the base as far as their contents are the same. */
function commonPrefix(base: readonly string[], image: readonly string[]): number {
  const different = base.findIndex((diffId, index) => diffId !== image[index])
  return different === -1 ? base.length : different
}

/**
 * The history of each layer: entries of instructions that made none (ENV, CMD, …) are passed over. A history that does
 * not fit the layers (some tools write none, or a part) says nothing, rather than something about the wrong layer.
 */
function layerHistory({ history, diffIds }: ImageConfig): readonly string[] {
  const made = history.filter((entry) => !entry.emptyLayer)
  return made.length === diffIds.length ? made.map((entry) => entry.createdBy) : []
}

function split(
  layers: readonly LayerSize[],
  baseKnown: boolean,
  sizeOf: (layer: LayerSize) => number | undefined,
): SizeSplit {
  const sum = (chosen: readonly LayerSize[]): number | undefined =>
    chosen.reduce<number | undefined>((total, layer) => {
      const size = sizeOf(layer)
      return total === undefined || size === undefined ? undefined : total + size
    }, 0)
  return {
    total: sum(layers),
    own: baseKnown ? sum(layers.filter((layer) => layer.own)) : undefined,
    inherited: baseKnown ? sum(layers.filter((layer) => !layer.own)) : undefined,
  }
}

function reason(baseKnown: boolean, unpacked: SizeSplit): string | undefined {
  if (!baseKnown) return 'The base image could not be looked up, so what came with it is not known.'
  if (unpacked.total === undefined) return 'A layer could not be read, so its unpacked size is not known.'
  return undefined
}
