/** Carries a builder decision out: creates the action's own builder, removes it again. Decides nothing. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError, type Problem } from '../errors.ts'
import { decideBuilder, type BuilderDecision, type BuilderNeeds } from './builder.ts'
import { bootstrapArgs, createArgs, removeArgs, runDocker, type Docker } from './buildx.ts'
import type { BuilderFacts, DockerFacts } from './docker-facts.ts'

/** The builder to build with, ready. */
export interface ReadyBuilder {
  readonly name: string | undefined
  readonly driver: string
  readonly loopback: boolean
  /** What it builds for where nothing else is asked for; undefined where it does not tell. */
  readonly platform: string | undefined
  readonly warnings: readonly Problem[]
  /** Name of the builder that this step created; to be saved, so that the post step removes it. */
  readonly created: string | undefined
}

export interface PrepareOptions {
  /** A directory for a short-lived copy of `buildkitd.toml`. */
  readonly tempRoot: string
  readonly signal?: AbortSignal | undefined
}

export interface ChooseOptions extends PrepareOptions {
  readonly facts: DockerFacts
  /** As `listBuilders` answers. */
  readonly builders: readonly BuilderFacts[]
  readonly named: string | undefined
  readonly needs: BuilderNeeds
  /** The user names a registry for BuildKit's cache. */
  readonly hasRegistryCache?: boolean
  /** Tells this job from every other on the same machine. */
  readonly job: string
  /** Called before a builder is created: what is killed meanwhile can still be removed by its name. */
  readonly onCreate?: ((name: string) => void) | undefined
}

/**
 * Decides, and makes the decided builder ready.
 * @throws UserError as `decideBuilder` and `prepareBuilder` do.
 */
export async function chooseBuilder(docker: Docker, options: ChooseOptions): Promise<ReadyBuilder> {
  const decision = decideBuilder({
    named: options.named,
    builders: options.builders,
    containerdStore: options.facts.containerdStore,
    engineIsLocal: /^(?:unix:|$)/.test(docker.env['DOCKER_HOST'] ?? ''),
    needs: options.needs,
    hasRegistryCache: options.hasRegistryCache ?? false,
    job: options.job,
  })
  if (decision.kind === 'create') options.onCreate?.(decision.spec.name)
  const ready = await prepareBuilder(docker, decision, options)
  const node = options.builders.find(({ name }) => name === ready.name)?.nodes[0]
  return { ...ready, platform: node?.platforms[0] }
}

/**
 * Makes the decided builder ready. When one of our own cannot be started, what it left is removed and the decision's
 * second choice is used, with a warning that says why.
 * @throws UserError when the build cannot do without it.
 */
export async function prepareBuilder(
  docker: Docker,
  decision: BuilderDecision,
  options: PrepareOptions,
): Promise<Omit<ReadyBuilder, 'platform'>> {
  if (decision.kind === 'use') return { ...decision, created: undefined }
  const { spec, otherwise } = decision
  const failure = await create(docker, decision, options)
  if (failure === undefined) {
    return { name: spec.name, driver: 'docker-container', loopback: true, warnings: [], created: spec.name }
  }
  await removeBuilder(docker, spec.name)
  const problem: Problem = {
    message: `A builder of stage-build’s own was needed (${decision.why}) but could not be started: ${failure}`,
    mend: 'Let the runner pull moby/buildkit (or name a mirror of it in docker/setup-buildx-action’s `driver-opts: image=…`), or use Docker 29 or newer.',
  }
  if (otherwise === undefined || options.signal?.aborted === true) throw new UserError(problem)
  return { ...otherwise, created: undefined, warnings: [problem, ...otherwise.warnings] }
}

/** Removes a builder and its container; one that is gone already is no error. */
export async function removeBuilder(docker: Docker, name: string): Promise<void> {
  await runDocker(docker, removeArgs(name))
}

/** @returns what went wrong, or undefined. */
async function create(
  docker: Docker,
  decision: BuilderDecision & { readonly kind: 'create' },
  options: PrepareOptions,
): Promise<string | undefined> {
  const folder = await mkdtemp(join(options.tempRoot, 'stage-build-builder-'))
  try {
    const configFile = decision.config === undefined ? undefined : join(folder, 'buildkitd.toml')
    if (configFile !== undefined) await writeFile(configFile, decision.config ?? '', { mode: 0o600 })
    for (const args of [createArgs({ ...decision.spec, configFile }), bootstrapArgs(decision.spec.name)]) {
      const { code, stderr } = await runDocker(docker, args, { signal: options.signal })
      if (code !== 0) return lastError(stderr)
    }
    return undefined
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function lastError(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '')
  return (lines.findLast((line) => line.startsWith('ERROR:')) ?? lines.at(-1) ?? 'no reason given').replace(
    /^ERROR: /,
    '',
  )
}
