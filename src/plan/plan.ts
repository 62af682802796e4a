/**
 * The plan: which stages there are, what they need, which targets must be built and why. A stable JSON (version 1) that
 * other jobs read; making it needs no engine. Digests are looked up elsewhere and handed in.
 */
import { stagesOf, sharedStages } from '../graph/reachability.ts'
import type { Stage, StageGraph, StageNeed, StageSource } from '../graph/stage-graph.ts'
import { digestOf } from './stage-print.ts'
import type { TargetPrint } from './target-print.ts'
import type { RequestedTarget } from './targets.ts'

export type PlanSource =
  | { readonly image: string; readonly digest: string | null; readonly mapped?: string }
  | { readonly stage: number }
  | { readonly context: string }
  | { readonly scratch: true }

export type PlanNeed = { readonly via: 'from' | 'copy' | 'mount' | 'onbuild' } & PlanSource

export interface PlanStage {
  readonly index: number
  readonly name: string | null
  /** Its Dockerfile, in a plan of bake files. */
  readonly file?: string
  /** 1-based line of its FROM. */
  readonly line: number
  /** Of a stage that is the same as one of another Dockerfile before it: that one. */
  readonly same?: number
  readonly from: PlanSource
  /** Every edge once, the base among them. */
  readonly needs: readonly PlanNeed[]
  /** Null where no target needs it, or a result cannot be known beforehand. */
  readonly fingerprint: string | null
}

export type ReasonKind =
  | 'file'
  | 'instruction'
  | 'arg'
  | 'base-image'
  | 'platform'
  | 'option'
  | 'requested'
  | 'no-record'
  | 'unknown-input'
  | 'image-gone'

export interface PlanReason {
  readonly kind: ReasonKind
  readonly stage?: number
  readonly line?: number
  readonly text: string
}

export interface PlanTarget {
  readonly name: string
  /** In a plan of bake files, its Dockerfile and its platforms. */
  readonly file?: string
  readonly platforms?: readonly string[]
  readonly stage: number
  /** All stages that it needs, itself last, in build order. */
  readonly stages: readonly number[]
  readonly status: 'changed' | 'unchanged'
  readonly tags: readonly string[]
  /** Why it is built; empty where it is not. */
  readonly reasons: readonly PlanReason[]
  /** Of the whole image; null where it cannot be known beforehand. */
  readonly fingerprint: string | null
  /** Of an unchanged one that was pushed: where its image is. */
  readonly image?: { readonly digest: string; readonly repositories: readonly string[] }
  /** Of an unchanged one: what its image weighs, by platform, for the report of a matrix. */
  readonly sizes?: readonly PlannedSizes[]
  /** Of an unchanged one: the commit whose build it equals. */
  readonly since?: string
}

/** Bytes of an image on one platform; more may stand beside. */
export interface PlannedSizes {
  readonly platform: string
  readonly transfer: object
  readonly unpacked: object
}

export interface Plan {
  readonly version: 1
  /** What the project is called across runs. */
  readonly id: string
  readonly file: string
  readonly platforms: readonly string[]
  /** Each platform of a target is built by a leg of its own; absent where all are built together. */
  readonly matrixBy?: 'platform'
  readonly stages: readonly PlanStage[]
  readonly targets: readonly PlanTarget[]
  /** Stages that two or more changed targets need. */
  readonly shared: readonly number[]
}

/** What is known of an external image: the digest that its registry answered, and what it is mapped to. */
/** The platforms of a target where they are not those of the plan; none where they are. */
export function ownPlatforms(plan: Pick<Plan, 'platforms'>, { platforms = [] }: PlanTarget): readonly string[] {
  return platforms.length === plan.platforms.length ? [] : platforms
}

export interface ImagePin {
  readonly digest: string | undefined
  readonly mapped: string | undefined
}

export interface PlanRequest {
  readonly id: string
  /** Repository-relative path of the Dockerfile. */
  readonly file: string
  readonly platforms: readonly string[]
  readonly matrixBy?: 'target' | 'platform' | undefined
  readonly graph: StageGraph
  readonly targets: readonly RequestedTarget[]
  /** Tags of a target. */
  readonly tagsOf: (target: RequestedTarget) => readonly string[]
  readonly pinOf: (image: string) => ImagePin
  readonly decisionOf: (target: RequestedTarget) => Pick<PlanTarget, 'status' | 'reasons' | 'image' | 'sizes' | 'since'>
  /** Of a bake file's target. */
  readonly placeOf?: (target: RequestedTarget) => Pick<PlanTarget, 'file' | 'platforms'>
  readonly prints: ReadonlyMap<string, TargetPrint>
}

