/**
 * What went wrong, in words a user can act on. A leaf: imports nothing, and every room may import it. It does not
 * print or annotate; `run.ts` hands problems to the report.
 */

/** One problem: what is wrong, where, and what to do about it. */
export interface Problem {
  /** One sentence: what is wrong, naming the input or the Dockerfile text and the value. */
  readonly message: string
  /** One sentence: what to do. */
  readonly mend?: string | undefined
  /** The action input at fault, as written in `action.yml`. */
  readonly input?: string | undefined
  /** The file at fault (repository-relative where it lies in the workspace) and its 1-based lines. */
  readonly file?: string | undefined
  readonly line?: number | undefined
  readonly endLine?: number | undefined
  /** What the failing command printed last. */
  readonly lastLines?: readonly string[] | undefined
}

interface UserErrorOptions extends ErrorOptions {
  readonly warnings?: readonly Problem[]
}

/** A user's mistake or their environment's fault: shown as messages with mends, without a stack. */
export class UserError extends Error {
  readonly problems: readonly Problem[]
  /** What has to be known beside them. */
  readonly warnings: readonly Problem[]

  constructor(problems: Problem | readonly Problem[], options?: UserErrorOptions) {
    const list = Array.isArray(problems) ? (problems as readonly Problem[]) : [problems as Problem]
    super(list.map(formatProblem).join('\n'), options)
    this.name = 'UserError'
    this.problems = list
    this.warnings = options?.warnings ?? []
  }
}

/** @throws UserError with all problems, if there are any */
export function throwIfAny(problems: readonly Problem[], options?: UserErrorOptions): void {
  if (problems.length > 0) throw new UserError(problems, options)
}

/** A problem as one line of text: place, message, mend. */
export function formatProblem(problem: Problem): string {
  const place =
    problem.file === undefined ? '' : `${problem.file}${problem.line === undefined ? '' : `:${problem.line}`}: `
  return `${place}${problem.message}${problem.mend === undefined ? '' : ` ${problem.mend}`}`
}

/** A text with a full stop at its end, so that a mend can follow. */
export function sentence(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`
}

/** The code of a system's error (`ENOENT`), or undefined. Not by `instanceof`: errors of Node's core may be of another realm. */
export function errorCode(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : undefined
}

/**
 * The candidate nearest to `word` by edit distance, or undefined when none is near enough to be a slip of the pen
 * (more than a third of its letters differ).
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Letters inserted, left out, exchanged, or two neighbours swapped: one each. */
function editDistance(a: string, b: string): number {
  let beforePrevious: readonly number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swap = swapped ? (beforePrevious[j - 2] ?? 0) + 1 : Infinity
      current.push(Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, substitution, swap))
    }
    beforePrevious = previous
    previous = current
  }
  return previous[b.length] ?? 0
}
