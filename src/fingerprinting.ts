/**
 * Fingerprints of this run's targets: what contexts hold and what names stand for is looked up here, `plan/` makes prints
 * of it. Asks registries and git, never an engine.
 */
import type { LookAhead } from './context/look-ahead.ts'
import type { ReadEntry } from './context/snapshot.ts'
import type { Dockerfile } from './dockerfile/instructions.ts'
import type { Problem } from './errors.ts'
import { stagesOf } from './graph/reachability.ts'
import type { Stage, StageGraph } from './graph/stage-graph.ts'
import type { ImageCatalog } from './image-catalog.ts'
import { isEmptyImage } from './images/image-source.ts'
import type { ImageQuestions } from './images/image-lookups.ts'
import { familiarName } from './images/reference.ts'
import { hostOf } from './input-forms.ts'
import type { Inputs } from './inputs.ts'
import { distinct } from './json-fields.ts'
import { listFiles, type FileList } from './plan/file-lists.ts'
import {
  digestOf,
  readKey,
  readsOf,
  StagePrinter,
  type BuildOption,
  type PrintInputs,
  type StagePrint,
} from './plan/stage-print.ts'
import { isBuildkits, printTarget, type TargetPrint } from './plan/target-print.ts'
import type { RequestedTarget } from './plan/targets.ts'
import { contextValue, type Part } from './project.ts'
import { Contexts, Snapshots, type FailedContext, type Read } from './read-contexts.ts'

/** The graph of one platform on one machine, and of one target where a FROM depends on it. */
export interface GraphVariant {
  readonly platform: string
  /** The platform of what it is built on; of several for one platform, the first is the likely one. */
  readonly machine?: string | undefined
  /** Undefined: of every target. */
  readonly target: string | undefined
  readonly graph: StageGraph
  /** Why not all that the target is built from is in the graph: a clause. */
  readonly unknown?: string | undefined
}

/** A Dockerfile with what is said of its targets, and where its stages are in the graph. */
export interface FingerprintedPart {
  readonly part: Part
  readonly dockerfile: Dockerfile
  readonly platforms: readonly string[]
  /** By their place in the Dockerfile. */
  readonly stages: readonly number[]
  /** Named contexts of which it is not known what they do in a stage that is based on them, and why. */
  readonly unread?: ReadonlyMap<string, Problem> | undefined
}

export interface FingerprintingOptions {
  readonly parts: readonly FingerprintedPart[]
  readonly workspace: string
  readonly env: NodeJS.ProcessEnv
  readonly client: ImageQuestions
  readonly variants: readonly GraphVariant[]
  readonly targets: readonly RequestedTarget[]
  /** The index of a target's part. */
  readonly partOf: (target: string) => number
  readonly images: ImageCatalog
  readonly signal: AbortSignal | undefined
  /** Directories that are being listed already. */
  readonly ahead: LookAhead
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
  /** Of each part, digests of named contexts that stand for images, as they were looked up, by name. */
  readonly contexts: readonly ReadonlyMap<string, string>[]
  /** Named contexts that are needed and stand for images, where these could not be looked up. */
  readonly failed: readonly FailedContext[]
  /** The files behind the digests of what is read. */
  readonly files: () => ReadonlyMap<string, FileList>
}

/** What was looked up of one part. */
interface Looked {
  readonly printInputs: PrintInputs
  readonly contexts: Contexts
  readonly reads: ReadonlyMap<string, Read>
  readonly failed: readonly FailedContext[]
  readonly unknownFrontend: boolean
}

