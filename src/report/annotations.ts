import { posix } from 'node:path'
import type { Problem } from '../errors.ts'
import { visible } from './markdown.ts'

/**
 * Problems → what an annotation shows. The runner's adapter emits them (`core.error(message, properties)`), and
 * `@actions/core` escapes them for the workflow command; here they are only bounded, made visible and placed.
 */

export interface Annotation {
  readonly level: 'error' | 'warning'
  readonly title: string
  /** May have several lines. */
  readonly message: string
  /** Relative to the repository's root; undefined where the file is outside of it. */
  readonly file: string | undefined
  readonly startLine: number | undefined
  readonly endLine: number | undefined
}

export interface AnnotationOptions {
  readonly level: Annotation['level']
  /** The repository's root (`GITHUB_WORKSPACE`), an absolute path. */
  readonly workspace: string
  /** Default: made from the problem's place. */
  readonly title?: string | undefined
  /** What the failing step printed last; the end of it goes into the message. */
  readonly lastLines?: readonly string[] | undefined
}

/** GitHub shows ten errors and ten warnings per step and drops the rest without a word. (REST: checks) */
export const MAX_ANNOTATIONS = 10

const MAX_MESSAGE = 4_000
const MAX_TITLE = 120
const MAX_LAST_LINES = 15
const MAX_LAST_LINE = 200

export function annotation(problem: Problem, options: AnnotationOptions): Annotation {
  const file = repositoryPath(problem.file, options.workspace)
  const outside = problem.file !== undefined && file === undefined
  const place = outside ? `${visible(problem.file, 300)}${problem.line === undefined ? '' : `:${problem.line}`}: ` : ''
  const said = [problem.message, problem.mend].filter((text) => text !== undefined).map((text) => visible(text, 1_500))
  const lines = (options.lastLines ?? []).slice(-MAX_LAST_LINES).map((line) => `  ${visible(line, MAX_LAST_LINE)}`)
  const printed = lines.length === 0 ? [] : ['The last lines that it printed:', ...lines]
  const message = [place + said.join(' '), ...printed].join('\n')
  return {
    level: options.level,
    title: visible(options.title ?? defaultTitle(problem), MAX_TITLE),
    message: message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE - 1).toWellFormed()}…` : message,
    file,
    startLine: file === undefined ? undefined : problem.line,
    endLine: file === undefined || problem.line === undefined ? undefined : (problem.endLine ?? problem.line),
  }
}

/**
 * At most ten of one level. Where there are more, the tenth says how many are not shown; all of them stand in the
 * log.
 */
export function limitAnnotations(annotations: readonly Annotation[], max = MAX_ANNOTATIONS): readonly Annotation[] {
  if (annotations.length <= max) return annotations
  const kept = annotations.slice(0, Math.max(0, max - 1))
  const more = annotations.length - kept.length
  const level = annotations[0]?.level ?? 'error'
  return [
    ...kept,
    {
      level,
      title: `+${more} more`,
      message: `${more} more ${level}${more === 1 ? ' is' : 's are'} in the step's log.`,
      file: undefined,
      startLine: undefined,
      endLine: undefined,
    },
  ]
}

function defaultTitle(problem: Problem): string {
  if (problem.input !== undefined) return `Input ${problem.input}`
  if (problem.file !== undefined) return posix.basename(problem.file)
  return 'stage-build'
}

function repositoryPath(file: string | undefined, workspace: string): string | undefined {
  if (file === undefined) return undefined
  const relative = posix.relative(workspace, posix.resolve(workspace, file))
  return relative === '' || relative === '..' || relative.startsWith('../') ? undefined : relative
}
