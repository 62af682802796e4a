/**
 * From the plan to built images: the builder, the layer registry beside it, one bake run, and what came of each target.
 */
import { join } from 'node:path'
import { homedir, tmpdir } from 'node:os'
import { build, type BuildOutcome } from './build/build.ts'
import type { BuildRequest } from './build/build-request.ts'
import { dockerFacts, listBuilders, localImageId, type Docker } from './build/buildx.ts'
import { chooseBuilder, type ReadyBuilder } from './build/own-builder.ts'
import { outputTypes } from './build/output-lines.ts'
import { progressLog } from './build/progress-log.ts'
import type { BuilderFacts, DockerFacts } from './build/docker-facts.ts'
import type { Step } from './build/progress.ts'
import { sourcePolicy } from './build/source-policy.ts'
import { layoutOf } from './build/stage-layout.ts'
import { buildRequest, ociMappings } from './build-request.ts'
import { sentence, type Problem } from './errors.ts'
import type { RegistryClient } from './images/registry-client.ts'
import type { Inputs } from './inputs.ts'
import { DiskUsage } from './left-behind.ts'
import { Measuring, type Measured } from './measuring.ts'
import type { TargetSizes } from './measure/sizes.ts'
import type { BuiltImage } from './outputs.ts'
import type { Planned } from './planning.ts'
import { STATE } from './post.ts'
import type { Project } from './project.ts'
import type { Surroundings } from './run.ts'
import { hideSecrets } from './secrets.ts'

export interface Built {
  /** In the order of the targets; empty when the build failed. */
  readonly images: readonly BuiltImage[]
  readonly metadata: Readonly<Record<string, unknown>>
  readonly steps: readonly Step[]
  readonly measured: Measured
  /** What stopped the build; empty when it did not fail. */
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
}

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
  const docker: Docker = { env: childEnvironment(env), cwd: project.workspace }
  const [facts, builders] = await Promise.all([dockerFacts(docker), listBuilders(docker)])
  return { docker, facts, builders }
}

interface BuildingOptions {
  readonly engine: Engine
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

  await using measuring = await Measuring.start({
    planned,
    client,
    workspace: project.workspace,
    loopback: builder.loopback,
    memory: join(inputs.cacheDir ?? userCache(env), 'base-layers.json'),
    debug: (line) => {
      runner.debug(line)
    },
    signal,
  })
  const { local, warnings, unpinned } = await localImages(docker, planned, builder)
  const request = buildRequest({ inputs, project, planned, measure: measuring.destination() })
  const usage = new DiskUsage(docker, { builder: builder.name, planned })
  const log = progressLog({
    write: (line) => {
      runner.log(line)
    },
    now: surroundings.now,
  })
  const outcome = await build(docker, withOci(request, options, measuring), {
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
        // What the builder keeps is known when images begin to be exported; asking then costs no time of its own.
        if (step.kind === 'export' && step.status === 'running') usage.expect()
      },
    },
    tempRoot,
    signal,
  })
  const measured = await measuring.finish(outcome, usage)
  return builtFrom(outcome, {
    inputs,
    planned,
    measured,
    // An image that cannot be had fails the build, and that tells it better.
    warnings: [
      ...builder.warnings,
      ...warnings,
      ...(outcome.kind === 'built' ? unpinned : []),
      ...outcome.warnings,
      ...measured.warnings,
    ],
  })
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

/** Images that no registry answers for may lie in the engine's own store, where only its own driver sees them. */
async function localImages(
  docker: Docker,
  planned: Planned,
  builder: ReadyBuilder,
): Promise<{
  readonly local: ReadonlySet<string>
  readonly warnings: readonly Problem[]
  readonly unpinned: readonly Problem[]
}> {
  const local = new Set<string>()
  const warnings: Problem[] = []
  const unpinned: Problem[] = []
  for (const { image, source, problem, line } of planned.images.entries()) {
    if (problem === undefined || source.kind !== 'registry') continue
    const id = await localImageId(docker, source.ref)
    if (id !== undefined && builder.driver === 'docker') local.add(image)
    else if (id !== undefined) {
      warnings.push({
        message: `${source.ref} is in the engine’s own image store, which the ${builder.driver} builder cannot read.`,
        mend: 'Push it to a registry, or map it to an OCI layout: `docker save` it, unpack it and write `NAME=oci-layout://DIRECTORY`.',
        line,
      })
    } else unpinned.push({ ...problem, message: `${sentence(problem.message)} It is not pinned to a digest.` })
  }
  return { local, warnings, unpinned }
}

