/**
 * BuildKit's own answer to "which stage needs what": its LLB, from max-mode provenance, mapped to Dockerfile lines.
 * This file reads provenance into edges between stages and makes the same kind of edges from our graph; it runs nothing
 * (`oracle-build.ts` does).
 *
 * LLB is the graph after BuildKit is done with it: a stage without operations vanishes (what it inherits stands in for
 * it), identical operations of two stages are one, stages that the target does not need are absent.
 * Shape: https://github.com/moby/buildkit/blob/v0.25.1/solver/llbsolver/provenance/types/types.go
 * (`buildConfig.llbDefinition`, `metadata["https://mobyproject.org/buildkit@v1#metadata"].source.locations`) and
 * https://github.com/moby/buildkit/blob/v0.25.1/solver/pb/ops.proto (an `input` of -1 is scratch, an absent one is 0).
 */
import type { StageGraph, StageSource } from '../../src/graph/stage-graph.ts'

/** `stage 1`, `image docker.io/library/alpine:latest`, `context x`, `scratch`. */
export type Origin = string

export interface LlbEdge {
  readonly stage: number
  /** `from`: what the stage starts from; `use`: what it copies or mounts. */
  readonly via: 'from' | 'use'
  /** More than one where BuildKit merged identical operations of several stages: any of them may be meant. */
  readonly origins: readonly Origin[]
}

export interface LlbGraph {
  readonly edges: readonly LlbEdge[]
  /** Stages with operations that the target needs. */
  readonly stages: readonly number[]
  /** What the target's result is: its own stage, or what stands in for it. */
  readonly result: readonly Origin[]
  /** What the client was asked to send of the build context; undefined: all of it, or there was no need of it. */
  readonly contextPaths: readonly string[] | undefined
}

interface Op {
  readonly inputs: readonly string[]
  readonly kind: 'source' | 'file' | 'exec' | 'merge' | 'end'
  readonly identifier: string
  readonly followPaths?: string | undefined
  /** Positions in `inputs` that the result is built on; all other inputs are used. */
  readonly roots: readonly number[]
  readonly stages: readonly number[]
}

/** Finds the stage that a 1-based line lies in. */
export type StageOfLine = (line: number) => number | undefined

/**
 * @param sourceImages what the source policy maps back: reference that was built from → reference that was asked for.
 */
export function readLlb(
  provenance: unknown,
  stageOfLine: StageOfLine,
  sourceImages: ReadonlyMap<string, string>,
): LlbGraph {
  const ops = readOps(provenance, stageOfLine)
  const op = (id: string): Op => defined(ops.get(id), id)
  const originsOf = (id: string): readonly Origin[] => {
    const { kind, identifier, stages, inputs } = op(id)
    if (kind === 'source') return sourceOrigin(identifier, sourceImages)
    if (stages.length > 0) return stages.map((stage) => `stage ${stage}`)
    return inputs.flatMap(originsOf)
  }
  const edges: LlbEdge[] = []
  for (const { kind, stages, inputs, roots } of ops.values()) {
    if (kind === 'source' || kind === 'end') continue
    for (const stage of stages) {
      for (const [position, id] of inputs.entries()) {
        const origins = originsOf(id)
        // Within a stage operations follow one another; a build context or a heredoc's text is no edge.
        if (origins.length === 0 || origins.includes(`stage ${stage}`)) continue
        edges.push({ stage, via: roots.includes(position) ? 'from' : 'use', origins })
      }
    }
  }
  const end = defined(
    [...ops.values()].find(({ kind }) => kind === 'end'),
    'the last operation',
  )
  const [last] = end.inputs
  const result = last === undefined ? [] : originsOf(last)
  const stages = new Set([...ops.values()].filter(({ kind }) => kind !== 'source').flatMap((each) => each.stages))
  const context = [...ops.values()].find(({ identifier }) => identifier === 'local://context')
  return {
    edges,
    stages: [...stages].sort((a, b) => a - b),
    result: result.length === 0 ? ['scratch'] : result,
    contextPaths:
      context?.followPaths === undefined ? undefined : (JSON.parse(context.followPaths) as readonly string[]),
  }
}

function sourceOrigin(identifier: string, sourceImages: ReadonlyMap<string, string>): readonly Origin[] {
  const [scheme = '', rest = ''] = splitOnce(identifier, '://')
  if (scheme === 'docker-image') {
    // The frontend pins what it resolved: `name:tag@sha256:…`.
    const reference = rest.replace(/@sha256:[0-9a-f]+$/, '')
    return [`image ${sourceImages.get(reference) ?? reference}`]
  }
  if (scheme === 'local' && rest !== 'context') return [`context ${rest}`]
  return []
}

function readOps(provenance: unknown, stageOfLine: StageOfLine): ReadonlyMap<string, Op> {
  const steps = list(at(provenance, 'buildConfig', 'llbDefinition'))
  const locations = at(provenance, 'metadata', 'https://mobyproject.org/buildkit@v1#metadata', 'source', 'locations')
  const ops = new Map<string, Op>()
  for (const step of steps) {
    const id = text(at(step, 'id'))
    const stages = list(at(locations, id, 'locations')).flatMap((location) => {
      const line = at(list(at(location, 'ranges'))[0], 'start', 'line')
      const stage = typeof line === 'number' ? stageOfLine(line) : undefined
      return stage === undefined ? [] : [stage]
    })
    ops.set(id, {
      inputs: list(at(step, 'inputs')).map((input) => text(input).replace(/:\d+$/, '')),
      stages: [...new Set(stages)],
      ...readKind(at(step, 'op', 'Op')),
    })
  }
  return ops
}

