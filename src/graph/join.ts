/**
 * One graph from those of several Dockerfiles: stages are numbered through, and a named context that stands for a stage of
 * another Dockerfile becomes an edge to it. Pure.
 */
import type { Stage, StageGraph, StageSource } from './stage-graph.ts'

export interface JoinedPart {
  readonly graph: StageGraph
  /** Its Dockerfile. */
  readonly file: string
  /** Named contexts that are stages of another part, by key. */
  readonly links: ReadonlyMap<string, PartStage>
}

/** A stage of one of the parts. */
export interface PartStage {
  readonly part: number
  /** In its own Dockerfile. */
  readonly stage: number
}

/** The number that each part's first stage has in the joined graph. */
export function offsetsOf(graphs: readonly StageGraph[]): readonly number[] {
  let next = 0
  return graphs.map(({ stages }) => {
    const offset = next
    next += stages.length
    return offset
  })
}

/** The graph of all parts, in their order; what is built by default and for which platform is the first part's. */
export function joinGraphs(parts: readonly [JoinedPart, ...JoinedPart[]]): StageGraph {
  const [first] = parts
  const offsets = offsetsOf(parts.map(({ graph }) => graph))
  const stages = parts.flatMap(({ graph, file, links }, index) => {
    const offset = offsets[index] ?? 0
    const place = (source: StageSource): StageSource => {
      if (source.kind === 'stage') return { kind: 'stage', stage: offset + source.stage }
      const link = source.kind === 'context' ? links.get(source.context) : undefined
      return link === undefined ? source : { kind: 'stage', stage: (offsets[link.part] ?? 0) + link.stage }
    }
    return graph.stages.map((stage) => ({
      ...mapSources(stage, place),
      ...{ index: offset + stage.index, file },
      // What stands for it is a stage, too.
      ...(stage.replacedByContext !== undefined && links.has(stage.replacedByContext)
        ? { replacedByContext: undefined }
        : {}),
    }))
  })
  return { ...first.graph, stages }
}

/** A stage whose base, needs and instructions take from elsewhere. */
export function mapSources(stage: Stage, change: (source: StageSource) => StageSource): Stage {
  return {
    ...stage,
    from: change(stage.from),
    needs: stage.needs.map((need) => ({ ...need, source: change(need.source) })),
    steps: stage.steps.map((step) => ({
      ...step,
      sources: step.sources.map((source) => ({ ...source, source: change(source.source) })),
    })),
  }
}

/** What a stage and those that it is based on set by ENV, the lowest first, as `NAME=value`. */
export function environmentOf(graph: StageGraph, stage: number): readonly string[] {
  return baseChain(graph, stage).flatMap(({ steps }) =>
    steps
      .filter(({ keyword }) => keyword === 'ENV')
      .flatMap(({ settings }) => settings.map(([name, value]) => `${name}=${value ?? ''}`)),
  )
}

/**
 * The triggers that a stage's image holds: its own alone, since what its base says was carried out in it.
 * https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (dispatchOnbuild, init)
 */
export function triggersOf(graph: StageGraph, stage: number): readonly string[] {
  const steps = graph.stages[stage]?.steps ?? []
  return steps.flatMap(({ keyword, history }) => (keyword === 'ONBUILD' ? history.slice(0, 1) : []))
}

/** A stage and the stages that it is based on, the lowest first. */
export function baseChain(graph: StageGraph, stage: number): readonly Stage[] {
  const chain: Stage[] = []
  for (let current = graph.stages[stage]; current !== undefined && !chain.includes(current);) {
    chain.unshift(current)
    current = current.from.kind === 'stage' ? graph.stages[current.from.stage] : undefined
  }
  return chain
}
