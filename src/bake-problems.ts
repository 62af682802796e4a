/** What is wrong with bake's targets, as it is told: what several have alike once, at the line of the first that has one. */
import { headingIn, textsOf } from './bake-places.ts'
import type { TargetProblem } from './build/bake-targets.ts'
import type { Problem } from './errors.ts'
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
