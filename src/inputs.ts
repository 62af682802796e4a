/**
 * The action's inputs, typed and checked: the only reader. Every problem is collected, so that a user mends them all
 * at once. What needs the Dockerfile (does the target exist?) is checked by the plan, not here.
 */
import { resolve } from 'node:path'
import type { Pair, SecretSource } from './build/build-request.ts'
import { throwIfAny, type Problem } from './errors.ts'
import { formatPlatform, HOST, namedPlatforms } from './graph/platform.ts'
import type { ImageSource } from './images/image-source.ts'
import { readLabels, readPairs, shown } from './input-lists.ts'
import {
  listOf,
  readBoolean,
  readBuildArgs,
  readBytes,
  readCount,
  readExternalImages,
  readOneOf,
  readSecrets,
  readTags,
  readTargets,
} from './input-readers.ts'
import { checkCombinations } from './input-rules.ts'
import { parseSizeBudgets } from './measure/size-budgets.ts'

/** Every input of `action.yml`; a test ties the two together. */
export const INPUT_NAMES = [
  'context', 'file', 'bake-files', 'target', 'targets', 'id', 'tags', 'external-images', 'build-contexts',
  'build-args', 'secrets', 'secret-envs', 'secret-files', 'ssh', 'platforms', 'labels', 'annotations',
  'push', 'load', 'outputs', 'provenance', 'sbom', 'attests', 'pull', 'no-cache', 'no-cache-filters',
  'network', 'add-hosts', 'allow', 'shm-size', 'ulimit', 'cgroup-parent', 'builder', 'compression',
  'fail-fast', 'retries',
  'cache-from', 'cache-to', 'call', 'mode', 'plan', 'matrix-by', 'dry-run', 'skip-unchanged', 'volatile-labels',
  'cache', 'cache-backend', 'cache-dir', 'cache-scope', 'cache-max-size', 'cache-mounts', 'cache-mounts-max-size',
  'comment', 'size-budgets', 'baseline', 'github-token', 'job-total',
] as const // prettier-ignore
/** With the waits between them, more would take longer than jobs do. */
const MOST_RETRIES = 10

export type InputName = (typeof INPUT_NAMES)[number]

export type Mode = 'build' | 'plan' | 'report' | 'merge' | 'cleanup'
export type CacheMode = 'auto' | 'read-write' | 'read-only' | 'off'
/** When a pull request gets a comment where it has none; one that is there is always brought up to date. */
export type CommentMode = 'size-changed' | 'always' | 'over-budget' | 'never'
export type Compression = 'gzip' | 'zstd' | 'estargz' | 'uncompressed'

/** One tag: for the named target, or (bare) for every target, with `{target}` in it where there are several. */
export interface TagInput {
  readonly target: string | undefined
  readonly ref: string
}

/** Wherever the Dockerfile names the image `name` (normalised), `source` is used. */
export interface ExternalImageInput {
  readonly name: string
  readonly source: ImageSource
}

export interface Inputs {
  readonly mode: Mode
  /** The `plan` output of an earlier job. */
  readonly plan: string | undefined
  /** `platform`: each leg of a matrix builds one platform, by digest, and `mode: merge` puts them together. */
  readonly matrixBy: 'target' | 'platform'
  /** `mode: cleanup` only tells what it would delete. */
  readonly dryRun: boolean
  /** As given, relative to the workspace. */
  readonly context: string
  readonly file: string | undefined
  /** Bake and compose files, relative to the workspace; empty: one Dockerfile. */
  readonly bakeFiles: readonly string[]
  /** Undefined: the last stage. */
  readonly targets: readonly string[] | 'all' | undefined
  readonly id: string | undefined
  readonly tags: readonly TagInput[]
  readonly externalImages: readonly ExternalImageInput[]
  readonly buildContexts: readonly Pair[]
  readonly buildArgs: Readonly<Record<string, string>>
  readonly secrets: readonly SecretSource[]
  readonly ssh: readonly string[]
  readonly platforms: readonly string[]
  readonly labels: readonly Pair[]
  readonly annotations: readonly string[]
  readonly push: boolean
  readonly load: boolean
  readonly outputs: readonly string[]
  readonly provenance: string | undefined
  readonly sbom: string | undefined
  readonly attests: readonly string[]
  readonly pull: boolean
  readonly noCache: boolean
  readonly noCacheFilters: readonly string[]
  readonly network: string | undefined
  readonly addHosts: readonly string[]
  readonly allow: readonly string[]
  readonly shmSize: string | undefined
  readonly ulimit: readonly string[]
  readonly cgroupParent: string | undefined
  readonly builder: string | undefined
  readonly compression: Compression
  /** One failing target stops the others. */
  readonly failFast: boolean
  /** Further tries of what a registry or the cache service failed with. */
  readonly retries: number
  readonly cacheFrom: readonly string[]
  readonly cacheTo: readonly string[]
  /** `auto`: not on tags and releases. */
  readonly skipUnchanged: 'auto' | 'true' | 'false'
  /** Keys of labels and annotations that make no target changed. */
  readonly volatileLabels: readonly string[]
  readonly cache: CacheMode
  readonly cacheBackend: 'auto' | 'github' | 'directory'
  /** A directory of the cache's own; absolute. */
  readonly cacheDir: string | undefined
  readonly cacheScope: string
  /** Bytes. */
  readonly cacheMaxSize: number
  readonly cacheMounts: 'auto' | 'off'
  /** Bytes of one mount's archive. */
  readonly cacheMountsMaxSize: number
  readonly comment: CommentMode
  /** As given; targets are checked when the Dockerfile is read. */
  readonly sizeBudgets: readonly string[]
  /** A commit, an image reference or a sizes file. */
  readonly baseline: string | undefined
  readonly githubToken: string | undefined
  /** Jobs of the matrix that this one is of, which may be the only one; 0 without a matrix. */
  readonly jobTotal: number
}