/** Makes the prints. Whatever cannot be known leaves a target without a fingerprint; it is no error. */
export async function fingerprintTargets(options: FingerprintingOptions): Promise<Fingerprints> {
  const { parts, targets, variants, env, workspace, ahead } = options
  const needed = neededStages(options)
  const snapshots = new Snapshots(workspace, env, ahead)
  const looked = await Promise.all(
    parts.map(async (part) => {
      const own = new Set(part.stages)
      const stages = needed.filter(({ index }) => own.has(index))
      return await lookUp(part, stages, { ...options, snapshots })
    }),
  )
  await ahead[Symbol.asyncDispose]()
  const partAt = new Map(parts.flatMap(({ stages }, part) => stages.map((stage) => [stage, part] as const)))
  const lookedAt = (stage: number): Looked => at(looked, partAt.get(stage) ?? 0)
  const printers = variants.map(({ graph, ...rest }) => ({
    ...{ ...rest, graph },
    printer: new StagePrinter(graph, ({ index }) => lookedAt(index).printInputs),
  }))
  const prints = targets.map(({ name, stage }) => {
    const { part, platforms: wanted } = at(parts, options.partOf(name))
    const own = printers.filter(
      ({ target, platform }) => (target === undefined || target === name) && wanted.includes(platform),
    )
    const all = own.map(({ platform, printer, graph, unknown }) => ({
      platform,
      stages: unknown === undefined ? printer.print(stage) : withoutFingerprint(printer.print(stage), unknown),
      reached: stagesOf(graph, stage).map((index) => partAt.get(index) ?? 0),
    }))
    const ofEach = Map.groupBy(all, ({ platform }) => platform)
    const platforms = [...ofEach.values()].flatMap(([first]) => first ?? [])
    const printOf = (some: typeof platforms): TargetPrint => {
      const reached = [...new Set(some.flatMap((one) => one.reached))]
      // What another target's image says beside its layers comes along with it.
      const linked = reached.map((index) => at(parts, index)).filter((other) => other.part !== part)
      const isUnknown = [options.partOf(name), ...reached].some((index) => at(looked, index).unknownFrontend)
      const print = printTarget(
        some.map(({ platform, stages }) => ({ platform, stages })),
        {
          ...part.inputs,
          labels: [...linked.flatMap((other) => other.part.inputs.labels), ...part.inputs.labels],
          dockerfileText: [part, ...linked.map((other) => other.part)].map((one) => one.dockerfileText).join('\n'),
          ignorePatterns: at(looked, options.partOf(name)).contexts.ignorePatterns,
          defaultAttestations: !/^(?:1|t|true)$/i.test(env['BUILDX_NO_DEFAULT_ATTESTATIONS'] ?? ''),
        },
      )
      return isUnknown ? { ...print, fingerprint: undefined } : print
    }
    const split = [...ofEach].map(([platform, some]) => ({ platform, prints: some.map((one) => printOf([one])) }))
    return { name, print: printOf(platforms), parts: part.inputs.matrixBy === 'platform' ? split : [] }
  })
  let files: ReadonlyMap<string, FileList> | undefined
  const reads = looked.flatMap((one) => [...one.reads.values()])
  return {
    prints: new Map(prints.map(({ name, print }) => [name, print])),
    parts: new Map(prints.map(({ name, parts: split }) => [name, split])),
    contexts: looked.map(({ contexts }) => contexts.digests),
    failed: distinct(looked.flatMap(({ failed }) => failed)),
    files: () => (files ??= new Map(reads.map(({ digest, entries }) => [digest, listOf(entries)]))),
  }
}

/** As of `FROM scratch`. */
const EMPTY = 'scratch'

async function lookUp(
  { part, dockerfile, unread }: FingerprintedPart,
  stages: readonly Stage[],
  options: FingerprintingOptions & { readonly snapshots: Snapshots },
): Promise<Looked> {
  const { inputs } = part
  const contexts = new Contexts({ ...options, part })
  const used = new Set(readsOf(stages).map(({ context }) => context))
  const syntax = inputs.buildArgs['BUILDKIT_SYNTAX'] ?? dockerfile.syntax
  const [reads, frontend] = await Promise.all([contexts.readAll(stages), frontendDigest(syntax, options)])
  return {
    contexts,
    reads,
    failed: [
      ...contexts.failed,
      ...[...(unread ?? [])].flatMap(([context, problem]) =>
        used.has(context) ? [{ value: contextValue(part, context), problem }] : [],
      ),
    ],
    unknownFrontend: syntax !== undefined && frontend === undefined,
    printInputs: {
      // What a base image sets is not in the digest that is written behind its name.
      imageDigest: (image) => {
        const entry = options.images.entry(image)
        return entry?.problem === undefined ? entry?.digest : undefined
      },
      readDigest: (read, context) => reads.get(readKey(read, context))?.digest,
      contextDigest: (context) => {
        if (isEmptyImage(contextValue(part, context))) return EMPTY
        return unread?.has(context) === true ? undefined : contexts.digests.get(context)
      },
      options: [
        ...(frontend === undefined ? [] : [['syntax', frontend] as const]),
        ...buildkitOptions(inputs, options.env),
      ],
      runOptions: runOptions(inputs),
    },
  }
}

/** The stages of a target, of which more is needed than is known. */
function withoutFingerprint(stages: readonly StagePrint[], text: string): readonly StagePrint[] {
  return stages.map((stage, index) => {
    if (index < stages.length - 1) return stage
    return { ...stage, fingerprint: undefined, unknown: [...stage.unknown, { line: stage.line, text }] }
  })
}

function at<T>(list: readonly T[], index: number): T {
  const found = list[index]
  if (found === undefined) throw new RangeError(`no part ${index}`)
  return found
}

function neededStages({ variants, targets }: FingerprintingOptions): readonly Stage[] {
  return variants.flatMap(({ graph, target }) => {
    const wanted = targets.filter(({ name }) => target === undefined || target === name)
    const indexes = new Set(wanted.flatMap(({ stage }) => stagesOf(graph, stage)))
    return graph.stages.filter(({ index }) => indexes.has(index))
  })
}

/** The frontend that `# syntax=` asks for, where it is Docker's own: another one may read anything. */
async function frontendDigest(
  syntax: string | undefined,
  { client, signal }: FingerprintingOptions,
): Promise<string | undefined> {
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
  const hosts = addHosts.map(hostOf)
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
  return listFiles(files, (digests) => digestOf(digests).slice(7, 19))
}
