/** Small images put into registries by hand, without an engine: one manifest, or an index of several with attestations. */
import { MEDIA_TYPES } from '../../src/images/manifest.ts'
import { pushBlob, pushManifest, type TestRegistry } from './registry.ts'

export interface SmallImage {
  /** Of the manifest or index. */
  readonly digest: string
  /** Of what the index lists; empty for a single manifest. */
  readonly manifests: readonly string[]
  readonly layer: string
}

export interface SmallImageOptions {
  readonly repository: string
  /** Under no tag when undefined. */
  readonly tag?: string
  /** Makes it another image. */
  readonly content?: Buffer
  /** An index with an attestation for each; undefined: one manifest. */
  readonly platforms?: readonly string[]
}

/** A manifest or an index. */
interface Document {
  readonly mediaType: string
  readonly [key: string]: unknown
}

const IN_TOTO = 'application/vnd.in-toto+json'

/** Uploads an image with one layer. */
export async function pushSmallImage(registry: TestRegistry, options: SmallImageOptions): Promise<SmallImage> {
  const { repository, tag, platforms, content = Buffer.from('a layer') } = options
  const layer = await pushBlob(registry, repository, content)
  const upload = async (manifest: Document, reference?: string): Promise<string> =>
    await pushManifest(registry, repository, { manifest, ...(reference === undefined ? {} : { reference }) })
  const image = async (platform: string, layerType: string) => {
    const [os, architecture] = platform.split('/')
    const config = Buffer.from(JSON.stringify({ os, architecture, rootfs: { type: 'layers', diff_ids: [layer] } }))
    const digest = await pushBlob(registry, repository, config)
    return {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: config.length },
      layers: [{ mediaType: layerType, digest: layer, size: content.length }],
    }
  }
  const tar = 'application/vnd.oci.image.layer.v1.tar'
  if (platforms === undefined) {
    const digest = await upload(await image('linux/amd64', tar), tag)
    return { digest, manifests: [], layer }
  }
  const described = async (manifest: Document) => ({
    mediaType: manifest.mediaType,
    digest: await upload(manifest),
    size: Buffer.byteLength(JSON.stringify(manifest)),
  })
  const entries: (Document & { readonly digest: string })[] = []
  for (const platform of platforms) {
    const [os, architecture] = platform.split('/')
    const entry = { ...(await described(await image(platform, tar))), platform: { os, architecture } }
    const annotations = {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': entry.digest,
    }
    const unknown = { os: 'unknown', architecture: 'unknown' }
    const attestation = await described({ ...(await image('unknown/unknown', IN_TOTO)), annotations })
    entries.push(entry, { ...attestation, annotations, platform: unknown })
  }
  const digest = await upload({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: entries }, tag)
  return { digest, manifests: [...new Set(entries.map((entry) => entry.digest))], layer }
}

/** Removes a manifest from a repository, as a clean-up job does. */
export async function loseManifest(registry: TestRegistry, repository: string, digest: string): Promise<void> {
  const answer = await fetch(`http://${registry.host}/v2/${repository}/manifests/${digest}`, { method: 'DELETE' })
  if (answer.status !== 202) throw new Error(`${repository}@${digest}: ${answer.status}`)
}
