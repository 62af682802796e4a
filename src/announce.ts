/** Problems to the runner's annotations: few enough that GitHub drops none, most telling first. */
import type { Problem } from './errors.ts'
import { distinct } from './json-fields.ts'
import { MAX_ANNOTATIONS, annotation, limitAnnotations, type Annotation } from './report/annotations.ts'
import { visible } from './report/markdown.ts'
import type { Runner } from './runner.ts'

/**
 * Shows problems as annotations of one level, at their files and lines; once what is equal, as the targets of one Dockerfile
 * have it.
 */
export function announce(
  runner: Runner,
  problems: readonly Problem[],
  options: { readonly level: 'error' | 'warning'; readonly workspace: string },
): void {
  const { level, workspace } = options
  const all = distinct(
    problems.map((problem) => annotation(problem, { level, workspace, lastLines: problem.lastLines })),
  )
  const shown = limitAnnotations(all)
  for (const each of shown) runner.annotate(each)
  if (shown.length === all.length && shown.length < MAX_ANNOTATIONS) return
  for (const each of all.slice(MAX_ANNOTATIONS - 1)) runner.log(`${level}: ${placeOf(each)}${each.message}`)
}

/** As in the text of a problem; an annotation without a file has what is to be told of its place in its message. */
function placeOf({ file, startLine }: Annotation): string {
  if (file === undefined) return ''
  return `${visible(file, 300)}${startLine === undefined ? '' : `:${startLine}`}: `
}
