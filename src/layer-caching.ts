/**
 * The layer cache as a run uses it: which backend and scopes the surroundings mean, what BuildKit is told to import and
 * export, and what is saved when the build is over. Trouble with it is told once and never fails a build.
 */
import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import type { BuildOutcome } from './build/build.ts'
import { tellsOfCache } from './build/cache-trouble.ts'
import type { BuildRequest } from './build/build-request.ts'
import { isInstruction } from './build/progress.ts'
import { openBackend, type BackendChoice, type BackendOptions } from './cache-backends.ts'
import { brief, savedLine, savingTrouble, writeHandover } from './cache-handover.ts'
import { tooLarge } from './cache-room.ts'
import type { CacheBackend } from './cache/cache-backend.ts'
import { configDigest, parseTargetCache, type TargetCache } from './cache/cache-manifest.ts'
import type { IndexPlace } from './cache/index-loader.ts'
import { LayerCache, type LayerCacheOptions, type Saving } from './cache/layer-cache.ts'
import type { LayerRegistry } from './cache/layer-registry.ts'
import { WITH_INDEX_BYTES } from './cache/packing.ts'
import { bytesToMove, executeSave, withoutFailed, type SaveReport } from './cache/saving.ts'
import type { Upstream } from './cache/upstream.ts'
import type { Problem } from './errors.ts'
import { KnownRecords } from './known-records.ts'
import type { CacheFacts, CacheImport } from './report/cache-facts.ts'

export interface LayerCachingOptions extends Omit<LayerCacheOptions, 'backend' | 'withIndexBytes'>, BackendOptions {
  readonly choice: BackendChoice
  readonly isPullRequest: boolean
  /** False: only what is remembered of builds is kept, since the user names caches for the layers. */
  readonly keepsLayers: boolean
  /** Where steps that build only one of these targets, or one platform, leave their indexes. */
  readonly legPlaces: (targets: readonly string[]) => readonly IndexPlace[]
  /** Platforms that legs build apart; undefined where each builds all. */
  readonly parts?: readonly string[] | undefined
  /** Whether a post step follows, which can save what need not be saved now. */
  readonly hasPost: boolean
}

/** What is saved beside the layers that BuildKit exported. */
type SavedContent = Omit<Parameters<LayerCache['finish']>[1], 'named'> & {
  /** Of the images that records tell of. */
  readonly imageLayers: ReadonlySet<string>
}

/** The layer registry's repository that BuildKit exports its cache to: manifests, each with a tag of its own. */
export const CACHE = 'cache'

/**
 * What is larger is left to the post step, so that the job's next step need not wait for it. For less, starting the cache
 * client a second time would take longer than saving does.
 */
const SAVED_AT_ONCE_BYTES = 32 << 20

/** https://github.com/containerd/containerd/blob/v2.1.4/core/remotes/docker/httpreadseeker.go and what BuildKit puts before it */
const FETCH_FAILED =
  /httpReadSeeker|failed to copy|could not fetch content|short read|unexpected EOF|connection reset|unexpected status/

export class LayerCaching {
  readonly #options: LayerCachingOptions
  readonly #backend: CacheBackend
  readonly #cache: LayerCache
  readonly #imports = new Map<string, readonly CacheImport[]>()
  #place: { readonly registry: LayerRegistry; readonly upstream: Upstream } | undefined
  #report: SaveReport | undefined
  #namedMounts: ReadonlySet<string> | undefined
  #toSave: (Omit<Extract<Saving, { kind: 'plan' }>, 'plan' | 'begun'> & { readonly isLater: boolean }) | undefined
  #trouble: string | undefined

  constructor(options: LayerCachingOptions) {
    this.#options = options
    this.#backend = openBackend(options.choice, options)
    this.#cache = new LayerCache({ ...options, withIndexBytes: WITH_INDEX_BYTES, backend: this.#backend })
  }

  get cache(): LayerCache {
    return this.#cache
  }

  get keepsLayers(): boolean {
    return this.#options.keepsLayers
  }

  /** The session's own folder. */
  get root(): string {
    return this.#options.root
  }

  /** Tells which cache mounts the Dockerfile names: archives of others need not be kept. */
  nameMounts(keys: ReadonlySet<string>): void {
    this.#namedMounts = keys
  }

