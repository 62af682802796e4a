/**
 * What is wrong with bake's targets, as it is told: what several have alike once, at the line of the first that has one. And
 * what buildx warns of.
 */
import { headingIn, textsOf } from './bake-places.ts'
import { composeFiles } from './build/bake-print.ts'
import type { TargetProblem } from './build/bake-targets.ts'
import { sentence, UserError, type Problem } from './errors.ts'
import type { Part } from './project.ts'
import { list } from './report/words.ts'

/** So many targets are named. */
const NAMES = 4

/** The problems where their targets begin; a target that a matrix makes stands nowhere. */
export async function toldOfTargets(
  problems: readonly TargetProblem[],
  files: readonly string[],
  workspace: string,
): Promise<readonly Problem[]> {
  const texts = problems.length === 0 ? [] : await textsOf(files, workspace)
  const alike = Map.groupBy(problems, ({ said, message, mend }) => JSON.stringify([said ?? message, mend]))
  return [...alike.values()].flatMap((same) => {
    const [first, ...others] = same
    if (first === undefined) return []
    const { target, said, ...problem } = first
    const targets = [...new Set([target, ...others.map((other) => other.target)])]
    const [place = { file: files[0] }] = targets.flatMap((name) => headingIn(texts, name) ?? [])
    const message = said === undefined || targets.length === 1 ? problem.message : ofSeveral(targets, said)
    return [{ ...problem, message, ...place }]
  })
}

function ofSeveral(targets: readonly string[], said: string): string {
  const names = targets.map((name) => `\`${name}\``)
  return `The bake targets ${list(names, NAMES)}${said.replace(/^: /, ', each: ').replace(/^ has /, ' have ')}`
}

/** Parts of a project, of which some may be inline Dockerfiles without lines in their bake file. */
type PlacedParts = readonly Pick<Part, 'dockerfileName' | 'heading'>[]

/** Problems of inline Dockerfiles that have no lines in their bake file, at their targets' headings; others as they are. */
export function toldOfInline(problems: readonly Problem[], parts: PlacedParts): readonly Problem[] {
  return problems.map((problem) => {
    const { file, line, message } = problem
    const heading = parts.find(({ dockerfileName }) => dockerfileName === file)?.heading
    if (heading === undefined) return problem
    const which = line === undefined ? '' : `line ${line} of `
    const where = ` (${which}the inline Dockerfile of \`${heading.target}\`)`
    const told = message.replace(/[.!?…]?$/, (end) => where + end)
    return { ...problem, message: told, file: heading.file, line: heading.line, endLine: undefined }
  })
}

/** The same of an error. */
export function errorOfInline(error: unknown, parts: PlacedParts): unknown {
  if (!(error instanceof UserError)) return error
  const warnings = toldOfInline(error.warnings, parts)
  return new UserError(toldOfInline(error.problems, parts), { cause: error.cause, warnings })
}

/** What buildx says beside its answer. */
export interface ToldWarnings {
  readonly warnings: readonly Problem[]
  /** For the log alone. */
  readonly notes: readonly string[]
}

/**
 * What buildx warns of when it reads the files. A compose file has many variables that are for its containers: those that
 * are not set are told in one line of the log, where who looks for the cause of something empty finds them.
 */
export function toldOfWarnings(warnings: readonly string[], files: readonly string[]): ToldWarnings {
  const [file] = composeFiles(files)
  const unset = warnings.flatMap((warning) => UNSET.exec(warning)?.[1] ?? [])
  const others = warnings.filter((warning) => !UNSET.test(warning))
  return {
    warnings: others.map((warning) => ({ input: 'bake-files', file, message: `\`bake-files\`: ${sentence(warning)}` })),
    notes:
      unset.length === 0
        ? []
        : [`variables of ${file ?? 'the bake files'} that are not set, and so are empty: ${list(unset)}`],
  }
}

/** https://github.com/compose-spec/compose-go/blob/v2.9.0/template/template.go */
const UNSET = /^The "(\w+)" variable is not set\. Defaulting to a blank string\.$/
