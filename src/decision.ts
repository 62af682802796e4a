/** What is decided of a target, what it is decided from, and in what words it is told why one is built. */
import type { Fingerprints } from './fingerprinting.ts'
import type { RetagPlan } from './images/retag.ts'
import type { RegistryClient } from './images/registry-client.ts'
import type { Inputs } from './inputs.ts'
import { distinct } from './json-fields.ts'
import type { Candidate, KnownRecords } from './known-records.ts'
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

export type Unchanged = Extract<Decision, { status: 'unchanged' }>

export interface DecidingOptions {
  readonly inputs: Inputs
  /** The step's, and what bake files say of the target. */
  readonly inputsOf: (target: string) => Inputs
  readonly env: NodeJS.ProcessEnv
  readonly targets: readonly RequestedTarget[]
  readonly tagsOf: ReadonlyMap<string, readonly string[]>
  readonly fingerprints: Pick<Fingerprints, 'prints' | 'parts' | 'files'>
  /** Undefined where there is no cache to keep records in. */
  readonly records: KnownRecords | undefined
  readonly client: RegistryClient
  readonly signal: AbortSignal
}

/** Since when nothing changed: a clause. */
export function sinceText({ record, ref }: Unchanged): string {
  const commit = record.commit === undefined ? '' : ` at ${record.commit.slice(0, 7)}`
  return `nothing changed since the build of ${ref.replace(/^refs\/heads\//, '')}${commit}`
}

/** Inputs that cannot be known beforehand. */
export function unknownInputs({ stage }: RequestedTarget, print: TargetPrint | undefined): readonly PlanReason[] {
  const found = (print?.platforms ?? []).flatMap(({ stages }) =>
    stages.flatMap(({ index, unknown }) =>
      unknown.map(({ line, text }): PlanReason => ({ kind: 'unknown-input', stage: index, line, text })),
    ),
  )
  const reasons = distinct(found)
  return reasons.length > 0
    ? reasons
    : [{ kind: 'unknown-input', stage, text: 'its `# syntax=` frontend is not known, and may read anything' }]
}

/** What differs from the latest record. */
export function why(options: {
  readonly target: RequestedTarget
  readonly print: TargetPrint
  readonly candidates: readonly Candidate[]
  readonly fingerprints: Pick<Fingerprints, 'files'>
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
