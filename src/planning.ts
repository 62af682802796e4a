/**
 * From Dockerfiles to the plan: parse, resolve, look up images, choose targets. Asks registries, never an engine.
 * Everything wrong is told at once, at its file and line.
 */
import type { LookAhead } from './context/look-ahead.ts'
import type { Dockerfile } from './dockerfile/instructions.ts'
import { decide } from './deciding.ts'
import type { Decision } from './decision.ts'
import { throwIfAny, UserError, type Problem } from './errors.ts'
import { fingerprintTargets, type Fingerprints } from './fingerprinting.ts'
import type { StageGraph } from './graph/stage-graph.ts'
import { ImageCatalog, type CatalogOptions } from './image-catalog.ts'
import type { Inputs } from './inputs.ts'
import { imageWants, joinParts, linkEnvironment, linkOrder, triggerProblems, variantsOf } from './joining.ts'
import { distinct } from './json-fields.ts'
import type { KnownRecords } from './known-records.ts'
import { parseSizeBudgets } from './measure/size-budgets.ts'
import { draftPart, partProblems, resolvePart, type PartDraft } from './part-planning.ts'
import { fitsMatrix, matrixOf, type Matrix } from './plan/matrix.ts'
import { makePlan, type Plan, type PlanTarget } from './plan/plan.ts'
import { assignTags, untagged, type AssignedTags, type TagPlace } from './plan/target-tags.ts'
import type { RequestedTarget } from './plan/targets.ts'
import { unite } from './plan/unite.ts'
import type { Part, Project } from './project.ts'
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
  const drafts = each(project.parts, (part) => draftPart(part, options.hostPlatform))
  const draft = joinParts(drafts)
  const platforms = [...new Set(drafts.flatMap((part) => part.platforms))]
  const tags = tagsOf(draft.targets, inputs, project.parts)
  const firstLook = await Promise.all(drafts.map(async (part) => await partProblems(part, workspace)))
  throwIfAny([
    ...firstLook.flatMap(({ errors }) => errors),
    ...drafts.flatMap(({ problems }) => problems),
    ...tags.problems,
    ...homeless(drafts, tags, inputs),
    ...(inputs.mode === 'build' ? sharedCaches(inputs, draft.targets) : []),
    ...budgetProblems(inputs.sizeBudgets, draft, project.names ?? []),
  ])
  options.onSound?.(
    draft.targets.map(({ name }) => ({ name, platforms: drafts[draft.partOf(name)]?.platforms ?? platforms })),
  )
  const records = options.records(draft.targets)

  const images = new ImageCatalog(inputs.externalImages, options)
  await images.lookUp(imageWants(draft, drafts))
  const resolved = resolveAll(drafts, images)
  const joined = joinParts(resolved)
  await images.lookUp(imageWants(joined, resolved))
  const secondLook = await Promise.all(resolved.map(async (part) => await partProblems(part, workspace)))
  throwIfAny([...secondLook.flatMap(({ errors }) => errors), ...triggerProblems(resolved)])

  const { env, client, signal, ahead } = options
  const looked = { env, client, signal, targets: joined.targets, images }
  const printed = await fingerprintTargets({
    ...{ ...looked, ahead, workspace, partOf: joined.partOf, variants: variantsOf(resolved, joined.targets) },
    parts: resolved.map((part, index) => ({ ...part, stages: joined.stages[index] ?? [] })),
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
  const decided = await decide({
    ...{ ...looked, inputs, targets, tagsOf: tags.tagsOf, fingerprints, records: await records },
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
    tagsOf: tags.tagsOf,
    before: imagesBefore(targets, await records),
    matrix: inputs.mode === 'plan' || fitsMatrix(plan) ? matrixOf(plan) : undefined,
    warnings: [...distinct(secondLook.flatMap(({ warnings }) => warnings)), ...images.missedMappings()],
  }
}

/** The Dockerfiles as they are when images are known; one that uses another one's target comes after it. */
function resolveAll(drafts: readonly PartDraft[], images: ImageCatalog): readonly ReturnType<typeof resolvePart>[] {
  const resolved = new Map<number, ReturnType<typeof resolvePart>>()
  const environmentOf = linkEnvironment(drafts, resolved, images)
  for (const index of linkOrder(drafts)) {
    const draft = drafts[index]
    if (draft === undefined) continue
    const found = resolvePart(draft, {
      images,
      environmentOf: (context, platform) => environmentOf(index, context, platform),
    })
    resolved.set(index, found)
  }
  return drafts.flatMap((_, index) => resolved.get(index) ?? [])
}

/** All that is made of these. @throws UserError with what stands against any of them */
function each<T, R>(items: readonly T[], make: (item: T) => R): readonly R[] {
  const problems: Problem[] = []
  const made = items.flatMap((item) => {
    try {
      return [make(item)]
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      problems.push(...error.problems)
      return []
    }
  })
  throwIfAny(distinct(problems))
  return made
}

/** What `tags` says; a target that it does not name has those of the bake files. */
function tagsOf(targets: readonly RequestedTarget[], { tags }: Inputs, parts: readonly Part[]): AssignedTags {
  const given = assignTags(targets, tags)
  const wanted = parts.flatMap((part) => part.wanted ?? [])
  if (wanted.length === 0) return given
  const left = wanted.filter(({ name }) => given.tagsOf.get(name)?.length === 0)
  const written = assignTags(
    targets,
    left.flatMap(({ name, tags: own }) => own.map((ref) => ({ target: name, ref }))),
    IN_BAKE_FILES,
  )
  const both = targets.map(({ name }): readonly [string, readonly string[]] => [
    name,
    [...(given.tagsOf.get(name) ?? []), ...(written.tagsOf.get(name) ?? [])],
  ])
  return { tagsOf: new Map(both), problems: [...given.problems, ...written.problems] }
}

const IN_BAKE_FILES: TagPlace = {
  ...{ input: 'bake-files', called: '`tags` of the bake files' },
  mend: 'Give each target a tag of its own in its file, or to all of them with `{target}` in the input `tags`.',
}

/** With `push` every target needs somewhere to go, unless its outputs say where. */
function homeless(parts: readonly PartDraft[], { tagsOf: all }: AssignedTags, inputs: Inputs): readonly Problem[] {
  if (!inputs.push || inputs.mode !== 'build') return []
  const named = parts.filter(({ part }) => part.inputs.outputs.some((line) => /(^|,)"?name=/.test(line)))
  const sent = new Set(named.flatMap(({ targets }) => targets.map(({ name }) => name)))
  return untagged(new Map([...all].filter(([name]) => !sent.has(name))))
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
