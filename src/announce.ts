/** Problems to the runner's annotations: few enough that GitHub drops none, most telling first. */
import type { Problem } from './errors.ts'
import { MAX_ANNOTATIONS, annotation, limitAnnotations } from './report/annotations.ts'
import type { Runner } from './runner.ts'

/** Shows problems as annotations of one level, at their files and lines. */
export function announce(
  runner: Runner,
  problems: readonly Problem[],
  options: { readonly level: 'error' | 'warning'; readonly workspace: string },
): void {
  const { level, workspace } = options
  const all = problems.map((problem) => annotation(problem, { level, workspace, lastLines: problem.lastLines }))
  const shown = limitAnnotations(all)
  for (const each of shown) runner.annotate(each)
  if (shown.length === all.length && shown.length < MAX_ANNOTATIONS) return
  for (const each of all.slice(MAX_ANNOTATIONS - 1)) runner.log(`${level}: ${each.message}`)
}
