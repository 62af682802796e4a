/**
 * Images in an OCI layout directory: the same answers as a registry gives. Reads only inside that directory.
 * https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
 */
import { open, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import {
  digestOf,
  type ImageConfig,
  type IndexEntry,
  type Manifest,
  ManifestError,
  MAX_MANIFEST_BYTES,
  parseImageConfig,
  parseManifest,
} from './manifest.ts'
import { digestFault } from './reference.ts'
import { RegistryError, type RegistryErrorKind } from './registry-error.ts'
import { type FetchedManifest, type ResolvedImage, resolvePlatform } from './resolve-image.ts'

/** The annotation that holds an image's tag within a layout. */
const REF_NAME = 'org.opencontainers.image.ref.name'

export interface OciLayoutImage {
  /** The layout's directory. */
  readonly path: string
  readonly tag?: string | undefined
  readonly digest?: string | undefined
}

/**
 * What a tag or digest of a layout stands for, and the image in it for a platform. Without either, `latest`; where the
 * layout has no such tag but one image only, that one, as in buildx.
 * @throws RegistryError `not-found`, `bad-answer` for broken contents, `unreachable` when files cannot be read
 */
export async function resolveOciLayout(
  image: OciLayoutImage,
  options: { readonly platform: string },
): Promise<ResolvedImage> {
  const layout = new OciLayout(image.path)
  const subject = `${image.path}${image.tag === undefined ? '' : `:${image.tag}`}${image.digest === undefined ? '' : `@${image.digest}`}`
  const digest = image.digest ?? (await layout.findTag(image.tag ?? 'latest')).digest
  const fetch = async (wanted: string): Promise<FetchedManifest> => await layout.manifest(wanted)
  return await resolvePlatform(await fetch(digest), { subject, platform: options.platform, fetch })
}

/**
 * The config of an image in a layout (of `ResolvedImage.configDigest`).
 * @throws RegistryError
 */
export async function readOciConfig(path: string, configDigest: string): Promise<ImageConfig> {
  return await new OciLayout(path).config(configDigest)
}

class OciLayout {
  readonly #path: string
  constructor(path: string) {
    this.#path = path
  }

  async findTag(tag: string): Promise<IndexEntry> {
    const index = this.#parse(await this.#read(['index.json']))
    if (index.kind !== 'index') throw this.#fault('bad-answer', 'its index.json is no image index')
    const tagged = index.manifests.find(({ annotations }) => annotations[REF_NAME] === tag)
    const only = index.manifests.length === 1 ? index.manifests[0] : undefined
    const found = tagged ?? only
    if (found === undefined) throw this.#fault('not-found', `it has no image ${JSON.stringify(tag)}`)
    return found
  }

  async manifest(digest: string): Promise<FetchedManifest> {
    const bytes = await this.#blob(digest)
    return { digest, manifest: this.#parse(bytes) }
  }

  async config(digest: string): Promise<ImageConfig> {
    const bytes = await this.#blob(digest)
    return this.#guarded(() => parseImageConfig(bytes))
  }

  async #blob(digest: string): Promise<Buffer> {
    const fault = digestFault(digest)
    if (fault !== undefined) throw this.#fault('bad-answer', fault)
    const bytes = await this.#read(['blobs', ...digest.split(':')])
    if (digestOf(bytes, digest) !== digest)
      throw this.#fault('bad-answer', `the blob ${digest} is not what its digest says`)
    return bytes
  }

  #parse(bytes: Buffer): Manifest {
    return this.#guarded(() => parseManifest(bytes, undefined))
  }

  #guarded<T>(parse: () => T): T {
    try {
      return parse()
    } catch (error) {
      if (error instanceof ManifestError) throw this.#fault('bad-answer', error.message)
      throw error
    }
  }

  async #read(parts: readonly string[]): Promise<Buffer> {
    const name = parts.join('/')
    let root: string
    let real: string
    try {
      root = await realpath(this.#path)
      real = await realpath(join(root, ...parts))
    } catch (error) {
      throw this.#fault('not-found', `it has no ${name}`, error)
    }
    // A link in a layout from somewhere else must not make us read the rest of the machine.
    if (!real.startsWith(root + sep)) throw this.#fault('bad-answer', `its ${name} leads out of the directory`)
    try {
      await using file = await open(real)
      const { size } = await file.stat()
      if (size > MAX_MANIFEST_BYTES)
        throw this.#fault('bad-answer', `its ${name} is larger than ${MAX_MANIFEST_BYTES} bytes`)
      return await file.readFile()
    } catch (error) {
      if (error instanceof RegistryError) throw error
      throw this.#fault('unreachable', `its ${name} could not be read`, error)
    }
  }

  #fault(kind: RegistryErrorKind, why: string, cause?: unknown): RegistryError {
    return new RegistryError(
      {
        kind,
        message: `The OCI layout ${this.#path} cannot be used: ${why}.`,
        mend: 'Check the path and the tag; the directory must hold oci-layout, index.json and blobs/.',
      },
      { cause },
    )
  }
}
