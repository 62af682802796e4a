/** The post step: saves new layers, and removes what the main step left. Never fails a job whose build is done. */
import { listBuilders, type Docker } from './build/buildx.ts'
import { removeBuilder } from './build/own-builder.ts'
import { saveLeftLayers } from './cache-handover.ts'
import { removeHelperRecords } from './mount-helper.ts'
import type { Runner } from './runner.ts'
import { STATE } from './state.ts'

/** Saves the layers that the main step left to it, and removes the builder that it created. */
export async function runPost({
  runner,
  env,
}: {
  readonly runner: Runner
  readonly env: NodeJS.ProcessEnv
}): Promise<void> {
  const root = runner.state(STATE.cache)
  if (root !== '') await saveLeftLayers(root, { runner, env })
  const builder = runner.state(STATE.builder)
  const docker = { env }
  if (builder === '') {
    await cleanUpMounts(docker, runner.state(STATE.mounts))
    return
  }
  await removeBuilder(docker, builder)
  const left = (await listBuilders(docker)).some(({ name }) => name === builder)
  runner.log(left ? `The builder ${builder} could not be removed.` : `Removed the builder ${builder}.`)
}

/**
 * On a builder that lives on nothing is left of filling and reading cache mounts; a runner of GitHub's goes with its engine.
 * @param state the token, and the name of the builder unless it is the current one
 */
async function cleanUpMounts(docker: Docker, state: string): Promise<void> {
  if (state === '' || docker.env['RUNNER_ENVIRONMENT'] === 'github-hosted') return
  const [token = '', builder] = state.split(' ')
  await removeHelperRecords(docker, builder, token)
}
