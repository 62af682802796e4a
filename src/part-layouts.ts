/** Where the steps of a build stand: the stages of each target's Dockerfile, by their numbers in the plan's graph. Pure. */
import { layoutOf, type StageLayout } from './build/stage-layout.ts'
import type { Planned } from './planning.ts'

export interface PartLayouts {
  /** Of the whole graph, each stage once, by number. */
  readonly all: readonly StageLayout[]
  /** Of a target's Dockerfile, in its order. */
  readonly of: (target: string | undefined) => readonly StageLayout[]
}

/** The layouts of all Dockerfiles of the plan. */
export function partLayouts({ parts, partOf, targets, linked }: Planned): PartLayouts {
  const layouts = new Map(
    parts.map((planned) => {
      const { part, dockerfile, stages, onContext } = planned
      const where = part.wanted === undefined ? {} : { file: part.dockerfileName, above: part.linesAbove, stages }
      return [planned, layoutOf(dockerfile, { ...where, onContext })]
    }),
  )
  const everything = new Map([...layouts.values()].flat().map((layout) => [layout.index, layout]))
  const all = [...everything.values()].sort((a, b) => a.index - b.index)
  const names = new Set([...targets, ...linked].map(({ name }) => name))
  return {
    all,
    of: (target) => (target === undefined || !names.has(target) ? all : (layouts.get(partOf(target)) ?? all)),
  }
}
