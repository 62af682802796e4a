/**
 * From the name of a build step to its lines in the Dockerfile. Counting is from the end of the stage: triggers of an
 * ONBUILD base stand before the stage's own instructions, and BuildKit counts them too.
 */
import type { VertexName } from './vertex-name.ts'

/** Lines of the Dockerfile, 1-based and inclusive. */
export interface SourceLines {
  readonly line: number
  readonly endLine: number
}

/** What this needs to know of a stage; the parsed Dockerfile has it. */
export interface StageLayout {
  readonly index: number
  /** Lower-cased; undefined where the stage has none. */
  readonly name: string | undefined
  /** Its FROM instruction. */
  readonly from: SourceLines
  /** Its RUN, COPY, ADD and WORKDIR instructions in order: those that BuildKit counts. */
  readonly counted: readonly SourceLines[]
}

export interface Location {
  readonly stage: number
  readonly source: SourceLines
}

/** Where a step stands; undefined when it belongs to no stage. */
export function locate(name: VertexName, stages: readonly StageLayout[]): Location | undefined {
  if (name.kind !== 'stage' || name.place === undefined || name.total === undefined) return undefined
  const stage = findStage(name.stage, stages)
  if (stage === undefined) return undefined
  const fromEnd = name.total - name.place
  const own = name.text.startsWith('FROM ') ? undefined : stage.counted[stage.counted.length - 1 - fromEnd]
  return { stage: stage.index, source: own ?? stage.from }
}

/** A stage by the name that BuildKit gives it; of stages with the same name the last counts, as in BuildKit. */
export function findStage(name: string | undefined, stages: readonly StageLayout[]): StageLayout | undefined {
  if (name === undefined) return stages.length === 1 ? stages[0] : undefined
  const named = stages.findLast((stage) => stage.name === name.toLowerCase())
  if (named !== undefined) return named
  const [, index] = /^stage-(\d+)$/.exec(name) ?? []
  return index === undefined ? undefined : stages.find((stage) => stage.index === Number(index))
}
