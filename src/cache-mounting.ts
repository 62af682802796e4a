/**
 * Cache mounts kept between runs: their archives are put in before the build where a step is expected to run, and taken out
 * after it where one really ran. Whatever goes wrong is told once, and fails nothing.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { BuildOutcome } from './build/build.ts'
import type { Docker } from './build/buildx.ts'
import { isInstruction } from './build/progress.ts'
import { brief } from './cache-handover.ts'
import type { FoundMount, IndexedMount } from './cache/mount-archives.ts'
import type { Problem } from './errors.ts'
import { stagesOf } from './graph/reachability.ts'
import type { Inputs } from './inputs.ts'
import type { LayerCaching } from './layer-caching.ts'
import { formatBytes } from './measure/format.ts'
import { MountHelper } from './mount-helper.ts'
import { ToolMissingError } from './mounts/helper-root.ts'
import { readMountList } from './mounts/mount-list.ts'
import { mountUses, namedMounts, type KeptMount, type MountUses, type StepPlace } from './mounts/mount-uses.ts'
import type { Planned } from './planning.ts'
import type { MountFacts } from './report/cache-facts.ts'
import { count } from './report/words.ts'

export interface CacheMountingOptions {
  readonly inputs: Inputs
  readonly planned: Planned
  readonly caching: LayerCaching
  readonly isExpected: (place: StepPlace) => boolean
  readonly docker: Docker
  readonly builder: string | undefined
  readonly tempRoot: string
  readonly signal: AbortSignal
  readonly now: () => number
  readonly log: (line: string) => void
  readonly debug: (line: string) => void
  readonly notice: (message: string) => void
  /** Called before anything is left on the builder that the post step should remove. */
  readonly onRun: (token: string) => void
}

interface Archive extends FoundMount {
  readonly path: string
}

const DAY_MS = 24 * 60 * 60 * 1_000
/** A file of a mount that was not used for so long is left out of its archive. */
const UNUSED_MS = 7 * DAY_MS

export class CacheMounting {
  readonly #options: CacheMountingOptions
  readonly #uses: MountUses
  readonly #helper: MountHelper
  readonly #isExpected: (place: StepPlace) => boolean
  readonly #fetches = new Map<KeptMount, Promise<Archive | undefined>>()
  readonly #facts = new Map<KeptMount, MountFacts>()
  /** When a mount was put in, in milliseconds since the epoch. */
  readonly #putIn = new Map<KeptMount, number>()
  #trouble: Problem | undefined

  private constructor(options: CacheMountingOptions, namespace: string) {
    const { planned } = options
    this.#options = options
    this.#helper = new MountHelper({ ...options, namespace })
    this.#uses = mountUses(planned.graph, targetStages(planned), namespace)
    this.#isExpected = options.isExpected
  }

  /** Undefined where cache mounts are not kept, or there are none. */
  static open(
    options: Omit<CacheMountingOptions, 'caching'> & { readonly caching: LayerCaching | undefined },
  ): CacheMounting | undefined {
    const { inputs, planned, caching } = options
    if (caching === undefined || inputs.cacheMounts === 'off') return undefined
    const namespaces = new Set(planned.parts.map(({ part }) => part.inputs.buildArgs['BUILDKIT_CACHE_MOUNT_NS'] ?? ''))
    const [namespace = '', ...others] = namespaces
    if (others.length > 0) {
      options.debug('cache mounts are not kept: targets have them in several namespaces')
      return undefined
    }
    caching.nameMounts(namedMounts(planned.graph, namespace))
    const mounting = new CacheMounting({ ...options, caching }, namespace)
    return mounting.#begin() ? mounting : undefined
  }

