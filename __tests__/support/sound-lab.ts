/**
 * Asks the action for a variant's fingerprint and the real engine for what it does with it: by the action's own inputs,
 * plan, definition and source policy.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { LookAhead } from '../../src/context/look-ahead.ts'
import { bake } from '../../src/build/bake.ts'
import type { VertexEvent } from '../../src/build/rawjson.ts'
import { sourcePolicy } from '../../src/build/source-policy.ts'
import { buildRequest } from '../../src/build-request.ts'
import { DockerCredentials } from '../../src/images/docker-credentials.ts'
import { RegistryClient } from '../../src/images/registry-client.ts'
import { readInputs } from '../../src/inputs.ts'
import { planBuild, type Planned } from '../../src/planning.ts'
import type { TargetPrint } from '../../src/plan/target-print.ts'
import { openProject, type Project } from '../../src/project.ts'
import { runProcess } from '../../src/process.ts'
import { rigRegistry } from './engine.ts'
import { readImage, type BuiltImage } from './sound-image.ts'
import { writeVariant, type Variant } from './sound-project.ts'

export interface Outcome {
  readonly print: TargetPrint
  /** Steps that were carried out instead of being found in the cache. */
  readonly executed: readonly string[]
  readonly image: BuiltImage
}

interface Prepared {
  readonly inputs: ReturnType<typeof readInputs>['inputs']
  readonly project: Project
  readonly planned: Planned
}

/** Base images that the moving tag may be. */
export const BASES = 3

export class SoundLab implements AsyncDisposable {
  readonly root: string
  readonly #folder: string
  readonly #repository: string
  readonly #client: RegistryClient
  readonly #digests: readonly string[]
  #written: Variant | undefined
  #base: number | undefined

  private constructor(folder: string, repository: string, client: RegistryClient, digests: readonly string[]) {
    this.#folder = folder
    this.root = join(folder, 'workspace')
    this.#repository = repository
    this.#client = client
    this.#digests = digests
  }

  /** Makes the base images, in the rig's registry. */
  static async open(): Promise<SoundLab> {
    const folder = await mkdtemp(join(tmpdir(), 'stage-build-sound-'))
    const repository = `${rigRegistry()}/soundness/${folder.slice(-6).toLowerCase()}`
    const credentials = new DockerCredentials({ env: process.env, homeDirectory: homedir(), warn: () => undefined })
    const client = new RegistryClient({ env: process.env, credentials })
    await mkdir(join(folder, 'workspace'), { recursive: true })
    const bases = Array.from({ length: BASES }, (_, index) => index)
    const digests: string[] = []
    for (const index of bases) {
      const tag = `${repository}:${index}`
      const text = `FROM ${rigRegistry()}/library/alpine:3.22\nENV BASE=${index}\nRUN echo ${repository} ${index} > /base\n`
      const args = ['buildx', 'build', '-q', '--provenance=false', '-t', tag, '--push', '-']
      const { code, stderr } = await runProcess('docker', args, { env: process.env, input: text })
      if (code !== 0) throw new Error(stderr)
      digests.push(await client.resolveDigest(tag))
    }
    return new SoundLab(folder, repository, client, digests)
  }

