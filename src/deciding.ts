/**
 * Decides for every target whether it is built, and says why. Equal fingerprints mean equal images; with `push` the
 * registries must still have the image, too. Asks registries, changes nothing.
 */
import type { Problem } from './errors.ts'
import type { Fingerprints } from './fingerprinting.ts'
import { planRetag, type RetagPlan } from './images/retag.ts'
import type { RegistryClient } from './images/registry-client.ts'
import { sideBySide } from './images/side-by-side.ts'
import type { Inputs } from './inputs.ts'
import type { Candidate, KnownRecords } from './known-records.ts'
import { parseTargetSizes } from './measure/sizes-json.ts'
import { reasonsOf } from './plan/compare.ts'
import type { PlanReason } from './plan/plan.ts'
import type { TargetRecord } from './plan/record.ts'
import type { TargetPrint } from './plan/target-print.ts'
import type { RequestedTarget } from './plan/targets.ts'

export type Decision =
  | { readonly status: 'changed'; readonly reasons: readonly PlanReason[] }
  | {
      readonly status: 'unchanged'
      readonly record: TargetRecord
      /** Whose record it is: `refs/heads/main`. */
      readonly ref: string
      /** What its tags need; undefined where nothing is pushed. */
      readonly retag: Extract<RetagPlan, { kind: 'possible' }> | undefined
    }

export interface DecidingOptions {
  readonly inputs: Inputs
  readonly env: NodeJS.ProcessEnv
  readonly targets: readonly RequestedTarget[]
  readonly tagsOf: ReadonlyMap<string, readonly string[]>
  readonly fingerprints: Fingerprints
  /** Undefined where there is no cache to keep records in. */
  readonly records: KnownRecords | undefined
  readonly client: RegistryClient
  readonly signal: AbortSignal
}

/** Targets at a time: each asks registries for its tags and for all that its image consists of. */
const CONCURRENCY = 16

/** By target, in their order. */
export async function decide(options: DecidingOptions): Promise<ReadonlyMap<string, Decision>> {
  const decided = await sideBySide(
    options.targets,
    CONCURRENCY,
    async (target) => [target.name, await decideOne(target, options)] as const,
  )
  return new Map(decided)
}

async function decideOne(target: RequestedTarget, options: DecidingOptions): Promise<Decision> {
  const { inputs, fingerprints, records } = options
  const print = fingerprints.prints.get(target.name)
  const candidates = records?.of(target.name) ?? []
  const changed = (...reasons: readonly PlanReason[]): Decision => ({ status: 'changed', reasons })
  const requested = requestedText(inputs, options.env)
  if (requested !== undefined) return changed({ kind: 'requested', stage: target.stage, text: requested })
  if (print?.fingerprint === undefined) return changed(...unknownInputs(target, print))
  const matches = candidates.filter(({ record }) => record.fingerprint === print.fingerprint)
  const match = matches.find(({ record }) => record.image.digest !== undefined) ?? matches[0]
  if (match === undefined)
    return changed(...why({ target, print, candidates, fingerprints, hasRecords: records !== undefined }))
  if (!inputs.push || isBuiltAnyway(inputs))
    return { status: 'unchanged', record: match.record, ref: match.ref, retag: undefined }
  return await pushedAgain(target, match, options)
}

/** Outputs of an unchanged target are made all the same, from the cache. */
export function isBuiltAnyway({ load, outputs }: Inputs): boolean {
  return load || outputs.length > 0
}

/** Something that was asked for keeps every target from being skipped. */
function requestedText(inputs: Inputs, env: NodeJS.ProcessEnv): string | undefined {
  if (inputs.noCache) return '`no-cache` is set'
  if (inputs.noCacheFilters.length > 0) return `\`no-cache-filters\` is set (${inputs.noCacheFilters.join(', ')})`
  if (inputs.skipUnchanged === 'false') return '`skip-unchanged` is false'
  const isRelease = env['GITHUB_EVENT_NAME'] === 'release' || (env['GITHUB_REF'] ?? '').startsWith('refs/tags/')
  return inputs.skipUnchanged === 'auto' && isRelease ? 'tags and releases are always built' : undefined
}

function unknownInputs({ stage }: RequestedTarget, print: TargetPrint | undefined): readonly PlanReason[] {
  const found = (print?.platforms ?? []).flatMap(({ stages }) =>
    stages.flatMap(({ index, unknown }) =>
      unknown.map(({ line, text }): PlanReason => ({ kind: 'unknown-input', stage: index, line, text })),
    ),
  )
  const reasons = [...new Map(found.map((reason) => [JSON.stringify(reason), reason])).values()]
  return reasons.length > 0
    ? reasons
    : [{ kind: 'unknown-input', stage, text: 'its `# syntax=` frontend is not known, and may read anything' }]
}

function why(options: {
  readonly target: RequestedTarget
  readonly print: TargetPrint
  readonly candidates: readonly Candidate[]
  readonly fingerprints: Fingerprints
  readonly hasRecords: boolean
}): readonly PlanReason[] {
  const { target, print, candidates, fingerprints, hasRecords } = options
  const [last] = candidates
  const { stage } = target
  if (last === undefined) {
    const text = hasRecords ? 'no record of an earlier build' : 'there is no cache to keep records of builds in'
    return [{ kind: 'no-record', stage, text }]
  }
  const { record } = last
  const reasons = reasonsOf(
    { print: record.print, filesOf: (digest) => record.files.get(digest) },
    { print, filesOf: (digest) => fingerprints.files().get(digest) },
  )
  return reasons.length > 0
    ? reasons
    : [{ kind: 'no-record', stage, text: 'the record of its last build cannot be compared' }]
}

async function pushedAgain(target: RequestedTarget, match: Candidate, options: DecidingOptions): Promise<Decision> {
  const { client, signal, tagsOf } = options
  const { record, ref } = match
  const { digest, repositories } = record.image
  const gone = (text: string): Decision => ({
    status: 'changed',
    reasons: [{ kind: 'image-gone', stage: target.stage, text }],
  })
  if (digest === undefined) return gone('its image has not been pushed yet')
  const manifests = parseTargetSizes(record.image.sizes)?.platforms.map((platform) => platform.digest)
  const tags = tagsOf.get(target.name) ?? []
  const plan = await planRetag({ client, digest, manifests, tags, repositories, signal })
  switch (plan.kind) {
    case 'possible':
      return { status: 'unchanged', record, ref, retag: plan }
    case 'gone':
      return gone(`its image is no longer in ${plan.missing.join(', ')}`)
    case 'unknown':
      return gone(`whether its image is still there is not known: ${firstMessage(plan.problems)}`)
  }
}

function firstMessage(problems: readonly Problem[]): string {
  return (problems[0]?.message ?? 'no reason given').replace(/\.$/, '')
}
