/** `mode: report` and `mode: merge`: the last job of a matrix, or one about another run. It has no Dockerfile, and builds nothing. */
import { announce } from './announce.ts'
import { dockerOf } from './engine.ts'
import { throwIfAny, type Problem } from './errors.ts'
import { readEvent } from './github-event.ts'
import type { Inputs } from './inputs.ts'
import { reportGathered } from './matrix-report.ts'
import { openRegistryClient } from './open-registry-client.ts'
import { writeBuildOutputs } from './outputs.ts'
import { readPlanInput } from './plan/plan-input.ts'
import { reportPlace } from './report-place.ts'
import { finishMatrix, metadataOf, planFor, withSizes } from './reporting.ts'
import type { Surroundings } from './run.ts'
import { handoverOptions } from './sizing.ts'
import { appendSummary, reportOutputs, tell } from './step-end.ts'

/** Runs the step. @throws UserError for everything that a user can mend */
export async function reportStep(
  inputs: Inputs,
  surroundings: Surroundings,
  warnings: readonly Problem[],
): Promise<void> {
  const { runner, env, signal, now } = surroundings
  const workspace = env['GITHUB_WORKSPACE'] ?? process.cwd()
  const warn = (problems: readonly Problem[]): void => {
    announce(runner, problems, { level: 'warning', workspace })
  }
  warn(warnings)
  const plan = inputs.plan === undefined ? undefined : planFor(inputs, readPlanInput(inputs.plan))
  const event = await readEvent(env)
  const client = openRegistryClient(inputs, surroundings, warn)
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
