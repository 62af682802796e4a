/**
 * The graph of all Dockerfiles as it is for each platform of each target: what a target is built from (`target:` contexts) may
 * be built for other platforms than itself. Pure.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Problem } from './errors.ts'
import type { GraphVariant } from './fingerprinting.ts'
import { graphAt, joinedGraph, placesOf, platformsToUse, type ResolvedPart } from './joining.ts'
import { isSamePlatform, linkedPlatform } from './link-platforms.ts'
import type { BuildCell } from './part-planning.ts'
import type { StageSource } from './graph/stage-graph.ts'
import type { RequestedTarget } from './plan/targets.ts'

/** A part as it is built for one platform. */
interface Place {
  readonly part: number
  readonly platform: string
}

/** The graph as it is on each platform and machine; where it is not one for all targets, for each of them. */
export function variantsOf(
  parts: readonly ResolvedPart[],
  targets: readonly RequestedTarget[],
): readonly GraphVariant[] {
  const [first, ...others] = parts
  if (first === undefined) return []
  if (others.length > 0 || first.part.wanted !== undefined) return variantsOfLinked(parts, targets)
  const { cells, resolutions, dependsOnTarget } = first
  return resolutions.flatMap(({ graph }, index) => {
    const { platform = '', machine } = cells[index % cells.length] ?? {}
    const target = dependsOnTarget === true ? targets[Math.floor(index / cells.length)]?.name : undefined
    return graph === undefined ? [] : [{ platform, machine, target, graph }]
  })
}

/** The platform of each part, and the targets that it is so for. */
interface Layout {
  readonly platforms: Map<number, string>
  readonly targets: string[]
}

function variantsOfLinked(
  parts: readonly ResolvedPart[],
  targets: readonly RequestedTarget[],
): readonly GraphVariant[] {
  const places = placesOf(parts)
  const wanted = targets.flatMap(({ name }) => {
    const part = places.get(name)?.part ?? 0
    const { cells = [], platforms = [] } = parts[part] ?? {}
    const own = cells.filter(({ platform }) => platforms.includes(platform))
    return own.map((cell) => ({
      name,
      cell,
      reached: reachedFrom({ part, platform: cell.platform }, { parts, places, cell }),
    }))
  })
  const unknown = new Map(targets.map(({ name }) => [name, unknownOf(name, wanted, parts)]))
  const ofEach = Map.groupBy(wanted, ({ cell }) => JSON.stringify([cell.platform, cell.machine]))
  return [...ofEach.values()].flatMap((same) => {
    const [cell] = same.map((one) => one.cell)
    if (cell === undefined) return []
    const layouts: Layout[] = []
    for (const { name, reached } of same) {
      const platforms = firstOfEach(reached)
      const layout = layouts.find((one) => [...platforms].every(([part, at]) => (one.platforms.get(part) ?? at) === at))
      if (layout === undefined) layouts.push({ platforms, targets: [name] })
      else {
        for (const [part, platform] of platforms) layout.platforms.set(part, platform)
        layout.targets.push(name)
      }
    }
    return layouts.flatMap((layout): readonly GraphVariant[] => {
      const graph = joinedGraph(parts, (part, index) => {
        const platform = layout.platforms.get(index) ?? cell.platform
        return graphAt(part, { ...cell, platform }) ?? part.graph
      })
      const isOfAll = layouts.length === 1 && layout.targets.every((name) => unknown.get(name) === undefined)
      if (isOfAll) return [{ ...cell, target: undefined, graph }]
      return layout.targets.map((target) => ({ ...cell, target, graph, unknown: unknown.get(target) }))
    })
  })
}