function withOci(request: BuildRequest, { planned, project }: BuildingOptions, measuring: Measuring): BuildRequest {
  const { contexts, clashing } = ociMappings(planned)
  measuring.serveLayouts(clashing, project.dockerfileName)
  return { ...request, ociContexts: contexts }
}

function builtFrom(
  outcome: BuildOutcome,
  context: {
    readonly inputs: Inputs
    readonly planned: Planned
    readonly measured: Measured
    readonly warnings: readonly Problem[]
  },
): Built {
  const { inputs, planned, measured, warnings } = context
  const base = { steps: outcome.steps, measured, warnings }
  if (outcome.kind !== 'built') {
    return { ...base, images: [], metadata: {}, problems: scannerProblems(outcome, inputs) ?? outcome.problems }
  }
  // Without an image output of the user's the metadata tells the digest of the measured copy, which nobody can pull.
  const types = outputTypes(inputs.outputs)
  const published = inputs.push || inputs.load || types.some((type) => ['image', 'docker', 'oci'].includes(type))
  const results = new Map(outcome.metadata.results.map((result) => [result.target, result]))
  return {
    ...base,
    problems: [],
    metadata: outcome.metadata.output,
    images: planned.targets.map(({ name }) => ({
      target: name,
      tags: planned.tagsOf.get(name) ?? [],
      digest: published ? results.get(name)?.digest : undefined,
      imageId: results.get(name)?.configDigest ?? onlyConfig(measured.sizes.get(name)),
      sizes: measured.sizes.get(name),
    })),
  }
}

/** https://github.com/moby/buildkit/blob/v0.25.2/frontend/attestations/parse.go */
const SCANNER = 'docker/buildkit-syft-scanner'

/**
 * BuildKit runs a scanner for `sbom`, from an image that neither the Dockerfile nor the user names, and
 * `external-images` does not reach: a problem with it is told as one of that input.
 * https://github.com/moby/buildkit/blob/v0.25.2/docs/attestations/sbom.md
 */
function scannerProblems(
  outcome: BuildOutcome & { kind: 'failed' | 'cancelled' },
  inputs: Inputs,
): readonly Problem[] | undefined {
  if (outcome.kind === 'cancelled' || (inputs.sbom === undefined && inputs.attests.length === 0)) return undefined
  const [failed, ...others] = outcome.steps.filter((step) => step.status === 'failed')
  const [problem] = outcome.problems
  const [, image] = /^resolve image config for docker-image:\/\/(\S+)$/.exec(failed?.text ?? '') ?? []
  const generator = /generator=([^,]+)/.exec([inputs.sbom, ...inputs.attests].join(','))?.[1] ?? SCANNER
  if (problem === undefined || others.length > 0 || image?.includes(generator) !== true) return undefined
  return [
    {
      input: 'sbom',
      message: `\`sbom\`: its scanner \`${image}\` cannot be had: ${problem.message}`,
      mend: 'Name a copy of it with `sbom: generator=IMAGE`, or set `sbom: false`.',
    },
  ]
}

/** Buildx tells no image id where an attestation makes an index of a single image. */
function onlyConfig(sizes: TargetSizes | undefined): string | undefined {
  const [only, ...others] = sizes?.platforms ?? []
  return others.length === 0 ? only?.configDigest : undefined
}

/** Where what is remembered between runs lies, unless `cache-dir` says so: gone with a hosted runner, kept by others. */
function userCache(env: NodeJS.ProcessEnv): string {
  return join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'stage-build')
}

/** The action's own inputs and state hold secrets that docker and its plugins have no business with. */
function childEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(INPUT|STATE)_/.test(name)))
}
