/** From inputs and plan to the request for one bake run. Pure. */
import type { BuildRequest, BuildTarget, Measure, Pair, TargetOptions } from './build/build-request.ts'
import { familiarName } from './images/reference.ts'
import { sourceText } from './image-catalog.ts'
import type { Inputs } from './inputs.ts'
import type { RequestedTarget } from './plan/targets.ts'
import type { Planned, PlannedPart } from './planning.ts'
import type { Project } from './project.ts'
import { importsOf } from './registry-cache.ts'

/** The request for all targets of the plan. */
export function buildRequest(options: {
  readonly inputs: Inputs
  readonly project: Project
  readonly planned: Planned
  readonly measure: Measure | undefined
  /** The builder is on this machine, whose platform the plan is for. */
  readonly isHere: boolean
}): BuildRequest {
  const { inputs, project, planned, measure, isHere } = options
  const [first] = project.parts
  const isPlain = first.wanted === undefined
  const targetOf = ({ name, stageName }: RequestedTarget): BuildTarget => {
    const { part } = planned.partOf(name)
    return {
      name,
      stage: stageName,
      tags: planned.tagsOf.get(name) ?? [],
      outputs: part.inputs.outputs.map((line) => line.replaceAll('{target}', name)),
      ...(isPlain ? {} : { own: ownOptions(planned.partOf(name), isHere), links: part.links }),
    }
  }
  const used = new Set(project.parts.flatMap(({ links }) => [...links.values()]))
  return {
    contextDir: first.contextDir,
    dockerfile: first.dockerfilePath,
    workspace: project.workspace,
    targets: planned.targets.map(targetOf),
    ...(used.size === 0
      ? {}
      : { linked: [...planned.targets, ...planned.linked].filter(({ name }) => used.has(name)).map(targetOf) }),
    // Provenance tells what was asked for: the same whether the workflow names this machine's platform or not.
    ...optionsOf(inputs),
    platforms: isHere ? planned.platforms : inputs.platforms,
    buildContexts: inputs.buildContexts.map((context) => pinned(context, planned.parts[0]?.contexts)),
    push: inputs.push,
    byDigest: inputs.matrixBy === 'platform',
    load: inputs.load,
    cgroupParent: inputs.cgroupParent,
    compression: inputs.compression,
    measure,
  }
}

/** What bake files say of a target, and the step's inputs. */
function ownOptions({ part, platforms, contexts }: PlannedPart, isHere: boolean): TargetOptions {
  const { inputs, contextDir, dockerfilePath, dockerfileText } = part
  return {
    ...optionsOf(inputs),
    ...(dockerfilePath === undefined ? { dockerfileInline: dockerfileText } : {}),
    ...{ contextDir, dockerfile: dockerfilePath, platforms: isHere ? platforms : inputs.platforms },
    buildContexts: inputs.buildContexts.map((context) => pinned(context, contexts)),
  }
}

/** The inputs that bake files have words for, too. */
function optionsOf(inputs: Inputs): Omit<TargetOptions, 'contextDir' | 'dockerfile' | 'platforms' | 'buildContexts'> {
  const { buildArgs, secrets, ssh, labels, annotations, provenance, sbom, attests, pull } = inputs
  const { noCache, noCacheFilters, network, addHosts, allow, shmSize, ulimit, cacheTo } = inputs
  return {
    ...{ buildArgs, secrets, ssh, labels, annotations, provenance, sbom, attests, pull },
    ...{ noCache, noCacheFilters, network, addHosts, allow, shmSize, ulimit, cacheTo },
    cacheFrom: importsOf(inputs),
  }
}

/** A named context that is an image is the one that the plan found. */
function pinned({ key, value }: Pair, contexts: ReadonlyMap<string, string> | undefined): Pair {
  const digest = contexts?.get(key)
  const isOpen = value.startsWith('docker-image://') && !value.includes('@')
  return { key, value: isOpen && digest !== undefined ? `${value}@${digest}` : value }
}

/** A layout that stands for an image whose name a stage bears, too. */
export interface ClashingLayout {
  /** Normalised. */
  readonly image: string
  readonly stage: string
  readonly line: number
  /** Where there are several. */
  readonly file: string | undefined
}

/**
 * OCI layouts go to BuildKit as named contexts; but a named context would also replace a stage that bears the image's
 * name, so those are told apart.
 */
export function ociMappings(planned: Planned): {
  readonly contexts: readonly Pair[]
  readonly clashing: readonly ClashingLayout[]
} {
  const contexts: Pair[] = []
  const clashing: ClashingLayout[] = []
  for (const { image, source } of planned.images.entries()) {
    if (source.kind !== 'oci-layout') continue
    const key = familiarName(image).replace(/:latest$/, '')
    const stage = planned.graph.stages.find((candidate) => candidate.name === key)
    if (stage === undefined) contexts.push({ key, value: sourceText(source) })
    else clashing.push({ image, stage: key, line: stage.line, file: stage.file })
  }
  return { contexts, clashing }
}
