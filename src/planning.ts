/**
 * From Dockerfiles to the plan: parse, resolve, look up images, choose targets. Asks registries, never an engine.
 * Everything wrong is told at once, at its file and line.
 */
import { toldOfTargets } from './bake-problems.ts'
import { invalidContextImages, lookUpContextImages, type ContextImages } from './context-images.ts'
import type { LookAhead } from './context/look-ahead.ts'
import type { Dockerfile } from './dockerfile/instructions.ts'
import { decide } from './deciding.ts'
import type { Decision } from './decision.ts'
import { throwIfAny, UserError, type Problem } from './errors.ts'
import { fingerprintTargets, type Fingerprints } from './fingerprinting.ts'
import type { StageGraph } from './graph/stage-graph.ts'
import { ImageCatalog, type CatalogOptions } from './image-catalog.ts'
import { ImageLookups } from './images/image-lookups.ts'
import type { RegistryClient } from './images/registry-client.ts'
import type { Inputs } from './inputs.ts'
import { linkProblems, variantsOf } from './graph-variants.ts'
import { imageWants, joinParts, contextEnvironment, linkOrder, linkTriggers } from './joining.ts'
import { distinct } from './json-fields.ts'
import type { KnownRecords } from './known-records.ts'
import { parseSizeBudgets } from './measure/size-budgets.ts'
import { MissingFiles } from './missing-files.ts'
import { draftPart, partProblems, resolvePart, type PartDraft } from './part-planning.ts'
import { fitsMatrix, matrixOf, type Matrix } from './plan/matrix.ts'
import { makePlan, type Plan, type PlanTarget } from './plan/plan.ts'
import { homeless, tagsOf } from './planned-tags.ts'
import type { RequestedTarget } from './plan/targets.ts'
import { unite } from './plan/unite.ts'
import type { Part, Project } from './project.ts'
import type { FailedContext } from './read-contexts.ts'
import { runningAgain } from './running-again.ts'
import { sharedCaches } from './registry-cache.ts'
import { withLinks } from './link-reasons.ts'
import { recordedSizes } from './record-parts.ts'

/** A Dockerfile of the plan. */
export interface PlannedPart {
  readonly part: Part
  readonly dockerfile: Dockerfile
  readonly platforms: readonly string[]
  /** Of its stages, in the order of the file, their places in the graph; equal stages of equal files have one. */
  readonly stages: readonly number[]
  /** The places of its stages that are based on named contexts. */
  readonly onContext: ReadonlySet<number>
  /** Digests of its named contexts that stand for images, by name. */
  readonly contexts: ReadonlyMap<string, string>
}

export interface Planned {
  readonly parts: readonly PlannedPart[]
  /** The part of a target. */
  readonly partOf: (target: string) => PlannedPart
  readonly graph: StageGraph
  /** Of all targets together. */
  readonly platforms: readonly string[]
  readonly targets: readonly RequestedTarget[]
  /** What is built only for targets that use it. */
  readonly linked: readonly RequestedTarget[]
  readonly tagsOf: ReadonlyMap<string, readonly string[]>
  readonly images: ImageCatalog
  readonly fingerprints: Pick<Fingerprints, 'prints' | 'parts' | 'files'>
  /** Named contexts that stand for images, where these could not be looked up. */
  readonly failedContexts: readonly FailedContext[]
  /** By target. */
  readonly decisions: ReadonlyMap<string, Decision>
  /** Digests of external images that the targets were built on last, by name. */
  readonly before: ReadonlyMap<string, string>
  readonly plan: Plan
  /** Undefined where there are too many targets for one and the step builds them itself. */
  readonly matrix: Matrix | undefined
  readonly warnings: readonly Problem[]
}

/** A target that nothing is wrong with. */
export interface SoundTarget {
  readonly name: string
  readonly platforms: readonly string[]
}

