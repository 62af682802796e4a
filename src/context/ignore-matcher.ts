/**
 * Which paths of a build context .dockerignore leaves out, judged as BuildKit judges while it walks the context: from
 * the root downwards, a directory's results handed to what it holds, and whole directories left unread when no
 * exception can reach into them. Judges names only; reads no files.
 *
 * https://github.com/moby/patternmatcher/blob/v0.6.0/patternmatcher.go#L222 (MatchesUsingParentResults)
 * https://github.com/tonistiigi/fsutil/blob/91a3fc46842c58b62dd4630b688662842364da49/filter.go#L155 (the walk)
 */
import { throwIfAny, UserError, type Problem } from '../errors.ts'
import { trimSpace } from '../dockerfile/go-text.ts'
import { BadPatternError, goMatch } from './go-match.ts'
import { cleanPath } from '../dockerfile/go-path.ts'
import type { IgnoreFile, IgnorePattern } from './ignore-file.ts'
import { compilePattern, type PathTest } from './ignore-pattern.ts'

/** Which patterns a directory matched; hand it to `enter` for what lies in it. */
export type IgnoreState = readonly boolean[]

export interface IgnoreVerdict {
  readonly excluded: boolean
  /** For an excluded directory: nothing in it can be included again, so a walk skips it. */
  readonly cut: boolean
  /** The pattern that excludes it; undefined for an included path. */
  readonly rule: IgnorePattern | undefined
  readonly state: IgnoreState
}

interface Rule {
  readonly origin: IgnorePattern
  /** Cleaned, without `!`. */
  readonly pattern: string
  readonly exception: boolean
  /** How many names a path has that it can match itself; undefined for any number. */
  readonly depth: number | undefined
  /** The last name of every path that it matches, and of no other. */
  readonly name: string | undefined
  test: PathTest | undefined
}

/** Characters that make BuildKit look into every excluded directory when an exception has one of them. */
const GLOB_CHARACTERS = /[*[\]?^\\]/

/** The rules of one ignore file. */
export class IgnoreMatcher {
  /** The ignore file's name, for messages. */
  readonly name: string
  readonly #rules: readonly Rule[]
  /** Of the root: no rule has matched. */
  readonly #nothing: IgnoreState
  /** Exceptions as directory prefixes; undefined when one of them is a glob, and could reach anywhere. */
  readonly #exceptionPrefixes: readonly string[] | undefined

  /** @throws UserError with every pattern that is no pattern, its line and the mend. */
  constructor(file: IgnoreFile) {
    this.name = file.name
    this.#rules = parseRules(file)
    this.#nothing = this.#rules.map(() => false)
    const prefixes = this.#rules.filter((rule) => rule.exception).map((rule) => withoutTrailingGlob(rule.pattern))
    this.#exceptionPrefixes = prefixes.some((prefix) => GLOB_CHARACTERS.test(prefix))
      ? undefined
      : prefixes.map((prefix) => `${prefix}/`)
  }

  /** Whether there is no rule at all. */
  get isEmpty(): boolean {
    return this.#rules.length === 0
  }

