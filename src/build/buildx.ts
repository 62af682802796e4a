/**
 * The docker adapter: the only place that knows docker's and buildx's command lines. It runs them and hands back what
 * they said; which builder to use, what to build and what an error means is decided elsewhere.
 */
import { UserError } from '../errors.ts'
import { ProgramMissingError, runProcess, type RunOptions, type RunResult } from '../process.ts'
import { findBuildx } from './buildx-program.ts'
import { DiskUsageReader, type DiskRecord } from './du.ts'
import { dockerMissing, readBuilders, readDockerInfo, type BuilderFacts, type DockerFacts } from './docker-facts.ts'

/** How docker is started: with which environment and where. */
export interface Docker {
  readonly env: NodeJS.ProcessEnv
  readonly cwd?: string | undefined
}

/**
 * Runs `docker …` to its end; a non-zero exit is a result, not an error. `docker buildx …` is run without docker where that
 * is the same.
 * @throws UserError when there is no docker program.
 */
export async function runDocker(docker: Docker, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const ran = { cwd: docker.cwd, ...options, env: { ...docker.env, ...options.env } }
  try {
    return (await runBuildx(args, ran)) ?? (await runProcess('docker', args, ran))
  } catch (error) {
    if (error instanceof ProgramMissingError) throw new UserError(dockerMissing(), { cause: error })
    throw error
  }
}

/** `buildx …` by its own program; undefined where docker is to start it, or knows why it does not start. */
async function runBuildx(
  [command, ...args]: readonly string[],
  options: RunOptions & { readonly env: NodeJS.ProcessEnv },
): Promise<RunResult | undefined> {
  const program = command === 'buildx' ? findBuildx(options.env) : undefined
  if (program === undefined) return undefined
  try {
    return await runProcess(program, args, options)
  } catch (error) {
    if (error instanceof ProgramMissingError) return undefined
    throw error
  }
}

/**
 * Programs and engine.
 * @param options.needsEngine whether the build needs the engine itself; default: it does
 * @throws UserError for a missing docker or buildx, a buildx that is too old, a needed engine that cannot be reached.
 */
export async function dockerFacts(
  docker: Docker,
  { needsEngine = true }: { readonly needsEngine?: boolean | Promise<boolean> } = {},
): Promise<DockerFacts> {
  const { stdout, stderr } = await runDocker(docker, ['info', '--format', '{{json .}}'])
  const facts = readDockerInfo(stdout, stderr, { needsEngine: await needsEngine })
  if ('problems' in facts) throw new UserError(facts.problems)
  return facts
}

/** Every builder that buildx knows, the current one marked. */
export async function listBuilders(docker: Docker): Promise<readonly BuilderFacts[]> {
  const { stdout } = await runDocker(docker, ['buildx', 'ls', '--format', 'json'])
  return readBuilders(stdout)
}

export interface NewBuilder {
  readonly name: string
  readonly driverOpts: Readonly<Record<string, string>>
  readonly flags: readonly string[]
  /** Path of a `buildkitd.toml`. */
  readonly configFile?: string | undefined
  /** Docker endpoint or context that the builder's container runs on; undefined: the current one. */
  readonly endpoint?: string | undefined
}

/** `docker buildx create` for a docker-container builder; it does not become the current builder. */
export function createArgs(builder: NewBuilder): readonly string[] {
  const args = ['buildx', 'create', '--name', builder.name, '--driver', 'docker-container']
  for (const [key, value] of Object.entries(builder.driverOpts)) args.push('--driver-opt', csvField(`${key}=${value}`))
  if (builder.flags.length > 0) args.push('--buildkitd-flags', builder.flags.map(shellWord).join(' '))
  if (builder.configFile !== undefined) args.push('--buildkitd-config', builder.configFile)
  if (builder.endpoint !== undefined) args.push(builder.endpoint)
  return args
}

/** Starts a builder's daemon (pulls its image where needed). */
export function bootstrapArgs(name: string): readonly string[] {
  return ['buildx', 'inspect', '--bootstrap', name]
}

export function removeArgs(name: string): readonly string[] {
  return ['buildx', 'rm', '--force', name]
}

export interface BakeCommand {
  readonly file: string
  readonly metadataFile: string
  readonly builder: string | undefined
  readonly allow: readonly string[]
  readonly targets: readonly string[]
}

/** `docker buildx bake` of a definition file, with progress as JSON lines on stderr. */
export function bakeArgs(command: BakeCommand): readonly string[] {
  const args = [
    'buildx',
    'bake',
    '--file',
    command.file,
    '--metadata-file',
    command.metadataFile,
    '--progress',
    'rawjson',
  ]
  if (command.builder !== undefined) args.push('--builder', command.builder)
  for (const entitlement of command.allow) args.push('--allow', entitlement)
  return [...args, ...command.targets]
}

export interface HelperCommand {
  readonly builder: string | undefined
  readonly dockerfile: string
  /** An empty directory. */
  readonly context: string
  /** A directory, and the name under which the Dockerfile takes it for an image. */
  readonly root: string
  readonly rootName: string
  readonly buildArgs: readonly string[]
  /** Entitlements. */
  readonly allow: readonly string[]
  /** A directory for its files; undefined: nothing leaves the builder. */
  readonly output: string | undefined
}

/** `docker buildx build` of a small Dockerfile on a directory of this machine instead of an image. */
export function helperArgs(command: HelperCommand): readonly string[] {
  const { builder, dockerfile, context, root, rootName, buildArgs, allow, output } = command
  return [
    ...['buildx', 'build', '--progress', 'plain', '--file', dockerfile],
    ...['--build-context', `${rootName}=${root}`],
    ...['--output', output === undefined ? 'type=cacheonly' : `type=local,${csvField(`dest=${output}`)}`],
    ...buildArgs.flatMap((pair) => ['--build-arg', pair]),
    ...allow.flatMap((entitlement) => ['--allow', entitlement]),
    ...(builder === undefined ? [] : ['--builder', builder]),
    context,
  ]
}

/** Removes the records of a builder that all these filters fit. */
export function pruneArgs(builder: string | undefined, filters: readonly string[]): readonly string[] {
  const filter = filters.flatMap((one) => ['--filter', one])
  return ['buildx', 'prune', '--force', ...filter, ...(builder === undefined ? [] : ['--builder', builder])]
}

/** What the builder keeps on its disk; undefined where it does not tell. */
export async function diskUsage(
  docker: Docker,
  builder: string | undefined,
): Promise<readonly DiskRecord[] | undefined> {
  const reader = new DiskUsageReader()
  const args = ['buildx', 'du', '--format', '{{json .}}', ...(builder === undefined ? [] : ['--builder', builder])]
  const { code } = await runDocker(docker, args, {
    onStdout: (text) => {
      reader.push(text)
    },
  })
  const records = reader.end()
  return code === 0 ? records : undefined
}

/** The digest-addressed id of an image in the engine's own store; undefined when it is not there. */
export async function localImageId(docker: Docker, reference: string): Promise<string | undefined> {
  const { code, stdout } = await runDocker(docker, ['image', 'inspect', '--format', '{{.Id}}', reference])
  return code === 0 ? stdout.trim() : undefined
}

/** One field of a comma-separated value as docker's flags read them: quoted where it holds a comma or a quote. */
export function csvField(text: string): string {
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** `--buildkitd-flags` is split like a shell command line (shlex). */
function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