export interface PlanningOptions extends CatalogOptions {
  readonly client: RegistryClient
  readonly env: NodeJS.ProcessEnv
  readonly signal: AbortSignal
  /** Directories that are being listed already; ended when all contexts are read. */
  readonly ahead: LookAhead
  /** What earlier builds left, asked for after `onSound`; undefined where there is no cache to keep it in. */
  readonly records: (targets: readonly RequestedTarget[]) => Promise<KnownRecords | undefined>
  /** The platform of the machine that builds, where `platforms` names none. */
  readonly hostPlatform: string
  /** Called when the Dockerfiles and the inputs are found sound, before registries are asked. */
  readonly onSound?: ((targets: readonly SoundTarget[]) => void) | undefined
}

/**
 * Plans the build.
 * @throws UserError with every problem of the Dockerfiles, the targets and the tags.
 */
export async function planBuild(inputs: Inputs, project: Project, options: PlanningOptions): Promise<Planned> {
  const { workspace } = project
  const wanted = project.parts.flatMap((part) => part.wanted ?? [])
  const asked = wanted.filter(({ place }) => place !== undefined)
  const drafts = each(
    project.parts,
    (part) => draftPart(part, options.hostPlatform),
    () => (asked.length === 0 ? [] : tagsOf(asked, inputs, wanted).problems),
  )
  const draft = joinParts(drafts)
  const platforms = [...new Set(drafts.flatMap((part) => part.platforms))]
  const tags = tagsOf(draft.targets, inputs, wanted)
  const missingFiles = new MissingFiles(workspace)
  const firstLook = await Promise.all(drafts.map(async (part) => await partProblems(part, missingFiles)))
  const wrong = [...drafts, ...drafts.map(invalidContextImages)]
  throwIfAny([
    ...firstLook.flatMap(({ errors }) => errors),
    ...wrong.flatMap(({ problems }) => problems),
    ...(await toldOfTargets(
      wrong.flatMap(({ targetProblems }) => targetProblems),
      inputs.bakeFiles,
      workspace,
    )),
    ...tags.problems,
    ...homeless(drafts, tags, inputs),
    ...linkProblems(drafts),
    ...(inputs.mode === 'build' ? sharedCaches(inputs, draft.targets) : []),
    ...budgetProblems(inputs.sizeBudgets, draft, project.names ?? []),
  ])
  options.onSound?.(
    draft.targets.map(({ name }) => ({ name, platforms: drafts[draft.partOf(name)]?.platforms ?? platforms })),
  )
  const records = options.records(draft.targets)

  const { env, client, signal, ahead } = options
  const asking = { client: new ImageLookups(client), workspace, signal }
  const images = new ImageCatalog(inputs.externalImages, asking)
  const [contextImages] = await Promise.all([
    lookUpContextImages(drafts, asking),
    images.lookUp(imageWants(draft, drafts)),
  ])
  const resolved = resolveAll(drafts, images, contextImages)
  const joined = joinParts(resolved)
  await images.lookUp(imageWants(joined, resolved))
  const secondLook = await Promise.all(resolved.map(async (part) => await partProblems(part, missingFiles)))
  throwIfAny(secondLook.flatMap(({ errors }) => errors))

  const looked = { env, client, signal, targets: joined.targets, images }
  const printed = await fingerprintTargets({
    ...{ ...looked, ...asking, ahead, partOf: joined.partOf, variants: variantsOf(resolved, joined.targets) },
    parts: resolved.map((part, index) => ({
      ...{ ...part, stages: joined.stages[index] ?? [], unread: contextImages.unread[index] },
    })),
  })
  const { graph, stages, targets, linked, prints } = unite({ ...joined, prints: printed.prints })
  const parts = resolved.map(
    ({ part, dockerfile, platforms: own, graph: { stages: written } }, index): PlannedPart => ({
      ...{ part, dockerfile, platforms: own },
      onContext: new Set(written.flatMap(({ from }, place) => (from.kind === 'context' ? [place] : []))),
      ...{ stages: stages[index] ?? [], contexts: printed.contexts[index] ?? new Map<string, string>() },
    }),
  )
  const partOf = (target: string): PlannedPart => {
    const found = parts[joined.partOf(target)]
    if (found === undefined) throw new RangeError(`no part of ${target}`)
    return found
  }
  const fingerprints = { prints, parts: printed.parts, files: printed.files }
  const again = runningAgain({
    ...{ ...joined, given: inputs },
    parts: parts.map(({ part, stages: planned }, at) => ({
      ...{ inputs: part.inputs, stages: joined.stages[at] ?? [], planned },
    })),
  })
  const decided = await decide({
    ...{ ...looked, inputs, targets, tagsOf: tags.tagsOf, fingerprints, records: await records, runningAgain: again },
    inputsOf: (name) => partOf(name).part.inputs,
  })
  const decisions = withLinks(decided, { graph, targets, linked, partOf })

  const plan = makePlan({
    id: project.id,
    file: project.dockerfileName,
    platforms,
    matrixBy: inputs.matrixBy,
    graph,
    targets,
    tagsOf: (target) => tags.tagsOf.get(target.name) ?? [],
    pinOf: (image) => images.pinOf(image),
    prints,
    decisionOf: (target) => planDecision(decisions.get(target.name)),
    placeOf: ({ name }) => {
      const { part, platforms: own } = partOf(name)
      return part.wanted === undefined ? {} : { file: part.dockerfileName, platforms: own }
    },
  })
  return {
    ...{ parts, partOf, graph, platforms, targets, linked, images, fingerprints, decisions, plan },
    failedContexts: printed.failed,
    tagsOf: tags.tagsOf,
    before: imagesBefore(targets, await records),
    matrix: inputs.mode === 'plan' || fitsMatrix(plan) ? matrixOf(plan) : undefined,
    warnings: [...distinct(secondLook.flatMap(({ warnings }) => warnings)), ...images.missedMappings()],
  }
}

