/**
 * `mode: merge`: the images that legs pushed of a platform each become one, which gets the tags of its target. What a leg
 * pushed is told by the record that it handed over. A target that lacks a platform gets no tags, and keeps no other from
 * getting its own.
 */
import { carryOut } from './build/imagetools.ts'
import type { Docker } from './build/buildx.ts'
import { writeFailure } from './build/retag-failure.ts'
import { sentence, type Problem } from './errors.ts'
import type { RawManifest } from './images/manifest-writer.ts'
import { InvalidReferenceError, repositoryOf } from './images/reference.ts'
import type { RegistryClient } from './images/registry-client.ts'
import { RegistryError } from './images/registry-error.ts'
import { planRetag } from './images/retag.ts'
import { sideBySide } from './images/side-by-side.ts'
import type { SizeRecord } from './measure/size-record.ts'
import type { GivenPlan, PlannedTarget } from './plan/plan-input.ts'
import { mergePushed, type PartsMerged, type PushedPart } from './pushed-parts.ts'

/** What came of a changed target. */
export interface MergedTarget {
  /** Undefined where nothing was to be pushed, or could not be. */
  readonly digest?: string | undefined
  /** Tags were set just now; else all were right. */
  readonly written: boolean
  readonly problems: readonly Problem[]
}

interface MergeOptions {
  readonly plan: GivenPlan
  /** Of all legs. */
  readonly records: readonly SizeRecord[]
  /** Else it is only looked whether every platform is there. */
  readonly push: boolean
  readonly client: RegistryClient
  readonly docker: Docker
  readonly signal: AbortSignal
}

/** Targets at a time. */
const CONCURRENCY = 8

/** Merges every changed target; by target. */
export async function mergeTargets(options: MergeOptions): Promise<ReadonlyMap<string, MergedTarget>> {
  const changed = options.plan.targets.filter(({ status }) => status === 'changed')
  const merged = await sideBySide(
    changed,
    CONCURRENCY,
    async (target) => [target.name, await mergeTarget(target, options)] as const,
  )
  return new Map(merged)
}

async function mergeTarget(target: PlannedTarget, options: MergeOptions): Promise<MergedTarget> {
  const { platforms = options.plan.platforms } = target
  const parts = platforms.map((platform) => partOf(target.name, platform, options))
  const problems = parts.flatMap((part) => ('message' in part ? [part] : []))
  if (problems.length > 0) return { written: false, problems }
  if (!options.push) return { written: false, problems: [] }
  const pushed = parts.flatMap((part) => ('message' in part ? [] : [part]))
  try {
    return await pushMerged(target, pushed, options)
  } catch (error) {
    options.signal.throwIfAborted()
    if (error instanceof RegistryError || error instanceof InvalidReferenceError)
      return failed(target.name, { message: error.message, mend: 'mend' in error ? error.mend : undefined })
    throw error
  }
}

/** What the leg of a platform pushed, or why nothing is known of it. */
function partOf(name: string, platform: string, { plan, records, push }: MergeOptions): PushedPart | Problem {
  const verdict = push ? 'gets no tags' : 'is not whole'
  const record = records.find(
    ({ id, target, platforms, wantedPlatforms = [] }) =>
      id === plan.id &&
      target === name &&
      [...wantedPlatforms, ...platforms.map((sizes) => sizes.platform)].includes(platform),
  )
  if (record === undefined) {
    return {
      message: `\`${name}\` ${verdict}: nothing came of its leg for \`${platform}\`.`,
      mend: `See what became of the job with target \`${name}\` and platform \`${platform}\`, and run the failed jobs again, then this one.`,
    }
  }
  if (record.status === 'failed') {
    return {
      message: `\`${name}\` ${verdict}: its leg for \`${platform}\` failed${record.failure === undefined ? '.' : `: ${sentence(record.failure)}`}`,
      mend: 'Run the failed jobs again, and this one after them.',
    }
  }
  if (!push) return { platform, digest: '', repositories: [] }
  if (record.digest === undefined || record.tags.length === 0) {
    return {
      message: `\`${name}\` ${verdict}: its leg for \`${platform}\` pushed nothing.`,
      mend: 'Give the legs `push: true` and `tags` that name repositories, as this job has `push`.',
    }
  }
  return { platform, digest: record.digest, repositories: record.tags }
}

async function pushMerged(
  { name, tags }: PlannedTarget,
  parts: readonly PushedPart[],
  options: MergeOptions,
): Promise<MergedTarget> {
  const { client, docker, signal } = options
  const merged = await mergePushed(parts, options)
  if (merged.kind !== 'merged') return failed(name, notMerged(merged))
  const { index, manifests } = merged
  const places = placesFor(tags, parts)
  if (places.length === 0) return failed(name, APART)
  const placed = await sideBySide(places, CONCURRENCY, async (place) => await put(place, index, options))
  const refused = placed.find((problem) => typeof problem === 'object')
  if (refused !== undefined) return failed(name, refused)
  const plan = await planRetag({ client, digest: index.digest, manifests, tags, repositories: places, signal })
  if (plan.kind === 'unknown') return failed(name, plan.problems[0] ?? { message: 'a registry did not answer.' })
  if (plan.kind === 'gone')
    return failed(name, { message: `a part of it is no longer in ${plan.missing.join(', ')}.`, mend: AGAIN })
  const results = await carryOut(docker, plan.actions, { client, signal })
  const [problem] = results.filter((result) => result !== undefined)
  if (problem !== undefined) return failed(name, problem)
  return { digest: index.digest, written: plan.actions.length > 0, problems: [] }
}

const AGAIN = 'Run all jobs again, so that its legs push anew.'

const APART: Problem = {
  message: 'its legs pushed to different repositories.',
  mend: 'Give all legs of a target the same `tags`.',
}

/**
 * Where the index is put: repositories that every leg pushed to, so that all its parts are there; of those the ones that
 * get tags, and one in any case, from which the others are copied.
 */
function placesFor(tags: readonly string[], parts: readonly PushedPart[]): readonly string[] {
  const [first = new Set<string>(), ...others] = parts.map(
    ({ repositories }) => new Set(repositories.map(repositoryOf)),
  )
  const common = [...first].filter((place) => others.every((other) => other.has(place)))
  const tagged = new Set(tags.map(repositoryOf))
  const chosen = common.filter((place) => tagged.has(place))
  return chosen.length > 0 ? chosen : common.slice(0, 1)
}

/** Puts the index under its digest, unless it is there. What is wrong, if anything is. */
async function put(place: string, index: RawManifest, { client, signal }: MergeOptions): Promise<Problem | undefined> {
  const name = `${place}@${index.digest}`
  try {
    if (!(await client.hasManifest(place, index.digest, { signal }))) await client.writeTag(name, index, { signal })
    return undefined
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof RegistryError)) throw error
    return writeFailure(name, error)
  }
}

function notMerged(merged: Exclude<PartsMerged, { kind: 'merged' }>): Problem {
  switch (merged.kind) {
    case 'gone':
      return { message: `its image for ${merged.platform} is no longer in ${merged.missing.join(', ')}.`, mend: AGAIN }
    case 'mismatch': {
      const found = merged.found.join(', ') || 'no platform'
      return {
        message: `what its leg for ${merged.platform} pushed is an image for ${found}.`,
        mend: 'Give the leg `platforms: ${{ matrix.platform }}`.',
      }
    }
    case 'unknown':
      return merged.problem
  }
}

function failed(name: string, problem: Problem): MergedTarget {
  const message = `\`${name}\` gets no tags: ${sentence(problem.message)}`
  return { written: false, problems: [{ ...problem, message }] }
}
