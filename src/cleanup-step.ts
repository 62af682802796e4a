/** `mode: cleanup`: a job of its own, which needs no checkout. */
import { announce } from './announce.ts'
import { cleanUp } from './cleaning-up.ts'
import type { Problem } from './errors.ts'
import type { GithubEvent } from './github-event.ts'
import type { Inputs } from './inputs.ts'
import { cleanupVerdict, renderCleanupSummary } from './report/cleanup-summary.ts'
import type { Surroundings } from './run.ts'
import { appendSummary } from './step-end.ts'

/** Runs the step. @throws UserError for everything that a user can mend */
export async function cleanupStep(
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