/** The Dockerfiles as they are when images are known; one that uses another one's target comes after it. */
function resolveAll(
  drafts: readonly PartDraft[],
  images: ImageCatalog,
  contextImages: ContextImages,
): readonly ReturnType<typeof resolvePart>[] {
  const resolved = new Map<number, ReturnType<typeof resolvePart>>()
  const environmentOf = contextEnvironment(drafts, resolved, { images, contextImages })
  const triggersOf = linkTriggers(drafts, resolved)
  for (const index of linkOrder(drafts)) {
    const draft = drafts[index]
    if (draft === undefined) continue
    const found = resolvePart(draft, {
      images,
      environmentOf: (context, cell) => environmentOf(index, context, cell),
      triggersOf: (context, cell) =>
        triggersOf(index, context, cell) ?? contextImages.of(index, context, cell.platform)?.onBuild,
    })
    resolved.set(index, found)
  }
  return drafts.flatMap((_, index) => resolved.get(index) ?? [])
}

/**
 * All that is made of these.
 * @param besides what else is wrong, told with it
 * @throws UserError with what stands against any of them
 */
function each<T, R>(items: readonly T[], make: (item: T) => R, besides: () => readonly Problem[]): readonly R[] {
  const problems: Problem[] = []
  const warnings: Problem[] = []
  const made = items.flatMap((item) => {
    try {
      return [make(item)]
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      problems.push(...error.problems)
      warnings.push(...error.warnings)
      return []
    }
  })
  if (problems.length > 0) throwIfAny(distinct([...problems, ...besides()]), { warnings })
  return made
}

/** A step may build a part of the targets that have budgets; what no stage is called is a mistake. */
function budgetProblems(
  lines: readonly string[],
  { graph, targets }: Pick<Planned, 'graph' | 'targets'>,
  others: readonly string[],
): readonly Problem[] {
  const names = [...others, ...graph.stages.map(({ name }) => name), ...targets.map(({ name }) => name)]
  return parseSizeBudgets(lines, [...new Set(names.filter((name) => name !== undefined))]).problems
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
