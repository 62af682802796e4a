/**
 * For which platforms the targets of bake files are built where others are built from them (`target:` contexts). Pure.
 * Source: https://github.com/docker/buildx/blob/v0.29.1/build/build.go (waitContextDeps): the result of a target of one platform
 * stands for every platform; of one of several, each platform's stands for its own.
 */
import { targetProblem, type BakeFileTarget, type TargetProblem } from './build/bake-targets.ts'
import { formatPlatform, parsePlatform } from './images/platform.ts'
import { shown } from './input-lists.ts'
import type { Inputs } from './inputs.ts'

/** A platform, and the leg of a matrix that builds it. */
export interface LegCell {
  readonly platform: string
  /** The platform that the leg is for. */
  readonly leg: string
}

/** A target as legs of `matrix-by: platform` build it. */
export type SplitTarget = BakeFileTarget & {
  /** What the files say: what others that are built from it hold to. */
  readonly written: readonly string[]
  readonly cells: readonly LegCell[]
}

/**
 * The platform of a linked target that serves one which is built for `platform`; undefined where none does. One that names no
 * platform is built for that of the leg.
 */
export function linkedPlatform(written: readonly string[], platform: string): string | undefined {
  if (written.length < 2) return written[0] ?? platform
  return written.find((one) => isSamePlatform(one, platform))
}

export function isSamePlatform(a: string, b: string): boolean {
  return a === b || normal(a) === normal(b)
}

function normal(platform: string): string {
  try {
    return formatPlatform(parsePlatform(platform))
  } catch {
    return platform
  }
}

/** As records of legs tell them. */
export const FULL_PLATFORM = /^[\w-]{1,32}\/[\w.-]{1,32}(?:\/[\w.-]{1,32})?$/

/**
 * What each target is built for, by all legs that the plan has, or by this one: what is asked for by `platforms` or else by
 * what the files say, and what that is built from by what its leg is for. Plan and legs reckon by the same rule.
 * @param host for a target that nothing names a platform of
 */
export function splitTargets(
  targets: readonly BakeFileTarget[],
  { asked, inputs, host }: { readonly asked: readonly string[]; readonly inputs: Inputs; readonly host: string },
): { readonly targets: readonly SplitTarget[]; readonly problems: readonly TargetProblem[] } {
  const known = new Map(targets.map((target) => [target.name, target]))
  const wanted = targets.filter(({ name }) => asked.includes(name))
  const said = (target: BakeFileTarget): readonly string[] =>
    inputs.platforms.length > 0 ? inputs.platforms : target.platforms.length > 0 ? target.platforms : [host]
  const cells = new Map<string, LegCell[]>()
  const problems: TargetProblem[] = []
  const add = (target: BakeFileTarget, cell: LegCell): void => {
    const own = cells.get(target.name) ?? []
    if (own.some(({ platform, leg }) => platform === cell.platform && leg === cell.leg)) return
    cells.set(target.name, [...own, cell])
    for (const name of linksOf(target)) {
      const linked = known.get(name)
      if (linked === undefined) continue
      // One that has none that serves is told when the Dockerfiles are known, which need not use it.
      const platform = linkedPlatform(linked.platforms, cell.platform) ?? linked.platforms[0] ?? cell.platform
      add(linked, { platform, leg: cell.leg })
      const isAsked = inputs.mode === 'build' && asked.includes(name) && !isSamePlatform(platform, cell.leg)
      if (isAsked) problems.push(apart(name, target.name, { platform, leg: cell.leg }))
    }
  }
  for (const target of wanted) for (const platform of said(target)) add(target, { platform, leg: platform })
  const isUnsaid = inputs.platforms.length === 0 && wanted.every(({ platforms }) => platforms.length === 0)
  if (isUnsaid && wanted[0] !== undefined) problems.push({ ...NO_PLATFORMS, target: wanted[0].name })
  if (inputs.platforms.length === 0) problems.push(...wanted.flatMap(platformProblems))
  return {
    targets: targets.map((target): SplitTarget => {
      const own = cells.get(target.name) ?? []
      const isAsked = asked.includes(target.name)
      const platforms = isAsked ? said(target) : [...new Set(own.map(({ platform }) => platform))]
      return { ...target, platforms, written: target.platforms, cells: own }
    }),
    problems,
  }
}

function linksOf({ contexts }: BakeFileTarget): readonly string[] {
  return contexts.flatMap(({ value }) => (value.startsWith('target:') ? [value.slice('target:'.length)] : []))
}

const NO_PLATFORMS = {
  input: 'platforms',
  message:
    '`matrix-by: platform` makes a leg for each platform of a target, and neither `platforms` nor a target names any.',
  mend: 'Name them in the bake files, such as `platforms = ["linux/amd64", "linux/arm64"]`, or with `platforms` for all targets.',
} as const

/** Those that a leg could not be told. */
function platformProblems({ name, platforms }: BakeFileTarget): readonly TargetProblem[] {
  return platforms.flatMap((platform): readonly TargetProblem[] =>
    FULL_PLATFORM.test(platform)
      ? []
      : [
          targetProblem(
            name,
            `: the platform \`${shown(platform)}\` is not written in full, as \`matrix-by: platform\` needs it.`,
            'Write `OS/ARCH` or `OS/ARCH/VARIANT`, such as `linux/arm64`.',
          ),
        ],
  )
}

function apart(name: string, user: string, { platform, leg }: LegCell): TargetProblem {
  return {
    ...{ input: 'targets', target: name },
    message: `\`targets\`: this leg builds \`${name}\` for ${leg}, and \`${user}\`, which is built in it, too, needs it for ${platform}.`,
    mend: `Build \`${name}\` in a leg of its own, as the plan’s matrix has it.`,
  }
}
