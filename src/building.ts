/**
 * From the plan to built images: the builder, the layer registry beside it, one bake run, and what came of each target.
 */
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { build, type BuildOptions, type BuildOutcome } from './build/build.ts'
import type { BuildRequest } from './build/build-request.ts'
import { dockerFacts, listBuilders, type Docker } from './build/buildx.ts'
import { chooseBuilder, type ReadyBuilder } from './build/own-builder.ts'
import { outputTypes } from './build/output-lines.ts'
import { progressLog } from './build/progress-log.ts'
import type { BuilderFacts, DockerFacts } from './build/docker-facts.ts'
import { targetsNeeding } from './build/round-steps.ts'
import { sourcePolicy } from './build/source-policy.ts'
import { layoutOf } from './build/stage-layout.ts'
import { buildRequest, ociMappings } from './build-request.ts'
import { builtFrom, type Built } from './built.ts'
import { CacheMounting } from './cache-mounting.ts'
import type { ImageNotes } from './cache/image-notes.ts'
import type { NewRecords } from './cache/layer-cache.ts'
import type { Problem } from './errors.ts'
import { fetchAhead } from './fetching-ahead.ts'
import type { RegistryClient } from './images/registry-client.ts'
import type { Inputs } from './inputs.ts'
import type { KnownRecords } from './known-records.ts'
import type { LayerCaching } from './layer-caching.ts'
import { DiskUsage } from './left-behind.ts'
import { localImages } from './local-images.ts'
import { Loopback } from './loopback.ts'
import { notesOf } from './measured-notes.ts'
import { Measuring } from './measuring.ts'
import { newRecords } from './new-records.ts'
import { userCache } from './open-layer-caching.ts'
import type { Planned } from './planning.ts'
import { STATE } from './post.ts'
import type { Project } from './project.ts'
import type { CacheFacts } from './report/cache-facts.ts'
import { exportCaches, rescue } from './rescuing.ts'
import type { Surroundings } from './run.ts'
import { hideSecrets } from './secrets.ts'

/** Docker on this machine, and what it is. */
export interface Engine {
  readonly docker: Docker
  readonly facts: DockerFacts
  readonly builders: readonly BuilderFacts[]
}

/**
 * Asks docker what there is.
 * @throws UserError when docker or buildx is missing or too old, or the engine cannot be reached.
 */
export async function openEngine(project: Project, env: NodeJS.ProcessEnv): Promise<Engine> {
  const docker = dockerOf(project, env)
  const [facts, builders] = await Promise.all([dockerFacts(docker), listBuilders(docker)])
  return { docker, facts, builders }
}

/** How docker is run: with the environment, but for the action's own inputs and state. */
export function dockerOf({ workspace }: Pick<Project, 'workspace'>, env: NodeJS.ProcessEnv): Docker {
  return { env: childEnvironment(env), cwd: workspace }
}

interface BuildingOptions {
  readonly engine: Engine
  /** Undefined where there is no layer cache in this run. */
  readonly caching: LayerCaching | undefined
  readonly records: KnownRecords | undefined
  readonly inputs: Inputs
  readonly project: Project
  readonly planned: Planned
  readonly client: RegistryClient
  readonly surroundings: Surroundings
}

/**
 * Builds every target in one run.
 * @throws UserError when docker, the engine or the builder is not what is needed.
 */