/** A part and all that it is built from, the nearest first; where a link is used for several platforms, once for each. */
function reachedFrom(
  from: Place,
  {
    parts,
    places,
    cell,
  }: {
    readonly parts: readonly ResolvedPart[]
    readonly places: ReturnType<typeof placesOf>
    readonly cell: BuildCell
  },
): readonly Place[] {
  const reached = [from]
  // The list grows while it is gone through.
  for (const place of reached) {
    const user = parts[place.part]
    for (const [key, name] of user?.part.links ?? []) {
      const linked = places.get(name)
      const used = linked === undefined ? undefined : parts[linked.part]
      if (user === undefined || linked === undefined || used === undefined) continue
      for (const platform of platformsOfLink(user, key, { ...cell, platform: place.platform })) {
        const at = linkedPlatform(platformsToUse(used), platform) ?? platformsToUse(used)[0] ?? platform
        const next = { part: linked.part, platform: at }
        if (!reached.some((known) => isDeepStrictEqual(known, next))) reached.push(next)
      }
    }
  }
  return reached
}

/**
 * The platforms that a link is looked up for: that of the user, or with `FROM --platform=…` another one. A leg builds what it
 * links for one platform, which stands for all.
 */
function platformsOfLink(user: ResolvedPart, key: string, cell: BuildCell): readonly string[] {
  if (user.part.split !== undefined) return [cell.platform]
  const stages = graphAt(user, cell)?.stages ?? []
  const platforms = stages.flatMap(({ from, needs, platform }) => [
    ...(isOf(key, from) ? [isSamePlatform(platform, cell.platform) ? cell.platform : platform] : []),
    ...(needs.some(({ source }) => isOf(key, source)) ? [cell.platform] : []),
  ])
  return [...new Set(platforms)]
}

/**
 * Why the prints of a target do not hold all that it is built from: something is used for two platforms in one graph, and the
 * other is in no graph that the print is of.
 */
function unknownOf(
  target: string,
  wanted: readonly { readonly name: string; readonly cell: BuildCell; readonly reached: readonly Place[] }[],
  parts: readonly ResolvedPart[],
): string | undefined {
  const own = wanted.filter(({ name }) => name === target)
  const isSplit = parts.some(({ part }) => part.split !== undefined)
  const printed = own.map(({ cell, reached }) => ({ cell, platforms: firstOfEach(reached) }))
  for (const { cell, reached } of own) {
    // Of legs each has a print of its own.
    const graphs = printed.filter((one) => !isSplit || one.cell === cell)
    const left = reached.find(({ part, platform }) => !graphs.some(({ platforms }) => platforms.get(part) === platform))
    const name = parts[left?.part ?? -1]?.targets[0]?.name
    if (left !== undefined) return `what it is built from (${name ?? ''}) is needed for several platforms in one build`
  }
  return undefined
}

function firstOfEach(places: readonly Place[]): Map<number, string> {
  return new Map(places.toReversed().map(({ part, platform }) => [part, platform]))
}

/** Linked targets that have no image for a platform that they are used for: BuildKit would look for an image of the context's name. */
export function linkProblems(parts: readonly ResolvedPart[]): readonly Problem[] {
  const places = placesOf(parts)
  return parts.flatMap((user) =>
    [...user.part.links].flatMap(([key, name]): readonly Problem[] => {
      const linked = parts[places.get(name)?.part ?? -1]
      if (linked === undefined || !isUsed(user, key)) return []
      const has = platformsToUse(linked)
      const platforms = [...new Set(user.cells.map(({ platform }) => platform))]
      const lacking = platforms.find((platform) => linkedPlatform(has, platform) === undefined)
      const [of] = user.targets
      if (lacking === undefined || of === undefined) return []
      return [
        {
          ...{ input: 'bake-files', file: user.part.dockerfileName },
          message: `The bake target \`${of.name}\` is built for ${lacking}, and \`${name}\`, which it is built from, for ${has.join(', ')} only.`,
          mend: `Add ${lacking} to the \`platforms\` of \`${name}\`, or leave out all but one, whose image then serves every platform.`,
        },
      ]
    }),
  )
}

function isUsed({ graph }: ResolvedPart, key: string): boolean {
  return graph.stages.some(({ from, needs }) => isOf(key, from) || needs.some(({ source }) => isOf(key, source)))
}

/** Whether it is the named context. */
function isOf(context: string, source: StageSource): boolean {
  return source.kind === 'context' && source.context === context
}
