/**
 * Decides of a target whose platforms are built apart, each by a leg of its own: it is unchanged where every part is, and,
 * with `push`, where registries have the index that `mode: merge` made of these very parts. That index has no record: it is
 * made of nothing but what the legs pushed, so it is made again here, unwritten, and its digest is asked for.
 */
import type { Decision, DecidingOptions } from './decision.ts'
import { unknownInputs, why } from './decision.ts'
import { planRetag } from './images/retag.ts'
import type { Candidate } from './known-records.ts'
import type { PlanReason } from './plan/plan.ts'
import type { TargetPrint } from './plan/target-print.ts'
import type { TargetRecord } from './plan/record.ts'
import type { RequestedTarget } from './plan/targets.ts'
import { mergePushed, type PartsMerged, type PushedPart } from './pushed-parts.ts'
import { isOf, joinRecords } from './record-parts.ts'

/** A record of the target on a platform. */
interface Part extends Candidate {
  readonly platform: string
}

/** The parts that make one image: of each platform one. */
type Choice = readonly Part[]

/** @param isPushed whether registries must have the image, too */
export async function decideByParts(
  target: RequestedTarget,
  { isPushed, ...options }: DecidingOptions & { readonly isPushed: boolean },
): Promise<Decision> {
  const { fingerprints, records } = options
  const candidates = records?.of(target.name) ?? []
  const found = (fingerprints.parts.get(target.name) ?? []).map(({ platform, prints }) => {
    const own = candidates.filter(({ record }) => isOf(record, platform))
    const known = new Set(prints.flatMap(({ fingerprint }) => fingerprint ?? []))
    const matches = own.filter(({ record: { fingerprint } }) => fingerprint !== undefined && known.has(fingerprint))
    const parts = matches.map((match): Part => ({ ...match, platform }))
    const whyOf = (print: TargetPrint): readonly PlanReason[] =>
      print.fingerprint === undefined
        ? unknownInputs(target, print)
        : why({ target, print, candidates: own, fingerprints, hasRecords: records !== undefined })
    // It was built on one machine: what the other would change besides is no reason.
    const [reasons = []] = prints.map(whyOf).sort((a, b) => a.length - b.length)
    return { platform, parts, reasons: parts.length > 0 ? [] : reasons }
  })
  const changed = found.filter(({ reasons }) => reasons.length > 0)
  if (changed.length > 0) return { status: 'changed', reasons: toldOnce(changed, found.length) }
  const choices = choicesOf(found.map(({ parts }) => parts))
  if (isPushed) return await pushedAgain(target, choices, options)
  const [choice] = choices
  return choice === undefined ? notPushed(target) : unchanged(choice, { digest: undefined, retag: undefined })
}

/** A reason that is not of all platforms names its own. */
function toldOnce(
  changed: readonly { readonly platform: string; readonly reasons: readonly PlanReason[] }[],
  platforms: number,
): readonly PlanReason[] {
  const all = Map.groupBy(
    changed.flatMap(({ platform, reasons }) => reasons.map((reason) => ({ platform, reason }))),
    ({ reason }) => JSON.stringify(reason),
  )
  return [...all.values()].flatMap((same) => {
    const [first] = same
    if (first === undefined) return []
    const of = [...new Set(same.map(({ platform }) => platform))]
    const { reason } = first
    return [of.length === platforms ? reason : { ...reason, text: `${reason.text} (${of.join(', ')})` }]
  })
}

/**
 * Several branches may know equal parts, each pushed by a build of its own: those of one branch first, since what was merged
 * was of one run, and then the first of each platform.
 */
function choicesOf(parts: readonly (readonly Part[])[]): readonly Choice[] {
  const best = (all: readonly Part[]): Part | undefined =>
    all.find(({ record }) => record.image.digest !== undefined) ?? all[0]
  const refs = new Set(parts.flat().map(({ ref }) => ref))
  const ofOne = [...refs].map((ref) => parts.map((all) => best(all.filter((part) => part.ref === ref))))
  const choices = [...ofOne, parts.map(best)].flatMap((choice): readonly Choice[] => {
    const whole = choice.filter((part) => part !== undefined)
    return whole.length === parts.length && whole.length > 0 ? [whole] : []
  })
  return [...new Map(choices.map((choice) => [JSON.stringify(choice.map(nameOf)), choice])).values()]
}

function nameOf({ platform, ref, record }: Part): readonly unknown[] {
  return [platform, record.image.digest ?? ref]
}

async function pushedAgain(
  target: RequestedTarget,
  choices: readonly Choice[],
  options: DecidingOptions,
): Promise<Decision> {
  let failed: string | undefined
  for (const choice of choices) {
    const pushed = choice.flatMap(({ platform, record }): readonly PushedPart[] => {
      const { digest, repositories } = record.image
      return digest === undefined ? [] : [{ platform, digest, repositories }]
    })
    if (pushed.length < choice.length) continue
    const merged = await mergePushed(pushed, options)
    if (merged.kind !== 'merged') {
      failed ??= whyNotMerged(merged)
      continue
    }
    const { digest } = merged.index
    const repositories = pushed.flatMap((part) => part.repositories)
    const tags = options.tagsOf.get(target.name) ?? []
    const plan = await planRetag({ ...options, digest, manifests: merged.manifests, tags, repositories })
    if (plan.kind === 'possible') return unchanged(choice, { digest, retag: plan })
    failed ??=
      plan.kind === 'gone'
        ? `the index of its platforms is not in ${plan.missing.join(', ')}`
        : unknownText(plan.problems[0]?.message)
  }
  return notPushed(target, failed)
}

function notPushed({ stage }: RequestedTarget, text = 'its image has not been pushed yet'): Decision {
  return { status: 'changed', reasons: [{ kind: 'image-gone', stage, text }] }
}

function whyNotMerged(merged: Exclude<PartsMerged, { kind: 'merged' }>): string {
  switch (merged.kind) {
    case 'gone':
      return `its image for ${merged.platform} is no longer in ${merged.missing.join(', ')}`
    case 'mismatch':
      return `what was pushed for ${merged.platform} is of ${merged.found.join(', ') || 'no platform'}`
    case 'unknown':
      return unknownText(merged.problem.message)
  }
}

function unknownText(message = 'no reason given'): string {
  return `whether its image is still there is not known: ${message.replace(/\.$/, '')}`
}

function unchanged(
  choice: Choice,
  {
    digest,
    retag,
  }: { readonly digest: string | undefined } & Pick<Extract<Decision, { status: 'unchanged' }>, 'retag'>,
): Decision {
  const joined = joinRecords(choice.map(({ record }) => record))
  const record: TargetRecord = { ...joined, image: { ...joined.image, digest } }
  // What this very pull request built of it is to be told as its own.
  const told = choice.find(({ source }) => source === 'own') ?? choice[0]
  return { status: 'unchanged', record, ref: told?.ref ?? '', retag }
}
