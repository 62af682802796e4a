/**
 * Second runs that only export to the layer cache what the builder has: of targets that were mostly cached, where
 * something was new after all, and of a failed build (`build/rescue.ts`).
 */
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build, type BuildOptions, type BuildOutcome } from './build/build.ts'
import type { BuildRequest, BuildTarget } from './build/build-request.ts'
import type { Docker } from './build/buildx.ts'
import { partialDockerfile, planRescue, type StagePart } from './build/rescue.ts'
import { PARTIAL } from './cache/save-planning.ts'
import type { LayerCaching } from './layer-caching.ts'
import type { RequestedTarget } from './plan/targets.ts'
import type { Planned } from './planning.ts'
import type { Part } from './project.ts'

export interface RescueOptions {
  readonly docker: Docker
  readonly request: BuildRequest
  readonly buildOptions: BuildOptions
  /** Of a build that failed. */
  readonly outcome: BuildOutcome
  readonly caching: LayerCaching
  readonly planned: Planned
  readonly log: (line: string) => void
}

/** Names of what was exported, targets and parts. Never rejects: what cannot be rescued is lost, no more. */
export async function rescue(options: RescueOptions): Promise<readonly string[]> {
  const { planned, outcome, caching, request } = options
  const missing = planned.targets.filter(({ name }) => !outcome.built.has(name) && !caching.isExported(name))
  const facts = { graph: planned.graph, layouts: options.buildOptions.stages, targets: missing }
  let steps = outcome.steps
  let plan = planRescue({ ...facts, steps, noCache: request.noCache === true })
  // A sibling may fail, too, and the next one with it: each round leaves at least one out.
  while (plan.siblings.length > 0) {
    options.log(`Finishing for the layer cache: ${plan.siblings.map(({ name }) => name).join(', ')}`)
    const siblings = await finishTargets(plan.siblings, options)
    if (siblings.kind !== 'failed') break
    steps = [...steps, ...siblings.steps.filter((step) => step.status === 'failed')]
    const left = facts.targets.filter(({ name }) => !caching.isExported(name))
    const next = planRescue({ ...facts, targets: left, steps, noCache: false })
    if (next.siblings.length >= plan.siblings.length) break
    plan = next
  }
  const left = facts.targets.filter(({ name }) => !caching.isExported(name))
  const { parts } = planRescue({ ...facts, targets: left, steps, noCache: true })
  if (parts.length > 0) await exportParts(parts, options)
  return [...planned.targets.map(({ name }) => name), ...parts.map(partName)].filter((name) => caching.isExported(name))
}

/** Exports the caches of targets that are built. Never rejects: what is not exported is not cached, no more. */
export async function exportCaches(
  names: readonly string[],
  { docker, request, buildOptions, caching }: Pick<RescueOptions, 'docker' | 'request' | 'buildOptions' | 'caching'>,
): Promise<void> {
  if (names.length === 0) return
  const wanted = request.targets.filter(({ name }) => names.includes(name))
  await build(docker, onlyCache(request, wanted, caching), { ...buildOptions, ...ONCE, log: SILENT })
}

async function finishTargets(
  targets: readonly RequestedTarget[],
  { docker, request, buildOptions, caching }: RescueOptions,
): Promise<BuildOutcome> {
  const names = new Set(targets.map(({ name }) => name))
  const wanted = request.targets.filter(({ name }) => names.has(name))
  return await build(docker, onlyCache(request, wanted, caching), { ...buildOptions, ...ONCE })
}

async function exportParts(parts: readonly StagePart[], options: RescueOptions): Promise<void> {
  const { docker, request, buildOptions, caching, planned } = options
  const folder = await mkdtemp(join(buildOptions.tempRoot, 'stage-build-parts-'))
  try {
    const imports = [...new Set(request.targets.flatMap((target) => target.cacheFrom ?? []))]
    const targets = await Promise.all(
      parts.map(async (part): Promise<BuildTarget> => {
        const dockerfile = join(folder, `${part.stage}.Dockerfile`)
        const dockerfilePart = dockerfileOf(planned, part)
        await writeFile(dockerfile, partialDockerfile(dockerfilePart.dockerfileText, part, dockerfilePart.linesAbove))
        // A Dockerfile's own ignore file is found beside it by its name.
        const { dockerfilePath: path } = dockerfilePart
        if (path !== undefined)
          await copyFile(`${path}.dockerignore`, `${dockerfile}.dockerignore`).catch(() => undefined)
        const name = partName(part)
        // Any target of the Dockerfile has its options.
        const like = [...request.targets, ...(request.linked ?? [])].find(
          (target) => planned.partOf(target.name).part === dockerfilePart,
        )
        return {
          ...like,
          ...{ name, dockerfile, stage: undefined, tags: [], outputs: [] },
          cacheFrom: imports,
        }
      }),
    )
    await build(docker, onlyCache(request, targets, caching), { ...buildOptions, ...ONCE, log: SILENT })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The Dockerfile that a stage is of. */
function dockerfileOf({ parts }: Planned, { stage }: StagePart): Part {
  const found = parts.find(({ stages }) => stages.includes(stage))
  if (found === undefined) throw new RangeError(`no Dockerfile of stage ${stage}`)
  return found.part
}

/** Nothing that the user waits for depends on these runs. */
const ONCE = { failFast: true, retries: 0 } as const

const SILENT: BuildOptions['log'] = { tick: () => undefined, finish: () => undefined }

/**
 * Builds without an output of the user's; what the first run did is not done again. With `no-cache` an older result must
 * not stand in for this run's.
 */
function onlyCache(request: BuildRequest, targets: readonly BuildTarget[], caching: LayerCaching): BuildRequest {
  return {
    ...request,
    ...{ push: false, load: false, noCache: false, noCacheFilters: [], measure: undefined },
    targets: targets.map((target) => ({
      ...target,
      ...(target.own === undefined ? {} : { own: { ...target.own, noCache: false, noCacheFilters: [] } }),
      tags: [],
      outputs: [],
      cacheFrom: request.noCache === true ? [] : (target.cacheFrom ?? []),
      cacheTo: caching.exportTo(target.name),
    })),
  }
}

function partName({ stage }: StagePart): string {
  return `${PARTIAL}${stage}`
}