export async function buildTargets(options: BuildingOptions): Promise<Built> {
  const { inputs, project, planned, client, surroundings } = options
  const { runner, env, signal } = surroundings
  const mask = await hideSecrets(inputs.secrets, {
    env,
    runner,
    workspace: project.workspace,
    token: inputs.githubToken,
  })
  const { docker } = options.engine
  const tempRoot = env['RUNNER_TEMP'] ?? tmpdir()
  const builder = await readyBuilder(options, tempRoot)

  const debug = (line: string): void => {
    runner.debug(line)
  }
  const caching = builder.loopback ? options.caching : undefined
  await using loopback = builder.loopback
    ? await Loopback.start({ planned, client, cache: caching?.cache, debug, signal })
    : undefined
  const { now } = surroundings
  const mountOptions = { inputs, planned, caching, docker, tempRoot, debug, now, signal }
  const mounts = CacheMounting.open({
    ...{ ...mountOptions, records: options.records, builder: builder.name },
    log: (line) => {
      runner.log(line)
    },
    notice: (message) => {
      runner.notice(message)
    },
    onRun: (token) => {
      runner.saveState(STATE.mounts, [token, builder.name].join(' ').trim())
    },
  })
  const notes = await caching?.cache.notes()
  await using measuring = await Measuring.start({
    ...{ planned, client, debug, signal },
    workspace: project.workspace,
    file: project.dockerfileName,
    registry: loopback?.registry,
    unpackedOf: async (digest) => await loopback?.unpackedOf(digest),
    indexOf: (digest) => loopback?.counter.get(digest)?.index,
    remembered: (target) => options.records?.sizesOf(target) ?? [],
    memory: join(userCache(env), 'base-layers.json'),
    known: notes?.unpacked ?? new Map(),
    stored: notes?.files,
  })
  const { local, warnings, unpinned } = await localImages(docker, planned, builder)
  const plain = withOci(
    buildRequest({ inputs, project, planned, measure: measuring.destination(), isHere: builder.loopback }),
    options,
    measuring,
  )
  const request =
    caching === undefined || loopback === undefined
      ? plain
      : await caching.withReferences(plain, loopback, (name) => isChanged(planned, name))
  if (caching !== undefined && notes !== undefined) fetchAhead({ ...options, cache: caching.cache, notes })
  const usage = new DiskUsage(docker, { builder: builder.name, planned })
  const log = progressLog({
    write: (line) => {
      runner.log(line)
    },
    now: surroundings.now,
  })
  const buildOptions: BuildOptions = {
    builder: builder.name,
    policy: sourcePolicy([...planned.images.rules(local), ...measuring.layoutRules()]),
    stages: layoutOf(planned.dockerfile),
    imageLines: planned.images.lines(),
    file: project.dockerfileName,
    mask,
    log: {
      ...log,
      onStep: (step) => {
        log.onStep?.(step)
        if (step.kind === 'export' && step.status === 'running') usage.expect(step.targets)
      },
    },
    tempRoot,
    signal,
    cacheTrouble: (errors) => caching?.brokenBy(errors),
    targetsOf: targetsNeeding(planned.graph, planned.targets),
    failFast: inputs.failFast,
    retries: inputs.retries,
    retryAfter: async (image) => await client.retryAfter(image, { signal }),
    say: (line) => {
      runner.log(line)
    },
  }
  await mounts?.putIn()
  const outcome = await build(docker, request, buildOptions)
  const takingOut = mounts?.takeOut(outcome)
  const layersOf = (name: string): readonly string[] => measuring.layersOf(name)
  const late = outcome.kind === 'cancelled' ? [] : (caching?.unexported(outcome, layersOf) ?? [])
  const exporting = caching === undefined ? undefined : exportCaches(late, { docker, request, buildOptions, caching })
  const sizes = await measuring.sizes(outcome)
  // What the builder keeps on its disk is of no use to the cache, and takes a while to be told.
  const measuredLater = measuring.finish(outcome, { sizes, usage })
  await Promise.all([exporting, takingOut])
  const cache = await saveCache({
    ...options,
    caching,
    docker,
    request,
    buildOptions,
    outcome,
    notes: () =>
      notesOf(sizes, {
        readIndexOf: (digest) => measuring.readIndexOf(digest),
        stored: notes?.files ?? new Map(),
      }),
    newRecords: () =>
      options.records?.withNew(
        newRecords({ ...options, outcome, measured: { sizes }, env, now: surroundings.now() }),
      ) ?? NO_RECORDS,
  })
  const measured = await measuredLater
  return builtFrom(outcome, {
    inputs,
    planned,
    measured,
    cache: cache === undefined ? undefined : { ...cache.facts, mounts: mounts?.facts() ?? [] },
    // An image that cannot be had fails the build, and that tells it better.
    warnings: [
      ...builder.warnings,
      ...warnings,
      ...(outcome.kind === 'built' ? unpinned : []),
      ...outcome.warnings,
      ...measured.warnings,
      ...(cache?.warnings ?? []),
      ...(mounts?.warnings ?? []),
    ],
  })
}

