/**
 * From a failed build to problems: one for each root cause, at its lines in the Dockerfile. Bake cancels the other
 * targets of a failed one, and BuildKit the other steps; those are no problems. Pure.
 */
import type { Problem } from '../errors.ts'
import { explain, explainExit, type Explanation } from './failure-kinds.ts'
import { shownText } from './output-text.ts'
import { isCancellation, type Step } from './progress.ts'
import type { SourceLines, StageLayout } from './stage-layout.ts'

export interface FailureFacts {
  readonly steps: readonly Step[]
  /** What buildx said beside the progress (`bake.ts`). */
  readonly text: readonly string[]
  /** The Dockerfile as it is shown to the user. */
  readonly file: string
  /** A target's Dockerfile, where there are several, and how many lines of the file stand above it. */
  readonly placeOf?: ((target: string | undefined) => Pick<StageLayout, 'file' | 'above'> | undefined) | undefined
  readonly mask: (text: string) => string
  /** Where the Dockerfile first names an image (normalised). */
  readonly imageLines?: ReadonlyMap<string, SourceLines>
  /** `127.0.0.1:PORT` of the registry that measures. */
  readonly measureHost?: string | undefined
  /** Bake's names of the targets beside the user's. */
  readonly targets: readonly { readonly id: string; readonly name: string }[]
  /** The targets that a step stands against, more than those that BuildKit came to tell of; by default these. */
  readonly targetsOf?: (step: Step) => readonly string[]
  /** Several targets were asked for, though this run may be for one. */
  readonly several?: boolean
}

/** What stopped a build, or a part of it. */
export interface BuildFailure {
  readonly problem: Problem
  /** The targets that it stands against; empty where nobody knows: then against all. */
  readonly targets: readonly string[]
  /** Undefined where buildx failed without a step of the build. */
  readonly step: Step | undefined
}

export const CANCELLED: Problem = { message: 'The build was cancelled.' }

/** Lines of a failing command's output that its problem shows. */
const SHOWN_LINES = 20

/** The problems of a build that did not succeed; never empty. */
export function failureProblems(facts: FailureFacts): readonly Problem[] {
  return problemsOf(buildFailures(facts))
}

/** Each problem once. */
export function problemsOf(failures: readonly BuildFailure[]): readonly Problem[] {
  return [
    ...new Map(
      failures.map(({ problem }) => [`${problem.file ?? ''} ${problem.line ?? ''} ${problem.message}`, problem]),
    ).values(),
  ]
}

/** What failed in a build that did not succeed; never empty. */
export function buildFailures(facts: FailureFacts): readonly BuildFailure[] {
  const excerpt = readExcerpt(facts.text)
  const failed = facts.steps.filter((step) => step.status === 'failed')
  // A failed push takes the copy that goes to be measured with it, sometimes in the other's words: never the cause.
  const { measureHost: host } = facts
  const causes = failed.filter((step) => host === undefined || step.error?.includes(`${host}/`) !== true)
  if (failed.length > 0) {
    return (causes.length > 0 ? causes : failed).map((step) => ({
      problem: stepProblem(step, facts, excerpt?.lines),
      targets: targetsOf(step, facts),
      step,
    }))
  }
  const { error, target } = readError(facts)
  if (isCancellation(error)) {
    // Nobody cancelled it, and an output was being written: a full disk ends buildx's session in this way, too.
    const output = facts.steps.find((step) => /^exporting to client/.test(step.text) && step.status !== 'done')
    return [ofAll(output === undefined ? CANCELLED : explain({ error: 'EOF', tail: [], doing: output.text }))]
  }
  const place = excerpt === undefined ? {} : atExcerpt(excerpt.lines, target, facts)
  const meaning = explain({ error, tail: [] })
  const problem = {
    ...meaning,
    message: target === undefined ? meaning.message : `Target \`${target}\`: ${meaning.message}`,
    ...place,
  }
  return [{ ...ofAll(problem), targets: target === undefined ? [] : [target] }]
}

function ofAll(problem: Problem): BuildFailure {
  return { problem, targets: [], step: undefined }
}

function targetsOf(step: Step, { targetsOf: all }: FailureFacts): readonly string[] {
  return [...new Set([...step.targets, ...(all?.(step) ?? [])])]
}

/**
 * Whether nothing failed but the pushes to this registry, and what else is asked of it (the import of a cache, which is
 * told as a failed step though it fails no build): then the build can be run again without them.
 * @param host `127.0.0.1:PORT`
 */
