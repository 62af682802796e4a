/**
 * What is known of the external images of a build: what each is mapped to, the digest that its registry answered, and
 * of base images the layers and the configuration. Ties the Dockerfile's names to `src/images/`.
 */
import { resolve } from 'node:path'
import type { ImageRule } from './build/source-policy.ts'
import type { SourceLines } from './build/stage-layout.ts'
import type { Problem } from './errors.ts'
import { externalImages } from './graph/reachability.ts'
import type { StageGraph } from './graph/stage-graph.ts'
import type { ImageQuestions } from './images/image-lookups.ts'
import type { ImageSource } from './images/image-source.ts'
import type { ImageConfig } from './images/manifest.ts'
import { familiarName, parseReference, repositoryOf } from './images/reference.ts'
import { readOciConfig, resolveOciLayout } from './images/oci-layout.ts'
import { RegistryError } from './images/registry-error.ts'
import type { ResolvedImage } from './images/resolve-image.ts'
import type { ExternalImageInput } from './inputs.ts'
import type { ImagePin } from './plan/plan.ts'

export interface CatalogOptions {
  readonly client: ImageQuestions
  /** What relative paths of OCI layouts count from. */
  readonly workspace: string
  readonly signal?: AbortSignal | undefined
}

/** A base image for one platform. */
export interface BaseImage {
  readonly resolved: ResolvedImage
  readonly config: ImageConfig
}

export interface CatalogEntry {
  /** Normalised, as the Dockerfile names it. */
  readonly image: string
  readonly source: ImageSource
  /** As the user wrote the mapping; undefined where there is none. */
  readonly mapped: string | undefined
  /** Undefined where it could not be looked up and is not written. */
  readonly digest: string | undefined
  /** Why it, or the configuration of a base image, could not be looked up. */
  readonly problem: Problem | undefined
  /** Where a Dockerfile names it first: the 1-based line; the file where there are several. */
  readonly use: { readonly line: number; readonly file: string | undefined } | undefined
}

/** Stages whose images are to be looked up, and the platforms that their base images are needed for. */
export interface ImageWants {
  readonly graph: StageGraph
  readonly stages: readonly number[]
  readonly platforms: readonly string[]
}

/** The external images of one build; filled by `lookUp`, each image once. */
export class ImageCatalog {
  readonly #options: CatalogOptions
  readonly #mappings: ReadonlyMap<string, ImageSource>
  readonly #entries = new Map<string, CatalogEntry>()
  readonly #bases = new Map<string, BaseImage>()

  constructor(mappings: readonly ExternalImageInput[], options: CatalogOptions) {
    this.#options = options
    this.#mappings = new Map(mappings.map(({ name, source }) => [name, source]))
  }

