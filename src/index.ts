/** The entry: one bundle for the main step and for a post step that has something to do. With `post-step.ts` the only file that does work when it is loaded. */
import { announce } from './announce.ts'
import { UserError, formatProblem } from './errors.ts'
import { runPost } from './post.ts'
import { run } from './run.ts'
import { githubRunner, type Runner } from './runner.ts'
import { STATE } from './state.ts'

const env = process.env
const runner = githubRunner(env)

await (runner.state(STATE.isPost) === '' ? main() : post())

async function main(): Promise<void> {
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
    })
  } catch (error) {
    fail(runner, cancel.signal.aborted ? cancelled(error) : error)
  }
}

async function post(): Promise<void> {
  try {
    await runPost({ runner, env })
  } catch (error) {
    runner.log(`Cleaning up failed: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function cancelled(error: unknown): unknown {
  return error instanceof UserError ? error : new UserError({ message: 'The run was cancelled.' }, { cause: error })
}

function fail(to: Runner, error: unknown): void {
  to.fail()
  const workspace = env['GITHUB_WORKSPACE'] ?? process.cwd()
  if (error instanceof UserError) {
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
