/** Where the manifests and configs of a built image are read: from our own copy, or from the user's registry. */
import type { LayerRegistry } from './cache/layer-registry.ts'
import { parseImageConfig, parseManifest, type ImageConfig, type Manifest } from './images/manifest.ts'
import { repositoryOf } from './images/reference.ts'
import type { RegistryClient } from './images/registry-client.ts'

export interface ImageDocuments {
  /** Of the image, or of the index. */
  readonly digest: string
  readonly manifest: (digest: string) => Promise<Manifest>
  readonly config: (digest: string) => Promise<ImageConfig>
}

/** What the layer registry received; undefined where it received none. */
export function receivedImage(registry: LayerRegistry, repository: string): ImageDocuments | undefined {
  const root = registry.manifest(repository, 'latest')
  if (root === undefined) return undefined
  return {
    digest: root.digest,
    manifest: (digest) => {
      const found = registry.manifest(repository, digest)
      if (found === undefined) throw new Error(`${digest} was not received`)
      return Promise.resolve(parseManifest(found.bytes, found.mediaType))
    },
    config: (digest) => {
      const bytes = registry.document(digest)
      if (bytes === undefined) throw new Error(`${digest} was not received`)
      return Promise.resolve(parseImageConfig(bytes))
    },
  }
}

/** What a registry has, by a reference to the same repository. */
export function publishedImage(
  reference: string,
  digest: string,
  { client, signal }: { readonly client: RegistryClient; readonly signal: AbortSignal },
): ImageDocuments {
  const named = (wanted: string): string => `${repositoryOf(reference)}@${wanted}`
  return {
    digest,
    manifest: async (wanted) => (await client.fetchManifest(named(wanted), { signal })).manifest,
    config: async (wanted) => await client.fetchConfig(reference, wanted, { signal }),
  }
}
