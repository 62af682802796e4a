/**
 * The whole story: inputs → Dockerfile → stage graph → plan → build → sizes → report → outputs. Each step is a room or a
 * file of its own; this file only tells their order.
 */
import { homedir } from 'node:os'
import { announce } from './announce.ts'
import { openBakeProject } from './bake-project.ts'
import { cleanUp } from './cleaning-up.ts'
import { buildTargets } from './building.ts'
import type { Built } from './built.ts'
import { LookAhead } from './context/look-ahead.ts'
import { checkPlatform } from './build/docker-facts.ts'
import { dockerOf, openEngine, type Engine } from './engine.ts'
import { throwIfAny, type Problem } from './errors.ts'
import { DockerCredentials } from './images/docker-credentials.ts'
import { RegistryClient } from './images/registry-client.ts'
import { readEvent, type GithubEvent } from './github-event.ts'
import { readInputs, type Inputs } from './inputs.ts'
import type { KnownRecords } from './known-records.ts'
import type { LayerCaching } from './layer-caching.ts'
import { openLayerCaching } from './open-layer-caching.ts'
import { writeBuildOutputs, writePlanOutputs, type ReportOutputs } from './outputs.ts'
import { planBuild, type Planned } from './planning.ts'
import { ownPlatforms, type Plan } from './plan/plan.ts'
import { openProject, type Project } from './project.ts'
import { cleanupVerdict, renderCleanupSummary } from './report/cleanup-summary.ts'
import { renderPlanSummary } from './report/plan-summary.ts'
import { sizesTable } from './report/sizes-table.ts'
import { renderSummary } from './report/summary.ts'
import { stageName } from './report/summary-data.ts'
import { sizeRows } from './report/summary-targets.ts'
import { count } from './report/words.ts'
import type { Runner } from './runner.ts'
import { reportGathered } from './matrix-report.ts'
import { readPlanInput } from './plan/plan-input.ts'
import { finishMatrix, metadataOf, planFor, withSizes } from './reporting.ts'
import type { SizesReported } from './size-reporting.ts'
import { handoverOptions, reportPlace, Sizing } from './sizing.ts'
import { builtNothing, skipUnchanged, withSkipped } from './skipping.ts'
import { summaryData } from './summarizing.ts'

export interface Surroundings {
  readonly runner: Runner
  readonly env: NodeJS.ProcessEnv
  readonly platform: NodeJS.Platform
  readonly arch: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Aborted when the run is cancelled. */
  readonly signal: AbortSignal
}

/**
 * Runs the main step.
 * @throws UserError for everything that a user can mend; it is told once, by the caller.
 */
