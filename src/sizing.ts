/**
 * Sizes beside their baseline, as a run has them: the base commit is looked for when the run begins, its sizes while
 * targets are built, and in the end there is a report, or, in a leg of a matrix and where this run may not
 * comment, a record for the job that reports. What a step that only plans does not need is loaded when it is.
 */
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Baseline } from './baselines.ts'
import type { Built } from './built.ts'
import type { Problem } from './errors.ts'
import { readHead } from './git.ts'
import { NO_REQUESTS } from './github-access.ts'
import type { GithubEvent } from './github-event.ts'
import { findBaseCommit, type BaseQuestion, type BaseResult, type CheckedOut } from './github/base-commits.ts'
import type { GithubClient } from './github/rest-client.ts'
import { runAttempt } from './handover/fork-run.ts'
import { artifactsAreHere, type HandoverOptions } from './handover/artifacts.ts'
import type { RegistryClient } from './images/registry-client.ts'
import type { Inputs } from './inputs.ts'
import type { KnownRecords } from './known-records.ts'
import type { LayerCaching } from './layer-caching.ts'
import type { SizeRecord } from './measure/size-record.ts'
import { parseSizeBudgets } from './measure/size-budgets.ts'
import type { Planned } from './planning.ts'
import type { Project } from './project.ts'
import type { Runner } from './runner.ts'
import { headCommit, reportPlace, type ReportPlace } from './report-place.ts'
import type { SizesReported } from './size-reporting.ts'

export interface SizingOptions {
  readonly inputs: Inputs
  readonly event: GithubEvent
  readonly env: NodeJS.ProcessEnv
  readonly runner: Runner
  readonly signal: AbortSignal
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

const ARTIFACT_CLIENT = new URL('../dist/artifact-client.js', import.meta.url)

export class Sizing {
  readonly #options: SizingOptions
  readonly #place: ReportPlace
  readonly #head: Promise<CheckedOut | undefined>
  #local: Promise<BaseResult> | undefined
  #baseline: Promise<Baseline> | undefined
  #records: KnownRecords | undefined

  constructor(options: SizingOptions) {
    this.#options = options
    const { inputs, event, env, signal } = options
    this.#place = reportPlace({ token: inputs.githubToken, event, env, signal })
    const isRun = (env['GITHUB_EVENT_NAME'] ?? '') !== ''
    const workspace = env['GITHUB_WORKSPACE'] ?? process.cwd()
    this.#head = isRun ? readHead(join(workspace, inputs.context)) : Promise.resolve(undefined)
    this.#head.catch(() => undefined)
  }

  /** The base commit, where it is known without asking GitHub: whose cache is looked for first. */
  async likelyBase(): Promise<string | undefined> {
    const found = await this.#localBase()
    return found.kind === 'found' ? found.base.commit : undefined
  }

  /** Begins to look for what sizes are compared with. */
  begin(found: {
    readonly planned: Planned
    readonly project: Project
    readonly registry: RegistryClient
    readonly records: KnownRecords | undefined
    readonly caching: LayerCaching | undefined
  }): void {
    this.#records = found.records
    this.#baseline ??= this.#find(found)
  }

  /**
   * `mode: plan`: hands over what is known of targets that an earlier run of the same pull request built, and that this
   * one leaves as they are: no job measures them, and the plan tells only their totals. Never rejects.
   */
  async handOverUnchanged(found: Parameters<Sizing['begin']>[0]): Promise<readonly Problem[]> {
    const { env } = this.#options
    const { planned } = found
    const isPull = (env['GITHUB_BASE_REF'] ?? '') !== ''
    const { event } = this.#place
    if (event.kind === 'pull_request' && event.isFork) await this.#leavePlan(planned)
    const own = [...planned.decisions].flatMap(([name, decision]) =>
      decision.status === 'unchanged' && decision.ref === env['GITHUB_REF'] ? [[name, decision] as const] : [],
    )
    if (!isPull || own.length === 0 || !artifactsAreHere(env)) return []
    const commit = headCommit(event, env)
    const { sizeRecordOf } = await import('./size-records.ts')
    const records = own.flatMap(([name, { record, ref }]): readonly SizeRecord[] => {
      const known = sizeRecordOf(name, { source: 'own', ref, record }, { ...found, env })
      return known === undefined
        ? []
        : [{ ...known, status: 'unchanged', commit, tags: planned.tagsOf.get(name) ?? [] }]
    })
    this.begin(found)
    const warning =
      records.length === 0 ? undefined : await this.#handOver(records, (await this.#baseline) ?? NO_BASELINE)
    return warning === undefined ? [] : [{ message: warning }]
  }

