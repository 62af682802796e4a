import { neededStages } from '../graph/reachability.ts'
import type { NeedVia, StageGraph, StageSource } from '../graph/stage-graph.ts'
import { MAX_DIAGRAM_CHARACTERS, MAX_DIAGRAM_EDGES, labelText } from './mermaid-text.ts'
import { stageName } from './summary-data.ts'

/**
 * The stage graph → a Mermaid flowchart. Owns which nodes and edges are drawn; the words around the picture are
 * `summary.ts`'s. Node ids are ours (`s3`, `i0`), so a stage called `end` breaks nothing.
 */

export interface FlowchartInput {
  readonly graph: StageGraph
  /** Indexes of the stages that were asked for. */
  readonly requested: readonly number[]
  /** Those of them that failed. */
  readonly failed?: readonly number[] | undefined
  /** Indexes of stages that two or more of them need. */
  readonly shared: readonly number[]
  /** What stages are called that have other names than in their Dockerfile: those that are targets of bake files. */
  readonly names?: ReadonlyMap<number, string> | undefined
  /** What stands after a stage's name: its size, say. */
  readonly captions?: ReadonlyMap<number, string> | undefined
  /** At most this many nodes; what is over is drawn as one. */
  readonly maxNodes?: number | undefined
}

export interface Flowchart {
  readonly source: string
  /** Stages that no requested target needs, in the order of the file: they are left out. */
  readonly unneeded: readonly number[]
  /** Nodes that were drawn as one for want of room. */
  readonly collapsed: number
  readonly edgesLeftOut: number
  readonly hasExternal: boolean
  readonly hasContext: boolean
  readonly hasShared: boolean
}

const MAX_LABEL = 44
const REST = 'rest'

interface Node {
  readonly id: string
  readonly kind: 'stage' | 'target' | 'image' | 'context'
  readonly label: string
}

interface Edge {
  readonly from: string
  readonly to: string
  readonly label: string
}

/** Draws what the requested targets need: at most 60 nodes, 500 edges and 50,000 characters. */
export function flowchart(input: FlowchartInput): Flowchart {
  const maxNodes = input.maxNodes ?? 60
  const needed = nearestFirst(input.graph, input.requested)
  const { nodes, edges } = draw(input, needed)
  let cap = maxNodes
  let result = render(input, nodes, edges, cap)
  // Bounded labels make this unlikely; a diagram over the limit would be an error message in the summary.
  while (result.source.length > MAX_DIAGRAM_CHARACTERS && cap > 1) {
    cap = Math.floor(cap / 2)
    result = render(input, nodes, edges, cap)
  }
  const unneeded = input.graph.stages.map((stage) => stage.index).filter((index) => !needed.includes(index))
  return { ...result, unneeded }
}

/** Breadth first from the targets: what is nearest to them is kept when room is short. */
function nearestFirst(graph: StageGraph, requested: readonly number[]): readonly number[] {
  const seen = new Set(requested.filter((index) => graph.stages[index] !== undefined))
  for (const index of seen) for (const needed of neededStages(graph, index)) seen.add(needed)
  return [...seen]
}

function draw(input: FlowchartInput, needed: readonly number[]): { nodes: readonly Node[]; edges: readonly Edge[] } {
  const { graph, requested, captions, names } = input
  const outside = new Map<string, Node>()
  const edges = new Map<string, Edge & { times: number }>()
  const sourceId = (source: StageSource): string | undefined => {
    switch (source.kind) {
      case 'scratch':
        return undefined
      case 'stage':
        return graph.stages[source.stage] === undefined ? undefined : `s${source.stage}`
      case 'image':
      case 'context': {
        const name = source.kind === 'image' ? familiarName(source.image) : source.context
        const key = `${source.kind} ${name}`
        const node: Node = outside.get(key) ?? {
          id: `${source.kind === 'image' ? 'i' : 'c'}${outside.size}`,
          kind: source.kind,
          label: labelText(name, MAX_LABEL),
        }
        outside.set(key, node)
        return node.id
      }
    }
  }
  const connect = (source: StageSource, to: string, label: string): void => {
    const from = sourceId(source)
    if (from === undefined) return
    const key = `${from} ${to} ${label}`
    edges.set(key, { from, to, label, times: (edges.get(key)?.times ?? 0) + 1 })
  }
  const stages: Node[] = []
  for (const index of needed) {
    const stage = graph.stages[index]
    if (stage === undefined) continue
    const caption = captions?.get(index)
    const label =
      labelText(names?.get(index) ?? stageName(stage, MAX_LABEL), MAX_LABEL) +
      (caption === undefined ? '' : `, ${labelText(caption, MAX_LABEL).replaceAll(' ', '\u00a0')}`)
    stages.push({ id: `s${index}`, kind: requested.includes(index) ? 'target' : 'stage', label })
    connect(stage.from, `s${index}`, 'from')
    for (const need of stage.needs) connect(need.source, `s${index}`, edgeLabel(need.via))
  }
  return {
    nodes: [...stages, ...outside.values()],
    edges: [...edges.values()].map(({ times, ...edge }) =>
      times === 1 ? edge : { ...edge, label: `${edge.label} x${times}` },
    ),
  }
}

