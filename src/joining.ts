/** The Dockerfiles of a plan as one graph: where each one's stages and targets are in it, on every platform. Pure. */
import type { Problem } from './errors.ts'
import type { GraphVariant } from './fingerprinting.ts'
import { baseChain, environmentOf, joinGraphs, offsetsOf, triggerLine, type PartStage } from './graph/join.ts'
import { stagesOfAll } from './graph/reachability.ts'
import type { Resolution } from './graph/resolve.ts'
import type { StageGraph } from './graph/stage-graph.ts'
import type { ImageCatalog, ImageWants } from './image-catalog.ts'
import type { PartDraft } from './part-planning.ts'
import type { RequestedTarget } from './plan/targets.ts'

/** A Dockerfile that is resolved. */
export type ResolvedPart = Pick<PartDraft, 'part' | 'platforms' | 'cells' | 'resolutions' | 'graph' | 'targets'> & {
  /** A FROM depends on the target: there is a resolution for each. */
  readonly dependsOnTarget?: boolean
}

/** All of them as one. */
export interface Joined {
  readonly graph: StageGraph
  /** Of each part, its stages' numbers in the graph. */
  readonly stages: readonly (readonly number[])[]
  /** What is asked for, in the order of the request. */
  readonly targets: readonly RequestedTarget[]
  /** What is built only for others that use it. */
  readonly linked: readonly RequestedTarget[]
  /** The index of a target's part. */
  readonly partOf: (target: string) => number
}

/** Where bake's targets are: part and stage, by name. */
function placesOf(parts: readonly ResolvedPart[]): ReadonlyMap<string, PartStage> {
  return new Map(parts.flatMap(({ targets }, part) => targets.map(({ name, stage }) => [name, { part, stage }])))
}

/** Puts the parts together. A plain Dockerfile stays as it is. */
export function joinParts(parts: readonly ResolvedPart[]): Joined {
  const graph = joinedGraph(parts, (part) => part.graph)
  const offsets = offsetsOf(parts.map((part) => part.graph))
  const places = placesOf(parts)
  const all = parts.flatMap(({ part, targets }, index) =>
    targets.map((target) => ({
      target: { ...target, stage: (offsets[index] ?? 0) + target.stage },
      place: part.wanted === undefined ? 0 : part.wanted.find(({ name }) => name === target.name)?.place,
    })),
  )
  const asked = all.filter(({ place }) => place !== undefined).sort((a, b) => (a.place ?? 0) - (b.place ?? 0))
  return {
    graph,
    stages: parts.map((part, index) => part.graph.stages.map((stage) => (offsets[index] ?? 0) + stage.index)),
    targets: asked.map(({ target }) => target),
    linked: all.filter(({ place }) => place === undefined).map(({ target }) => target),
    partOf: (target) => places.get(target)?.part ?? 0,
  }
}

/** The graph as it is on each platform; where a FROM depends on the target, for each of them. */
export function variantsOf(
  parts: readonly ResolvedPart[],
  targets: readonly RequestedTarget[],
): readonly GraphVariant[] {
  const [first, ...others] = parts
  if (first === undefined) return []
  if (others.length === 0 && first.part.wanted === undefined) {
    const { cells, resolutions, dependsOnTarget } = first
    return resolutions.flatMap(({ graph }, index) => {
      const { platform = '', machine } = cells[index % cells.length] ?? {}
      const target = dependsOnTarget === true ? targets[Math.floor(index / cells.length)]?.name : undefined
      return graph === undefined ? [] : [{ platform, machine, target, graph }]
    })
  }
  const platforms = [...new Set(parts.flatMap((part) => part.platforms))]
  return platforms.map((platform) => ({
    ...{ platform, target: undefined },
    graph: joinedGraph(parts, (part) => graphFor(part, platform) ?? part.graph),
  }))
}