  /** Compares and tells, or hands over. Never rejects. */
  async finish(result: {
    readonly planned: Planned
    readonly project: Project
    readonly built: Built
  }): Promise<SizesReported> {
    const { inputs, env, now, runner } = this.#options
    const { planned, project } = result
    const commit = headCommit(this.#place.event, env)
    const { graphChange } = await import('./graph-change.ts')
    const { sizeRecords } = await import('./size-records.ts')
    const { reportSizes } = await import('./size-reporting.ts')
    const records = sizeRecords({ ...result, env, commit, now: now() })
    const baseline = (await this.#baseline) ?? NO_BASELINE
    const isPart = inputs.matrixBy === 'platform'
    const isLeg = (inputs.jobTotal > 0 || isPart) && artifactsAreHere(env)
    const warning = isLeg ? await this.#handOver(records, baseline) : undefined
    const known = new Set<string | undefined>(project.names ?? planned.graph.stages.map(({ name }) => name))
    const reported = await reportSizes(
      {
        ...{ records, baseline, id: project.id, comment: inputs.comment, isLeg },
        budgets: parseSizeBudgets(inputs.sizeBudgets, undefined).budgets,
        isStillThere: (id, target) => id === project.id && known.has(target),
        graphChanged: graphChange(planned, baseline.records, this.#records),
      },
      this.#place,
    )
    if (isLeg && warning === undefined) runner.notice(isPart ? PART_NOTICE : legNotice(inputs.jobTotal))
    const told = warning === undefined ? [] : [{ message: warning }]
    if (reported.lacksRights && !isLeg) await this.#leaveForAnother(records, baseline)
    const warnings = [...baseline.warnings, ...reported.warnings]
    // What was pushed by digest alone is lost unless the job that merges is told of it: this one has to run again.
    if (isPart && inputs.push) return { ...reported, warnings, problems: [...reported.problems, ...told] }
    return { ...reported, warnings: [...warnings, ...told] }
  }

  /** A fork's run may not comment; the one that may cannot have the plan from outputs of this one. */
  async #leavePlan({ plan }: Planned): Promise<void> {
    const { env, runner } = this.#options
    const facts = { commit: headCommit(this.#place.event, env), attempt: runAttempt(env) }
    const { handOverPlan } = await import('./handed-plan.ts')
    const outcome = await handOverPlan(plan, facts, handoverOptions(env, runner))
    if (outcome.kind === 'failed') runner.log(outcome.warning)
  }

  /** A run for `workflow_run` may write what this one may not. Whether there is one is not known, so nothing is announced. */
  async #leaveForAnother(records: readonly SizeRecord[], baseline: Baseline): Promise<void> {
    const { env, runner } = this.#options
    const trouble = artifactsAreHere(env) ? await this.#handOver(records, baseline) : undefined
    if (trouble !== undefined) runner.log(trouble)
  }

  async #handOver(records: readonly SizeRecord[], { facts, records: before }: Baseline): Promise<string | undefined> {
    const { env, runner } = this.#options
    const compared = records.map((record) => {
      const found = before.find(({ id, target }) => id === record.id && target === record.target)
      return { ...record, baseline: { facts, record: found } }
    })
    const { handOverSizes } = await import('./handover/size-handover.ts')
    const outcome = await handOverSizes(compared, runAttempt(env), handoverOptions(env, runner))
    return outcome.kind === 'failed' ? outcome.warning : undefined
  }

  async #find({ planned, project, registry, records, caching }: Parameters<Sizing['begin']>[0]): Promise<Baseline> {
    const { inputs, event, env, signal } = this.#options
    const { github } = this.#place
    const local = await this.#localBase()
    const isSure = local.kind === 'found' && local.base.source !== 'payload'
    const base = isSure || github === undefined ? local : await findBaseCommit(await this.#question(github.client))
    const branch = env['GITHUB_BASE_REF'] ?? ''
    const ownBranch = this.#place.event.kind === 'push' ? env['GITHUB_REF_NAME'] : event.defaultBranch
    const { findBaseline } = await import('./baselines.ts')
    return await findBaseline({
      ...{ baseline: inputs.baseline, planned, project, records, github, registry, env, signal },
      wanted: base.kind === 'found' ? base.base.commit : undefined,
      branch: branch === '' ? ownBranch : branch,
      recordsOf: async (commits) => await caching?.recordsOf(commits),
    })
  }

  /** What is known without a request. */
  async #localBase(): Promise<BaseResult> {
    this.#local ??= this.#question(NO_REQUESTS).then(findBaseCommit)
    return await this.#local
  }

  async #question(client: GithubClient): Promise<BaseQuestion> {
    const { event, env } = this.#options
    return {
      ...{ client, event: this.#place.event, defaultBranch: event.defaultBranch },
      repository: env['GITHUB_REPOSITORY'] ?? '',
      checkedOut: await this.#head.catch(() => undefined),
    }
  }
}

/** How artifacts are reached. */
export function handoverOptions(env: NodeJS.ProcessEnv, runner: Pick<Runner, 'debug'>): HandoverOptions {
  return {
    ...{ env, clientPath: fileURLToPath(ARTIFACT_CLIENT) },
    folder: join(env['RUNNER_TEMP'] ?? tmpdir(), `stage-build-handover-${randomBytes(8).toString('hex')}`),
    debug: (line) => {
      runner.debug(line)
    },
  }
}

const NO_BASELINE: Baseline = {
  facts: { wanted: undefined, branch: undefined, commit: undefined, source: 'none', distance: undefined },
  records: [],
  warnings: [],
}

const PART_NOTICE =
  'One platform of several: its digest and sizes are handed over. A job after the matrix with `mode: merge` makes one image of all platforms, and one comment (README, “Platforms on runners of their own”).'

function legNotice(jobs: number): string {
  const which = jobs === 1 ? 'The only job' : `One of ${jobs} jobs`
  return `${which} of a matrix: its sizes are handed over. For one comment on all of them, add a job after the matrix with \`mode: report\` (README, “A matrix of what changed”).`
}
