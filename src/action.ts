/** The action: the main step, and a post step that has something to do. Errors are told here. */
import { announce } from './announce.ts'
import type { Scout } from './context/scout.ts'
import { UserError, formatProblem } from './errors.ts'
import { run } from './run.ts'
import { githubRunner, type Runner } from './runner.ts'
import { STATE } from './state.ts'

/**
 * Runs the step; what goes wrong is told, and the process's exit code says so.
 * @param scout lists the workspace already
 */
export async function runAction(scout: Scout | undefined): Promise<void> {
  const { env } = process
  const runner = githubRunner(env)
  await (runner.state(STATE.isPost) === '' ? main(runner, env, scout) : post(runner, env))
}

async function main(runner: Runner, env: NodeJS.ProcessEnv, scout: Scout | undefined): Promise<void> {
  runner.saveState(STATE.isPost, 'true')
  const cancel = new AbortController()
  // The runner cancels with SIGINT and, 7.5 seconds later, SIGTERM; what was started must be ended before it kills.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      cancel.abort()
    })
  }
  try {
    await run({
      runner,
      env,
      platform: process.platform,
      arch: process.arch,
      now: () => Date.now(),
      signal: cancel.signal,
      scout,
    })
  } catch (error) {
    fail(runner, env, cancel.signal.aborted ? cancelled(error) : error)
  }
}

async function post(runner: Runner, env: NodeJS.ProcessEnv): Promise<void> {
  try {
    const { runPost } = await import('./post.ts')
    await runPost({ runner, env })
  } catch (error) {
    runner.log(`Cleaning up failed: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function cancelled(error: unknown): unknown {
  return error instanceof UserError ? error : new UserError({ message: 'The run was cancelled.' }, { cause: error })
}

function fail(to: Runner, env: NodeJS.ProcessEnv, error: unknown): void {
  to.fail()
  const workspace = env['GITHUB_WORKSPACE'] ?? process.cwd()
  if (error instanceof UserError) {
    announce(to, error.warnings, { level: 'warning', workspace })
    announce(to, error.problems, { level: 'error', workspace })
    return
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
  to.log(stack)
  announce(
    to,
    [
      {
        message: `stage-build has a bug: ${formatProblem({ message: error instanceof Error ? error.message : String(error) })}`,
        mend: 'Please report it with the log of this step: https://github.com/org/stage-build/issues.',
      },
    ],
    { level: 'error', workspace },
  )
}
