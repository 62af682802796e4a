/** `mode: report`: the last job of a matrix. Sets the tags of what the plan left unchanged, and tells what came of each target. */
import { carryOut } from './build/imagetools.ts'
import type { Docker } from './build/buildx.ts'
import { UserError, type Problem } from './errors.ts'
import type { RegistryClient } from './images/registry-client.ts'
import { planRetag, type RetagPlan } from './images/retag.ts'
import { sideBySide } from './images/side-by-side.ts'
import type { Inputs } from './inputs.ts'
import type { SizesReported } from './size-reporting.ts'
import type { BuiltImage } from './outputs.ts'
import type { GivenPlan, PlannedTarget } from './plan/plan-input.ts'
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
export async function reportMatrix(options: {
  readonly inputs: Inputs
  readonly plan: GivenPlan
  readonly client: RegistryClient
  readonly docker: Docker
  readonly signal: AbortSignal
}): Promise<MatrixReport> {
  const { inputs, plan: given, client, docker, signal } = options
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
    const plan = plans.find((entry) => entry.target === target)?.plan
    const problem = problems.get(target.name)
    const written = plan?.kind === 'possible' && plan.actions.length > 0
    return { ...target, digest: target.image?.digest, problem, written: written && problem === undefined }
  })
  return {
    images: unchanged
      .filter(({ name }) => !problems.has(name))
      .map(({ name, tags, image }) => ({
        ...{ target: name, tags, digest: image?.digest, imageId: undefined, sizes: undefined },
      })),
    summary: renderMatrixSummary(rows, { pushes: inputs.push }),
    problems: [...problems.values()],
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

/** Without a plan there is nothing to set. */
export const NOTHING_TAGGED: MatrixReport = { images: [], summary: '', problems: [] }

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
    const platforms = found.flatMap((record) => record.platforms)
    const sizes = platforms.length === 0 ? undefined : { platforms }
    const known = tagged.get(target)
    if (known !== undefined) return [{ ...known, sizes }]
    const [record] = found
    if (record === undefined) return []
    return [{ target, tags: record.tags, digest: record.digest, imageId: undefined, sizes }]
  })
}

/** @throws UserError with all problems, if there are any */
export function throwProblems(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new UserError(problems)
}
