/** What is wrong with bake's targets, as it is told: what several have alike once, at the line of the first that has one. */
import { headingIn, textsOf } from './bake-places.ts'
import type { TargetProblem } from './build/bake-targets.ts'
import { UserError, type Problem } from './errors.ts'
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
