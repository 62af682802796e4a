/**
 * From the plan to built images: the builder, the layer registry beside it, one bake run, and what came of each target.
 */
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { build, type BuildOptions, type BuildOutcome } from './build/build.ts'
import type { BuildRequest } from './build/build-request.ts'
import type { Docker } from './build/buildx.ts'
import { progressLog } from './build/progress-log.ts'
import { targetsNeeding } from './build/round-steps.ts'
import { sourcePolicy } from './build/source-policy.ts'
import { buildRequest, ociMappings } from './build-request.ts'
import { builtFrom, type Built } from './built.ts'
import { CacheMounting } from './cache-mounting.ts'
import type { ImageNotes } from './cache/image-notes.ts'
import type { NewRecords } from './cache/layer-cache.ts'
import { readyBuilder, type Engine } from './engine.ts'
import type { Problem } from './errors.ts'
import { expectationOf, fetchAhead } from './fetching-ahead.ts'
import type { RegistryClient } from './images/registry-client.ts'
import type { Inputs } from './inputs.ts'
import type { KnownRecords } from './known-records.ts'
import type { LayerCaching } from './layer-caching.ts'
import { DiskUsage } from './left-behind.ts'
import { localImages } from './local-images.ts'
import { baseLayers, Loopback } from './loopback.ts'
import { layersIn, notesOf } from './measured-notes.ts'
import { Measuring } from './measuring.ts'
import { missingHere } from './missing-here.ts'
import { newRecords } from './new-records.ts'
import { userCache } from './open-layer-caching.ts'
import { partLayouts } from './part-layouts.ts'
import type { Planned } from './planning.ts'
import { STATE } from './state.ts'
import type { Project } from './project.ts'
import type { CacheFacts } from './report/cache-facts.ts'
import { exportCaches, rescue } from './rescuing.ts'
import type { Surroundings } from './run.ts'
import { hideSecrets } from './secrets.ts'

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
  const { caching: remembering } = options
  // Layers go through it only where the builder reaches it; what is remembered of builds is kept all the same.
  const caching = builder.loopback && remembering?.keepsLayers === true ? remembering : undefined
  await using loopback = builder.loopback
    ? await Loopback.start({ planned, client, cache: caching?.cache, debug, signal })
    : undefined
  const { now } = surroundings
  const isExpected = expectationOf(options)
  const mountOptions = { inputs, planned, isExpected, caching, docker, tempRoot, debug, now, signal }
  const mounts = CacheMounting.open({
    ...{ ...mountOptions, builder: builder.name },
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
  const notes = await remembering?.cache.notes()
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
  if (caching !== undefined && notes !== undefined)
    fetchAhead({ inputs, planned, isExpected, cache: caching.cache, upstream: loopback?.upstream, notes })
  const usage = new DiskUsage(docker, { builder: builder.name, planned })
  const log = progressLog({
    write: (line) => {
      runner.log(line)
    },
    now: surroundings.now,
  })
  const layouts = partLayouts(planned)
  const buildOptions: BuildOptions = {
    builder: builder.name,
    policy: sourcePolicy([...planned.images.rules(local), ...measuring.layoutRules()]),
    stages: layouts.all,
    stagesOf: layouts.of,
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
  const isBase = baseLayers(planned)
  const cache = await saveCache({
    ...{ ...options, docker, request, buildOptions, outcome, caching },
    remembering,
    isBase: (digest) => isBase.has(digest),
    imageLayers: () =>
      layersIn([...[...sizes.values()].flatMap(({ platforms }) => platforms), ...(options.records?.ownSizes() ?? [])]),
    notes: () =>
      notesOf(sizes, {
        readIndexOf: (digest) => measuring.readIndexOf(digest),
        stored: notes?.files ?? new Map(),
      }),
    newRecords: () =>
      options.records?.withNew(
        newRecords({ ...options, outcome, measured: { sizes }, env, now: surroundings.now(), builder }),
      ) ?? NO_RECORDS,
  })
  const measured = await measuredLater
  return builtFrom(outcome, {
    inputs,
    planned,
    measured,
    cache: cache?.facts === undefined ? undefined : { ...cache.facts, mounts: mounts?.facts() ?? [] },
    missing: missingHere({
      ...{ inputs, builder, graph: planned.graph, stages: planned.targets.map(({ stage }) => stage) },
      ...{ isReached: outcome.measured || outcome.built.size === 0, unread: measuring.unread },
      unmeasured: [...outcome.built].filter((name) => !sizes.has(name)),
      isPushed: outcome.pushed.length > 0,
    }),
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
  /** Undefined where nothing is kept between runs. */
  readonly remembering: LayerCaching | undefined
  readonly isBase: (digest: string) => boolean
  readonly imageLayers: () => ReadonlySet<string>
  /** Asked for when all that is built is built. */
  readonly notes: () => ImageNotes
  readonly newRecords: () => NewRecords
}

const NO_RECORDS: NewRecords = { json: {}, areNew: false }

/** Saves what the build gave to the layer cache, also a failed one. */
async function saveCache({
  caching,
  remembering,
  outcome,
  newRecords: recordsOf,
  planned,
  surroundings,
  ...rest
}: SavingOptions): Promise<
  { readonly facts: CacheFacts | undefined; readonly warnings: readonly Problem[] } | undefined
> {
  if (remembering === undefined) return undefined
  const log = (line: string): void => {
    surroundings.runner.log(line)
  }
  const rescues = outcome.kind === 'failed' && remembering.writes
  const rescued = rescues && caching !== undefined ? await rescue({ ...rest, outcome, caching, planned, log }) : []
  const { isBase } = rest
  const content = { isBase, imageLayers: rest.imageLayers(), notes: rest.notes(), records: recordsOf() }
  await remembering.finish([...outcome.built, ...rescued], { ...content, told: outcome.warnings })
  return { facts: await caching?.facts(), warnings: await remembering.warnings(outcome.warnings) }
}

/** Whether a target surely has something new: not only no record, or an input that cannot be known beforehand. */
function isChanged({ plan }: Planned, name: string): boolean {
  const kinds = plan.targets.find((target) => target.name === name)?.reasons.map(({ kind }) => kind) ?? []
  return kinds.some((kind) => ['file', 'instruction', 'arg', 'base-image', 'platform', 'option'].includes(kind))
}

function withOci(request: BuildRequest, { planned, project }: BuildingOptions, measuring: Measuring): BuildRequest {
  const { contexts, clashing } = ociMappings(planned)
  measuring.serveLayouts(clashing, project.dockerfileName)
  return { ...request, ociContexts: contexts }
}
