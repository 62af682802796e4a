/** `mode: report` and `mode: merge`: the last job of a matrix. Sets the tags of what the plan left unchanged, and tells what came of each target. */
import { carryOut } from './build/imagetools.ts'
import type { Docker } from './build/buildx.ts'
import { throwIfAny, UserError, type Problem } from './errors.ts'
import type { RegistryClient } from './images/registry-client.ts'
import { planRetag, type RetagPlan } from './images/retag.ts'
import { sideBySide } from './images/side-by-side.ts'
import type { Inputs } from './inputs.ts'
import type { SizeRecord } from './measure/size-record.ts'
import { mergeTargets, type MergedTarget } from './merging.ts'
import type { SizesReported } from './size-reporting.ts'
import type { BuiltImage } from './outputs.ts'
import type { GivenPlan, PlannedTarget } from './plan/plan-input.ts'
import { assignTags, untagged } from './plan/target-tags.ts'
import { renderMatrixSummary, type MatrixRow } from './report/matrix-summary.ts'

export interface MatrixReport {
  /** Of the unchanged targets. */
  readonly images: readonly BuiltImage[]
  readonly summary: string
  /** What could not be done; the step fails with it, after everything else is done. */
  readonly problems: readonly Problem[]
}

/** Targets at a time, of which registries are asked. */
const CONCURRENCY = 16

/** Re-tags where `push` is set. */
async function reportMatrix(options: {
  readonly inputs: Inputs
  readonly plan: GivenPlan
  readonly client: RegistryClient
  readonly docker: Docker
  readonly signal: AbortSignal
  /** What came of the changed targets, where this job makes images of their platforms. */
  readonly merged?: ReadonlyMap<string, MergedTarget>
}): Promise<MatrixReport> {
  const { inputs, plan: given, client, docker, signal, merged } = options
  const { targets } = given
  const unchanged = targets.filter(({ status, tags }) => inputs.push && status === 'unchanged' && tags.length > 0)
  const plans = await sideBySide(unchanged, CONCURRENCY, async (target) => ({
    target,
    plan: await retagOf(target, { client, signal }),
  }))
  const actions = plans.flatMap(({ plan }) => (plan.kind === 'possible' ? plan.actions : []))
  const results = await carryOut(docker, actions, { client, signal })
  const failed = new Map(actions.map((action, index) => [action, results[index]]))
  const problemOf = ({ target, plan }: (typeof plans)[number]): Problem | undefined =>
    plan.kind === 'possible'
      ? plan.actions.map((action) => failed.get(action)).find((problem) => problem !== undefined)
      : notRetagged(target, plan)
  const problems = new Map(plans.flatMap((entry) => withProblem(entry.target.name, problemOf(entry))))
  const rows = targets.map((target): MatrixRow => {
    const part = merged?.get(target.name)
    if (part !== undefined)
      return { ...target, digest: part.digest, problem: part.problems[0], written: part.written, isMerged: true }
    const plan = plans.find((entry) => entry.target === target)?.plan
    const problem = problems.get(target.name)
    const written = plan?.kind === 'possible' && plan.actions.length > 0
    return { ...target, digest: target.image?.digest, problem, written: written && problem === undefined }
  })
  return {
    images: targets.flatMap(({ name, tags, image }) => {
      const isTagged = unchanged.some((target) => target.name === name) && !problems.has(name)
      const digest = isTagged ? image?.digest : merged?.get(name)?.digest
      return isTagged || digest !== undefined
        ? [{ target: name, tags, digest, imageId: undefined, sizes: undefined }]
        : []
    }),
    summary: renderMatrixSummary(rows, { pushes: inputs.push }),
    problems: [...problems.values(), ...[...(merged?.values() ?? [])].flatMap((part) => part.problems)],
  }
}

function withProblem(name: string, problem: Problem | undefined): readonly (readonly [string, Problem])[] {
  return problem === undefined ? [] : [[name, problem]]
}

async function retagOf(
  { image, tags }: PlannedTarget,
  options: { readonly client: RegistryClient; readonly signal: AbortSignal },
): Promise<RetagPlan> {
  if (image === undefined) return { kind: 'gone', missing: [] }
  return await planRetag({ ...options, digest: image.digest, tags, repositories: image.repositories })
}

function notRetagged({ name }: PlannedTarget, plan: Exclude<RetagPlan, { kind: 'possible' }>): Problem {
  if (plan.kind === 'unknown') {
    const [first] = plan.problems
    return {
      ...first,
      message: `\`${name}\` could not be re-tagged: ${first?.message ?? 'a registry did not answer.'}`,
    }
  }
  const where = plan.missing.length === 0 ? 'in no registry' : `no longer in ${plan.missing.join(', ')}`
  return {
    message: `\`${name}\` is unchanged, but its image is ${where}.`,
    mend: 'Run the workflow again: the plan will see that it is gone, and build it. Give the plan job `push` and `tags`, too.',
  }
}