export function onlyPushesFailed(facts: Pick<FailureFacts, 'steps' | 'text'>, host: string): boolean {
  const errors = facts.steps.filter((step) => step.status === 'failed').map((step) => step.error ?? '')
  const all = errors.length > 0 ? errors : facts.text.filter((line) => line.startsWith('ERROR: '))
  const isPush = all.some((error) => error.includes(`failed to push ${host}/`))
  return isPush && all.every((error) => error.includes(`${host}/`))
}

function stepProblem(step: Step, facts: FailureFacts, excerpt: SourceLines | undefined): Problem {
  const error = step.error ?? ''
  const [target] = step.targets
  const lines = step.source ?? imageSource(step, facts)
  const place =
    lines !== undefined
      ? at(facts.placeOf?.(target)?.file ?? facts.file, lines)
      : excerpt === undefined
        ? {}
        : atExcerpt(excerpt, target, facts)
  const [, code] = /did not complete successfully: exit code: (\d+)/.exec(error) ?? []
  const meaning =
    code === undefined ? explain({ error, tail: step.tail, doing: step.text }) : exitMeaning(step, Number(code))
  const lastLines = code === undefined || step.tail.length === 0 ? {} : { lastLines: step.tail.slice(-SHOWN_LINES) }
  return { ...meaning, message: `${meaning.message}${needed(step, facts)}`, ...place, ...lastLines }
}

function exitMeaning(step: Step, code: number): Explanation {
  const mend = explainExit(code, step.tail)
  return {
    message: `\`${firstWords(step.text)}\` failed with exit code ${code}.`,
    ...(mend === undefined ? {} : { mend }),
  }
}

/** Named only where it tells something: several targets were built. */
function needed(step: Step, facts: FailureFacts): string {
  const targets = targetsOf(step, facts)
  if ((facts.targets.length < 2 && facts.several !== true) || targets.length === 0) return ''
  return ` Needed by ${targets.length === 1 ? 'target' : 'targets'} ${targets.map((target) => `\`${target}\``).join(', ')}.`
}

/** `[internal] load metadata for IMAGE` stands where the Dockerfile names the image. */
function imageSource(step: Step, facts: FailureFacts): SourceLines | undefined {
  const image = /^load metadata for (\S+)$/.exec(step.text)?.[1]
  return image === undefined ? undefined : facts.imageLines?.get(image)
}

interface Excerpt {
  readonly lines: SourceLines
}

/** The lines that buildx marks with `>>>` in its excerpt of the Dockerfile. */
function readExcerpt(text: readonly string[]): Excerpt | undefined {
  const marked = text.flatMap((line) => {
    const number = /^ *(\d+) \| >>> /.exec(line)?.[1]
    return number === undefined ? [] : [Number(number)]
  })
  const [first] = marked
  const last = marked.at(-1)
  return first === undefined || last === undefined ? undefined : { lines: { line: first, endLine: last } }
}

/** Buildx's last word: `ERROR: target a: failed to solve: …`. */
function readError(facts: FailureFacts): { readonly error: string; readonly target: string | undefined } {
  const from = facts.text.findLastIndex((line) => line.startsWith('ERROR: '))
  const said = from === -1 ? facts.text.slice(-3) : facts.text.slice(from)
  const whole = said.join(' ').replace(/^ERROR: /, '')
  const [, id] = /^target ([\w-]+): /.exec(whole) ?? []
  const target = facts.targets.find((candidate) => candidate.id === id)?.name
  const error = (target === undefined ? whole : whole.replace(/^target [\w-]+: /, ''))
    .replace(/^failed to solve: /, '')
    .replace(/^failed to load LLB: /, '')
    .replace(/^rpc error: code = \w+ desc = /, '')
  return { error: shownText(facts.mask, error === '' ? 'docker buildx bake failed without saying why' : error), target }
}

/** Buildx tells lines of the Dockerfile as it was given. */
function atExcerpt(
  { line, endLine }: SourceLines,
  target: string | undefined,
  { file, placeOf }: FailureFacts,
): Pick<Problem, 'file' | 'line' | 'endLine'> {
  const { file: own = file, above = 0 } = placeOf?.(target) ?? {}
  return at(own, { line: above + line, endLine: above + endLine })
}

function at(file: string, lines: SourceLines): Pick<Problem, 'file' | 'line' | 'endLine'> {
  return { file: lines.file ?? file, line: lines.line, endLine: lines.endLine }
}

function firstWords(text: string): string {
  return text.length <= 120 ? text : `${text.slice(0, 119)}…`
}