  /** Whether BuildKit was told of cached layers of a target. */
  hasImports(name: string): boolean {
    return (this.#imports.get(name) ?? []).length > 0
  }

  /** What earlier builds of these targets left, as far as this run may believe it. */
  async records(names: readonly string[]): Promise<KnownRecords> {
    const { isPullRequest, legPlaces, parts = [] } = this.#options
    const found = await this.#cache.records()
    const known = new KnownRecords(found, { isPullRequest, parts: this.#options.parts })
    // Where the legs of a matrix built, each left an index of its own.
    const isSplit = parts.length > 1
    const sources = found.filter(({ isExact }) => isSplit || !isExact).map(({ source }) => source)
    if (sources.length === 0 || (names.length === 1 && !isSplit)) return known
    const legs = legPlaces(names).filter(({ source }) => sources.includes(source))
    known.add(await this.#cache.recordsAt(legs))
    return known
  }

  /** What builds of these commits left, of the branches that this run may read. Never rejects. */
  async recordsOf(commits: readonly string[]): Promise<KnownRecords> {
    const { isPullRequest, places, parts } = this.#options
    const found = await this.#cache.recordsAt(places.map((place) => ({ ...place, commits })))
    return new KnownRecords(found, { isPullRequest, parts })
  }

  /**
   * The request, with what BuildKit imports and exports through the layer registry.
   * @param isChanged whether a target surely has something new
   */
  async withReferences(
    request: BuildRequest,
    place: { readonly registry: LayerRegistry; readonly upstream: Upstream },
    isChanged: (name: string) => boolean,
  ): Promise<BuildRequest> {
    this.#place = place
    const { registry, upstream } = place
    // Such steps run whatever is cached, and the next run must have their result.
    const isForced = request.noCache === true || (request.noCacheFilters ?? []).length > 0
    const targets = await Promise.all(
      request.targets.map(async (target, index) => {
        const offers = await this.#cache.offers(target.name, (digest) => upstream.has(digest))
        const useful = offers.filter(({ rendered }) => rendered.layers > 0)
        useful.forEach(({ rendered }, number) => {
          registry.offer(CACHE, `t${index}-${number}`, rendered)
        })
        this.#imports.set(
          target.name,
          useful.map(({ ref, createdAt, rendered }) => ({ ref, createdAt, layers: rendered.layers })),
        )
        const from = useful.map((_, number) => this.#reference(registry, `t${index}-${number}`))
        // Most of what a cached target would export is here already, and to prepare it takes BuildKit seconds.
        const later = from.length > 0 && !isForced && !isChanged(target.name)
        return { ...target, cacheFrom: from, cacheTo: later ? [] : this.exportTo(target.name) }
      }),
    )
    return { ...request, targets }
  }

  /** Where BuildKit exports a cache to; nowhere where this run does not write. */
  exportTo(name: string): readonly string[] {
    const registry = this.#place?.registry
    if (registry === undefined || !this.#options.writes) return []
    return [
      `${this.#reference(registry, tagOf(name))},mode=max,ignore-error=true,image-manifest=true,oci-mediatypes=true`,
    ]
  }

  /**
   * The targets of a finished build whose cache was not exported with it, and that have something new: a step was run, or
   * the image has a layer that was not here.
   */
  unexported(outcome: BuildOutcome, layersOf: (name: string) => readonly string[]): readonly string[] {
    if (!this.#options.writes) return []
    const ran = new Set(
      outcome.steps.filter((step) => isInstruction(step) && step.status === 'done').flatMap(({ targets }) => targets),
    )
    const isNew = (name: string): boolean =>
      ran.has(name) || layersOf(name).some((digest) => this.#cache.hasReceived(digest))
    const later = [...this.#imports.keys()].filter((name) => outcome.built.has(name) && !this.isExported(name))
    return later.filter(isNew)
  }

  get writes(): boolean {
    return this.#options.writes
  }

  /** Whether the cache of a target (or of a part of the build) has been exported. */
  isExported(name: string): boolean {
    return this.#place?.registry.manifest(CACHE, tagOf(name)) !== undefined
  }

  /** What was asked for and could not be given, reason enough for a build to fail; undefined where nothing was. */
  brokenBy(errors: readonly string[]): string | undefined {
    const { registry, upstream } = this.#place ?? {}
    for (const error of errors) this.#options.debug(`the build says: ${registry?.hidden(error) ?? error}`)
    const [refused] = registry?.refused ?? []
    if (refused !== undefined) return `${refused} is gone`
    const [failed] = upstream?.failed ?? []
    if (failed !== undefined) return `the registry of a base image did not give ${failed}`
    // How a fetch elsewhere went only BuildKit knows: from a base image's registry, or from the layer registry of another
    // step at the same engine, which began an equal build before, and may be gone.
    const told = errors.find((error) => FETCH_FAILED.test(error) && !error.includes('failed to push'))
    return told === undefined ? undefined : brief(registry?.hidden(told) ?? told)
  }

  /** Saves what is new, or leaves it to the post step. Never rejects. */
  async finish(
    names: readonly string[],
    { told, ...content }: SavedContent & { readonly told: readonly Problem[] },
  ): Promise<void> {
    try {
      await this.#finish(names, content, tellsOfCache(told))
    } catch (error) {
      this.#trouble ??= `it could not be saved (${error instanceof Error ? error.message : String(error)})`
    }
  }

  async #finish(
    names: readonly string[],
    { isBase, notes, records, imageLayers }: SavedContent,
    isTold: boolean,
  ): Promise<void> {
    const registry = this.#place?.registry
    const caches = new Map(registry === undefined ? [] : names.flatMap((name) => this.#exported(registry, name)))
    const named = { mounts: this.#namedMounts, layers: imageLayers }
    const saving = await this.#cache.finish(caches, { isBase, notes, records, named })
    if (saving.kind === 'unchanged') return
    const { choice, retries, hasPost, root } = this.#options
    const isLater = hasPost && choice.kind === 'github' && bytesToMove(saving.plan) > SAVED_AT_ONCE_BYTES
    this.#toSave = { ...saving, isLater }
    if (isLater) {
      const { plan, failures } = withoutFailed(saving.plan, await saving.begun)
      if (failures.length > 0) this.#report = { entries: 0, bytes: 0, indexSaved: false, failures }
      await writeHandover(root, { choice, retries, plan, isTold: isTold || (await this.#troubleText()) !== undefined })
      return
    }
    const started = performance.now()
    this.#report = await executeSave(saving.plan, { backend: this.#backend, root, begun: saving.begun })
    const line = savedLine(this.#report, performance.now() - started)
    if (line !== undefined) this.#options.log(line)
  }

  /** What the summary tells. */
  async facts(): Promise<CacheFacts> {
    const { fetched, bytesFetched, gone, failed, damaged } = this.#cache.stats()
    return {
      backend: this.#backend.kind,
      writes: this.#options.writes,
      searches: await this.#cache.searches(),
      imports: this.#imports,
      packsFetched: fetched,
      bytesFetched,
      bytesProxied: this.#place?.upstream.bytesProxied ?? 0,
      bytesSaved: this.#toSave?.bytes,
      savedLater: this.#toSave?.isLater ?? false,
      ...{ bytesDropped: this.#toSave?.droppedBytes ?? 0, mounts: [] },
      ...{ gone, failed, damaged },
      trouble: await this.#troubleText(),
      now: this.#options.now(),
    }
  }

  /** One warning for all trouble, or none; none where the build already told of it. */
  async warnings(told: readonly Problem[]): Promise<readonly Problem[]> {
    const trouble = await this.#troubleText()
    const dropped = tooLarge(this.#toSave?.droppedBytes ?? 0, this.#toSave?.droppedMounts.length ?? 0)
    if (trouble === undefined || tellsOfCache(told)) return dropped
    return [{ message: `The layer cache: ${trouble}. The build does not depend on it.` }, ...dropped]
  }

  /** Ends what still goes on; removes the session's folder unless the post step needs it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#backend.close()
    if (this.#toSave?.isLater !== true) await rm(this.#options.root, { recursive: true, force: true })
  }

  async #troubleText(): Promise<string | undefined> {
    const searches = await this.#cache.searches()
    const unread = searches.find(({ outcome }) => outcome === 'failed' || outcome === 'unusable')
    const fault = this.#cache.spoolFault
    const [failure] = this.#report?.failures ?? []
    if (this.#trouble !== undefined) return this.#trouble
    if (unread?.outcome === 'failed') return `it could not be read (${brief(unread.reason ?? 'no reason given')})`
    if (unread !== undefined) return `the index of ${unread.ref} is not used: ${unread.reason ?? 'no reason given'}`
    if (fault !== undefined)
      return `new layers could not be kept (${fault instanceof Error ? fault.message : 'no reason given'})`
    return failure === undefined ? undefined : savingTrouble(failure)
  }

  #exported(registry: LayerRegistry, name: string): readonly (readonly [string, TargetCache])[] {
    const manifest = registry.manifest(CACHE, tagOf(name))
    const digest = manifest === undefined ? undefined : configDigest(manifest.bytes)
    const config = digest === undefined ? undefined : registry.document(digest)
    if (manifest === undefined || config === undefined) return []
    const cache = parseTargetCache(manifest.bytes, config)
    return cache === undefined ? [] : [[name, cache]]
  }

  #reference(registry: LayerRegistry, tag: string): string {
    return `type=registry,ref=${registry.host}/${registry.repository(CACHE)}:${tag}`
  }
}

/** Names are any text; tags are not. */
function tagOf(name: string): string {
  return `x-${createHash('sha256').update(name).digest('hex').slice(0, 24)}`
}
