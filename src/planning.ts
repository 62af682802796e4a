/**
 * From the Dockerfile's text to the plan: parse, resolve, look up images, choose targets. Asks registries, never an
 * engine. Everything wrong is told at once, at its file and line.
 */
import { relative } from 'node:path'
import { IgnoreMatcher } from './context/ignore-matcher.ts'
import { ignoreFileFor } from './context/ignore-file.ts'
import { missingSources } from './context/missing-sources.ts'
import type { DockerfileError, DockerfileWarning } from './dockerfile/dockerfile-error.ts'
import type { Dockerfile } from './dockerfile/instructions.ts'
import { parseDockerfile } from './dockerfile/parse.ts'
import { decide } from './deciding.ts'
import type { Decision } from './decision.ts'
import { UserError, sentence, type Problem } from './errors.ts'
import { fingerprintTargets, type Fingerprints } from './fingerprinting.ts'
import { mergeGraphs } from './graph/merge.ts'
import { errorsFor, stagesOfAll } from './graph/reachability.ts'
import { resolveStageGraph, type Resolution } from './graph/resolve.ts'
import type { StageGraph } from './graph/stage-graph.ts'
import { nativeMachine } from './images/platform.ts'
import { ImageCatalog, type CatalogOptions } from './image-catalog.ts'
import type { Inputs } from './inputs.ts'
import { recordedSizes, type KnownRecords } from './known-records.ts'
import { parseSizeBudgets } from './measure/size-budgets.ts'
import { fitsMatrix, matrixOf, type Matrix } from './plan/matrix.ts'
import { makePlan, type Plan, type PlanTarget } from './plan/plan.ts'
import { assignTags, untagged } from './plan/target-tags.ts'
import { chooseTargets, type RequestedTarget } from './plan/targets.ts'
import type { Project } from './project.ts'
import { sharedCaches } from './registry-cache.ts'

export interface Planned {
  readonly dockerfile: Dockerfile
  readonly graph: StageGraph
  readonly platforms: readonly string[]
  readonly targets: readonly RequestedTarget[]
  readonly tagsOf: ReadonlyMap<string, readonly string[]>
  readonly images: ImageCatalog
  readonly fingerprints: Fingerprints
  /** By target. */
  readonly decisions: ReadonlyMap<string, Decision>
  /** Digests of external images that the targets were built on last, by name. */
  readonly before: ReadonlyMap<string, string>
  readonly plan: Plan
  /** Undefined where there are too many targets for one and the step builds them itself. */
  readonly matrix: Matrix | undefined
  readonly warnings: readonly Problem[]
}

export interface PlanningOptions extends CatalogOptions {
  readonly env: NodeJS.ProcessEnv
  readonly signal: AbortSignal
  /** What earlier builds left, asked for after `onSound`; undefined where there is no cache to keep it in. */
  readonly records: (targets: readonly RequestedTarget[]) => Promise<KnownRecords | undefined>
  /** The platform of the machine that builds, where `platforms` names none. */
  readonly hostPlatform: string
  /** Called when the Dockerfile and the inputs are found sound, before registries are asked. */
  readonly onSound?: ((targets: readonly RequestedTarget[], platforms: readonly string[]) => void) | undefined
}

/**
 * Plans the build.
 * @throws UserError with every problem of the Dockerfile, the targets and the tags.
 */