function edgeLabel(via: NeedVia): string {
  switch (via) {
    case 'from':
      return 'from'
    case 'copy':
      return 'copy'
    case 'mount':
    case 'mount-phantom':
      return 'mount'
    case 'onbuild-copy':
      return 'onbuild copy'
    case 'onbuild-mount':
      return 'onbuild mount'
  }
}

/** As people write it: without Docker Hub's host, `library` and `latest`. */
function familiarName(image: string): string {
  return image.replace(/^docker\.io\/(?:library\/)?/, '').replace(/:latest$/, '')
}

function render(
  input: FlowchartInput,
  nodes: readonly Node[],
  edges: readonly Edge[],
  maxNodes: number,
): Omit<Flowchart, 'unneeded'> {
  const kept = nodes.length <= maxNodes ? nodes : nodes.slice(0, Math.max(0, maxNodes - 1))
  const ids = new Set(kept.map((node) => node.id))
  const collapsed = nodes.length - kept.length
  const drawn = mergeEdges(edges, ids)
  const shared = input.shared.map((index) => `s${index}`).filter((id) => ids.has(id))
  const targets = kept.filter((node) => node.kind === 'target').map((node) => node.id)
  const failed = (input.failed ?? []).map((index) => `s${index}`).filter((id) => targets.includes(id))
  const external = kept.filter((node) => node.kind === 'image' || node.kind === 'context').map((node) => node.id)
  const lines = [
    `flowchart ${direction(kept, drawn)}`,
    ...kept.map((node) => `  ${shape(node)}`),
    ...(collapsed === 0 ? [] : [`  ${REST}["${collapsed} more"]`]),
    ...drawn
      .slice(0, MAX_DIAGRAM_EDGES)
      .map((edge) => `  ${edge.from} ${edge.label.startsWith('from') ? '-->' : '-.->'}|${edge.label}| ${edge.to}`),
    // One colour each that stands out on white and on black; the text's colour goes with the fill.
    '  classDef target fill:#0969da,stroke:#54aeff,color:#ffffff',
    '  classDef failed fill:#cf222e,stroke:#ff8182,color:#ffffff',
    '  classDef shared stroke:#bf8700,stroke-width:3px',
    '  classDef external stroke-dasharray:4 3',
    '  classDef rest stroke-dasharray:1 4',
    ...classLine(targets, 'target'),
    ...classLine(failed, 'failed'),
    ...classLine(shared, 'shared'),
    ...classLine(external, 'external'),
    ...classLine(collapsed === 0 ? [] : [REST], 'rest'),
  ]
  return {
    source: lines.join('\n'),
    collapsed,
    edgesLeftOut: Math.max(0, drawn.length - MAX_DIAGRAM_EDGES),
    hasExternal: kept.some((node) => node.kind === 'image'),
    hasContext: kept.some((node) => node.kind === 'context'),
    hasShared: shared.length > 0,
  }
}

/**
 * Wide pictures are shrunk to the page, tall ones are scrolled: so the ranks run across the page unless they are more
 * than what the widest of them holds.
 */
function direction(nodes: readonly Node[], edges: readonly Edge[]): 'LR' | 'TB' {
  const rank = new Map(nodes.map((node) => [node.id, 0]))
  // As many rounds as a path can have edges; cycles, which no build has, end there too.
  for (let round = 0, moved = true; moved && round < nodes.length; round++) {
    moved = false
    for (const { from, to } of edges) {
      const next = (rank.get(from) ?? 0) + 1
      if (next > (rank.get(to) ?? 0) && next <= nodes.length) {
        rank.set(to, next)
        moved = true
      }
    }
  }
  const ranks = Map.groupBy(rank.values(), (value) => value)
  const widest = Math.max(1, ...[...ranks.values()].map((members) => members.length))
  return ranks.size > 6 && ranks.size > widest ? 'TB' : 'LR'
}

function mergeEdges(edges: readonly Edge[], ids: ReadonlySet<string>): readonly Edge[] {
  const merged = new Map<string, Edge>()
  for (const edge of edges) {
    const from = ids.has(edge.from) ? edge.from : REST
    const to = ids.has(edge.to) ? edge.to : REST
    if (from === REST && to === REST) continue
    const inside = from !== REST && to !== REST
    merged.set(`${from} ${to} ${inside ? edge.label : ''}`, { from, to, label: inside ? edge.label : 'needs' })
  }
  return [...merged.values()]
}

function shape(node: Node): string {
  switch (node.kind) {
    case 'target':
      return `${node.id}(["${node.label}"])`
    case 'stage':
      return `${node.id}["${node.label}"]`
    case 'image':
      return `${node.id}[("${node.label}")]`
    case 'context':
      return `${node.id}[/"${node.label}"/]`
  }
}

function classLine(ids: readonly string[], name: string): readonly string[] {
  return ids.length === 0 ? [] : [`  class ${ids.join(',')} ${name}`]
}
