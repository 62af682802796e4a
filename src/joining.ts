/** The Dockerfiles of a plan as one graph: where each one's stages and targets are in it, on every platform. Pure. */
import type { ContextImages } from './context-images.ts'
import { baseChain, environmentOf, joinGraphs, offsetsOf, triggersOf, type PartStage } from './graph/join.ts'
import { stagesOfAll } from './graph/reachability.ts'
import type { Resolution } from './graph/resolve.ts'
import type { StageGraph } from './graph/stage-graph.ts'
import type { ImageCatalog, ImageWants } from './image-catalog.ts'
import { linkedPlatform } from './link-platforms.ts'
import type { BuildCell, PartDraft } from './part-planning.ts'
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
export function placesOf(parts: readonly ResolvedPart[]): ReadonlyMap<string, PartStage> {
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

/** The graph of all parts, as each is given. */
export function joinedGraph(
  parts: readonly ResolvedPart[],
  graphOf: (part: ResolvedPart, index: number) => StageGraph,
): StageGraph {
  const places = placesOf(parts)
  const [first, ...others] = parts.map((resolved, index) => {
    const { part } = resolved
    const links = [...part.links].flatMap(([key, target]) => {
      const place = places.get(target)
      return place === undefined ? [] : [[key, place] as const]
    })
    return { graph: graphOf(resolved, index), file: part.dockerfileName, links: new Map(links) }
  })
  if (first === undefined) throw new RangeError('nothing to join')
  return parts[0]?.part.wanted === undefined ? first.graph : joinGraphs([first, ...others])
}

/** Of a part that is not built for this, what is built of it. */
export function graphAt(
  { cells, resolutions }: ResolvedPart,
  { platform, machine }: BuildCell,
): StageGraph | undefined {
  const exact = cells.findIndex((cell) => cell.platform === platform && cell.machine === machine)
  const like = exact === -1 ? cells.findIndex((cell) => cell.platform === platform) : exact
  const own: Resolution | undefined = resolutions[like] ?? resolutions[0]
  return own?.graph
}

/** What others that are built from a part hold to: what bake files say, or what it is built for. */
export function platformsToUse({ part, platforms }: ResolvedPart): readonly string[] {
  return part.split?.written ?? platforms
}

/** The images that the stages of each part need, and for which platforms. */
export function imageWants({ graph, stages, targets, linked }: Joined, parts: readonly ResolvedPart[]): ImageWants[] {
  const needed = stagesOfAll(
    graph,
    [...targets, ...linked].map(({ stage }) => stage),
  )
  return parts.map(({ cells }, index) => {
    const own = new Set(stages[index])
    return {
      graph,
      platforms: [...new Set(cells.map(({ platform }) => platform))],
      stages: needed.filter((stage) => own.has(stage)),
    }
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
 * What the image behind a named context sets: of a linked target its base image's variables and those of its ENV instructions.
 * @param resolved parts that are resolved already, by index
 */
export function contextEnvironment(
  drafts: readonly PartDraft[],
  resolved: ReadonlyMap<number, ResolvedPart>,
  { images, contextImages }: { readonly images: ImageCatalog; readonly contextImages: ContextImages },
): (part: number, context: string, cell: BuildCell) => readonly string[] | undefined {
  const linkOf = linksOf(drafts, resolved)
  const environment = (index: number, context: string, cell: BuildCell): readonly string[] | undefined => {
    if (drafts[index]?.part.links.has(context) !== true) return contextImages.of(index, context, cell.platform)?.env
    const link = linkOf(index, context, cell)
    if (link === undefined) return undefined
    const { place, graph } = link
    const lowest = baseChain(graph, place.stage)[0]
    const below =
      lowest?.from.kind === 'image'
        ? images.baseOf(lowest.from.image, lowest.platform)?.config.env
        : lowest?.from.kind === 'context'
          ? (environment(place.part, lowest.from.context, { ...cell, platform: lowest.platform }) ??
            (contextImages.isImage(place.part, lowest.from.context) ? undefined : []))
          : []
    return below === undefined ? undefined : [...below, ...environmentOf(graph, place.stage)]
  }
  return environment
}

/**
 * The ONBUILD triggers of linked targets, which BuildKit carries out where a stage is based on one.
 * https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerui/namedcontext.go (input)
 * @param resolved as above
 */
export function linkTriggers(
  drafts: readonly PartDraft[],
  resolved: ReadonlyMap<number, ResolvedPart>,
): (part: number, context: string, cell: BuildCell) => readonly string[] | undefined {
  const linkOf = linksOf(drafts, resolved)
  return (...asked) => {
    const link = linkOf(...asked)
    return link === undefined ? undefined : triggersOf(link.graph, link.place.stage)
  }
}

/** The target behind a part's context, and its graph as it is for who is built from it; undefined where it is not resolved. */
function linksOf(
  drafts: readonly PartDraft[],
  resolved: ReadonlyMap<number, ResolvedPart>,
): (
  part: number,
  context: string,
  cell: BuildCell,
) => { readonly place: PartStage; readonly graph: StageGraph } | undefined {
  const places = placesOf(drafts)
  return (index, context, cell) => {
    const place = places.get(drafts[index]?.part.links.get(context) ?? '')
    const part = place === undefined ? undefined : resolved.get(place.part)
    if (place === undefined || part === undefined) return undefined
    const platform = linkedPlatform(platformsToUse(part), cell.platform) ?? cell.platform
    const graph = graphAt(part, { ...cell, platform })
    return graph === undefined ? undefined : { place, graph }
  }
}
