/** Problems to the runner's annotations: few enough that GitHub drops none, most telling first. */
import type { Problem } from './errors.ts'
import { annotation, limitAnnotations } from './report/annotations.ts'
import type { Runner } from './runner.ts'

/** Shows problems as annotations of one level, at their files and lines. */
export function announce(
  runner: Runner,
  problems: readonly Problem[],
  options: { readonly level: 'error' | 'warning'; readonly workspace: string },
): void {
  const { level, workspace } = options
  for (const shown of limitAnnotations(problems.map((problem) => annotation(problem, { level, workspace })))) {
    runner.annotate(shown)
  }
}