export async function run(surroundings: Surroundings): Promise<void> {
  const { runner, env, now } = surroundings
  const started = now()
  const { inputs, warnings: inputWarnings } = readInputs((name) => runner.input(name), env)
  const warnings = [...inputWarnings]
  if (inputs.mode === 'build') refuseOtherPlatforms(surroundings.platform)
  if (inputs.mode === 'report' || inputs.mode === 'merge') {
    await runReport(inputs, surroundings, warnings)
    return
  }
  const event = await readEvent(env)
  if (inputs.mode === 'cleanup') {
    await runCleanup(inputs, surroundings, { event, warnings })
    return
  }
  const sizing = new Sizing({ inputs, event, ...surroundings })
  await using ahead = new LookAhead(env)
  const isBake = inputs.bakeFiles.length > 0
  // A large tree is listed while buildx reads the files, and while registries are asked.
  if (isBake && env['GITHUB_EVENT_NAME'] !== 'pull_request_target') void ahead.beginAt(env['GITHUB_WORKSPACE'] ?? '.')
  const open = !isBake ? openProject(inputs, env) : openBakeProject(inputs, env, hostOf(surroundings).hostPlatform)
  const [project, baseCommit] = await Promise.all([open, sizing.likelyBase()])
  if (!isBake) void ahead.beginAt(project.parts[0].contextDir)
  const warn = (problems: readonly Problem[]): void => {
    announce(runner, problems, { level: 'warning', workspace: project.workspace })
  }
  const client = registryClient(inputs, surroundings, warn)
  // The engine is asked beside the registries, but not before the Dockerfile is found sound.
  let engine: Promise<Engine> | undefined
  let caching: LayerCaching | undefined
  let records: KnownRecords | undefined
  try {
    const planned = await planBuild(inputs, project, {
      client,
      ...hostOf(surroundings),
      env,
      workspace: project.workspace,
      ...{ signal: surroundings.signal, ahead },
      onSound: (targets) => {
        if (inputs.mode === 'build') {
          engine = openEngine(project, env, inputs.builder)
          engine.catch(() => undefined) // told when it is waited for; the plan may fail first
        }
        const question = { inputs: project.inputs, project, event, env, baseCommit, targets }
        const opened = openLayerCaching(question, surroundings)
        caching = opened.caching
        warnings.push(...opened.warnings)
      },
      records: async (targets) => {
        records = await caching?.records(targets.map(({ name }) => name))
        return records
      },
    })
    warn([...warnings, ...(project.warnings ?? []), ...planned.warnings])
    writePlanOutputs(runner, planned.plan, planned.matrix)
    logPlan(runner, planned)
    if (inputs.mode === 'plan') {
      warn(planned.images.entries().flatMap((entry) => entry.problem ?? []))
      warn(await sizing.handOverUnchanged({ planned, project, registry: client, records, caching }))
      const data = summaryData({ inputs, project, planned, built: undefined, durationMs: now() - started })
      await runner.appendSummary(renderPlanSummary(planned.plan, data))
      return
    }
    sizing.begin({ planned, project, registry: client, records, caching })
    const skipped = await skipUnchanged({
      ...{ planned, client, signal: surroundings.signal },
      docker: dockerOf(project, env),
      log: (line) => {
        runner.log(line)
      },
    })
    const toBuild = planned.targets.filter(({ name }) => !skipped.images.has(name))
    const others = planned.targets.filter((target) => !toBuild.includes(target))
    const built = withSkipped(
      toBuild.length === 0
        ? await builtNothing(caching)
        : await buildTargets({
            ...{ inputs: project.inputs, project, client, surroundings, caching, records },
            planned: { ...planned, targets: toBuild, linked: [...planned.linked, ...others] },
            engine: await (engine ?? openEngine(project, env, inputs.builder)),
          }),
      { skipped, planned },
    )
    await report({ inputs, project, planned, built, surroundings, warn, sizing, durationMs: now() - started })
  } finally {
    client.close()
    await caching?.[Symbol.asyncDispose]()
  }
}

/** The last job of a matrix, or one about another run: it has no Dockerfile, and builds nothing. */
async function runReport(inputs: Inputs, surroundings: Surroundings, warnings: readonly Problem[]): Promise<void> {
  const { runner, env, signal, now } = surroundings
  const workspace = env['GITHUB_WORKSPACE'] ?? process.cwd()
  const warn = (problems: readonly Problem[]): void => {
    announce(runner, problems, { level: 'warning', workspace })
  }
  warn(warnings)
  const plan = inputs.plan === undefined ? undefined : planFor(inputs, readPlanInput(inputs.plan))
  const event = await readEvent(env)
  const client = registryClient(inputs, surroundings, warn)
  try {
    const docker = dockerOf({ workspace }, env)
    const place = reportPlace({ token: inputs.githubToken, event, env, signal })
    const handover = handoverOptions(env, runner)
    const sizes = await reportGathered({ inputs, plan, place, handover, now: now() })
    warn(sizes.warnings)
    const asked = { inputs, plan, client, signal, docker, records: sizes.records }
    const done = await finishMatrix(asked)
    const images = withSizes(done.images, sizes, plan)
    const metadata = inputs.mode === 'merge' ? metadataOf(done.images) : {}
    writeBuildOutputs(runner, images, { metadata, report: reportOutputs(sizes) })
    tell(runner, sizes)
    await appendSummary(runner, `${done.summary}\n${sizes.section}`, warn)
    throwIfAny([...done.problems, ...sizes.problems])
  } finally {
    client.close()
  }
}

