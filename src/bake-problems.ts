/** What is wrong with bake's targets, as it is told: what several have alike once, at the line of the first that has one. */
import { isHeading, textsOf, type BakeFileText } from './bake-places.ts'
import type { TargetProblem } from './build/bake-targets.ts'
import type { Problem } from './errors.ts'
import { list } from './report/words.ts'

/** So many targets are named. */
const NAMES = 4

/**
 * The problems where their targets begin; a target that a matrix makes stands nowhere.
 * @param problems whose messages begin with ``The bake target `NAME` ``
 */
export async function toldOfTargets(
  problems: readonly TargetProblem[],
  files: readonly string[],
  workspace: string,
): Promise<readonly Problem[]> {
  const texts = problems.length === 0 ? [] : await textsOf(files, workspace)
  const alike = Map.groupBy(problems, (problem) => JSON.stringify([said(problem), problem.mend]))
  return [...alike.values()].flatMap((same) => {
    const [first] = same
    if (first === undefined) return []
    const { target, ...problem } = first
    const targets = [...new Set([target, ...same.map((other) => other.target)])]
    const [place] = targets.flatMap((name) => placeOf(name, texts) ?? [])
    return [{ ...problem, message: messageOf(first, targets), ...(place ?? { file: files[0] }) }]
  })
}

/** What is said of the target, behind its name. */
function said({ target, message }: TargetProblem): string {
  const start = `The bake target \`${target}\``
  return message.startsWith(start) ? message.slice(start.length) : message
}

function messageOf(first: TargetProblem, targets: readonly string[]): string {
  const text = said(first)
  if (targets.length === 1 || text === first.message) return first.message
  const names = targets.map((name) => `\`${name}\``)
  return `The bake targets ${list(names, NAMES)}${text.replace(/^: /, ', each: ').replace(/^ has /, ' have ')}`
}

function placeOf(target: string, texts: readonly BakeFileText[]): Pick<Problem, 'file' | 'line'> | undefined {
  for (const { name: file, text } of texts) {
    const at = text.split('\n').findIndex((line) => isHeading(line, target))
    if (at !== -1) return { file, line: at + 1 }
  }
  return undefined
}
