/** A matrix whose legs build one platform each, on engines of their own, as `matrix-by: platform` has it. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { startArtifactService, REPOSITORY, type ArtifactService } from './artifact-service.ts'
import { openColdEngine, type ColdEngine } from './cold-engine.ts'
import { startContainerBuilder, type ContainerBuilder } from './container-builder.ts'
import { rigRegistry } from './engine.ts'
import { startGithubApi, type GithubApi } from './github-api.ts'
import { startRegistry, type TestRegistry } from './registry.ts'
import { ReviewedProject, type Files } from './reviewed-project.ts'
import type { Step } from './step.ts'

export interface Cell {
  readonly target: string
  readonly platform: string
}

type Kind = 'push' | 'review'
type Inputs = Readonly<Record<string, string>>

export const PLATFORMS = ['linux/amd64', 'linux/arm64'] as const

/** What leads a process to an engine. */
type EngineEnv = Readonly<Record<'DOCKER_HOST' | 'DOCKER_CONFIG' | 'PATH' | 'XDG_CACHE_HOME', string | undefined>>

interface Entry {
  readonly digest: string
  readonly platform: { readonly os: string; readonly architecture: string }
  readonly annotations?: Readonly<Record<string, string>>
}

export interface Index {
  readonly digest: string | undefined
  readonly manifests: readonly Entry[]
  readonly annotations?: Readonly<Record<string, string>>
}

/** Two engines: legs for linux/arm64 run on the second, and nothing else does. */
export class SplitMatrix {
  readonly api: GithubApi
  readonly registry: TestRegistry
  readonly project: ReviewedProject
  readonly #artifacts: ArtifactService
  readonly #cold: ColdEngine
  readonly #engines: { readonly first: EngineEnv; readonly second: EngineEnv }
  readonly #builders: readonly ContainerBuilder[]
  /** The environment of every job, as variables of bake files. */
  variables: Readonly<Record<string, string>> = {}
  #runId = 700

  private constructor(parts: {
    readonly api: GithubApi
    readonly registry: TestRegistry
    readonly project: ReviewedProject
    readonly artifacts: ArtifactService
    readonly cold: ColdEngine
    readonly first: EngineEnv
    readonly builders: readonly ContainerBuilder[]
  }) {
    this.api = parts.api
    this.registry = parts.registry
    this.project = parts.project
    this.#artifacts = parts.artifacts
    this.#cold = parts.cold
    this.#builders = parts.builders
    this.#engines = { first: parts.first, second: engineEnv() }
  }

  static async open(files: Files): Promise<SplitMatrix> {
    const first = engineEnv()
    const cold = await openColdEngine()
    const [api, artifacts, registry] = await Promise.all([
      startGithubApi({ repository: REPOSITORY }),
      startArtifactService(),
      startRegistry(),
    ])
    const project = await ReviewedProject.make(files, api)
    const base = `${rigRegistry()}/library/alpine:3.22`
    const builders = await Promise.all(
      [first, engineEnv()].map((env) => startContainerBuilder({ ...process.env, ...env }, base)),
    )
    return new SplitMatrix({ api, artifacts, registry, project, cold, first, builders })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const builder of this.#builders) await builder[Symbol.asyncDispose]()
    await this.project[Symbol.asyncDispose]()
    await this.registry.stop()
    await this.#artifacts[Symbol.asyncDispose]()
    await this.api[Symbol.asyncDispose]()
    await this.#cold[Symbol.asyncDispose]()
  }

