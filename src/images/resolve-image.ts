/**
 * From a name's manifest or index to the image for one platform: the same walk for registries and OCI layouts.
 */
import { type Descriptor, indexPlatforms, type Manifest, selectEntry } from './manifest.ts'
import { parsePlatform } from './platform.ts'
import { oneLine, RegistryError } from './registry-error.ts'

/** What a name stands for, and the image in it for one platform. */
export interface ResolvedImage {
  /** Digest of what the name stands for: an index or a manifest. */
  readonly digest: string
  readonly mediaType: string
  /** Digest of the manifest for the platform; equal to `digest` where the name stands for one image. */
  readonly manifestDigest: string
  readonly configDigest: string
  /** Compressed layers, the lowest first. */
  readonly layers: readonly Descriptor[]
  /** What the index offers (`linux/amd64`); empty where the name stands for one image, whose config tells. */
  readonly platforms: readonly string[]
}

export interface FetchedManifest {
  readonly digest: string
  readonly manifest: Manifest
}

/** An index may hold indexes; nobody nests them deeper. */
const MAX_DEPTH = 3

/**
 * Follows indexes down to the image for a platform. As in BuildKit, a name that stands for one image is taken as it is,
 * whatever its platform.
 * @throws RegistryError `not-found` when no image is there for the platform; what `fetch` throws
 */
export async function resolvePlatform(
  root: FetchedManifest,
  options: {
    readonly subject: string
    readonly platform: string
    readonly fetch: (digest: string) => Promise<FetchedManifest>
  },
): Promise<ResolvedImage> {
  const wanted = parsePlatform(options.platform)
  const platforms = root.manifest.kind === 'index' ? indexPlatforms(root.manifest.manifests) : []
  let current = root
  for (let depth = 0; depth <= MAX_DEPTH; depth++) {
    const { manifest, digest } = current
    if (manifest.kind === 'image') {
      return {
        digest: root.digest,
        mediaType: root.manifest.mediaType,
        manifestDigest: digest,
        configDigest: manifest.config.digest,
        layers: manifest.layers,
        platforms,
      }
    }
    const entry = selectEntry(manifest.manifests, wanted)
    if (entry === undefined) break
    current = await options.fetch(entry.digest)
  }
  throw new RegistryError({
    kind: 'not-found',
    message: `${options.subject} has no image for ${options.platform}.`,
    mend: `It is there for ${platforms.length === 0 ? 'no platform' : oneLine(platforms.join(', '))}: choose another image, or other platforms.`,
  })
}
