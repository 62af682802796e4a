/** The input `size-budgets`: lines `TARGET[@PLATFORM]=LIMIT [unpacked]`, read and checked. Pure. */
import { nearest, type Problem } from '../errors.ts'
import { formatPlatform, parsePlatform } from '../images/platform.ts'
import type { BudgetVerdict } from './comparison.ts'

export interface SizeBudget {
  /** As given: `prod=160MB`. */
  readonly text: string
  /** `*` for every target. */
  readonly target: string
  /** Normalised; undefined for every platform. */
  readonly platform: string | undefined
  readonly metric: BudgetVerdict['metric']
  readonly limit: BudgetLimit
}

export type BudgetLimit =
  | { readonly kind: 'absolute'; readonly bytes: number }
  /** Bytes more than the baseline. */
  | { readonly kind: 'more-bytes'; readonly bytes: number }
  /** Hundredths of the baseline more. */
  | { readonly kind: 'more-percent'; readonly percent: number }

const INPUT = 'size-budgets'
const FORMS = '`TARGET=160MB`, `TARGET=+5%` or `TARGET=+10MB`'
const METRICS: readonly BudgetVerdict['metric'][] = ['transfer', 'unpacked']
const UNITS: ReadonlyMap<string, number> = new Map([
  ...['B', 'kB', 'MB', 'GB', 'TB'].map((unit, power) => [unit.toUpperCase(), 1_000 ** power] as const),
  ...['KiB', 'MiB', 'GiB', 'TiB'].map((unit, power) => [unit.toUpperCase(), 1_024 ** (power + 1)] as const),
])
/** What a longer list of targets is cut to in a message. */
const MOST_NAMES = 10

/**
 * Every budget that can be read, and a problem for every line that cannot.
 * @param knownTargets undefined where they are not known yet: then names are not checked
 */
export function parseSizeBudgets(
  lines: readonly string[],
  knownTargets: readonly string[] | undefined,
): { readonly budgets: readonly SizeBudget[]; readonly problems: readonly Problem[] } {
  const problems: Problem[] = []
  const unique = [...new Set(lines.map((line) => line.trim()).filter((line) => line !== ''))]
  const budgets = unique.flatMap((text) => {
    const read = parseLine(text)
    if (!('target' in read)) {
      problems.push(read)
      return []
    }
    const problem = knownTargets === undefined ? undefined : unknownTarget(read, knownTargets)
    if (problem !== undefined) problems.push(problem)
    return problem === undefined ? [read] : []
  })
  return { budgets, problems }
}

/** The name in front decides; the most specific lines count, and all that are equally specific apply. */
export function budgetsFor(
  budgets: readonly SizeBudget[],
  { target, platform }: { readonly target: string; readonly platform: string },
): readonly SizeBudget[] {
  const matching = budgets.filter(
    (budget) =>
      (budget.target === '*' || sameTarget(budget.target, target)) &&
      (budget.platform === undefined || budget.platform === platform),
  )
  const most = Math.max(...matching.map(specificity))
  return matching.filter((budget) => specificity(budget) === most)
}

/** A target's name says more than a platform. */
function specificity({ target, platform }: SizeBudget): number {
  return (target === '*' ? 0 : 2) + (platform === undefined ? 0 : 1)
}

/** BuildKit, too, takes the names of stages in any letters. */
function sameTarget(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}

