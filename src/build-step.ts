/**
 * From the plan to its end: what did not change is left, the others are built, and all is reported. Loaded when a plan is to be
 * carried out: a step that only plans is quicker without it.
 */
import { buildTargets } from './building.ts'
import type { Built } from './built.ts'
import { dockerOf, openEngine, type Engine } from './engine.ts'
import { throwIfAny, type Problem } from './errors.ts'
import type { RegistryClient } from './images/registry-client.ts'
import type { Inputs } from './inputs.ts'
import type { KnownRecords } from './known-records.ts'
import type { LayerCaching } from './layer-caching.ts'
import { writeBuildOutputs } from './outputs.ts'
import type { Planned } from './planning.ts'
import type { Project } from './project.ts'
import { sizesTable } from './report/sizes-table.ts'
import { renderSummary } from './report/summary.ts'
import { sizeRows } from './report/summary-targets.ts'
import type { Surroundings } from './run.ts'
import type { Sizing } from './sizing.ts'
import { builtNothing, skipUnchanged, withSkipped } from './skipping.ts'
import { appendSummary, reportOutputs, tell } from './step-end.ts'
import { summaryData } from './summarizing.ts'

interface BuildStep {
  readonly inputs: Inputs
  readonly project: Project
  readonly planned: Planned
  readonly client: RegistryClient
  readonly surroundings: Surroundings
  readonly warn: (problems: readonly Problem[]) => void
  readonly sizing: Sizing
  readonly records: KnownRecords | undefined
  readonly caching: LayerCaching | undefined
  /** If it was asked for already. */
  readonly engine: Promise<Engine> | undefined
  /** When the step began, milliseconds since the epoch. */
  readonly started: number
}

/** Carries a plan out. @throws UserError for what a user can mend, when everything is told that is known */
export async function buildPlanned(step: BuildStep): Promise<void> {
  const { inputs, project, planned, client, surroundings, sizing, records, caching, engine, started } = step
  const { runner, env, now } = surroundings
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
  await report({ ...step, built, durationMs: now() - started })
}

async function report(options: BuildStep & { readonly built: Built; readonly durationMs: number }): Promise<void> {
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
