/**
 * What names of images stand for, each asked of its registry once, however many Dockerfiles name it. For a plan: a tag that is
 * moved meanwhile is one image in all of it. What a build has pushed is asked of the client itself.
 */
import type { ImageConfig } from './manifest.ts'
import { normalizeReference } from './reference.ts'
import type { Cancellable, RegistryClient } from './registry-client.ts'
import type { ResolvedImage } from './resolve-image.ts'

/** What a plan asks of registries about images that it is built from. */
export type ImageQuestions = Pick<RegistryClient, 'resolveDigest' | 'resolveImage' | 'fetchConfig'>

/** Answers as the client does; a failure is an answer, too. */
export class ImageLookups implements ImageQuestions {
  readonly #client: ImageQuestions
  readonly #digests = new Map<string, Promise<string>>()
  readonly #images = new Map<string, Map<string, Promise<ResolvedImage>>>()
  readonly #configs = new Map<string, Promise<ImageConfig>>()

  constructor(client: ImageQuestions) {
    this.#client = client
  }

  /** As the client's; what is known of the image for a platform tells it, too. */
  async resolveDigest(image: string, options: Cancellable = {}): Promise<string> {
    const name = normalizeReference(image)
    const [known] = this.#images.get(name)?.values() ?? []
    return await once(this.#digests, name, async () => {
      const found = await known?.catch(() => undefined)
      return found?.digest ?? (await this.#client.resolveDigest(name, options))
    })
  }

  /** As the client's. */
  async resolveImage(image: string, options: Cancellable & { readonly platform: string }): Promise<ResolvedImage> {
    const name = normalizeReference(image)
    const ofName = this.#images.get(name) ?? new Map<string, Promise<ResolvedImage>>()
    this.#images.set(name, ofName)
    return await once(ofName, options.platform, async () => await this.#client.resolveImage(name, options))
  }

  /** As the client's. */
  async fetchConfig(image: string, digest: string, options: Cancellable = {}): Promise<ImageConfig> {
    const key = `${digest} ${normalizeReference(image)}`
    return await once(this.#configs, key, async () => await this.#client.fetchConfig(image, digest, options))
  }
}

async function once<T>(known: Map<string, Promise<T>>, key: string, ask: () => Promise<T>): Promise<T> {
  const asked = known.get(key) ?? ask()
  known.set(key, asked)
  return await asked
}
