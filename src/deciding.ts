/**
 * Decides for every target whether it is built, and says why. Equal fingerprints mean equal images; with `push` the
 * registries must still have the image, too. Asks registries, changes nothing.
 */
import { decideByParts } from './deciding-parts.ts'
import { unknownInputs, why, type Decision, type DecidingOptions } from './decision.ts'
import type { Problem } from './errors.ts'
import { planHeld, planRetag } from './images/retag.ts'
import { sideBySide } from './images/side-by-side.ts'
import type { Inputs } from './inputs.ts'
import type { Candidate } from './known-records.ts'
import type { PlanReason } from './plan/plan.ts'
import type { RequestedTarget } from './plan/targets.ts'
import { recordedSizes } from './record-parts.ts'

/** Targets at a time: each asks registries for its tags and for all that its image consists of. */
const CONCURRENCY = 16

type Options = DecidingOptions & {
  /** By target, why something of it runs again whatever is cached. */
  readonly runningAgain: ReadonlyMap<string, PlanReason>
}

/** By target, in their order. */
export async function decide(options: Options): Promise<ReadonlyMap<string, Decision>> {
  const decided = await sideBySide(
    options.targets,
    CONCURRENCY,
    async (target) => [target.name, await decideOne(target, options)] as const,
  )
  return new Map(decided)
}

async function decideOne(target: RequestedTarget, options: Options): Promise<Decision> {
  const { fingerprints, records } = options
  const inputs = options.inputsOf(target.name)
  const print = fingerprints.prints.get(target.name)
  const candidates = records?.of(target.name) ?? []
  const changed = (...reasons: readonly PlanReason[]): Decision => ({ status: 'changed', reasons })
  const again = options.runningAgain.get(target.name)
  if (again !== undefined) return changed(again)
  const requested = requestedText(inputs, options.env)
  if (requested !== undefined) return changed({ kind: 'requested', stage: target.stage, text: requested })
  const isPushed = inputs.push && !isBuiltAnyway(inputs)
  if (inputs.mode === 'plan' && inputs.matrixBy === 'platform')
    return await decideByParts(target, { ...options, isPushed })
  if (print?.fingerprint === undefined) return changed(...unknownInputs(target, print))
  const matches = candidates.filter(({ record }) => record.fingerprint === print.fingerprint)
  const match = matches.find(({ record }) => record.image.digest !== undefined) ?? matches[0]
  if (match === undefined)
    return changed(...why({ target, print, candidates, fingerprints, hasRecords: records !== undefined }))
  if (!isPushed) return { status: 'unchanged', record: match.record, ref: match.ref, retag: undefined }
  return await pushedAgain(target, match, options)
}

/** Outputs of an unchanged target are made all the same, from the cache. */
export function isBuiltAnyway({ load, outputs }: Inputs): boolean {
  return load || outputs.length > 0
}

/** Something that was asked for keeps every target from being skipped. */
function requestedText(inputs: Inputs, env: NodeJS.ProcessEnv): string | undefined {
  if (inputs.skipUnchanged === 'false') return '`skip-unchanged` is false'
  const isRelease = env['GITHUB_EVENT_NAME'] === 'release' || (env['GITHUB_REF'] ?? '').startsWith('refs/tags/')
  return inputs.skipUnchanged === 'auto' && isRelease ? 'tags and releases are always built' : undefined
}

async function pushedAgain(target: RequestedTarget, match: Candidate, options: DecidingOptions): Promise<Decision> {
  const { inputs, client, signal, tagsOf } = options
  const { record, ref } = match
  const { digest, repositories } = record.image
  const gone = (text: string): Decision => ({
    status: 'changed',
    reasons: [{ kind: 'image-gone', stage: target.stage, text }],
  })
  if (digest === undefined) return gone('its image has not been pushed yet')
  const manifests = recordedSizes(record)?.platforms.map((platform) => platform.digest)
  const tags = tagsOf.get(target.name) ?? []
  const image = { client, digest, manifests, signal }
  // A leg of one platform names repositories only: what it builds has no tags.
  const isLeg = inputs.matrixBy === 'platform'
  const plan = await (isLeg ? planHeld({ ...image, repositories: tags }) : planRetag({ ...image, tags, repositories }))
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