  /** Looks up what these stages name and is not known yet, side by side. Never rejects for a registry's answer. */
  async lookUp(wants: readonly ImageWants[]): Promise<void> {
    const unknown = new Map<string, { use: CatalogEntry['use']; platforms: Set<string> }>()
    for (const { graph, stages, platforms } of wants) {
      for (const { image, uses, platforms: usedFor } of externalImages(graph, stages)) {
        if (this.#entries.has(image)) continue
        const [first] = uses
        const use = first === undefined ? undefined : { line: first.line, file: graph.stages[first.stage]?.file }
        const found = unknown.get(image) ?? { use, platforms: new Set() }
        unknown.set(image, found)
        if (!uses.some(({ via }) => via === 'from')) continue
        for (const platform of [...usedFor, ...platforms]) found.platforms.add(platform)
      }
    }
    await Promise.all(
      [...unknown].map(async ([image, { use, platforms }]) => {
        this.#entries.set(image, { ...(await this.#lookUpImage(image, [...platforms])), use })
      }),
    )
  }

  entry(image: string): CatalogEntry | undefined {
    return this.#entries.get(image)
  }

  /** Every base image, once for each platform. */
  bases(): readonly (BaseImage & { readonly image: string })[] {
    return [...this.#bases].map(([key, base]) => ({ ...base, image: key.slice(key.indexOf(' ') + 1) }))
  }

  entries(): readonly CatalogEntry[] {
    return [...this.#entries.values()]
  }

  pinOf(image: string): ImagePin {
    const entry = this.#entries.get(image)
    const source = this.#mappings.get(image)
    return { digest: entry?.digest, mapped: source === undefined ? undefined : sourceText(source) }
  }

  /** The base image for a platform; undefined where it could not be looked up. */
  baseOf(image: string, platform: string): BaseImage | undefined {
    return this.#bases.get(`${platform} ${image}`)
  }

  /** The base image for every platform that it was looked up for. */
  basesOf(image: string): readonly BaseImage[] {
    return this.bases().filter((base) => base.image === image)
  }

  /** ONBUILD triggers of an image; undefined where they are not known. */
  triggersOf(image: string, platform: string): readonly string[] | undefined {
    return this.baseOf(image, platform)?.config.onBuild
  }

  /** Where the bytes of an image come from. */
  sourceOf(image: string): ImageSource {
    return this.#mappings.get(image) ?? { kind: 'registry', ref: image }
  }

  /**
   * How BuildKit shall replace and pin each image that a registry keeps.
   * @param local images that only the engine's own store has: mapped, but not pinned
   */
  rules(local: ReadonlySet<string>): readonly ImageRule[] {
    return this.entries().flatMap(({ image, source, digest }) =>
      source.kind === 'registry' ? [{ image, ref: source.ref, digest: local.has(image) ? undefined : digest }] : [],
    )
  }

  /** Where the Dockerfile names each image first. */
  lines(): ReadonlyMap<string, SourceLines> {
    return new Map(
      this.entries().flatMap(({ image, use }) =>
        use === undefined ? [] : [[image, { line: use.line, endLine: use.line, file: use.file }] as const],
      ),
    )
  }

  /** Mappings for another tag of an image that the Dockerfile names and nothing maps: mostly a slip. */
  missedMappings(): readonly Problem[] {
    const unused = [...this.#mappings.keys()].filter((name) => !this.#entries.has(name))
    return this.entries().flatMap(({ image, mapped, use }) => {
      const near = unused.find((name) => mapped === undefined && repositoryOf(name) === repositoryOf(image))
      if (near === undefined) return []
      const [wanted, given] = [familiarName(image), familiarName(near)]
      return [
        {
          input: 'external-images',
          message: `\`external-images\` maps \`${given}\`, but line ${use?.line ?? '?'} of ${use?.file ?? 'the Dockerfile'} names \`${wanted}\`.`,
          mend: `Write \`${wanted}=…\`, or remove the mapping.`,
        },
      ]
    })
  }

  async #lookUpImage(image: string, basePlatforms: readonly string[]): Promise<Omit<CatalogEntry, 'use'>> {
    const source = this.sourceOf(image)
    const mapped = this.#mappings.has(image) ? sourceText(source) : undefined
    try {
      const digest = await this.#digest(image, source, basePlatforms)
      return { image, source, mapped, digest, problem: undefined }
    } catch (error) {
      this.#options.signal?.throwIfAborted()
      return { image, source, mapped, digest: writtenDigest(source), problem: lookUpProblem(image, error) }
    }
  }

  async #digest(image: string, source: ImageSource, basePlatforms: readonly string[]): Promise<string> {
    const { client, workspace, signal } = this.#options
    if (source.kind === 'oci-layout') {
      const layout = { ...source, path: resolve(workspace, source.path) }
      const found = await Promise.all(
        basePlatforms.map(async (platform) => {
          const resolved = await resolveOciLayout(layout, { platform })
          const config = await readOciConfig(layout.path, resolved.configDigest)
          this.#bases.set(`${platform} ${image}`, { resolved, config })
          return resolved.digest
        }),
      )
      return found[0] ?? (await resolveOciLayout(layout, { platform: 'linux/amd64' })).digest
    }
    if (basePlatforms.length === 0) return await client.resolveDigest(source.ref, { signal })
    const digests = await Promise.all(
      basePlatforms.map(async (platform) => {
        const resolved = await client.resolveImage(source.ref, { platform, signal })
        const config = await client.fetchConfig(source.ref, resolved.configDigest, { signal })
        this.#bases.set(`${platform} ${image}`, { resolved, config })
        return resolved.digest
      }),
    )
    return digests[0] ?? (await client.resolveDigest(source.ref, { signal }))
  }
}

function writtenDigest(source: ImageSource): string | undefined {
  return source.kind === 'registry' ? parseReference(source.ref).digest : undefined
}

/** Why an image could not be looked up. */
export function lookUpProblem(image: string, error: unknown): Problem {
  return error instanceof RegistryError
    ? { message: error.message, mend: error.mend }
    : { message: `${image} could not be looked up: ${error instanceof Error ? error.message : String(error)}.` }
}

/** A mapping as text, as the plan shows it. */
export function sourceText(source: ImageSource): string {
  if (source.kind === 'registry') return source.ref
  const tag = source.tag === undefined ? '' : `:${source.tag}`
  const digest = source.digest === undefined ? '' : `@${source.digest}`
  return `oci-layout://${source.path}${tag}${digest}`
}
