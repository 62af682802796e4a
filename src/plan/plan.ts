/**
 * The plan: which stages there are, what they need, which targets must be built and why. A stable JSON (version 1) that
 * other jobs read; making it needs no engine. Digests are looked up elsewhere and handed in.
 */
import { stagesOf, sharedStages } from '../graph/reachability.ts'
import type { Stage, StageGraph, StageNeed, StageSource } from '../graph/stage-graph.ts'
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
  /** 1-based line of its FROM. */
  readonly line: number
  readonly from: PlanSource
  /** Every edge once, the base among them. */
  readonly needs: readonly PlanNeed[]
  /** Null until fingerprints exist, or where a result cannot be known beforehand. */
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
  readonly stage: number
  /** All stages that it needs, itself last, in build order. */
  readonly stages: readonly number[]
  readonly status: 'changed' | 'unchanged'
  readonly tags: readonly string[]
  readonly reasons: readonly PlanReason[]
}

export interface Plan {
  readonly version: 1
  readonly file: string
  readonly platforms: readonly string[]
  readonly stages: readonly PlanStage[]
  readonly targets: readonly PlanTarget[]
  /** Stages that two or more changed targets need. */
  readonly shared: readonly number[]
}

/** What is known of an external image: the digest that its registry answered, and what it is mapped to. */
export interface ImagePin {
  readonly digest: string | undefined
  readonly mapped: string | undefined
}

export interface PlanRequest {
  /** Repository-relative path of the Dockerfile. */
  readonly file: string
  readonly platforms: readonly string[]
  readonly graph: StageGraph
  readonly targets: readonly RequestedTarget[]
  /** Tags of a target. */
  readonly tagsOf: (target: RequestedTarget) => readonly string[]
  readonly pinOf: (image: string) => ImagePin
  /** A reason why every target is to be built whatever a record says (`no-cache`). */
  readonly requested: string | undefined
}

/** Makes the plan. Without records of earlier builds every target is `changed`. */
export function makePlan(request: PlanRequest): Plan {
  const { graph, targets } = request
  return {
    version: 1,
    file: request.file,
    platforms: request.platforms,
    stages: graph.stages.map((stage) => planStage(stage, request.pinOf)),
    targets: targets.map((target) => ({
      name: target.name,
      stage: target.stage,
      stages: stagesOf(graph, target.stage),
      status: 'changed',
      tags: request.tagsOf(target),
      reasons: [reasonOf(request, target)],
    })),
    shared: sharedStages(
      graph,
      targets.map((target) => target.stage),
    ),
  }
}

function reasonOf(request: PlanRequest, target: RequestedTarget): PlanReason {
  if (request.requested !== undefined) return { kind: 'requested', stage: target.stage, text: request.requested }
  return { kind: 'no-record', stage: target.stage, text: 'no record of an earlier build' }
}

function planStage(stage: Stage, pinOf: PlanRequest['pinOf']): PlanStage {
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
  return { index: stage.index, name: stage.name ?? null, line: stage.line, from, needs, fingerprint: null }
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
