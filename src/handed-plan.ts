/**
 * The plan on its way to a report on this run by another one (`workflow_run`), whose job cannot have this one's outputs. What is
 * read may come from a fork: it counts as far as it has the form and the bounds of a plan, and is about the commit.
 */
import { UserError } from './errors.ts'
import { planName } from './handover/artifact-name.ts'
import {
  uploadText,
  type HandedOver,
  type HandoverOptions,
  type LeftOut,
  type UploadOutcome,
} from './handover/artifacts.ts'
import { RETENTION_DAYS } from './handover/size-handover.ts'
import { field, parseJson } from './json-fields.ts'
import { isPlatform, isTarget } from './measure/size-record.ts'
import type { PlanTarget } from './plan/plan.ts'
import { readPlanInput, type GivenPlan } from './plan/plan-input.ts'

const VERSION = 1
const MOST_TAGS = 200

/** What a report needs of a plan. */
type ToldPlan = Pick<GivenPlan, 'id' | 'file' | 'platforms'> & {
  readonly targets: readonly (Pick<PlanTarget, 'name' | 'status' | 'tags'> & {
    readonly sizes?: unknown
    readonly since?: string | undefined
  })[]
}

/** Hands over what a report needs of a plan. Never throws. */
export async function handOverPlan(
  { id, file, platforms, targets }: ToldPlan,
  { commit, attempt }: { readonly commit: string | undefined; readonly attempt: number },
  options: HandoverOptions,
): Promise<UploadOutcome> {
  const told = targets.map(({ name, status, tags, sizes, since }) => ({ name, status, tags, sizes, since }))
  const text = JSON.stringify({ version: VERSION, commit, plan: { version: 1, id, file, platforms, targets: told } })
  return await uploadText({ name: `${planName(id)}.attempt-${attempt}`, text, retentionDays: RETENTION_DAYS }, options)
}

/** The plans that were handed over, and why some of them are left out. */
export function readHandedPlans(
  texts: readonly HandedOver[],
  commit: string | undefined,
): { readonly plans: readonly GivenPlan[]; readonly left: readonly LeftOut[] } {
  const read = texts.map(({ name, text }) => ({ name, ...readHandedPlan(text, name, commit) }))
  return {
    plans: read.flatMap((one) => ('plan' in one ? [one.plan] : [])),
    left: read.flatMap((one) => ('reason' in one ? [{ name: one.name, reason: one.reason }] : [])),
  }
}

function readHandedPlan(
  text: string,
  name: string,
  commit: string | undefined,
): { readonly plan: GivenPlan } | { readonly reason: string } {
  const json = parseJson(text)
  if (field(json, 'version') !== VERSION) return { reason: 'it is of a version that is not known' }
  if (commit !== undefined && field(json, 'commit') !== commit) return { reason: 'it is about another commit' }
  try {
    const plan = readPlanInput(JSON.stringify(field(json, 'plan') ?? {}))
    const isSound =
      plan.platforms.every(isPlatform) &&
      plan.targets.every(({ name: target, tags }) => isTarget(target) && tags.length <= MOST_TAGS)
    if (!isSound) return { reason: 'it names what cannot be a target or a platform' }
    return name.startsWith(`${planName(plan.id)}.`)
      ? { plan }
      : { reason: 'it is about another project than its name says' }
  } catch (error) {
    if (error instanceof UserError) return { reason: 'it is no plan' }
    throw error
  }
}