/** A job of its own, which needs no checkout. */
async function runCleanup(
  { dryRun, githubToken, retries }: Inputs,
  { runner, env, signal, now }: Surroundings,
  { event, warnings }: { readonly event: GithubEvent; readonly warnings: readonly Problem[] },
): Promise<void> {
  const warn = (problems: readonly Problem[]): void => {
    announce(runner, problems, { level: 'warning', workspace: env['GITHUB_WORKSPACE'] ?? process.cwd() })
  }
  warn(warnings)
  const { defaultBranch } = event
  const summary = await cleanUp({
    ...{ dryRun, token: githubToken, defaultBranch, env, signal, retries, now: now() },
    debug: (line) => {
      runner.debug(line)
    },
    log: (line) => {
      runner.log(line)
    },
  })
  runner.log(cleanupVerdict(summary))
  warn(summary.notes.map((message) => ({ message })))
  await appendSummary(runner, renderCleanupSummary(summary), warn)
}

async function report(options: {
  readonly inputs: Inputs
  readonly project: Project
  readonly planned: Planned
  readonly built: Built
  readonly surroundings: Surroundings
  readonly warn: (problems: readonly Problem[]) => void
  readonly sizing: Sizing
  readonly durationMs: number
}): Promise<void> {
  const { planned, built, surroundings, warn, sizing } = options
  const { runner } = surroundings
  warn(built.warnings)
  const sizes = await sizing.finish(options)
  warn(sizes.warnings)
  const data = { ...summaryData(options), sizeReport: sizes.section }
  writeBuildOutputs(runner, built.images, {
    ...{ metadata: built.metadata, report: reportOutputs(sizes) },
    toBuild: planned.targets.flatMap(({ name }) => (built.unchanged.has(name) ? [] : [name])),
  })
  if (built.images.length > 0) runner.log(`\n${sizesTable(sizeRows(data))}`)
  tell(runner, sizes)
  await appendSummary(runner, renderSummary(data), warn)
  throwIfAny([...built.problems, ...sizes.problems])
}

function tell(runner: Runner, { verdict, notice, commentUrl }: SizesReported): void {
  for (const line of [verdict, notice, commentUrl]) if (line !== undefined) runner.log(line)
}

function reportOutputs({ report, commentUrl }: SizesReported): ReportOutputs {
  return { rows: report.rows, baselineSha: report.baseline.commit, commentUrl }
}

/** A summary that cannot be written is no reason to fail a build. */
async function appendSummary(
  runner: Runner,
  markdown: string,
  warn: (problems: readonly Problem[]) => void,
): Promise<void> {
  try {
    await runner.appendSummary(markdown)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    warn([{ message: `The job summary could not be written: ${reason}.` }])
  }
}

function refuseOtherPlatforms(platform: NodeJS.Platform): void {
  throwIfAny(checkPlatform(platform))
}

function registryClient(
  { retries }: Inputs,
  { env, runner }: Surroundings,
  warn: (problems: readonly Problem[]) => void,
): RegistryClient {
  const credentials = new DockerCredentials({
    env,
    homeDirectory: homedir(),
    warn: (message) => {
      warn([{ message }])
    },
  })
  const onRetry = (line: string): void => {
    runner.log(line)
  }
  return new RegistryClient({ env, credentials, retries, onRetry })
}

/** The platform that an engine on this machine builds for. */
function hostOf({ arch }: Surroundings): { readonly hostPlatform: string } {
  const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', arm: 'arm/v7' }
  return { hostPlatform: `linux/${architectures[arch] ?? arch}` }
}

function logPlan(runner: Runner, { plan, graph }: Planned): void {
  runner.log(
    `${plan.file}: ${count(graph.stages.length, 'stage')}, ${count(plan.targets.length, 'target')} (${plan.platforms.join(', ')})`,
  )
  for (const target of plan.targets) {
    const stages = target.stages.map((index) => stageName(graph.stages[index] ?? { name: undefined, index }))
    const own = ownPlatforms(plan, target)
    const where = own.length === 0 ? '' : ` (${own.join(', ')})`
    runner.log(`  ${target.name}: ${target.status}${whyText(target)}; ${shortened(stages).join(' → ')}${where}`)
  }
}

/** Why a target is built. */
function whyText({ reasons }: Plan['targets'][number]): string {
  return reasons.length === 0 ? '' : ` (${shortened([...new Set(reasons.map(({ text }) => text))]).join('; ')})`
}

/** So many stages that nobody reads them on one line: the first ones and the last. */
function shortened(stages: readonly string[]): readonly string[] {
  return stages.length <= 12 ? stages : [...stages.slice(0, 9), `${stages.length - 10} more`, ...stages.slice(-1)]
}
