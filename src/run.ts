/**
 * The whole story: inputs → Dockerfile → stage graph → plan → build → sizes → report → outputs. Each step is a room or a
 * file of its own; this file only tells their order.
 */
import { announce } from './announce.ts'
import { errorOfInline, toldOfInline } from './bake-problems.ts'
import { openBakeProject } from './bake-project.ts'
import { LookAhead } from './context/look-ahead.ts'
import type { Scout } from './context/scout.ts'
import { checkPlatform } from './build/docker-facts.ts'
import { openEngine, type Engine } from './engine.ts'
import { throwIfAny, type Problem } from './errors.ts'
import { readEvent } from './github-event.ts'
import { readInputs } from './inputs.ts'
import type { KnownRecords } from './known-records.ts'
import type { LayerCaching } from './layer-caching.ts'
import { openLayerCaching } from './open-layer-caching.ts'
import { writePlanOutputs } from './outputs.ts'
import { planBuild, type Planned } from './planning.ts'
import { ownPlatforms, type Plan } from './plan/plan.ts'
import { openProject } from './project.ts'
import { visible } from './report/markdown.ts'
import { renderPlanSummary } from './report/plan-summary.ts'
import { stageName } from './report/summary-data.ts'
import { count } from './report/words.ts'
import type { Runner } from './runner.ts'
import { openRegistryClient } from './open-registry-client.ts'
import { Sizing } from './sizing.ts'
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
  /** Lists the workspace already. */
  readonly scout?: Scout | undefined
}

/**
 * Runs the main step.
 * @throws UserError for everything that a user can mend; it is told once, by the caller.
 */
export async function run(surroundings: Surroundings): Promise<void> {
  const { runner, env, now } = surroundings
  const started = now()
  const hostPlatform = hostOf(surroundings)
  const { inputs, warnings: inputWarnings } = readInputs((name) => runner.input(name), env, hostPlatform)
  const warnings = [...inputWarnings]
  if (inputs.mode === 'build') refuseOtherPlatforms(surroundings.platform)
  if (inputs.mode === 'report' || inputs.mode === 'merge') {
    const { reportStep } = await import('./report-step.ts')
    await reportStep(inputs, surroundings, warnings)
    return
  }
  const event = await readEvent(env)
  if (inputs.mode === 'cleanup') {
    const { cleanupStep } = await import('./cleanup-step.ts')
    await cleanupStep(inputs, surroundings, { event, warnings })
    return
  }
  const sizing = new Sizing({ inputs, event, ...surroundings })
  await using ahead = new LookAhead(env, { scout: surroundings.scout })
  const isBake = inputs.bakeFiles.length > 0
  // First of all buildx is started.
  const open = !isBake ? openProject(inputs, env) : openBakeProject(inputs, env, hostPlatform)
  // A large tree is listed while it reads the files, and while registries are asked.
  if (!isBake)
    void open.then(
      async ({ parts: [{ contextDir }] }) => {
        await ahead.beginAt(contextDir)
      },
      () => undefined,
    )
  else if (env['GITHUB_EVENT_NAME'] !== 'pull_request_target') void ahead.beginAt(env['GITHUB_WORKSPACE'] ?? '.')
  const [project, baseCommit] = await Promise.all([open, sizing.likelyBase()])
  // Before the plan may fail: of a variable that is not set comes a name that is none.
  for (const note of project.notes ?? []) runner.log(visible(note, 2_000))
  const warn = (problems: readonly Problem[]): void => {
    announce(runner, toldOfInline(problems, project.parts), { level: 'warning', workspace: project.workspace })
  }
  const client = openRegistryClient(inputs, surroundings, warn)
  // The engine is asked beside the registries, but not before the Dockerfile is found sound.
  let engine: Promise<Engine> | undefined
  let caching: LayerCaching | undefined
  let records: KnownRecords | undefined
  try {
    const planned = await planBuild(inputs, project, {
      client,
      hostPlatform,
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
      const unknown = [...planned.images.entries(), ...planned.failedContexts]
      warn(unknown.flatMap(({ problem }) => problem ?? []))
      warn(await sizing.handOverUnchanged({ planned, project, registry: client, records, caching }))
      const data = summaryData({ inputs, project, planned, built: undefined, durationMs: now() - started })
      await runner.appendSummary(renderPlanSummary(planned.plan, data))
      return
    }
    const { buildPlanned } = await import('./build-step.ts')
    await buildPlanned({
      inputs,
      project,
      planned,
      client,
      surroundings,
      warn,
      sizing,
      records,
      caching,
      engine,
      started,
    })
  } catch (error) {
    throw errorOfInline(error, project.parts)
  } finally {
    client.close()
    await caching?.[Symbol.asyncDispose]()
  }
}

function refuseOtherPlatforms(platform: NodeJS.Platform): void {
  throwIfAny(checkPlatform(platform))
}

/** The platform that an engine on this machine builds for. */
function hostOf({ arch }: Surroundings): string {
  const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', arm: 'arm/v7' }
  return `linux/${architectures[arch] ?? arch}`
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
