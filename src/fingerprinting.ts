/**
 * Fingerprints of this run's targets: what contexts hold and what names stand for is looked up here, `plan/` makes prints
 * of it. Asks registries and git, never an engine.
 */
import { relative, resolve } from 'node:path'
import { ignoreFileFor, ignoreFileOf } from './context/ignore-file.ts'
import { IgnoreMatcher } from './context/ignore-matcher.ts'
import { snapshotContext, type ContextSnapshot, type ReadEntry } from './context/snapshot.ts'
import type { Dockerfile } from './dockerfile/instructions.ts'
import { stagesOf } from './graph/reachability.ts'
import type { Stage, StageGraph } from './graph/stage-graph.ts'
import type { ImageCatalog } from './image-catalog.ts'
import { parseImageSource } from './images/image-source.ts'
import { resolveOciLayout } from './images/oci-layout.ts'
import { familiarName } from './images/reference.ts'
import type { RegistryClient } from './images/registry-client.ts'
import type { Inputs } from './inputs.ts'
import { listFiles, type FileList } from './plan/file-lists.ts'
import { digestOf, readKey, readsOf, StagePrinter, type BuildOption, type PrintInputs } from './plan/stage-print.ts'
import { isBuildkits, printTarget, type TargetPrint } from './plan/target-print.ts'
import type { RequestedTarget } from './plan/targets.ts'
import type { Project } from './project.ts'

/** The graph of one platform on one machine, and of one target where a FROM depends on it. */
export interface GraphVariant {
  readonly platform: string
  /** The platform of what it is built on; of several for one platform, the first is the likely one. */
  readonly machine?: string | undefined
  /** Undefined: of every target. */
  readonly target: string | undefined
  readonly graph: StageGraph
}

export interface FingerprintingOptions {
  readonly inputs: Inputs
  readonly project: Project
  readonly env: NodeJS.ProcessEnv
  readonly client: RegistryClient
  readonly dockerfile: Dockerfile
  readonly variants: readonly GraphVariant[]
  readonly targets: readonly RequestedTarget[]
  readonly images: ImageCatalog
  readonly signal: AbortSignal | undefined
}

/** What a leg makes that builds one platform. */
export interface PartPrints {
  readonly platform: string
  /** At least one; the likely one first. */
  readonly prints: readonly TargetPrint[]
}

export interface Fingerprints {
  /** By target. */
  readonly prints: ReadonlyMap<string, TargetPrint>
  /** By target, of each platform what a leg makes that builds no other, on each machine that it may run on. */
  readonly parts: ReadonlyMap<string, readonly PartPrints[]>
  /** Digests of named contexts that stand for images, as they were looked up, by name. */
  readonly contexts: ReadonlyMap<string, string>
  /** The files behind the digests of what is read. */
  readonly files: () => ReadonlyMap<string, FileList>
}

/** Makes the prints. Whatever cannot be known leaves a target without a fingerprint; it is no error. */
export async function fingerprintTargets(options: FingerprintingOptions): Promise<Fingerprints> {
  const { inputs, project, targets, variants, dockerfile, env } = options
  const stages = neededStages(options)
  const contexts = new Contexts(options)
  const [reads, syntax] = await Promise.all([contexts.readAll(stages), frontendDigest(options)])
  const printInputs: PrintInputs = {
    imageDigest: (image) => options.images.pinOf(image).digest,
    readDigest: (read, context) => reads.get(readKey(read, context))?.digest,
    contextDigest: (context) => contexts.digests.get(context),
    options: [...(syntax === undefined ? [] : [['syntax', syntax] as const]), ...buildkitOptions(inputs, env)],
    runOptions: runOptions(inputs),
  }
  const unknownFrontend =
    (inputs.buildArgs['BUILDKIT_SYNTAX'] ?? dockerfile.syntax) !== undefined && syntax === undefined
  const printers = variants.map(({ graph, ...rest }) => ({ ...rest, printer: new StagePrinter(graph, printInputs) }))
  const prints = targets.map(({ name, stage }) => {
    const own = printers.filter(({ target }) => target === undefined || target === name)
    const all = own.map(({ platform, printer }) => ({ platform, stages: printer.print(stage) }))
    const ofEach = Map.groupBy(all, ({ platform }) => platform)
    const platforms = [...ofEach.values()].flatMap(([first]) => first ?? [])
    const printOf = (some: typeof platforms): TargetPrint => {
      const print = printTarget(some, {
        ...inputs,
        dockerfileText: project.dockerfileText,
        ignorePatterns: contexts.ignorePatterns,
        defaultAttestations: !/^(?:1|t|true)$/i.test(env['BUILDX_NO_DEFAULT_ATTESTATIONS'] ?? ''),
      })
      return unknownFrontend ? { ...print, fingerprint: undefined } : print
    }
    const parts = [...ofEach].map(([platform, some]) => ({ platform, prints: some.map((one) => printOf([one])) }))
    return { name, print: printOf(platforms), parts: inputs.matrixBy === 'platform' ? parts : [] }
  })
  let files: ReadonlyMap<string, FileList> | undefined
  return {
    prints: new Map(prints.map(({ name, print }) => [name, print])),
    parts: new Map(prints.map(({ name, parts }) => [name, parts])),
    contexts: contexts.digests,
    files: () => (files ??= new Map([...reads.values()].map(({ digest, entries }) => [digest, listOf(entries)]))),
  }
}

function neededStages({ variants, targets }: FingerprintingOptions): readonly Stage[] {
  return variants.flatMap(({ graph, target }) => {
    const wanted = targets.filter(({ name }) => target === undefined || target === name)
    const indexes = new Set(wanted.flatMap(({ stage }) => stagesOf(graph, stage)))
    return graph.stages.filter(({ index }) => indexes.has(index))
  })
}

