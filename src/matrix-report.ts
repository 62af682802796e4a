/**
 * The sizes of a whole matrix: what its jobs handed over, and what the plan says of targets that were not built, in one
 * report. Also of a run that another event is about (`workflow_run`), whose records may come from a fork.
 */
import { measuredRun, recordPlaces, runAttempt } from './handover/fork-run.ts'
import type { HandoverOptions } from './handover/artifacts.ts'
import { handOverPlan, readHandedPlans } from './handed-plan.ts'
import { leftOutWarning, missingOf, type Expected } from './handover/gather.ts'
import { gatherSizes, missingWarning } from './handover/size-handover.ts'
import type { Problem } from './errors.ts'
import type { Inputs } from './inputs.ts'
import type { BaselineFacts } from './measure/comparison.ts'
import { parseSizeBudgets } from './measure/size-budgets.ts'
import type { SizeRecord } from './measure/size-record.ts'
import { parseTargetSizes } from './measure/sizes-json.ts'
import type { GivenPlan } from './plan/plan-input.ts'
import { headCommit, type ReportPlace } from './report-place.ts'
import { reportSizes, type SizesReported } from './size-reporting.ts'

/** Gathers, compares and tells. Never rejects. */
export async function reportGathered(options: {
  readonly inputs: Inputs
  /** Undefined for a run that this one is about: it may have handed its plan over. */
  readonly plan: GivenPlan | undefined
  readonly place: ReportPlace
  readonly handover: HandoverOptions
  /** Milliseconds since the epoch. */
  readonly now: number
}): Promise<SizesReported> {
  const { inputs, plan, place, handover, now } = options
  const run = measuredRun(place.payload)
  const gathered = await gatherSizes(
    recordPlaces(run, place.env, inputs.githubToken),
    { commit: run?.headSha, ...(plan === undefined ? {} : { expected: expectedOf(plan) }) },
    handover,
  )
  const given = plan === undefined ? readHandedPlans(gathered.plans, run?.headSha) : { plans: [plan], left: [] }
  // A plan's report is about its own targets: other matrices of the run have reports of their own.
  const handed = gathered.records.map(({ record }) => record).filter(({ id }) => plan === undefined || id === plan.id)
  const records = [...handed, ...given.plans.flatMap((one) => unchangedRecords(one, handed, now))]
  const expected = given.plans.map(expectedOf)
  const reported = await reportSizes(
    {
      ...{ records, comment: inputs.comment, isLeg: false },
      id: plan?.id ?? records[0]?.id ?? given.plans[0]?.id ?? '',
      baseline: { facts: factsOf(records), records: records.flatMap(({ baseline }) => baseline?.record ?? []) },
      budgets: parseSizeBudgets(inputs.sizeBudgets, undefined).budgets,
      planned: expected.flatMap(({ id, cells }) => cells.map((cell) => ({ id, ...cell }))),
      isStillThere: () => true,
    },
    place,
  )
  const { event, env } = place
  // The job that planned for a fork did so already.
  if (plan !== undefined && reported.lacksRights && !(event.kind === 'pull_request' && event.isFork)) {
    await handOverPlan(plan, { commit: headCommit(event, env), attempt: runAttempt(env) }, handover)
  }
  const notHanded = plan === undefined ? expected.flatMap((one) => missingOf(one, handed)) : []
  const told = [...gathered.warnings, leftOutWarning(given.left), missingWarning(notHanded)]
  const warnings = told.flatMap((message): readonly Problem[] => (message === undefined ? [] : [{ message }]))
  return { ...reported, warnings: [...noRecords(gathered.kind, records), ...warnings, ...reported.warnings] }
}

/** What a plan has jobs for. */
function expectedOf({ id, platforms, targets }: GivenPlan): Expected {
  const changed = targets.filter(({ status }) => status === 'changed')
  return {
    id,
    cells: changed.map(({ name, platforms: own = platforms }) => ({ target: name, platform: own.join(',') })),
  }
}

function noRecords(kind: 'gathered' | 'none' | 'failed', records: readonly SizeRecord[]): readonly Problem[] {
  if (records.length > 0 || kind === 'failed') return []
  return [
    {
      message: 'There are no sizes to report: no job of this run handed any over.',
      mend: 'Run stage-build in the jobs of a matrix, or give this one a token with `actions: read` for the run that it is about.',
    },
  ]
}

/** Of targets that the plan left as they were, unless the job that planned handed over more of them. */
function unchangedRecords(plan: GivenPlan, handed: readonly SizeRecord[], now: number): readonly SizeRecord[] {
  return plan.targets.flatMap(({ name, status, tags, sizes, since, file = plan.file }): readonly SizeRecord[] => {
    const isHanded = handed.some(({ id, target }) => id === plan.id && target === name)
    const platforms = parseTargetSizes({ platforms: sizes })?.platforms
    if (status === 'changed' || isHanded || platforms === undefined) return []
    const record: SizeRecord = {
      ...{ version: 1, id: plan.id, target: name, file, commit: since, ref: undefined, status: 'unchanged' },
      ...{ createdAt: new Date(now).toISOString(), run: undefined, line: undefined, tags, platforms },
    }
    const facts: BaselineFacts = {
      ...{ wanted: undefined, branch: undefined, commit: since, source: 'exact', distance: 0 },
    }
    return [{ ...record, baseline: { facts, record } }]
  })
}

/** What was farthest off speaks for all; what no job had to compare with is known by its row. */
function factsOf(records: readonly SizeRecord[]): BaselineFacts {
  const all = records.flatMap(({ baseline }) => baseline?.facts ?? []).filter(({ source }) => source !== 'none')
  const built = all.filter(({ wanted }) => wanted !== undefined)
  const [first, ...others] = built.length > 0 ? built : all
  if (first === undefined) {
    return { wanted: undefined, branch: undefined, commit: undefined, source: 'none', distance: undefined }
  }
  const rank = ({ source, distance }: BaselineFacts): number =>
    source === 'registry' ? Infinity : (distance ?? Number.MAX_SAFE_INTEGER)
  return others.reduce((worst, facts) => (rank(facts) > rank(worst) ? facts : worst), first)
}