  #begin(): boolean {
    const { kept, left } = this.#uses
    for (const { id, line, why } of left) {
      const reason = why === 'content' ? 'it begins with the content of `from`' : 'its id is not plain text'
      this.#options.debug(`the cache mount ${JSON.stringify(id)} (line ${line}) is not kept: ${reason}`)
    }
    if (kept.length === 0) return false
    this.#helper.begin()
    for (const mount of kept.filter(({ steps }) => steps.some(this.#isExpected))) void this.#fetch(mount)
    return true
  }

  /** Puts archives into the mounts of steps that are expected to run. Never rejects. */
  async putIn(): Promise<void> {
    const { planned, caching } = this.#options
    const uncached = planned.targets.filter(({ name }) => !caching.hasImports(name)).map(({ stage }) => stage)
    const rebuilt = new Set(uncached.flatMap((stage) => stagesOf(planned.graph, stage)))
    const wanted = this.#uses.kept.filter(({ steps }) =>
      steps.some((place) => rebuilt.has(place.stage) || this.#isExpected(place)),
    )
    try {
      const found = await Promise.all(
        wanted.map(async (mount, index) => ({ mount, name: String(index), archive: await this.#fetch(mount) })),
      )
      for (const mount of this.#uses.kept) this.#note(mount, wanted.includes(mount) ? 'none' : 'cached')
      const archives = found.flatMap(({ archive, ...rest }) => (archive === undefined ? [] : [{ ...archive, ...rest }]))
      if (archives.length === 0) return
      const started = performance.now()
      await this.#helper.putIn(archives)
      for (const { mount, bytes, savedAt, ref } of archives) {
        this.#putIn.set(mount, this.#options.now())
        this.#note(mount, { bytes, ref, savedAt: Date.parse(savedAt) })
      }
      this.#told('put in', archives, started)
    } catch (error) {
      this.#fail('filled', error)
    }
  }

  /** Takes out of the mounts what the steps that ran left there, to be saved with the layers. Never rejects. */
  async takeOut(outcome: BuildOutcome): Promise<void> {
    const { caching, inputs, now } = this.#options
    const ran = new Set(
      outcome.steps
        .filter((step) => isInstruction(step) && step.status === 'done')
        .map(({ stage, source }) => `${stage ?? ''}:${source?.line ?? ''}`),
    )
    const used = this.#uses.kept.filter(({ steps }) => steps.some(({ stage, line }) => ran.has(`${stage}:${line}`)))
    for (const mount of this.#uses.kept) this.#left(mount, used.includes(mount) ? 'not-written' : 'not-run')
    const written = used.filter(({ isWritten }) => isWritten)
    if (!caching.writes || outcome.kind === 'cancelled' || written.length === 0) return
    const folder = join(caching.root, 'mounts')
    try {
      const started = performance.now()
      const usedSince = (now() - UNUSED_MS) / 1_000
      const mounts = written.map((mount, index) => ({
        ...{ mount, name: String(index), usedSince },
        // What was put in was made then, as far as the file system can tell.
        madeSince: Math.max(usedSince, (this.#putIn.get(mount) ?? 0) / 1_000),
      }))
      const out = await this.#helper.takeOut(mounts, { maxBytes: inputs.cacheMountsMaxSize, folder })
      const taken: { bytes: number }[] = []
      for (const { mount, name } of mounts) taken.push(...(await this.#keep(mount, join(out, name))))
      if (taken.length > 0) this.#told('took out', taken, started)
    } catch (error) {
      this.#fail('read', error)
    } finally {
      await rm(folder, { recursive: true, force: true }).catch(() => undefined)
    }
  }

  /** What the summary tells. */
  facts(): readonly MountFacts[] {
    return [...this.#facts.values()]
  }

  get warnings(): readonly Problem[] {
    return this.#trouble === undefined ? [] : [this.#trouble]
  }

  /** @param path of what the helper made of it, without the ending */
  async #keep(mount: KeptMount, path: string): Promise<readonly { readonly bytes: number }[]> {
    const { caching, inputs, now, notice } = this.#options
    const content = await readMountList(`${path}.list`)
    const size = await stat(`${path}.tar`).then(
      (found) => found.size,
      () => undefined,
    )
    if (content.files === 0) {
      this.#left(mount, 'empty')
      return []
    }
    if (size === undefined) {
      this.#left(mount, { tooLarge: content.bytes })
      notice(
        `The cache mount ${mount.id} holds ${formatBytes(content.bytes)} and was not saved: \`cache-mounts-max-size\` is ${formatBytes(inputs.cacheMountsMaxSize)}.`,
      )
      return []
    }
    const [known] = await caching.cache.mountArchives(mount.key)
    const isOld = known?.isOwn === true && now() - Date.parse(known.savedAt) > DAY_MS
    // An old one is saved again, for it tells when each file was used last.
    if (known?.content === content.digest && !isOld) {
      this.#left(mount, 'unchanged')
      return []
    }
    const hash = createHash('sha256')
    await pipeline(createReadStream(`${path}.tar`), hash)
    const digest = `sha256:${hash.digest('hex')}`
    const saved: IndexedMount = {
      ...{ digest, bytes: size, content: content.digest },
      savedAt: new Date(now()).toISOString(),
    }
    await caching.cache.takeMount(mount.key, saved, `${path}.tar`)
    this.#left(mount, { bytes: size })
    return [saved]
  }

  #fetch(mount: KeptMount): Promise<Archive | undefined> {
    let fetched = this.#fetches.get(mount)
    if (fetched === undefined) {
      fetched = this.#fetchArchive(mount)
      fetched.catch(() => undefined) // told when it is waited for
      this.#fetches.set(mount, fetched)
    }
    return fetched
  }

  /** The first that can be had. */
  async #fetchArchive({ key }: KeptMount): Promise<Archive | undefined> {
    const { cache } = this.#options.caching
    for (const found of await cache.mountArchives(key)) {
      const path = await cache.fileOf(found.digest)
      if (path !== undefined) return { ...found, path }
    }
    return undefined
  }

  #note(mount: KeptMount, putIn: MountFacts['putIn']): void {
    this.#facts.set(mount, { id: mount.id, putIn, takenOut: this.#facts.get(mount)?.takenOut ?? 'not-run' })
  }

  #left(mount: KeptMount, takenOut: MountFacts['takenOut']): void {
    this.#facts.set(mount, { id: mount.id, putIn: this.#facts.get(mount)?.putIn ?? 'none', takenOut })
  }

  #told(what: string, mounts: readonly { readonly bytes: number }[], started: number): void {
    const bytes = mounts.reduce((sum, mount) => sum + mount.bytes, 0)
    const seconds = ((performance.now() - started) / 1_000).toFixed(1)
    this.#options.log(
      `Cache mounts: ${what} ${formatBytes(bytes)} of ${count(mounts.length, 'mount')} in ${seconds} s.`,
    )
  }

  #fail(what: string, error: unknown): void {
    if (this.#options.signal.aborted) return
    const reason = brief(error instanceof Error ? error.message : String(error))
    const mend =
      error instanceof ToolMissingError
        ? 'Install GNU tar and GNU findutils on the runner, or set `cache-mounts: off`.'
        : 'Set `cache-mounts: off` to build without.'
    this.#trouble ??= {
      input: 'cache-mounts',
      message: `Cache mounts could not be ${what} (${reason}). The build does not depend on it.`,
      mend,
    }
  }
}

function targetStages({ targets }: Planned): readonly number[] {
  return targets.map(({ stage }) => stage)
}
