/** The post step: removes what the main step left for it. Never fails a job whose build is done. */
import { listBuilders } from './build/buildx.ts'
import { removeBuilder } from './build/own-builder.ts'
import type { Runner } from './runner.ts'

/** The state that tells the post step from the main step, and hands it what to remove. */
export const STATE = { isPost: 'is-post', builder: 'builder' } as const

/** Removes the builder that this step created, if it did. */
export async function runPost({
  runner,
  env,
}: {
  readonly runner: Runner
  readonly env: NodeJS.ProcessEnv
}): Promise<void> {
  const builder = runner.state(STATE.builder)
  if (builder === '') return
  const docker = { env }
  await removeBuilder(docker, builder)
  const left = (await listBuilders(docker)).some(({ name }) => name === builder)
  runner.log(left ? `The builder ${builder} could not be removed.` : `Removed the builder ${builder}.`)
}
