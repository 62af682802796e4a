/**
 * From the name of a build step to its lines in the Dockerfile. Progress tells no lines, only the stage, the
 * instruction's text (variables filled in) and its place among those of its stage that BuildKit counts.
 */
import type { Dockerfile } from '../dockerfile/instructions.ts'
import type { VertexName } from './vertex-name.ts'

/** Lines of the Dockerfile, 1-based and inclusive. */
export interface SourceLines {
  readonly line: number
  readonly endLine: number
  /** The Dockerfile, where there are several. */
  readonly file?: string | undefined
}

export interface CountedInstruction extends SourceLines {
  /** As written, continuations joined. */
  readonly text: string
}

/** What this needs to know of a stage. */
export interface StageLayout {
  /** In the graph. */
  readonly index: number
  /** The Dockerfile, where there are several. */
  readonly file?: string | undefined
  /** How many lines of the file stand above the Dockerfile, where it is written in another file. */
  readonly above?: number | undefined
  /** Its place in the Dockerfile, where that is another number. */
  readonly place?: number | undefined
  /** Lower-cased; undefined where the stage has none. */
  readonly name: string | undefined
  /** It is based on a named context: BuildKit counts its FROM in the total, and gives it no place. */
  readonly onContext?: boolean | undefined
  /** Its FROM instruction. */
  readonly from: SourceLines
  /** The instructions that BuildKit counts, in order. */
  readonly counted: readonly CountedInstruction[]
}

export interface Location {
  readonly stage: number
  readonly source: SourceLines
}

/** https://github.com/moby/buildkit/blob/v0.25.2/frontend/dockerfile/dockerfile2llb/convert.go (cmdTotal) */
const COUNTED = new Set(['RUN', 'COPY', 'ADD', 'WORKDIR'])

/**
 * The layout of a parsed Dockerfile.
 * @param where its file, what stands above it there, and its stages' numbers in the graph, where that is of several files; which are based on a named
 * context
 */
export function layoutOf(
  dockerfile: Dockerfile,
  {
    file,
    above,
    stages,
    onContext,
  }: {
    readonly file?: string | undefined
    readonly above?: number | undefined
    readonly stages?: readonly number[] | undefined
    readonly onContext?: ReadonlySet<number> | undefined
  } = {},
): readonly StageLayout[] {
  return dockerfile.stages.map(({ from, instructions }, place) => ({
    ...(stages === undefined ? { index: place } : { index: stages[place] ?? place, place }),
    ...(file === undefined ? {} : { file }),
    ...(above === undefined ? {} : { above }),
    ...(onContext?.has(place) === true ? { onContext: true } : {}),
    name: from.name,
    from: { line: from.line, endLine: from.endLine },
    counted: instructions
      .filter((instruction) => COUNTED.has(instruction.keyword))
      .map(({ line, endLine, text }) => ({ line, endLine, text })),
  }))
}

/**
 * Where a step stands; undefined when it belongs to no stage.
 * @param dockerfiles of all targets that need it: one that is built from another target has that one's steps in its name, too.
 * Of stages that are called the same, the one counts that has the instruction.
 */
export function locate(name: VertexName, dockerfiles: readonly (readonly StageLayout[])[]): Location | undefined {
  if (name.kind !== 'stage') return undefined
  const stages = dockerfiles.flatMap((layouts) => findStage(name.stage, layouts) ?? [])
  const isBase = name.text.startsWith('FROM ')
  const stage = stages.find((found) => !isBase && sameText(name, found).length > 0) ?? stages[0]
  if (stage === undefined) return undefined
  const { line, endLine } = isBase ? stage.from : (instructionOf(name, stage) ?? stage.from)
  const file = stage.file === undefined ? {} : { file: stage.file }
  return { stage: stage.index, source: { line, endLine, ...file } }
}

/**
 * The place is counted from the end: triggers of an ONBUILD base stand before the stage's own instructions. The text
 * goes first all the same, since BuildKit counts every trigger in the total, but not every one in the places.
 */
function instructionOf(name: VertexName, stage: StageLayout): SourceLines | undefined {
  const { place = 0, total = 0 } = name
  const placed = stage.counted[stage.counted.length - (stage.onContext === true ? 0 : 1) - (total - place)]
  const same = sameText(name, stage)
  return same.find((instruction) => instruction === placed) ?? same[0] ?? placed
}

function sameText({ text }: VertexName, { counted }: StageLayout): readonly CountedInstruction[] {
  return counted.filter((instruction) => words(instruction.text) === words(text))
}

/** A stage by the name that BuildKit gives it; of stages with the same name the last counts, as in BuildKit. */
function findStage(name: string | undefined, stages: readonly StageLayout[]): StageLayout | undefined {
  if (name === undefined) return stages.length === 1 ? stages[0] : undefined
  const named = stages.findLast((stage) => stage.name === name.toLowerCase())
  if (named !== undefined) return named
  const [, index] = /^stage-(\d+)$/.exec(name) ?? []
  return index === undefined ? undefined : stages.find(({ index: number, place = number }) => place === Number(index))
}

function words(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}