function readKind(op: unknown): Omit<Op, 'inputs' | 'stages'> {
  const source = at(op, 'source', 'identifier')
  if (source !== undefined) {
    const follow = at(op, 'source', 'attrs', 'local.followpaths')
    const followPaths = follow === undefined ? undefined : text(follow)
    return { kind: 'source', identifier: text(source), followPaths, roots: [] }
  }
  const actions = at(op, 'file', 'actions')
  if (actions !== undefined) {
    return { kind: 'file', identifier: '', roots: list(actions).map((action) => inputOf(at(action, 'input'))) }
  }
  const mounts = at(op, 'exec', 'mounts')
  if (mounts !== undefined) {
    const roots = list(mounts).filter((mount) => at(mount, 'dest') === '/')
    return { kind: 'exec', identifier: '', roots: roots.map((mount) => inputOf(at(mount, 'input'))) }
  }
  // The first input is what a COPY --link is put onto, the second what it copied.
  if (at(op, 'merge') !== undefined) return { kind: 'merge', identifier: '', roots: [0] }
  if (at(op, 'diff') !== undefined) throw new Error('a DiffOp: the oracle does not know how to read it')
  return { kind: 'end', identifier: '', roots: [] }
}

/** Protobuf's JSON leaves a zero out. */
function inputOf(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

export interface GraphView {
  readonly graph: StageGraph
  readonly target: number
  /** Whether a stage has instructions of its own that become operations (RUN, COPY, ADD, WORKDIR). */
  readonly hasOperations: (stage: number) => boolean
  /** What a named context that is no directory stands for (`docker-image://…`). */
  readonly contexts?: Readonly<Record<string, string>> | undefined
  /** Edges that LLB does not show, as `2 use stage 0`: a mount of a type that takes nothing from its `from`. */
  readonly unseen?: readonly string[] | undefined
}

export interface ExpectedEdge {
  readonly stage: number
  readonly via: 'from' | 'use'
  readonly origin: Origin
}

/** What LLB must look like if our graph is right: the stages without operations are folded into what they inherit. */
export function expectedLlb(view: GraphView): {
  readonly edges: readonly ExpectedEdge[]
  readonly stages: readonly number[]
  readonly result: Origin
} {
  const { graph, contexts = {}, unseen = [] } = view
  const edges = new Map<string, ExpectedEdge>()
  const seen = new Set<number>()
  const stages = new Set<number>()

  const contextOrigin = (name: string): Origin => {
    const image = /^docker-image:\/\/(.*)$/.exec(contexts[name] ?? '')
    return image === null ? `context ${name}` : `image docker.io/library/${image[1] ?? ''}`
  }
  const visit = (source: StageSource): Origin => {
    if (source.kind === 'image') return `image ${source.image}`
    if (source.kind === 'context') return contextOrigin(source.context)
    if (source.kind === 'scratch') return 'scratch'
    const stage = defined(graph.stages[source.stage], `stage ${source.stage}`)
    if (stage.replacedByContext !== undefined) return contextOrigin(stage.replacedByContext)
    const operates = view.hasOperations(stage.index) || stage.needs.some((need) => need.via.startsWith('onbuild-'))
    if (!operates) return visit(stage.from)
    const result = `stage ${stage.index}`
    if (seen.has(stage.index)) return result
    seen.add(stage.index)
    stages.add(stage.index)
    const add = (via: 'from' | 'use', from: StageSource): void => {
      // What a hidden edge leads to is not visited: LLB does not show it either.
      if (from.kind === 'stage' && unseen.includes(`${stage.index} ${via} stage ${from.stage}`)) return
      const origin = visit(from)
      const edge = { stage: stage.index, via, origin }
      if (origin !== 'scratch') edges.set(JSON.stringify(edge), edge)
    }
    add('from', stage.from)
    for (const need of stage.needs) if (need.via !== 'mount-phantom') add('use', need.source)
    return result
  }
  const result = visit({ kind: 'stage', stage: view.target })
  return { edges: [...edges.values()], stages: [...stages].sort((a, b) => a - b), result }
}

/** What differs between BuildKit's LLB and our graph, in sentences; empty where they agree. */
export function compareLlb(llb: LlbGraph, view: GraphView): readonly string[] {
  const expected = expectedLlb(view)
  const fits = (edge: LlbEdge, ours: ExpectedEdge): boolean =>
    edge.stage === ours.stage && edge.via === ours.via && edge.origins.includes(ours.origin)
  const differences = [
    ...llb.edges
      .filter((edge) => !expected.edges.some((ours) => fits(edge, ours)))
      .map((edge) => `only in LLB: stage ${edge.stage} ${edge.via} ${edge.origins.join(' or ')}`),
    ...expected.edges
      .filter((ours) => !llb.edges.some((edge) => fits(edge, ours)))
      .map((ours) => `only in our graph: stage ${ours.stage} ${ours.via} ${ours.origin}`),
  ]
  if (llb.stages.join() !== expected.stages.join()) {
    differences.push(`stages in LLB: ${llb.stages.join(', ')}; in our graph: ${expected.stages.join(', ')}`)
  }
  if (!llb.result.includes(expected.result)) {
    differences.push(`the result in LLB: ${llb.result.join(' or ')}; in our graph: ${expected.result}`)
  }
  return differences
}

function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (each, key) =>
      typeof each === 'object' && each !== null ? (each as Readonly<Record<string, unknown>>)[key] : undefined,
    value,
  )
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new Error(`not a string in provenance: ${JSON.stringify(value)}`)
  return value
}

function splitOnce(value: string, separator: string): readonly string[] {
  const index = value.indexOf(separator)
  return index < 0 ? [value] : [value.slice(0, index), value.slice(index + separator.length)]
}

function defined<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`${what} is missing`)
  return value
}
