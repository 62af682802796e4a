/**
 * Names of the artifacts by which legs of a matrix hand over size records:
 * `stage-build.<hash>.<target>.<platform>.attempt-<N>`. The hash is of all that tells legs of a run apart; the words are
 * for people. An artifact cannot be replaced, so a leg that is run again has a name of its own.
 * Rules: https://github.com/actions/toolkit/blob/main/packages/artifact/src/internal/upload/path-and-artifact-name-validation.ts
 */
import { createHash } from 'node:crypto'

/** A target on a platform. Both are untrusted text. */
export interface Cell {
  readonly target: string
  readonly platform: string
}

/** What one leg measured, or was to measure. */
export interface Leg {
  /** The identity's `id`: steps with different ones never collide. */
  readonly id: string
  readonly cells: readonly Cell[]
}

export interface ParsedName {
  /** The name without the attempt: `legName` of the leg. */
  readonly leg: string
  /** From 1. */
  readonly attempt: number
}

/** The file in an artifact. */
export const ENTRY_NAME = 'size-record.json'

const MAX_WORD = 40
const PLAN = 'plan.plan'
const FORM =
  /^(stage-build\.[0-9a-f]{16}\.[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{1,40})\.attempt-([1-9]\d{0,5})(?:-again)?$/

/** The artifact's name, at most 124 ASCII characters; `attempt` is the run's, from 1. */
export function artifactName(leg: Leg, attempt: number): string {
  return `${legName(leg)}.attempt-${attempt}`
}

/** The part of the name that all attempts of a leg have. */
export function legName({ id, cells }: Leg): string {
  const pairs = cells.map(({ target, platform }) => JSON.stringify([target, platform])).sort()
  const hash = createHash('sha256')
    .update(JSON.stringify([id, pairs]))
    .digest('hex')
    .slice(0, 16)
  const target = slug(cells.map((cell) => cell.target))
  const platform = slug(cells.map((cell) => cell.platform))
  return `stage-build.${hash}.${target}.${platform}`
}

/** The part of the name that all attempts to hand over the plan of a project have; no leg has it. */
export function planName(id: string): string {
  const hash = createHash('sha256')
    .update(JSON.stringify(['plan', id]))
    .digest('hex')
  return `stage-build.${hash.slice(0, 16)}.${PLAN}`
}

/** Whether an artifact holds a plan: platforms have other words. */
export function isPlanName(name: string): boolean {
  return parseArtifactName(name)?.leg.endsWith(`.${PLAN}`) === true
}

/** For a second upload, as the first may have taken the name and yet not have come to its end. */
export function secondName(name: string): string {
  return `${name}-again`
}

/** What a name says; undefined for artifacts that are not ours. */
export function parseArtifactName(name: string): ParsedName | undefined {
  const [, leg, attempt] = FORM.exec(name) ?? []
  return leg === undefined ? undefined : { leg, attempt: Number(attempt) }
}

/** Of each leg the artifact of its highest attempt, in the given order; artifacts that are not ours are left out. */
export function newestAttempts<T extends { readonly name: string; readonly id: number }>(
  listed: readonly T[],
): readonly T[] {
  const newest = new Map<string, { readonly artifact: T; readonly attempt: number }>()
  for (const artifact of listed) {
    const parsed = parseArtifactName(artifact.name)
    if (parsed === undefined) continue
    const other = newest.get(parsed.leg)
    const isNewer =
      other === undefined ||
      parsed.attempt > other.attempt ||
      (parsed.attempt === other.attempt && artifact.id > other.artifact.id)
    if (isNewer) newest.set(parsed.leg, { artifact, attempt: parsed.attempt })
  }
  const chosen = new Set([...newest.values()].map(({ artifact }) => artifact))
  return listed.filter((artifact) => chosen.has(artifact))
}

function slug(words: readonly string[]): string {
  const text = [...new Set(words)]
    .sort()
    .map((word) => word.slice(0, MAX_WORD).replaceAll(/[^A-Za-z0-9_]+/g, '-'))
    .join('-')
  const bounded = text.replaceAll(/-+/g, '-').replace(/^-/, '').slice(0, MAX_WORD).replace(/-$/, '')
  return bounded === '' ? 'x' : bounded
}
