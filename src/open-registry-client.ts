/** The registries of a step: with the logins of its user, and its retries told in the log. */
import { homedir } from 'node:os'
import type { Problem } from './errors.ts'
import { DockerCredentials } from './images/docker-credentials.ts'
import { RegistryClient } from './images/registry-client.ts'
import type { Inputs } from './inputs.ts'
import type { Surroundings } from './run.ts'

/** A client of all registries, to be closed at the step's end. */
export function openRegistryClient(
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