interface SavingOptions extends BuildingOptions {
  readonly docker: Docker
  readonly request: BuildRequest
  readonly buildOptions: BuildOptions
  readonly outcome: BuildOutcome
  /** Asked for when all that is built is built. */
  readonly notes: () => ImageNotes
  readonly newRecords: () => NewRecords
}

const NO_RECORDS: NewRecords = { json: {}, areNew: false }

/** Saves what the build gave to the layer cache, also a failed one. */
async function saveCache({
  caching,
  outcome,
  notes,
  newRecords: recordsOf,
  planned,
  surroundings,
  ...rest
}: SavingOptions): Promise<{ readonly facts: CacheFacts; readonly warnings: readonly Problem[] } | undefined> {
  if (caching === undefined) return undefined
  const log = (line: string): void => {
    surroundings.runner.log(line)
  }
  const rescues = outcome.kind === 'failed' && caching.writes
  const rescued = rescues ? await rescue({ ...rest, outcome, caching, planned, log }) : []
  await caching.finish([...outcome.built, ...rescued], { notes: notes(), records: recordsOf(), told: outcome.warnings })
  return { facts: await caching.facts(), warnings: await caching.warnings(outcome.warnings) }
}

/** Whether a target surely has something new: not only no record, or an input that cannot be known beforehand. */
function isChanged({ plan }: Planned, name: string): boolean {
  const kinds = plan.targets.find((target) => target.name === name)?.reasons.map(({ kind }) => kind) ?? []
  return kinds.some((kind) => ['file', 'instruction', 'arg', 'base-image', 'platform', 'option'].includes(kind))
}

async function readyBuilder(
  { engine, inputs, planned, surroundings }: BuildingOptions,
  tempRoot: string,
): Promise<ReadyBuilder> {
  const { runner, env, signal } = surroundings
  const { docker, facts, builders } = engine
  const builder = await chooseBuilder(docker, {
    facts,
    builders,
    named: inputs.builder,
    needs: {
      multiPlatform: planned.platforms.length > 1,
      cacheExport: inputs.cacheTo.some((line) => !/(^|,)type=inline(,|$)/.test(line)),
      ociOutput: outputTypes(inputs.outputs).includes('oci'),
      loopback: true,
    },
    job: ['GITHUB_RUN_ID', 'GITHUB_RUN_ATTEMPT', 'GITHUB_JOB', 'RUNNER_NAME'].map((name) => env[name] ?? '').join(' '),
    onCreate: (name) => {
      runner.saveState(STATE.builder, name)
    },
    tempRoot,
    signal,
  })
  runner.log(
    `Docker ${facts.serverVersion}, buildx ${facts.buildxVersion}, builder ${builder.name ?? 'current'} (${builder.driver})`,
  )
  return builder
}

function withOci(request: BuildRequest, { planned, project }: BuildingOptions, measuring: Measuring): BuildRequest {
  const { contexts, clashing } = ociMappings(planned)
  measuring.serveLayouts(clashing, project.dockerfileName)
  return { ...request, ociContexts: contexts }
}

/** The action's own inputs and state hold secrets that docker and its plugins have no business with. */
function childEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(INPUT|STATE)_/.test(name)))
}