export async function planBuild(inputs: Inputs, project: Project, options: PlanningOptions): Promise<Planned> {
  const file = project.dockerfileName
  const platforms = inputs.platforms.length > 0 ? inputs.platforms : [options.hostPlatform]
  const dockerfile = parseDockerfile(project.dockerfileText)
  const cells = cellsOf(inputs, platforms, options.hostPlatform)
  const resolver = resolverOf(dockerfile, inputs, cells)

  const first = resolver({ targets: [undefined], images: undefined })
  const draft = graphOrThrow(first, file)
  const chosen = chooseTargets(draft, inputs.targets, file)
  const tags = assignTags(chosen.targets, inputs.tags)
  const named = inputs.outputs.some((line) => /(^|,)"?name=/.test(line))
  const homeless = inputs.push && inputs.mode === 'build' && !named ? untagged(tags.tagsOf) : []
  const stageIndexes = chosen.targets.map((target) => target.stage)
  throwIfAny([
    ...dockerfileProblems(first, draft, stageIndexes, file),
    ...chosen.problems,
    ...tags.problems,
    ...homeless,
    ...(inputs.mode === 'build' ? sharedCaches(inputs, chosen.targets) : []),
    ...budgetProblems(inputs.sizeBudgets, draft, chosen.targets),
    ...(await missingFiles(project, draft, stageIndexes)).errors,
  ])
  options.onSound?.(chosen.targets, platforms)
  const records = options.records(chosen.targets)

  const images = new ImageCatalog(inputs.externalImages, options)
  await images.lookUp(draft, stagesOfAll(draft, stageIndexes), platforms)

  // Triggers in base images may add edges, and a FROM may depend on the target: now both are known.
  const names = chosen.targets.map((target) => target.stageName)
  const dependsOnTarget = first.some((resolution) => resolution.dependsOnTarget)
  const second = resolver({
    targets: dependsOnTarget ? names : [undefined],
    triggersFor: names.map((name) => name ?? ''),
    images,
  })
  const graph = graphOrThrow(second, file)
  await images.lookUp(graph, stagesOfAll(graph, stageIndexes), platforms)
  const missing = await missingFiles(project, graph, stageIndexes)
  throwIfAny([...dockerfileProblems(second, graph, stageIndexes, file), ...missing.errors])

  const { targets } = chosen
  const variants = second.flatMap(({ graph: own }, index) => {
    const { platform = '', machine } = cells[index % cells.length] ?? {}
    const target = dependsOnTarget ? targets[Math.floor(index / cells.length)]?.name : undefined
    return own === undefined ? [] : [{ platform, machine, target, graph: own }]
  })
  const { env, client, signal } = options
  const looked = { inputs, project, env, client, signal, targets }
  const fingerprints = await fingerprintTargets({ ...looked, dockerfile, variants, images })
  const decisions = await decide({ ...looked, tagsOf: tags.tagsOf, fingerprints, records: await records })

  const plan = makePlan({
    id: project.id,
    file,
    platforms,
    matrixBy: inputs.matrixBy,
    graph,
    targets: chosen.targets,
    tagsOf: (target) => tags.tagsOf.get(target.name) ?? [],
    pinOf: (image) => images.pinOf(image),
    prints: fingerprints.prints,
    decisionOf: (target) => planDecision(decisions.get(target.name)),
  })
  return {
    dockerfile,
    graph,
    platforms,
    targets: chosen.targets,
    tagsOf: tags.tagsOf,
    images,
    fingerprints,
    decisions,
    before: imagesBefore(targets, await records),
    plan,
    matrix: inputs.mode === 'plan' || fitsMatrix(plan) ? matrixOf(plan) : undefined,
    warnings: [...lintWarnings(second, file), ...missing.warnings, ...images.missedMappings()],
  }
}

function throwIfAny(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new UserError(problems)
}

/** A step may build a part of the targets that have budgets; what no stage is called is a mistake. */
function budgetProblems(
  lines: readonly string[],
  { stages }: StageGraph,
  targets: readonly RequestedTarget[],
): readonly Problem[] {
  const names = [...stages.map(({ name }) => name), ...targets.map(({ name }) => name)]
  return parseSizeBudgets(lines, [...new Set(names.filter((name) => name !== undefined))]).problems
}

type Resolver = (options: {
  readonly targets: readonly (string | undefined)[]
  readonly triggersFor?: readonly string[]
  readonly images: ImageCatalog | undefined
}) => readonly Resolution[]

/** What is built, and what it is built on. */
interface BuildCell {
  readonly platform: string
  readonly machine: string
}

/** Legs that build a platform each run on a machine of it, or on one like that which plans: both are reckoned with. */
function cellsOf({ mode, matrixBy }: Inputs, platforms: readonly string[], host: string): readonly BuildCell[] {
  const isSplit = mode === 'plan' && matrixBy === 'platform'
  const machinesOf = (platform: string): readonly string[] =>
    isSplit ? [...new Set([nativeMachine(platform), host])] : [host]
  return platforms.flatMap((platform) => machinesOf(platform).map((machine) => ({ platform, machine })))
}

/** Resolves the same file once per platform, machine and target. */
function resolverOf(dockerfile: Dockerfile, inputs: Inputs, cells: readonly BuildCell[]): Resolver {
  const contexts = inputs.buildContexts.map((context) => context.key)
  return ({ targets, triggersFor, images }) =>
    targets.flatMap((target) =>
      cells.map(({ platform, machine }) =>
        resolveStageGraph(dockerfile, {
          buildArgs: inputs.buildArgs,
          target,
          platform,
          buildPlatform: machine,
          contexts,
          onBuildOf: (image, platform) => images?.triggersOf(image, platform),
          configOf: (image, platform) => images?.baseOf(image, platform)?.config,
          triggersFor,
        }),
      ),
    )
}

/** The one graph of all variants, or all that stands against having one. */
function graphOrThrow(resolutions: readonly Resolution[], file: string): StageGraph {
  const graphs = resolutions.flatMap(({ graph }) => graph ?? [])
  const [first, ...others] = graphs
  if (first === undefined || graphs.length < resolutions.length) {
    throw new UserError(distinct(resolutions.flatMap(({ errors }) => errors.map((error) => problemOf(error, file)))))
  }
  const fatal = resolutions.flatMap(({ errors }) => errors.filter((error) => error.scope !== 'reachable-only'))
  if (fatal.length > 0) throw new UserError(distinct(fatal.map((error) => problemOf(error, file))))
  return mergeGraphs([first, ...others])
}

function dockerfileProblems(
  resolutions: readonly Resolution[],
  graph: StageGraph,
  targets: readonly number[],
  file: string,
): readonly Problem[] {
  return distinct(
    resolutions.flatMap(({ errors }) => errorsFor(errors, graph, targets)).map((error) => problemOf(error, file)),
  )
}

function problemOf(error: DockerfileError, file: string): Problem {
  // The annotation tells the line; BuildKit's words tell it again.
  const message = sentence(error.message.replace(/^dockerfile parse error on line \d+: /, ''))
  return { message, mend: error.mend, file, line: error.line ?? 1, endLine: error.endLine }
}

function lintWarnings(resolutions: readonly Resolution[], file: string): readonly Problem[] {
  return distinct(resolutions.flatMap(({ warnings }) => warnings.map((warning) => warningOf(warning, file))))
}

function warningOf({ rule, message, line, endLine }: DockerfileWarning, file: string): Problem {
  return { message: `${rule}: ${sentence(message)}`, file, line, endLine }
}

function distinct(problems: readonly Problem[]): readonly Problem[] {
  return [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()]
}

/** Files that a needed stage copies and that the context does not have: the build would fail on them, later. */
async function missingFiles(
  project: Project,
  graph: StageGraph,
  targets: readonly number[],
): Promise<{ readonly errors: readonly Problem[]; readonly warnings: readonly Problem[] }> {
  const ignore = await ignoreFileFor(project.dockerfilePath, project.contextDir)
  const matcher = new IgnoreMatcher({ ...ignore, name: relative(project.workspace, ignore.name) })
  const errors: Problem[] = []
  const warnings: Problem[] = []
  for (const index of stagesOfAll(graph, targets)) {
    const stage = graph.stages[index]
    // A variable from the base image's configuration may stand in a path: then nothing can be said beforehand.
    if (stage === undefined || stage.replacedByContext !== undefined || stage.undefinedVariables.length > 0) continue
    for (const read of stage.reads.filter((candidate) => !candidate.parents)) {
      for (const missing of await missingSources(project.contextDir, matcher, read.paths)) {
        const problem = { message: missing.message, mend: missing.mend, file: project.dockerfileName, line: read.line }
        if (missing.kind === 'no-match') warnings.push(problem)
        else errors.push(problem)
      }
    }
  }
  return { errors: distinct(errors), warnings: distinct(warnings) }
}

/** What the latest records say of external images. */
function imagesBefore(
  targets: readonly RequestedTarget[],
  records: KnownRecords | undefined,
): ReadonlyMap<string, string> {
  const prints = targets.flatMap(({ name }) => records?.of(name)[0]?.record.print.platforms ?? [])
  const sources = prints.flatMap(({ stages }) =>
    stages.flatMap(({ base, steps }) => [base, ...steps.flatMap((step) => step.sources)]),
  )
  return new Map(
    sources.flatMap(({ kind, name, digest }) =>
      kind === 'image' && digest !== undefined ? [[name, digest] as const] : [],
    ),
  )
}

/** A decision as the plan shows it. */
function planDecision(
  decision: Decision | undefined,
): Pick<PlanTarget, 'status' | 'reasons' | 'image' | 'sizes' | 'since'> {
  if (decision?.status !== 'unchanged') return { status: 'changed', reasons: decision?.reasons ?? [] }
  const { image, commit } = decision.record
  const sizes = recordedSizes(decision.record)?.platforms.map(
    ({ platform, digest, configDigest, transfer, unpacked }) => ({
      ...{ platform, digest, configDigest, transfer, unpacked, layers: [] },
    }),
  )
  return {
    ...{ status: 'unchanged', reasons: [] },
    ...(image.digest === undefined ? {} : { image: { digest: image.digest, repositories: image.repositories } }),
    ...(sizes === undefined ? {} : { sizes }),
    ...(commit === undefined ? {} : { since: commit }),
  }
}