/** Makes the plan. */
export function makePlan(request: PlanRequest): Plan {
  const { graph, prints } = request
  const fingerprints = stageFingerprints([...prints.values()])
  const targets = request.targets.map((target): PlanTarget => {
    const { image, sizes, since, ...decision } = request.decisionOf(target)
    return {
      ...{ name: target.name, ...request.placeOf?.(target), stage: target.stage },
      ...{ stages: stagesOf(graph, target.stage), ...decision },
      ...{ tags: request.tagsOf(target), fingerprint: prints.get(target.name)?.fingerprint ?? null },
      ...(image === undefined ? {} : { image }),
      ...(sizes === undefined ? {} : { sizes }),
      ...(since === undefined ? {} : { since }),
    }
  })
  const twins = twinsOf(graph, fingerprints)
  const changed = targets.filter(({ status }) => status === 'changed').map(({ stage }) => stage)
  return {
    version: 1,
    id: request.id,
    file: request.file,
    platforms: request.platforms,
    ...(request.matrixBy === 'platform' ? { matrixBy: request.matrixBy } : {}),
    stages: graph.stages.map((stage) => ({
      ...planStage(stage, request.pinOf, fingerprints.get(stage.index)),
      ...sameAs(twins.get(stage.index)),
    })),
    targets,
    shared: sharedStages(graph, changed, (stage) => twins.get(stage) ?? stage),
  }
}

function sameAs(twin: number | undefined): Pick<PlanStage, 'same'> {
  return twin === undefined ? {} : { same: twin }
}

/** Stages of several Dockerfiles that are the same, by their fingerprints: for each but the first, the first. */
function twinsOf(
  { stages }: StageGraph,
  fingerprints: ReadonlyMap<number, string | undefined>,
): ReadonlyMap<number, number> {
  const firsts = new Map<string, number>()
  const twins = new Map<number, number>()
  for (const { index, file } of stages) {
    const fingerprint = fingerprints.get(index)
    if (file === undefined || fingerprint === undefined) continue
    const first = firsts.get(fingerprint)
    if (first === undefined) firsts.set(fingerprint, index)
    else if (stages[first]?.file !== file) twins.set(index, first)
  }
  return twins
}

/** By stage; over several platforms, one of all of them. */
function stageFingerprints(prints: readonly TargetPrint[]): ReadonlyMap<number, string | undefined> {
  const found = new Map<number, Map<string, string | undefined>>()
  for (const { platforms } of prints) {
    for (const { platform, stages } of platforms) {
      for (const { index, fingerprint } of stages) {
        const known = found.get(index) ?? new Map<string, string | undefined>()
        found.set(index, known.set(platform, known.get(platform) ?? fingerprint))
      }
    }
  }
  return new Map(
    [...found].map(([index, all]) => {
      const [first] = all.values()
      if (all.size <= 1) return [index, first]
      return [index, [...all.values()].includes(undefined) ? undefined : digestOf([...all])]
    }),
  )
}

function planStage(stage: Stage, pinOf: PlanRequest['pinOf'], fingerprint: string | undefined): PlanStage {
  const from = planSource(stage.from, pinOf)
  const edges: PlanNeed[] = 'scratch' in from ? [] : [{ via: 'from', ...from }]
  for (const need of stage.needs) {
    const source = planSource(need.source, pinOf)
    if (!('scratch' in source)) edges.push({ via: viaOf(need), ...source })
  }
  const seen = new Set<string>()
  const needs = edges.filter((edge) => {
    const key = JSON.stringify(edge)
    return seen.has(key) ? false : seen.add(key)
  })
  return {
    index: stage.index,
    name: stage.name ?? null,
    ...(stage.file === undefined ? {} : { file: stage.file }),
    line: stage.line,
    from,
    needs,
    fingerprint: fingerprint ?? null,
  }
}

function planSource(source: StageSource, pinOf: PlanRequest['pinOf']): PlanSource {
  switch (source.kind) {
    case 'stage':
      return { stage: source.stage }
    case 'context':
      return { context: source.context }
    case 'scratch':
      return { scratch: true }
    case 'image': {
      const { digest, mapped } = pinOf(source.image)
      return { image: source.image, digest: digest ?? null, ...(mapped === undefined ? {} : { mapped }) }
    }
  }
}

const VIA: Readonly<Record<StageNeed['via'], PlanNeed['via']>> = {
  from: 'from',
  copy: 'copy',
  mount: 'mount',
  'mount-phantom': 'mount',
  'onbuild-copy': 'onbuild',
  'onbuild-mount': 'onbuild',
}

function viaOf(need: StageNeed): PlanNeed['via'] {
  return VIA[need.via]
}

/** GitHub truncates no output but refuses a job whose outputs exceed 1 MB, so a larger plan keeps its targets only. */
const MAX_OUTPUT_BYTES = 1_000_000

/** The plan as the text of the `plan` output, cut to its targets when it is too long for one. */
export function serializePlan(plan: Plan): { readonly text: string; readonly cut: boolean } {
  const text = JSON.stringify(plan)
  // GitHub counts outputs as UTF-16.
  if (text.length * 2 <= MAX_OUTPUT_BYTES) return { text, cut: false }
  return { text: JSON.stringify({ ...plan, stages: [] }), cut: true }
}