function parseLine(text: string): SizeBudget | Problem {
  const at = text.indexOf('=')
  const [name = '', platform, ...more] = text.slice(0, Math.max(0, at)).split('@')
  const [target, rest] = [name.trim(), text.slice(at + 1).trim()]
  if (at < 0 || target === '' || rest === '' || more.length > 0)
    return problem(text, 'is not of the form `TARGET=SIZE`', `Write ${FORMS}, with \`*\` for every target.`)
  const platformName = platform === undefined ? undefined : platformOf(platform.trim())
  if (platform !== undefined && platformName === undefined)
    return problem(
      text,
      `names no platform behind \`@\``,
      `Write, for example, \`${shown(target)}@linux/arm64=160MB\`.`,
    )
  const [size, suffix] = withoutSuffix(rest)
  const metric = suffix === '' ? 'transfer' : METRICS.find((known) => known === suffix.toLowerCase())
  if (metric === undefined) {
    const near = nearest(suffix, METRICS)
    return problem(
      text,
      `ends in \`${shown(suffix)}\``,
      near === undefined
        ? 'Behind the size stands `unpacked`, or nothing for the transfer size.'
        : `Did you mean \`${near}\`?`,
    )
  }
  const limit = limitOf(size)
  return typeof limit === 'string'
    ? problem(text, `: ${limit}`, sizeMend(target, size))
    : { text, target, platform: platformName, metric, limit }
}

/** The last word apart, where it is no unit. */
function withoutSuffix(text: string): readonly [string, string] {
  const at = text.search(/\s[a-z]+$/i)
  const word = text.slice(at + 1)
  return at < 0 || UNITS.has(word.toUpperCase()) ? [text, ''] : [text.slice(0, at).trim(), word]
}

/** A clause about what is wrong where it is no limit. */
function limitOf(size: string): BudgetLimit | string {
  const [, plus, number = '', unit = ''] =
    /^(\+?)(\d+(?:\.\d+)?|\.\d+)(%|[a-z]*)$/i.exec(size.replaceAll(/\s+/g, '')) ?? []
  if (number === '') return `\`${shown(size)}\` is no size`
  if (unit === '%')
    return plus === '+'
      ? { kind: 'more-percent', percent: Number(number) }
      : `\`${shown(size)}\` is no size; a share is of the baseline and begins with \`+\``
  const factor = UNITS.get(unit.toUpperCase())
  if (factor === undefined)
    return unit === '' ? `\`${shown(size)}\` has no unit` : `there is no unit \`${shown(unit)}\``
  const bytes = Math.round(Number(number) * factor)
  if (!Number.isSafeInteger(bytes)) return `\`${shown(size)}\` is too large`
  return { kind: plus === '+' ? 'more-bytes' : 'absolute', bytes }
}

function sizeMend(target: string, size: string): string {
  const [, slip, unit = ''] = /^(\+?\d+(?:\.\d+)?)\s*(%|[kmgt]i?|)$/i.exec(size) ?? []
  if (slip === undefined) return `Write ${FORMS}.`
  const meant =
    unit === '%' ? `+${slip}%` : `${slip}${unit === '' ? 'M' : unit.length === 1 ? unit.toUpperCase() : unit}B`
  return `Did you mean \`${shown(target)}=${meant}\`?`
}

function unknownTarget({ target, text }: SizeBudget, known: readonly string[]): Problem | undefined {
  if (target === '*' || known.some((name) => sameTarget(name, target))) return undefined
  const near = nearest(target, known)
  const names = known.slice(0, MOST_NAMES).map((name) => `\`${shown(name)}\``)
  if (known.length > MOST_NAMES) names.push(`${known.length - MOST_NAMES} more`)
  return problem(
    text,
    `: there is no target \`${shown(target)}\``,
    near === undefined
      ? `There is ${names.join(', ')}, and \`*\` for every target.`
      : `Did you mean \`${shown(near)}\`?`,
  )
}

function problem(text: string, what: string, mend: string): Problem {
  return { input: INPUT, message: `\`${INPUT}\`: \`${shown(text)}\`${what.startsWith(':') ? '' : ' '}${what}.`, mend }
}

function platformOf(text: string): string | undefined {
  try {
    return formatPlatform(parsePlatform(text))
  } catch {
    return undefined
  }
}

/** On one line, not too long. */
function shown(value: string): string {
  const line = value.replaceAll(/\s+/g, ' ')
  return line.length > 120 ? `${line.slice(0, 117)}…` : line
}
