/** Docker on this machine, and the builder that a run builds with. */
import { dockerFacts, listBuilders, type Docker } from './build/buildx.ts'
import { isElsewhere } from './build/builder.ts'
import type { BuilderFacts, DockerFacts } from './build/docker-facts.ts'
import { chooseBuilder, type ReadyBuilder } from './build/own-builder.ts'
import { outputTypes, pushesByDigest } from './build/output-lines.ts'
import type { Problem } from './errors.ts'
import type { Inputs } from './inputs.ts'
import { STATE } from './state.ts'
import type { Planned } from './planning.ts'
import type { Project } from './project.ts'
import { namesRegistryCache } from './registry-cache.ts'
import type { Surroundings } from './run.ts'

/** Docker on this machine, and what it is. */
export interface Engine {
  readonly docker: Docker
  readonly facts: DockerFacts
  readonly builders: readonly BuilderFacts[]
}

/**
 * Asks docker what there is.
 * @param named the input `builder`
 * @throws UserError when docker or buildx is missing or too old, or the engine cannot be reached and a build needs it.
 */
export async function openEngine(project: Project, env: NodeJS.ProcessEnv, named: string | undefined): Promise<Engine> {
  const docker = dockerOf(project, env)
  const listing = listBuilders(docker)
  const needsEngine = listing.then((builders) => {
    const builder = builders.find(({ name, current }) => (named === undefined ? current : name === named))
    return builder === undefined || !isElsewhere(builder.driver)
  })
  needsEngine.catch(() => undefined) // told by the listing itself
  const [facts, builders] = await Promise.all([dockerFacts(docker, { needsEngine }), listing])
  return { docker, facts, builders }
}

/** How docker is run: with the environment, but for the action's own inputs and state. */
export function dockerOf({ workspace }: Pick<Project, 'workspace'>, env: NodeJS.ProcessEnv): Docker {
  return { env: childEnvironment(env), cwd: workspace }
}

/**
 * Chooses the builder and makes it ready.
 * @throws UserError where it cannot do what is needed.
 */
export async function readyBuilder(
  options: {
    readonly engine: Engine
    readonly inputs: Inputs
    readonly planned: Pick<Planned, 'parts'>
    readonly surroundings: Surroundings
  },
  tempRoot: string,
): Promise<ReadyBuilder> {
  const { engine, inputs, planned, surroundings } = options
  const { runner, env, signal } = surroundings
  const { docker, facts, builders } = engine
  const builder = await chooseBuilder(docker, {
    facts,
    builders,
    named: inputs.builder,
    needs: {
      multiPlatform: planned.parts.some(({ platforms }) => platforms.length > 1),
      cacheExport: inputs.cacheTo.some((line) => !/(^|,)type=inline(,|$)/.test(line)),
      ociOutput: outputTypes(inputs.outputs).includes('oci'),
      pushByDigest: (inputs.matrixBy === 'platform' && inputs.push) || pushesByDigest(inputs.outputs),
      loopback: true,
    },
    hasRegistryCache: namesRegistryCache([...inputs.cacheTo, ...inputs.cacheFrom]),
    job: ['GITHUB_RUN_ID', 'GITHUB_RUN_ATTEMPT', 'GITHUB_JOB', 'RUNNER_NAME'].map((name) => env[name] ?? '').join(' '),
    onCreate: (name) => {
      runner.saveState(STATE.builder, name)
    },
    tempRoot,
    signal,
  })
  const server = facts.serverVersion === undefined ? 'No Docker engine' : `Docker ${facts.serverVersion}`
  runner.log(`${server}, buildx ${facts.buildxVersion}, builder ${builder.name ?? 'current'} (${builder.driver})`)
  return { ...builder, warnings: [...builder.warnings, ...otherPlatform(builder, planned.parts)] }
}

/** The plan is for this machine's platform where none is named. */
function otherPlatform({ loopback, platform }: ReadyBuilder, parts: Planned['parts']): readonly Problem[] {
  const [planned] = parts.flatMap(({ part, platforms }) => (part.inputs.platforms.length > 0 ? [] : platforms))
  if (loopback || planned === undefined || platform === undefined || platform === planned) return []
  return [
    {
      input: 'platforms',
      message: `The builder builds for ${platform}, and the plan was made for ${planned}, which the runner is: what is built cannot be told unchanged later.`,
      mend: `Set \`platforms: ${platform}\`.`,
    },
  ]
}

/** The action's own inputs and state hold secrets that docker and its plugins have no business with. */
function childEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(INPUT|STATE)_/.test(name)))
}