function joinedGraph(parts: readonly ResolvedPart[], graphOf: (part: ResolvedPart) => StageGraph): StageGraph {
  const places = placesOf(parts)
  const [first, ...others] = parts.map((resolved) => {
    const { part } = resolved
    const links = [...part.links].flatMap(([key, target]) => {
      const place = places.get(target)
      return place === undefined ? [] : [[key, place] as const]
    })
    return { graph: graphOf(resolved), file: part.dockerfileName, links: new Map(links) }
  })
  if (first === undefined) throw new RangeError('nothing to join')
  return parts[0]?.part.wanted === undefined ? first.graph : joinGraphs([first, ...others])
}

/** Of a part that is not built for the platform, what is built of it. */
function graphFor({ platforms, resolutions }: ResolvedPart, platform: string): StageGraph | undefined {
  const own: Resolution | undefined = resolutions[platforms.indexOf(platform)] ?? resolutions[0]
  return own?.graph
}

/** The images that the stages of each part need, and for which platforms. */
export function imageWants({ graph, stages, targets, linked }: Joined, parts: readonly ResolvedPart[]): ImageWants[] {
  const needed = stagesOfAll(
    graph,
    [...targets, ...linked].map(({ stage }) => stage),
  )
  return parts.map(({ platforms }, index) => {
    const own = new Set(stages[index])
    return { graph, platforms, stages: needed.filter((stage) => own.has(stage)) }
  })
}

/** The parts with every one after those whose targets it uses; bake allows no circles. */
export function linkOrder(parts: readonly PartDraft[]): readonly number[] {
  const places = placesOf(parts)
  const order = new Set<number>()
  const entered = new Set<number>()
  const visit = (index: number): void => {
    if (entered.has(index)) return
    entered.add(index)
    for (const target of parts[index]?.part.links.values() ?? []) visit(places.get(target)?.part ?? index)
    order.add(index)
  }
  parts.forEach((_, index) => {
    visit(index)
  })
  return [...order]
}

/**
 * What the image of a linked target sets: its base image's variables and those of its ENV instructions.
 * @param resolved parts that are resolved already, by index
 */
export function linkEnvironment(
  drafts: readonly PartDraft[],
  resolved: ReadonlyMap<number, ResolvedPart>,
  images: ImageCatalog,
): (part: number, context: string, platform: string) => readonly string[] | undefined {
  const places = placesOf(drafts)
  const environment = (index: number, context: string, platform: string): readonly string[] | undefined => {
    const place = places.get(drafts[index]?.part.links.get(context) ?? '')
    const part = place === undefined ? undefined : resolved.get(place.part)
    const graph = part === undefined ? undefined : graphFor(part, platform)
    if (place === undefined || graph === undefined) return undefined
    const lowest = baseChain(graph, place.stage)[0]
    const below =
      lowest?.from.kind === 'image'
        ? images.baseOf(lowest.from.image, lowest.platform)?.config.env
        : lowest?.from.kind === 'context'
          ? environment(place.part, lowest.from.context, platform)
          : []
    return below === undefined ? undefined : [...below, ...environmentOf(graph, place.stage)]
  }
  return environment
}

/** A linked target's ONBUILD instructions would add to the Dockerfile that is based on it: nothing knows of them here. */
export function triggerProblems(parts: readonly ResolvedPart[]): readonly Problem[] {
  const places = placesOf(parts)
  return parts.flatMap(({ part, graph }) =>
    graph.stages.flatMap(({ from }) => {
      const target = from.kind === 'context' ? part.links.get(from.context) : undefined
      const place = places.get(target ?? '')
      const linked = place === undefined ? undefined : parts[place.part]
      const trigger = place === undefined || linked === undefined ? undefined : triggerLine(linked.graph, place.stage)
      if (linked === undefined || trigger === undefined) return []
      return [
        {
          ...{ input: 'bake-files', file: linked.part.dockerfileName, line: trigger.line },
          message: `The bake target \`${target ?? ''}\` has an ONBUILD instruction, and ${part.dockerfileName} is based on it through \`target:${target ?? ''}\`: what it would add is not known before the build.`,
          mend: 'Write what it does into the Dockerfile that is based on it.',
        },
      ]
    }),
  )
}