  /** Another run of the workflow begins, with its plan. */
  async plan(kind: Kind, inputs: Inputs = {}): Promise<{ readonly step: Step; readonly legs: readonly Cell[] }> {
    this.#runId++
    const step = await this.#step(kind, {
      ...{ mode: 'plan', 'matrix-by': 'platform', targets: 'production, debug', platforms: PLATFORMS.join(', ') },
      ...{ tags: this.tag('v1'), push: String(kind === 'push') },
      ...inputs,
    })
    if (step.code !== 0) throw new Error(step.stdout)
    const { include } = JSON.parse(step.outputs['matrix'] ?? '') as { readonly include: readonly Cell[] }
    return { step, legs: include }
  }

  /** A leg, as the example workflow has it. */
  async leg(
    kind: Kind,
    { target, platform }: Cell,
    { attempt = 1, ...inputs }: Inputs & { readonly attempt?: number } = {},
  ): Promise<Step> {
    const isSecond = platform === PLATFORMS[1]
    return await this.#step(
      kind,
      {
        ...{ 'matrix-by': 'platform', targets: target, platforms: platform, 'job-total': '4' },
        ...{ tags: `${this.registry.host}/org/app-{target}`, push: String(kind === 'push') },
        builder: this.#builders[isSecond ? 1 : 0]?.name ?? '',
        ...inputs,
      },
      { attempt, engine: isSecond ? this.#engines.second : this.#engines.first },
    )
  }

  async legs(kind: Kind, cells: readonly Cell[], inputs: Inputs = {}): Promise<readonly Step[]> {
    const done: Step[] = []
    for (const cell of cells) {
      const step = await this.leg(kind, cell, inputs)
      if (step.code !== 0) throw new Error(step.stdout)
      done.push(step)
    }
    return done
  }

  /** The last job. No engine is there for it. */
  async merge(
    kind: Kind,
    plan: Step,
    { attempt = 1, ...inputs }: Inputs & { readonly attempt?: number } = {},
  ): Promise<Step> {
    const given = { mode: 'merge', plan: plan.outputs['plan'] ?? '', push: String(kind === 'push'), ...inputs }
    const engine = { ...this.#engines.first, DOCKER_HOST: 'unix:///nowhere/docker.sock' }
    return await this.#step(kind, given, { attempt, engine })
  }

  tag(name: string): string {
    return `${this.registry.host}/org/app-{target}:${name}`
  }

  /** What a tag, or a digest, of a target's repository stands for; undefined where it is not there. */
  async index(target: string, reference: string): Promise<Index | undefined> {
    const accept = ['image.index', 'image.manifest'].map((type) => `application/vnd.oci.${type}.v1+json`).join(', ')
    const address = `http://${this.registry.host}/v2/org/app-${target}/manifests/${reference}`
    const answer = await fetch(address, { headers: { accept } })
    if (answer.status === 404) return undefined
    const index = (await answer.json()) as Omit<Index, 'digest'>
    return { ...index, digest: answer.headers.get('docker-content-digest') ?? undefined }
  }

  /** When a tag was written last. */
  async writtenAt(target: string, tag: string): Promise<number> {
    const folder = join(this.registry.directory, 'data/docker/registry/v2/repositories/org', `app-${target}`)
    return (await stat(join(folder, '_manifests/tags', tag, 'current/link'))).mtimeMs
  }

  async #step(
    kind: Kind,
    inputs: Inputs,
    { attempt = 1, engine = this.#engines.first }: { readonly attempt?: number; readonly engine?: EngineEnv } = {},
  ): Promise<Step> {
    // The REST API is another stand-in's.
    const token = Object.entries(this.#artifacts.env({ runId: this.#runId, attempt }))
    const env = Object.fromEntries(token.filter(([name]) => name !== 'GITHUB_API_URL'))
    return await this.project[kind]({ inputs, env: { ...this.variables, ...env, ...engine } })
  }
}

/** Platforms of an index, in its order; `attestation` for what is none. */
export function platformsOf(index: Index | undefined): readonly string[] {
  return (index?.manifests ?? []).map(({ platform: { os, architecture } }) =>
    os === 'unknown' ? 'attestation' : `${os}/${architecture}`,
  )
}

function engineEnv(): EngineEnv {
  const { DOCKER_HOST, DOCKER_CONFIG, PATH, XDG_CACHE_HOME } = process.env
  return { DOCKER_HOST, DOCKER_CONFIG, PATH, XDG_CACHE_HOME }
}