export interface ReadInputs {
  readonly inputs: Inputs
  /** Inputs that are accepted but do nothing in this mode or this version. */
  readonly warnings: readonly Problem[]
}

/**
 * Reads and checks all inputs.
 * @param host the platform of the machine that this runs on
 * @throws UserError with every problem found.
 */
export function readInputs(
  read: (name: InputName) => string,
  env: NodeJS.ProcessEnv,
  host = formatPlatform(HOST),
): ReadInputs {
  const problems: Problem[] = []
  const raw = (name: InputName): string => read(name).trim()
  const text = (name: InputName): string | undefined => (raw(name) === '' ? undefined : raw(name))
  const bool = (name: InputName): boolean => readBoolean(name, raw(name), problems)
  const lines = (name: InputName): readonly string[] => listOf(name, raw(name), { commas: false }, problems)
  const commas = (name: InputName): readonly string[] => listOf(name, raw(name), { commas: true }, problems)
  const oneOf = <T extends string>(name: InputName, values: readonly T[]): T =>
    readOneOf({ name, value: raw(name), values, problems })

  const empty: Problem[] = []
  const targets = readTargets(commas('targets'), text('target'), problems)
  const inputs: Inputs = {
    mode: oneOf('mode', ['build', 'plan', 'report', 'merge', 'cleanup']),
    plan: text('plan'),
    matrixBy: oneOf('matrix-by', ['target', 'platform']),
    dryRun: bool('dry-run'),
    context: text('context') ?? '.',
    file: text('file'),
    bakeFiles: commas('bake-files'),
    targets,
    id: text('id'),
    tags: readTags(raw('tags'), problems),
    externalImages: readExternalImages(lines('external-images'), problems),
    buildContexts: readPairs('build-contexts', lines('build-contexts'), problems, 'NAME=SOURCE'),
    buildArgs: readBuildArgs(lines('build-args'), env, problems),
    secrets: readSecrets({
      values: lines('secrets'),
      envs: commas('secret-envs'),
      files: lines('secret-files'),
      ...{ problems, warnings: empty, env },
    }),
    ssh: commas('ssh'),
    platforms: namedPlatforms(commas('platforms'), host),
    labels: readLabels(lines('labels'), problems),
    annotations: lines('annotations'),
    push: bool('push'),
    load: bool('load'),
    outputs: listOf('outputs', raw('outputs'), { commas: false, literalQuotes: true }, problems),
    provenance: text('provenance'),
    sbom: text('sbom'),
    attests: lines('attests'),
    pull: bool('pull'),
    noCache: bool('no-cache'),
    noCacheFilters: commas('no-cache-filters'),
    network: text('network'),
    addHosts: commas('add-hosts'),
    allow: commas('allow'),
    shmSize: text('shm-size'),
    ulimit: lines('ulimit'),
    cgroupParent: text('cgroup-parent'),
    builder: text('builder'),
    compression: oneOf('compression', ['gzip', 'zstd', 'estargz', 'uncompressed']),
    failFast: bool('fail-fast'),
    retries: readCount('retries', raw('retries'), { most: MOST_RETRIES, problems }),
    cacheFrom: lines('cache-from'),
    cacheTo: lines('cache-to'),
    skipUnchanged: oneOf('skip-unchanged', ['auto', 'true', 'false']),
    volatileLabels: commas('volatile-labels'),
    cache: oneOf('cache', ['auto', 'read-write', 'read-only', 'off']),
    cacheBackend: oneOf('cache-backend', ['auto', 'github', 'directory']),
    cacheDir: text('cache-dir') === undefined ? undefined : resolve(raw('cache-dir')),
    cacheScope: raw('cache-scope'),
    cacheMaxSize: readBytes('cache-max-size', raw('cache-max-size'), problems),
    cacheMounts: oneOf('cache-mounts', ['auto', 'off']),
    cacheMountsMaxSize: readBytes('cache-mounts-max-size', raw('cache-mounts-max-size'), problems),
    comment: oneOf('comment', ['size-changed', 'always', 'over-budget', 'never']),
    sizeBudgets: lines('size-budgets'),
    baseline: text('baseline'),
    githubToken: text('github-token'),
    jobTotal: /^\d{1,6}$/.test(raw('job-total')) ? Number(raw('job-total')) : 0,
  }
  problems.push(...parseSizeBudgets(inputs.sizeBudgets, undefined).problems)
  if (text('call') !== undefined) {
    problems.push({
      input: 'call',
      message: `\`call\`: \`${shown(raw('call'))}\` is not supported: stage-build builds and reports.`,
      mend: 'Remove `call`; to check a Dockerfile without building it use `mode: plan`.',
    })
  }
  const warnings = checkCombinations(inputs, raw, { problems, eventName: env['GITHUB_EVENT_NAME'] })
  throwIfAny(problems)
  return { inputs, warnings: [...warnings, ...(inputs.mode === 'build' ? empty : [])] }
}
