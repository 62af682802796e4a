/**
 * Measures the images of one build: has a copy of each sent to the layer registry, counts what base images bring, and
 * reads the sizes off the manifests afterwards. Nothing here can fail a build.
 */
import { createReadStream } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import type { BuildOutcome } from './build/build.ts'
import type { Measure } from './build/build-request.ts'
import type { ImageRule } from './build/source-policy.ts'
import type { ClashingLayout } from './build-request.ts'
import type { LayerRegistry } from './cache/layer-registry.ts'
import { UserError, type Problem } from './errors.ts'
import type { ImageSource } from './images/image-source.ts'
import { publishedImage, receivedImage, type ImageDocuments } from './image-documents.ts'
import { parseManifest, type Descriptor } from './images/manifest.ts'
import type { RegistryClient } from './images/registry-client.ts'
import { leftBehind, type DiskUsage } from './left-behind.ts'
import { BaseLayers } from './measure/base-layers.ts'
import { LayerMemory } from './measure/layer-memory.ts'
import { PushedLayers, pushedTo } from './pushed-layers.ts'
import type { LayerIndex } from './measure/layer-index.ts'
import { withFiles } from './measure/own-files.ts'
import { storedFiles } from './measure/stored-files.ts'
import { measureImage, type PlatformSizes, type TargetSizes } from './measure/sizes.ts'
import type { RequestedTarget } from './plan/targets.ts'
import type { Planned } from './planning.ts'
import type { StageLeftBehind } from './report/summary-data.ts'
import { baseOfStage, layerSources } from './stage-chain.ts'

export interface Measured {
  readonly sizes: ReadonlyMap<string, TargetSizes>
  readonly leftBehind: ReadonlyMap<string, readonly StageLeftBehind[]>
  /** Why sizes are missing, where they are. */
  readonly unknownReason: string | undefined
  readonly warnings: readonly Problem[]
}

export interface MeasuringOptions {
  readonly planned: Planned
  readonly client: RegistryClient
  readonly workspace: string
  /** The Dockerfile, POSIX, from the repository's root. */
  readonly file: string
  /** Receives a copy of every image; undefined where the builder does not reach this machine's loopback. */
  readonly registry: LayerRegistry | undefined
  /** File bytes of a layer that the registry received or the cache has. Never rejects. */
  readonly unpackedOf: (digest: string) => Promise<number | undefined>
  /** The files of a layer that the registry received. */
  readonly indexOf: (digest: string) => LayerIndex | undefined
  /** What earlier runs measured of a target. */
  readonly remembered: (target: string) => readonly PlatformSizes[]
  /** The file that remembers base layers. */
  readonly memory: string
  /** Unpacked bytes of layers that earlier runs counted, by digest. */
  readonly known: ReadonlyMap<string, number>
  /** What earlier runs found in layers; undefined where nothing is remembered between runs. */
  readonly stored: ReadonlyMap<string, string> | undefined
  readonly debug: (line: string) => void
  readonly signal: AbortSignal
}

/** A base layer of more is not read for what is in it alone. */
const READ_AGAIN_BYTES = 64 << 20

/** The measuring of one build; to be disposed of. */
export class Measuring {
  readonly #options: MeasuringOptions
  readonly #registry: LayerRegistry | undefined
  readonly #memory: LayerMemory
  readonly #baseLayers: BaseLayers
  readonly #pushedLayers: PushedLayers
  readonly #abort = new AbortController()
  readonly #layoutRules: ImageRule[] = []
  /** Base layers that are read though their sizes are known, since what is in them is not. */
  readonly #wanted = new Set<string>()