interface Read {
  readonly digest: string
  readonly entries: Iterable<ReadEntry>
}

/** The build context and the named ones. */
class Contexts {
  /** Of named contexts that stand for images or commits. */
  readonly digests = new Map<string, string>()
  readonly #options: FingerprintingOptions
  readonly #snapshots = new Map<string, Promise<ContextSnapshot>>()
  readonly #patterns = new Map<string, readonly string[]>()

  constructor(options: FingerprintingOptions) {
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

  #valueOf(context: string): string {
    return this.#options.inputs.buildContexts.find(({ key }) => key === context)?.value ?? ''
  }

  #directoryOf(context: string | undefined): string | undefined {
    const { project } = this.#options
    if (context === undefined) return project.contextDir
    const value = this.#valueOf(context)
    return value === '' || isAddress(value) ? undefined : resolve(project.workspace, value)
  }

  /** What the ignore files of the contexts that are read say, by context. */
  get ignorePatterns(): readonly (readonly [context: string, patterns: readonly string[]])[] {
    return [...this.#patterns].sort(([a], [b]) => (a < b ? -1 : 1))
  }

  async #snapshot(directory: string, context: string | undefined): Promise<ContextSnapshot> {
    // Of one directory, the build context and a named one may have different ignore files.
    const key = `${context ?? ''} ${directory}`
    const known = this.#snapshots.get(key)
    if (known !== undefined) return await known
    const { project, env } = this.#options
    const open = async (): Promise<ContextSnapshot> => {
      const ignore = await (context === undefined
        ? ignoreFileFor(project.dockerfilePath, directory)
        : ignoreFileOf(directory))
      this.#patterns.set(
        context ?? '',
        ignore.patterns.map(({ pattern }) => pattern),
      )
      const matcher = new IgnoreMatcher({ ...ignore, name: relative(project.workspace, ignore.name) })
      return await snapshotContext({ directory, matcher, env })
    }
    const opened = open()
    this.#snapshots.set(key, opened)
    return await opened
  }

  async #resolve(context: string, platform = 'linux/amd64'): Promise<void> {
    const digest = await this.#digestOf(this.#valueOf(context), platform).catch(() => undefined)
    this.#options.signal?.throwIfAborted()
    if (digest !== undefined) this.digests.set(context, digest)
  }

  async #digestOf(value: string, platform: string): Promise<string | undefined> {
    if (!isAddress(value)) return undefined
    const { client, project, signal } = this.#options
    if (/^(?:docker-image|oci-layout):/.test(value)) {
      const source = parseImageSource(value)
      if (source.kind === 'registry') return await client.resolveDigest(source.ref, { signal })
      return (await resolveOciLayout({ ...source, path: resolve(project.workspace, source.path) }, { platform })).digest
    }
    return /#[0-9a-f]{40}(?:[0-9a-f]{24})?(?::|$)/.test(value) ? digestOf(value) : undefined
  }
}

/** As in build/definition.ts. */
function isAddress(value: string): boolean {
  return /^(?:[a-z][a-z0-9+.-]*:|git@)/.test(value)
}

/** The frontend that `# syntax=` asks for, where it is Docker's own: another one may read anything. */
async function frontendDigest({
  inputs,
  dockerfile,
  client,
  signal,
}: FingerprintingOptions): Promise<string | undefined> {
  const syntax = inputs.buildArgs['BUILDKIT_SYNTAX'] ?? dockerfile.syntax
  if (syntax === undefined) return undefined
  try {
    if (!/^docker\/dockerfile(?:-upstream)?(?::|@|$)/.test(familiarName(syntax))) return undefined
    return await client.resolveDigest(syntax, { signal })
  } catch {
    signal?.throwIfAborted()
    return undefined
  }
}

/** BuildKit's own arguments; buildx takes SOURCE_DATE_EPOCH from the environment, too. */
function buildkitOptions({ buildArgs }: Inputs, env: NodeJS.ProcessEnv): readonly BuildOption[] {
  const epoch = buildArgs['SOURCE_DATE_EPOCH'] ?? env['SOURCE_DATE_EPOCH']
  const own = Object.entries(buildArgs).filter(([name]) => isBuildkits(name) && name !== 'SOURCE_DATE_EPOCH')
  return [...own.sort(), ...(epoch === undefined ? [] : [['SOURCE_DATE_EPOCH', epoch] as const])]
}

/** https://github.com/moby/buildkit/blob/v0.25.0/solver/llbsolver/ops/exec.go (CacheMap): of hosts only the names. */
function runOptions({ network, addHosts, shmSize, ulimit, cgroupParent }: Inputs): readonly BuildOption[] {
  const hosts = addHosts.map((line) => line.split(/[:=]/, 1)[0] ?? '')
  return [
    ...(network === undefined ? [] : [['network', network] as const]),
    ...(hosts.length === 0 ? [] : [['add-hosts', hosts.join(' ')] as const]),
    ...(shmSize === undefined ? [] : [['shm-size', shmSize] as const]),
    ...(ulimit.length === 0 ? [] : [['ulimit', [...ulimit].sort().join(' ')] as const]),
    ...(cgroupParent === undefined ? [] : [['cgroup-parent', cgroupParent] as const]),
  ]
}

function listOf(entries: Iterable<ReadEntry>): FileList {
  const files = function* (): Generator<{ path: string; digest: string }> {
    for (const { path, type, mode, content } of entries) {
      const id = type === 'symlink' ? digestOf(content).slice(7, 19) : content.slice(0, 12)
      yield { path, digest: `${type.slice(0, 1)}${mode.toString(8)}${id}` }
    }
  }
  return listFiles(files(), (digests) => digestOf(digests).slice(7, 19))
}