  /**
   * Judges one path during a walk. `parent` is the state of its directory, undefined in the root of the context.
   * @throws UserError when a pattern that has to be tried is no valid expression (BuildKit fails then, too).
   */
  enter(path: string, isDirectory: boolean, parent = this.#nothing): IgnoreVerdict {
    let excluded = false
    let rule: IgnorePattern | undefined
    let state = parent
    const nameAt = path.lastIndexOf('/') + 1
    const found = { start: path.slice(0, nameAt), name: path.slice(nameAt), depth: depthOf(path) }
    for (let index = 0; index < this.#rules.length; index++) {
      const candidate = this.#rules[index]
      if (candidate === undefined) continue
      // Upstream does not try a pattern that could not change the verdict, and remembers it as not matched.
      const inherited = parent[index] ?? false
      if (!inherited && (candidate.exception !== excluded || !this.#isMatch(candidate, found))) continue
      // Most directories match what the one above does: one state for all of them.
      if (!inherited) state = state.with(index, true)
      excluded = !candidate.exception
      rule = excluded ? candidate.origin : undefined
    }
    return { excluded, cut: excluded && isDirectory && !this.#mayReachInto(path), rule, state }
  }

  /**
   * Whether something that is no directory is left out; as `enter`, for a walk of very many files: its path is put together only
   * for a rule that needs it.
   * @param start the directory's path with its slash at the end; empty for the root
   * @param depth how many names the path has
   * @throws UserError see `enter`
   */
  leavesOut(
    start: string,
    name: string,
    { depth, state }: { readonly depth: number; readonly state: IgnoreState | undefined },
  ): boolean {
    let excluded = false
    for (let index = 0; index < this.#rules.length; index++) {
      const candidate = this.#rules[index]
      if (candidate === undefined || candidate.exception !== excluded) continue
      if (state?.[index] === true || this.#isMatch(candidate, { start, name, depth })) excluded = !candidate.exception
    }
    return excluded
  }

  #isMatch(
    rule: Rule,
    { start, name, depth }: { readonly start: string; readonly name: string; readonly depth: number },
  ): boolean {
    if (rule.name !== undefined) return rule.name === name
    return (rule.depth === undefined || rule.depth === depth) && this.#test(rule)(start + name)
  }

  /**
   * Judges one path alone, by its directories and itself. A directory that is excluded may still be sent, as the parent
   * of something that an exception includes.
   * @param path relative to the context, with slashes
   * @throws UserError see `enter`
   */
  excludes(path: string, isDirectory: boolean): IgnoreVerdict {
    const parts = path.split('/')
    let state: IgnoreState | undefined
    for (let depth = 1; depth < parts.length; depth++) {
      const verdict = this.enter(parts.slice(0, depth).join('/'), true, state)
      if (verdict.cut) return verdict
      state = verdict.state
    }
    return this.enter(path, isDirectory, state)
  }

  #mayReachInto(directory: string): boolean {
    return this.#exceptionPrefixes?.some((prefix) => prefix.startsWith(`${directory}/`)) ?? true
  }

  #test(rule: Rule): PathTest {
    // As late as upstream: a broken expression that is never tried fails no build.
    return (rule.test ??= compileRule(rule, this.name))
  }
}

/** How many names a path has. */
function depthOf(path: string): number {
  let depth = 1
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) depth++
  return depth
}

function compileRule(rule: Rule, file: string): PathTest {
  try {
    return compilePattern(rule.pattern)
  } catch (error) {
    if (!(error instanceof BadPatternError)) throw error
    throw new UserError(patternProblem(rule.origin, { file, reason: error.message }), { cause: error })
  }
}

function parseRules(file: IgnoreFile): readonly Rule[] {
  const rules: Rule[] = []
  const problems: Problem[] = []
  for (const origin of file.patterns) {
    const trimmed = trimSpace(origin.pattern)
    if (trimmed === '') continue
    const clean = cleanPath(trimmed)
    const exception = clean.startsWith('!')
    const pattern = exception ? clean.slice(1) : clean
    const reason = pattern === '' ? 'illegal exclusion pattern: "!"' : syntaxFault(pattern)
    const [, name] = ANYWHERE.exec(pattern) ?? []
    if (reason === undefined)
      rules.push({ origin, pattern, exception, name, depth: fixedDepth(pattern), test: undefined })
    else problems.push(patternProblem(origin, { file: file.name, reason }))
  }
  throwIfAny(problems)
  return rules
}

/** One name, in any directory. */
const ANYWHERE = /^\*\*\/([\w.@~, -]+)$/

/** Only where nothing in it can match a slash, and nothing is one beside what is written so. */
function fixedDepth(pattern: string): number | undefined {
  return /^[\w.@~, /*?-]+$/.test(pattern) && !pattern.includes('**') ? depthOf(pattern) : undefined
}

/** Upstream's check: whatever filepath.Match says when it is asked to match `.`. */
function syntaxFault(pattern: string): string | undefined {
  try {
    goMatch(pattern, '.')
    return undefined
  } catch (error) {
    if (error instanceof BadPatternError) return error.message
    throw error
  }
}

function patternProblem(
  origin: IgnorePattern,
  { file, reason }: { readonly file: string; readonly reason: string },
): Problem {
  const lone = origin.pattern === '!' || reason.startsWith('illegal exclusion')
  return {
    message: `${JSON.stringify(origin.pattern)} is not a valid pattern: ${reason}.`,
    mend: lone
      ? 'Write the path to include again right after the "!", or remove the line.'
      : 'Close every "[" with a "]", and write a backslash before a character that is meant literally.',
    file,
    line: origin.line,
  }
}

function withoutTrailingGlob(pattern: string): string {
  const shorter = pattern.endsWith('/**') ? pattern.slice(0, -3) : pattern
  return shorter.endsWith('/*') ? shorter.slice(0, -2) : shorter
}
