/** Decides whether a run has a layer cache, and of which backend, branch and rights. */
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BackendChoice } from './cache-backends.ts'
import { serviceIsHere } from './cache-backends.ts'
import { cacheScopes, indexKeys, mayWrite, packPrefix } from './cache/cache-keys.ts'
import type { IndexPlace } from './cache/index-loader.ts'
import type { Problem } from './errors.ts'
import type { GithubEvent } from './github-event.ts'
import type { Inputs } from './inputs.ts'
import { LayerCaching } from './layer-caching.ts'
import type { SoundTarget } from './planning.ts'
import type { Project } from './project.ts'
import type { Runner } from './runner.ts'
import { STATE } from './state.ts'

export interface CachingQuestion {
  readonly inputs: Inputs
  readonly project: Project
  readonly event: GithubEvent
  readonly env: NodeJS.ProcessEnv
  /** Their names and platforms tell a leg of a matrix from the others. */
  readonly targets: readonly SoundTarget[]
  /** The commit that is compared with: its index is looked for in the branches that this run is not of. */
  readonly baseCommit?: string | undefined
}

/** The layer cache of this run, with its folder made; undefined where it is off. */
export function openLayerCaching(
  question: CachingQuestion,
  { runner, now, signal }: { readonly runner: Runner; readonly now: () => number; readonly signal: AbortSignal },
): { readonly caching: LayerCaching | undefined; readonly warnings: readonly Problem[] } {
  const { inputs, project, event, env, targets, baseCommit } = question
  if (inputs.cache === 'off') return { caching: undefined, warnings: [] }
  const kind = backendKind(inputs, env)
  if (kind === 'github' && !serviceIsHere(env)) {
    return { caching: undefined, warnings: [NO_SERVICE] }
  }
  const scopes = cacheScopes(env, { defaultBranch: event.defaultBranch })
  const own = scopes[0]
  const writes =
    inputs.mode === 'build' &&
    mayWrite({
      mode: inputs.cache,
      eventName: env['GITHUB_EVENT_NAME'],
      ref: own?.ref ?? '',
      isFork: event.isFork,
      backend: kind,
    })
  const root = join(env['RUNNER_TEMP'] ?? tmpdir(), `stage-build-cache-${randomBytes(8).toString('hex')}`)
  // Named before it is made: what is killed meanwhile can still be removed.
  runner.saveState(STATE.cache, root)
  mkdirSync(root, { mode: 0o700, recursive: true })
  const identity = { id: project.id, scope: inputs.cacheScope }
  const platforms = [...new Set(targets.flatMap((target) => target.platforms))]
  const placesOf = (names: readonly string[], of: readonly string[]): readonly IndexPlace[] =>
    scopes.map(({ source, ref }) => ({
      ...{ source, ref, commits: source === 'own' || baseCommit === undefined ? [] : [baseCommit] },
      ...indexKeys({ ...identity, ref, targets: names, platforms: of }),
    }))
  const isSplit = inputs.matrixBy === 'platform'
  const caching = new LayerCaching({
    choice: choiceOf(kind, { inputs, env, refs: scopes.map(({ ref }) => ref), mayWrite: writes }),
    ...{
      root,
      places: placesOf(
        targets.map(({ name }) => name),
        platforms,
      ),
      writes,
      now,
      env,
    },
    isPullRequest: env['GITHUB_BASE_REF'] !== undefined && env['GITHUB_BASE_REF'] !== '',
    keepsLayers: inputs.cacheFrom.length === 0 && inputs.cacheTo.length === 0,
    legPlaces: (names) => {
      const wanted = targets.filter(({ name }) => names.includes(name))
      if (!isSplit) return wanted.flatMap(({ name, platforms: own }) => placesOf([name], own))
      const of = (platform: string): readonly string[] =>
        wanted.flatMap(({ name, platforms: own }) => (own.includes(platform) ? [name] : []))
      // A leg may build all that there is for its platform.
      const whole = platforms
        .map((platform) => ({ names: of(platform), platform }))
        .filter((leg) => leg.names.length > 1)
      const legs = wanted.flatMap(({ name, platforms: own }) => own.map((platform) => ({ names: [name], platform })))
      return [...legs, ...whole].flatMap((leg) => placesOf(leg.names, [leg.platform]))
    },
    parts: isSplit ? platforms : undefined,
    packPrefix: packPrefix(identity),
    commit: env['GITHUB_SHA'],
    ...{ maxBytes: inputs.cacheMaxSize, retries: inputs.retries, signal },
    hasPost: (env['GITHUB_STATE'] ?? '') !== '',
    debug: (line) => {
      runner.debug(line)
    },
    log: (line) => {
      runner.log(line)
    },
  })
  caching.cache.begin()
  return { caching, warnings: [] }
}

const NO_SERVICE: Problem = {
  input: 'cache-backend',
  message: '`cache-backend: github`: GitHub’s cache service is not here, so there is no layer cache in this run.',
  mend: 'Use `cache-backend: directory` away from GitHub Actions.',
}

function backendKind({ cacheBackend }: Inputs, env: NodeJS.ProcessEnv): 'github' | 'directory' {
  if (cacheBackend !== 'auto') return cacheBackend
  return env['GITHUB_ACTIONS'] === 'true' && serviceIsHere(env) ? 'github' : 'directory'
}

function choiceOf(
  kind: 'github' | 'directory',
  options: {
    readonly inputs: Inputs
    readonly env: NodeJS.ProcessEnv
    readonly refs: readonly string[]
    readonly mayWrite: boolean
  },
): BackendChoice {
  if (kind === 'github') return { kind }
  const { inputs, env, refs } = options
  return {
    ...{ kind, refs, mayWrite: options.mayWrite, maxBytes: inputs.cacheMaxSize },
    directory: join(inputs.cacheDir ?? userCache(env), 'layers'),
  }
}

/** Where what is remembered between runs lies, unless `cache-dir` says so: gone with a hosted runner, kept by others. */
export function userCache(env: NodeJS.ProcessEnv): string {
  return join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'stage-build')
}