  private constructor(options: MeasuringOptions, memory: LayerMemory) {
    this.#options = options
    this.#registry = options.registry
    this.#memory = memory
    const signal = AbortSignal.any([options.signal, this.#abort.signal])
    this.#baseLayers = new BaseLayers({ memory, signal })
    this.#pushedLayers = new PushedLayers({ ...options, layers: this.#baseLayers, signal })
  }

  /** Begins to count what the targets' base images bring. */
  static async start(options: MeasuringOptions): Promise<Measuring> {
    const measuring = new Measuring(options, await LayerMemory.open(options.memory))
    for (const { image, resolved } of options.planned.images.bases()) {
      if (!measuring.#isTargetBase(image)) continue
      for (const { digest, size } of resolved.layers) {
        if (options.stored?.has(digest) === false && size <= READ_AGAIN_BYTES) measuring.#wanted.add(digest)
        void measuring.#countBase(image, digest)
      }
    }
    return measuring
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort()
    await this.#memory.save()
  }

  /** Where the build sends a copy of each image. */
  destination(): Measure | undefined {
    const registry = this.#registry
    if (registry === undefined) return undefined
    const { targets } = this.#options.planned
    return {
      host: registry.host,
      repository: ({ name }) =>
        registry.repository(repositoryName(targets.findIndex((target) => target.name === name))),
    }
  }

  /**
   * Serves OCI layouts that cannot be named contexts, for a stage bears the image's name.
   * @throws UserError where the builder cannot reach the layer registry.
   */
  serveLayouts(clashing: readonly ClashingLayout[], file: string): void {
    const registry = this.#registry
    if (clashing.length > 0 && registry === undefined) {
      throw new UserError(
        clashing.map(({ stage, line, file: own }) => ({
          file: own ?? file,
          line,
          message: `The stage \`${stage}\` bears the name of an image that \`external-images\` maps to an OCI layout, and this builder cannot tell the two apart.`,
          mend: 'Rename the stage, or use a builder on this machine (leave `builder` out).',
        })),
      )
    }
    for (const [index, { image }] of clashing.entries()) {
      const { source, digest } = this.#options.planned.images.entry(image) ?? {}
      if (registry === undefined || source?.kind !== 'oci-layout') continue
      registry.serveLayout(`layout${index}`, resolve(this.#options.workspace, source.path))
      this.#layoutRules.push({ image, ref: `${registry.host}/${registry.repository(`layout${index}`)}`, digest })
    }
  }

  /** The source-policy rules for the layouts that are served. */
  layoutRules(): readonly ImageRule[] {
    return this.#layoutRules
  }

  /** Reads the sizes of the targets after the build. Never rejects. */
  async sizes(outcome: BuildOutcome): Promise<ReadonlyMap<string, TargetSizes>> {
    const { targets } = this.#options.planned
    if (outcome.kind === 'cancelled') return new Map()
    const sizes = await Promise.all(
      targets.map(async (target, index) =>
        outcome.built.has(target.name) ? await this.#measure(target, index, outcome) : undefined,
      ),
    )
    const known = (size: TargetSizes | undefined, name: string): readonly (readonly [string, TargetSizes])[] =>
      size === undefined ? [] : [[name, size]]
    return new Map(targets.flatMap(({ name }, index) => known(sizes[index], name)))
  }

  /** What else is worth telling beside the sizes. Never rejects. */
  async finish(
    outcome: BuildOutcome,
    { sizes, usage }: { readonly sizes: ReadonlyMap<string, TargetSizes>; readonly usage: DiskUsage },
  ): Promise<Measured> {
    const { planned } = this.#options
    const built = planned.targets.filter(({ name }) => outcome.built.has(name))
    if (outcome.kind === 'cancelled' || built.length === 0) {
      return { sizes, leftBehind: new Map(), unknownReason: undefined, warnings: [] }
    }
    const behind = await leftBehind(usage, {
      ...{ planned: { ...planned, targets: built }, steps: outcome.steps },
      imageSize: (image) => this.#imageSize(image),
    })
    const unknownReason =
      sizes.size === built.length
        ? undefined
        : 'This builder cannot reach the layer registry on this machine, and the image was not pushed.'
    return { sizes, leftBehind: behind, unknownReason, warnings: [] }
  }

  /** Digests of the layers of a target's image, of all platforms, as it was received. */
  layersOf(name: string): readonly string[] {
    const repository = repositoryName(this.#options.planned.targets.findIndex((target) => target.name === name))
    const layersOf = (reference: string): readonly string[] => {
      const found = this.#registry?.manifest(repository, reference)
      if (found === undefined) return []
      const manifest = parseManifest(found.bytes, found.mediaType)
      return manifest.kind === 'image'
        ? // An attestation is a manifest with a document in place of a layer.
          manifest.layers.filter(({ mediaType }) => !mediaType.includes('in-toto')).map(({ digest }) => digest)
        : manifest.manifests.flatMap(({ digest }) => layersOf(digest))
    }
    return layersOf('latest')
  }

  /** Layers of pushed images that were too many to be read back. */
  get unread(): PushedLayers['unread'] {
    return this.#pushedLayers.unread
  }

  /** The files of a layer that was read in this run. */
  readIndexOf(digest: string): LayerIndex | undefined {
    return this.#options.indexOf(digest) ?? this.#baseLayers.indexOf(digest)
  }

  async #measure(target: RequestedTarget, index: number, outcome: BuildOutcome): Promise<TargetSizes | undefined> {
    const { planned, file } = this.#options
    const base = baseOfStage(planned.graph, target.stage)
    const bases = base.kind === 'image' ? planned.images.basesOf(base.image) : []
    const baseDiffIds =
      base.kind === 'scratch' ? [] : bases.length === 0 ? undefined : bases.map(({ config }) => config.diffIds)
    const pushed = outcome.measured ? undefined : pushedTo(target, planned, outcome)
    const source = outcome.measured
      ? this.#received(index)
      : pushed && publishedImage(pushed.reference, pushed.digest, this.#options)
    if (source === undefined) return undefined
    const { remembered, stored } = this.#options
    const before = remembered(target.name)
    const unpackedOf = async (layer: Descriptor): Promise<number | undefined> =>
      pushed === undefined
        ? await this.#options.unpackedOf(layer.digest)
        : await this.#pushedLayers.unpackedOf(
            pushed.reference,
            layer,
            before.flatMap(({ layers }) => layers),
          )
    try {
      const sizes = await measureImage(source.digest, {
        ...source,
        baseDiffIds,
        instructions: layerSources(planned.graph, target.stage, file),
        base: base.kind === 'image' ? { image: base.image, digest: bases[0]?.resolved.digest } : undefined,
        unpackedOf: async (layer, own) =>
          (own && pushed !== undefined ? undefined : this.#options.known.get(layer.digest)) ??
          (await this.#countKept(layer.digest)) ??
          (await unpackedOf(layer)),
      })
      return withFiles(sizes, {
        indexOf: (digest) => this.readIndexOf(digest),
        storedIndexOf: (digest) => storedFiles(stored?.get(digest)),
        remembered: before,
      })
    } catch (error) {
      this.#options.debug(`measuring ${target.name}: ${error instanceof Error ? error.message : String(error)}`)
      return undefined
    }
  }

  #received(index: number): ImageDocuments | undefined {
    return this.#registry === undefined ? undefined : receivedImage(this.#registry, repositoryName(index))
  }

  /** A layer that was not pushed since some base image's registry keeps it: not always the target's own base. */
  async #countKept(digest: string): Promise<number | undefined> {
    const keeper = this.#options.planned.images
      .bases()
      .find(({ resolved }) => resolved.layers.some((layer) => layer.digest === digest))
    return keeper === undefined ? undefined : await this.#countBase(keeper.image, digest)
  }

  #imageSize(image: string): number | undefined {
    const [base] = this.#options.planned.images.basesOf(image)
    return base?.resolved.layers.reduce<number | undefined>((sum, { digest }) => {
      const bytes = this.#options.known.get(digest) ?? this.#memory.get(digest)
      return sum === undefined || bytes === undefined ? undefined : sum + bytes
    }, 0)
  }

  async #countBase(image: string, digest: string): Promise<number | undefined> {
    const known = this.#options.known.get(digest)
    const isWanted = this.#wanted.has(digest)
    if (known !== undefined && !isWanted) return known
    const source = this.#options.planned.images.sourceOf(image)
    return (
      (await this.#baseLayers.count(digest, { open: async () => await this.#open(source, digest), isWanted })) ?? known
    )
  }

  async #open(source: ImageSource, digest: string): Promise<Readable> {
    const { client, workspace, signal } = this.#options
    if (source.kind === 'registry') return (await client.openBlob(source.ref, digest, { signal })).stream
    return createReadStream(join(resolve(workspace, source.path), 'blobs', ...digest.split(':')))
  }

  #isTargetBase(image: string): boolean {
    return this.#options.planned.targets.some((target) => {
      const base = baseOfStage(this.#options.planned.graph, target.stage)
      return base.kind === 'image' && base.image === image
    })
  }
}

function repositoryName(index: number): string {
  return `target${index}`
}
