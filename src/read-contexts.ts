/**
 * What the build contexts of a Dockerfile hold of what its stages read: the context's directory, and the named ones. Asks
 * git and registries.
 */
import { relative, resolve } from 'node:path'
import { isAddress } from './build/definition.ts'
import { ignoreFileFor, ignoreFileOf, type IgnoreFile } from './context/ignore-file.ts'
import { IgnoreMatcher } from './context/ignore-matcher.ts'
import type { LookAhead } from './context/look-ahead.ts'
import { snapshotContext, type ContextSnapshot, type ReadEntry } from './context/snapshot.ts'
import type { Problem } from './errors.ts'
import type { Stage } from './graph/stage-graph.ts'
import { lookUpProblem } from './image-catalog.ts'
import type { ImageQuestions } from './images/image-lookups.ts'
import { isEmptyImage, parseImageSource } from './images/image-source.ts'
import { resolveOciLayout } from './images/oci-layout.ts'
import { digestOf, readKey, readsOf } from './plan/stage-print.ts'
import { contextValue, type Part } from './project.ts'

export interface ContextsOptions {
  readonly part: Part
  readonly workspace: string
  readonly client: ImageQuestions
  readonly snapshots: Snapshots
  readonly signal: AbortSignal | undefined
}

/** An image that a named context stands for and that could not be looked up. */
export interface FailedContext {
  /** As it is written: `docker-image://REF`, `oci-layout://PATH`. */
  readonly value: string
  readonly problem: Problem
}

export interface Read {
  readonly digest: string
  readonly entries: Iterable<ReadEntry>
}

/** Directories as they are found, each looked at once, however many Dockerfiles have it for a context. */
export class Snapshots {
  readonly #workspace: string
  readonly #env: NodeJS.ProcessEnv
  readonly #ahead: LookAhead
  readonly #known = new Map<string, Promise<ContextSnapshot>>()

  constructor(workspace: string, env: NodeJS.ProcessEnv, ahead: LookAhead) {
    this.#workspace = workspace
    this.#env = env
    this.#ahead = ahead
  }

  /** Of one directory there may be several ignore files. */
  async of(directory: string, ignore: IgnoreFile): Promise<ContextSnapshot> {
    const key = JSON.stringify([directory, ignore.name])
    const opened = this.#known.get(key) ?? this.#open(directory, ignore)
    this.#known.set(key, opened)
    return await opened
  }

  async #open(directory: string, ignore: IgnoreFile): Promise<ContextSnapshot> {
    const matcher = new IgnoreMatcher({ ...ignore, name: relative(this.#workspace, ignore.name) })
    return await snapshotContext({ directory, matcher, env: this.#env, ahead: this.#ahead })
  }
}

/** The build context of a Dockerfile and the named ones. */
export class Contexts {
  /** Of named contexts that stand for images or commits. */
  readonly digests = new Map<string, string>()
  readonly failed: FailedContext[] = []
  readonly #options: ContextsOptions
  readonly #ignoreFiles = new Map<string, IgnoreFile>()
  readonly #patterns = new Map<string, readonly string[]>()

  constructor(options: ContextsOptions) {
    this.#options = options
  }

  /** Everything that the stages read, by `readKey`; what cannot be read is left out. */
  async readAll(stages: readonly Stage[]): Promise<ReadonlyMap<string, Read>> {
    const wanted = readsOf(stages)
    const named = [...new Set(wanted.flatMap(({ context }) => context ?? []))]
    await Promise.all(named.map(async (name) => this.#resolve(name, stages[0]?.platform)))
    const found = await Promise.all(
      wanted.map(async ({ read, context }) => {
        const directory = this.#directoryOf(context)
        if (directory === undefined) return []
        return [[readKey(read, context), await (await this.#snapshot(directory, context)).read(read)] as const]
      }),
    )
    return new Map(found.flat())
  }

  #directoryOf(context: string | undefined): string | undefined {
    const { part, workspace } = this.#options
    if (context === undefined) return part.contextDir
    const value = contextValue(part, context)
    return value === '' || isAddress(value) ? undefined : resolve(workspace, value)
  }

  /** What the ignore files of the contexts that are read say, by context. */
  get ignorePatterns(): readonly (readonly [context: string, patterns: readonly string[]])[] {
    return [...this.#patterns].sort(([a], [b]) => (a < b ? -1 : 1))
  }

  async #snapshot(directory: string, context: string | undefined): Promise<ContextSnapshot> {
    const { part, snapshots } = this.#options
    const key = context ?? ''
    const ignore =
      this.#ignoreFiles.get(key) ??
      (context === undefined ? ignoreFileFor(part.dockerfilePath, directory) : ignoreFileOf(directory))
    this.#ignoreFiles.set(key, ignore)
    this.#patterns.set(
      key,
      ignore.patterns.map(({ pattern }) => pattern),
    )
    return await snapshots.of(directory, ignore)
  }

  async #resolve(context: string, platform = 'linux/amd64'): Promise<void> {
    const value = contextValue(this.#options.part, context)
    try {
      const digest = await this.#digestOf(value, platform)
      if (digest !== undefined) this.digests.set(context, digest)
    } catch (error) {
      this.#options.signal?.throwIfAborted()
      this.failed.push({ value, problem: lookUpProblem(value, error) })
    }
  }

  async #digestOf(value: string, platform: string): Promise<string | undefined> {
    if (!isAddress(value) || isEmptyImage(value)) return undefined
    const { client, workspace, signal } = this.#options
    if (/^(?:docker-image|oci-layout):/.test(value)) {
      const source = parseImageSource(value)
      if (source.kind === 'registry') return await client.resolveDigest(source.ref, { signal })
      return (await resolveOciLayout({ ...source, path: resolve(workspace, source.path) }, { platform })).digest
    }
    return /#[0-9a-f]{40}(?:[0-9a-f]{24})?(?::|$)/.test(value) ? digestOf(value) : undefined
  }
}
