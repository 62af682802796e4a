/**
 * The index of an image whose platforms were built apart: the images of all parts, then what attests to them, as BuildKit
 * writes it for a build of all platforms. Made of nothing but the parts, in their order, so equal parts make equal bytes.
 * Pure. https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md
 */
import { digestOf, indexPlatforms, MEDIA_TYPES, parseManifest, selectEntry, type IndexEntry } from './manifest.ts'
import type { RawManifest } from './manifest-writer.ts'
import { formatPlatform, parsePlatform, type Platform } from './platform.ts'

/** What was pushed of one platform. */
export interface IndexPart {
  /** `linux/arm64` */
  readonly platform: string
  /** An index of one image and its attestations, or an image without any. */
  readonly root: RawManifest
  /** What the configuration of a root that is no index says. */
  readonly configPlatform?: Platform | undefined
}

export type MergedIndex =
  | {
      readonly kind: 'merged'
      readonly index: RawManifest
      /** Digests of all manifests that it lists. */
      readonly manifests: readonly string[]
    }
  /** A part is of other platforms than it was taken for. */
  | { readonly kind: 'mismatch'; readonly platform: string; readonly found: readonly string[] }

type Json = Readonly<Record<string, unknown>>

/** https://github.com/moby/buildkit/blob/v0.25.2/docs/attestations/attestation-storage.md */
const REFERENCE = 'vnd.docker.reference.digest'

/** Makes the index. */
export function mergeParts(parts: readonly IndexPart[]): MergedIndex {
  const images: Json[] = []
  const attestations: Json[] = []
  for (const part of parts) {
    const found = entriesOf(part)
    if (found === undefined) return { kind: 'mismatch', platform: part.platform, found: platformsOf(part) }
    images.push(found.image)
    attestations.push(...found.attestations)
  }
  const annotations = Object.assign({}, ...parts.toReversed().map(annotationsOf)) as Readonly<Record<string, string>>
  const isDocker = parts.every(({ root }) => DOCKER.includes(root.manifest.mediaType))
  const mediaType = isDocker ? MEDIA_TYPES.dockerList : MEDIA_TYPES.ociIndex
  const json = {
    ...{ schemaVersion: 2, mediaType, manifests: [...images, ...attestations] },
    // Docker's lists have none.
    ...(isDocker || Object.keys(annotations).length === 0 ? {} : { annotations }),
  }
  const bytes = Buffer.from(JSON.stringify(json, undefined, 2))
  const manifest = parseManifest(bytes, mediaType)
  return {
    kind: 'merged',
    index: { digest: digestOf(bytes), bytes, manifest },
    manifests: manifest.kind === 'index' ? manifest.manifests.map(({ digest }) => digest) : [],
  }
}

const DOCKER: readonly string[] = [MEDIA_TYPES.dockerList, MEDIA_TYPES.dockerManifest]

/** Descriptors as they stand in the part; undefined where it has no image of its platform. */
function entriesOf({
  platform,
  root,
  configPlatform,
}: IndexPart): { readonly image: Json; readonly attestations: readonly Json[] } | undefined {
  const { manifest, bytes, digest } = root
  const wanted = parsePlatform(platform)
  if (manifest.kind === 'image') {
    if (configPlatform === undefined || formatPlatform(configPlatform) !== formatPlatform(wanted)) return undefined
    const { os, architecture, variant } = configPlatform
    const described = { architecture, os, ...(variant === undefined ? {} : { variant }) }
    const image = { mediaType: manifest.mediaType, digest, size: bytes.length, platform: described }
    return { image, attestations: [] }
  }
  const chosen = selectEntry(manifest.manifests, wanted)
  if (chosen?.platform === undefined || formatPlatform(chosen.platform) !== formatPlatform(wanted)) return undefined
  const raw = rawEntries(bytes)
  const pick = (isWanted: (entry: IndexEntry) => boolean): readonly Json[] =>
    raw.filter((_, at) => manifest.manifests.slice(at, at + 1).some(isWanted))
  const [image] = pick((entry) => entry === chosen)
  if (image === undefined) return undefined
  return { image, attestations: pick(({ annotations }) => annotations[REFERENCE] === chosen.digest) }
}

function platformsOf({ root, configPlatform }: IndexPart): readonly string[] {
  if (root.manifest.kind === 'index') return indexPlatforms(root.manifest.manifests)
  return configPlatform === undefined ? [] : [formatPlatform(configPlatform)]
}

/** As they are written: what is not read here is not lost. The bytes have been read once. */
function rawEntries(bytes: Buffer): readonly Json[] {
  const { manifests } = JSON.parse(bytes.toString('utf8')) as { readonly manifests: readonly Json[] }
  return manifests
}

/** Of the index itself; an image's own annotations stay with it. */
function annotationsOf({ root }: IndexPart): Readonly<Record<string, string>> {
  if (root.manifest.kind !== 'index') return {}
  const { annotations } = JSON.parse(root.bytes.toString('utf8')) as { readonly annotations?: unknown }
  if (typeof annotations !== 'object' || annotations === null) return {}
  const texts = Object.entries(annotations).filter((pair): pair is [string, string] => typeof pair[1] === 'string')
  return Object.fromEntries(texts)
}