  /** The directory becomes this variant. */
  async write(variant: Variant): Promise<void> {
    await writeVariant(this.root, this.#written, variant)
    this.#written = structuredClone(variant)
    if (this.#base === variant.base) return
    await this.#retag(this.#digests[variant.base] ?? '', ['moving', 'same'])
    this.#base = variant.base
  }

  /** A fresh directory, under git's care. */
  async begin(variant: Variant): Promise<void> {
    await rm(this.root, { recursive: true, force: true })
    await mkdir(this.root, { recursive: true })
    this.#written = undefined
    await this.write(variant)
    await this.git('init', '-q')
    await this.git('add', '-A')
    await this.git('commit', '-q', '-m', 'first')
  }

  async git(...args: readonly string[]): Promise<void> {
    const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.com', '-c', 'commit.gpgsign=false']
    const { code, stderr } = await runProcess('git', [...identity, ...args], { cwd: this.root, env: process.env })
    if (code !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`)
  }

  /** @throws what the action says against the variant */
  async print(variant: Variant, target: string): Promise<TargetPrint> {
    return printOf(await this.#prepare(variant, target), target)
  }

  /** The variant must be written. @throws what the action or the engine says against it */
  async build(variant: Variant, target: string): Promise<Outcome> {
    const { inputs, project, planned } = await this.#prepare(variant, target)
    const request = buildRequest({ inputs, project, planned, measure: undefined, isHere: true })
    const layout = join(this.#folder, 'layout')
    const vertexes = new Map<string, VertexEvent>()
    await rm(join(layout, 'index.json'), { force: true })
    const { ok, text } = await bake({ env: process.env, cwd: this.root }, request, {
      builder: undefined,
      policy: sourcePolicy(planned.images.rules(new Set())),
      tempRoot: this.#folder,
      onPlan: () => undefined,
      onEvents: (events) => {
        for (const vertex of events.vertexes) {
          const known = vertexes.get(vertex.digest)
          vertexes.set(vertex.digest, { ...vertex, cached: vertex.cached || known?.cached === true })
        }
      },
    })
    if (!ok) throw new BuildFailed(text.join('\n'))
    const executed = [...vertexes.values()].filter(isExecuted).map(({ name }) => name)
    return { print: printOf({ inputs, project, planned }, target), executed, image: await readImage(layout) }
  }

  async #prepare(variant: Variant, target: string): Promise<Prepared> {
    const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], GITHUB_WORKSPACE: this.root }
    const given: Variant['inputs'] = {
      ...variant.inputs,
      targets: [target],
      outputs: [`type=oci,tar=false,dest=${join(this.#folder, 'layout')}`],
      'external-images': [`base:1=${this.#repository}:moving`, `base:2=${this.#repository}:same`],
    }
    const { inputs } = readInputs((name) => (given[name] ?? []).join('\n'), env)
    const project = await openProject(inputs, env)
    // As in a large repository.
    await using ahead = new LookAhead(env, { largeIndexBytes: 0 })
    await ahead.beginAt(project.parts[0].contextDir)
    const planned = await planBuild(inputs, project, {
      ...{ client: this.#client, workspace: project.workspace, env, hostPlatform: 'linux/amd64' },
      signal: new AbortController().signal,
      ahead,
      records: () => Promise.resolve(undefined),
    })
    return { inputs, project, planned }
  }

  async #retag(digest: string, tags: readonly string[]): Promise<void> {
    const [host = '', ...path] = this.#repository.split('/')
    const at = (reference: string): string => `http://${host}/v2/${path.join('/')}/manifests/${reference}`
    const manifest = await fetch(at(digest), { headers: { accept: '*/*' } })
    const [type, body] = [manifest.headers.get('content-type') ?? '', await manifest.text()]
    for (const tag of tags) {
      const answer = await fetch(at(tag), { method: 'PUT', headers: { 'content-type': type }, body })
      if (!answer.ok) throw new Error(`${tag}: ${answer.status}`)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close()
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/** The engine does not build the variant. */
export class BuildFailed extends Error {}

function printOf({ planned }: Prepared, target: string): TargetPrint {
  const print = planned.fingerprints.prints.get(target)
  if (print === undefined) throw new Error(`no print of ${target}`)
  return print
}

/** A step of the Dockerfile; images and contexts are fetched in any case. */
function isExecuted({ name, cached, startedMs, completedMs }: VertexEvent): boolean {
  if (cached || startedMs === undefined || completedMs === undefined) return false
  return /^\[(?!internal\]|context |auth\])/.test(name) && !/^\[[^\]]*\] FROM /.test(name)
}