/**
 * Merges where this job is there for it, and sets tags. Nothing without a plan.
 * @param options.records what legs handed over
 */
export async function finishMatrix(
  options: Omit<Parameters<typeof reportMatrix>[0], 'plan' | 'merged'> & {
    readonly plan: GivenPlan | undefined
    readonly records: readonly SizeRecord[]
  },
): Promise<MatrixReport> {
  const { plan, inputs } = options
  if (plan === undefined) return { images: [], summary: '', problems: [] }
  if (inputs.mode !== 'merge') return await reportMatrix({ ...options, plan })
  return await reportMatrix({ ...options, plan, merged: await mergeTargets({ ...options, plan, push: inputs.push }) })
}

/**
 * The plan that another job was made for, if this mode is for it.
 * @throws UserError also for tags of `mode: merge`
 */
export function planFor(inputs: Inputs, plan: GivenPlan): GivenPlan {
  if (inputs.mode === 'merge') {
    if (!plan.isSplit) throw new UserError(NOT_SPLIT)
    return withTags(plan, inputs)
  }
  if (plan.isSplit && inputs.push) throw new UserError(TO_BE_MERGED)
  return plan
}

const NOT_SPLIT: Problem = {
  input: 'plan',
  message:
    '`mode: merge` puts platforms together that were built apart, and `plan` builds all platforms of a target together.',
  mend: 'Give the job that plans, and those that build, `matrix-by: platform`; or use `mode: report` here.',
}

const TO_BE_MERGED: Problem = {
  input: 'mode',
  message:
    '`plan` was made with `matrix-by: platform`: its jobs push each platform without tags, and `mode: report` sets none.',
  mend: 'Use `mode: merge`, which does all that `mode: report` does.',
}

/**
 * The plan of a job with tags of its own: `tags` wins over those that the plan was given, of bake files target by target.
 * @throws UserError with every tag that is for no target of the plan, and, with `push`, every target without any
 */
function withTags(plan: GivenPlan, { tags, push }: Inputs): GivenPlan {
  if (tags.length === 0 && !push) return plan
  const given = assignTags(plan.targets, tags)
  // Bake files have tags of each target: those of one that `tags` does not name stay.
  const isKept = ({ name, file }: PlannedTarget): boolean =>
    tags.length === 0 || (file !== undefined && given.tagsOf.get(name)?.length === 0)
  const tagsOf = new Map(
    plan.targets.map((one) => [one.name, isKept(one) ? one.tags : (given.tagsOf.get(one.name) ?? [])]),
  )
  throwIfAny([...given.problems, ...(push ? untagged(tagsOf) : [])])
  return { ...plan, targets: plan.targets.map((one) => ({ ...one, tags: tagsOf.get(one.name) ?? [] })) }
}

/** Buildx's word for an image, for the output `metadata`. */
export function metadataOf(images: readonly BuiltImage[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    images.map(({ target, tags, digest }) => [
      target,
      { ...(digest === undefined ? {} : { 'containerimage.digest': digest, 'image.name': tags.join(',') }) },
    ]),
  )
}

/** The images of the whole matrix, in the order of the plan: those that were re-tagged, and what its jobs measured. */
export function withSizes(
  images: readonly BuiltImage[],
  { report, records }: SizesReported,
  plan: GivenPlan | undefined,
): readonly BuiltImage[] {
  const tagged = new Map(images.map((image) => [image.target, image]))
  const planned = (plan?.targets ?? []).map(({ name }) => name)
  const names = new Set([...planned, ...tagged.keys(), ...report.rows.map(({ target }) => target)])
  return [...names].flatMap((target) => {
    const found = records.filter((record) => record.target === target && record.status !== 'failed')
    const rank = ({ platform }: { readonly platform: string }): number => plan?.platforms.indexOf(platform) ?? 0
    const platforms = found.flatMap((record) => record.platforms).toSorted((a, b) => rank(a) - rank(b))
    const sizes = platforms.length === 0 ? undefined : { platforms }
    const known = tagged.get(target)
    if (known !== undefined) return [{ ...known, sizes }]
    const [record] = found
    if (record === undefined) return []
    // What a leg pushed is a part of the image.
    if (plan?.isSplit === true) return [{ target, tags: [], digest: undefined, imageId: undefined, sizes }]
    return [{ target, tags: record.tags, digest: record.digest, imageId: undefined, sizes }]
  })
}
