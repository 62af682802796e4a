/** From inputs and plan to the request for one bake run. Pure. */
import type { BuildRequest, Measure, Pair } from './build/build-request.ts'
import { familiarName } from './images/reference.ts'
import { sourceText } from './image-catalog.ts'
import type { Inputs } from './inputs.ts'
import type { Planned } from './planning.ts'
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
  return {
    contextDir: project.contextDir,
    dockerfile: project.dockerfilePath,
    workspace: project.workspace,
    targets: planned.targets.map((target) => ({
      name: target.name,
      stage: target.stageName,
      tags: planned.tagsOf.get(target.name) ?? [],
      outputs: inputs.outputs.map((line) => line.replaceAll('{target}', target.name)),
    })),
    // Provenance tells what was asked for: the same whether the workflow names this machine's platform or not.
    platforms: isHere ? planned.platforms : inputs.platforms,
    buildArgs: inputs.buildArgs,
    buildContexts: inputs.buildContexts.map((context) => pinned(context, planned)),
    secrets: inputs.secrets,
    ssh: inputs.ssh,
    labels: inputs.labels,
    annotations: inputs.annotations,
    push: inputs.push,
    byDigest: inputs.matrixBy === 'platform',
    load: inputs.load,
    provenance: inputs.provenance,
    sbom: inputs.sbom,
    attests: inputs.attests,
    pull: inputs.pull,
    noCache: inputs.noCache,
    noCacheFilters: inputs.noCacheFilters,
    network: inputs.network,
    addHosts: inputs.addHosts,
    allow: inputs.allow,
    shmSize: inputs.shmSize,
    ulimit: inputs.ulimit,
    cgroupParent: inputs.cgroupParent,
    cacheFrom: importsOf(inputs),
    cacheTo: inputs.cacheTo,
    compression: inputs.compression,
    measure,
  }
}

/** A named context that is an image is the one that the plan found. */
function pinned({ key, value }: Pair, { fingerprints }: Planned): Pair {
  const digest = fingerprints.contexts.get(key)
  const isOpen = value.startsWith('docker-image://') && !value.includes('@')
  return { key, value: isOpen && digest !== undefined ? `${value}@${digest}` : value }
}

/** A layout that stands for an image whose name a stage bears, too. */
export interface ClashingLayout {
  /** Normalised. */
  readonly image: string
  readonly stage: string
  readonly line: number
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
    else clashing.push({ image, stage: key, line: stage.line })
  }
  return { contexts, clashing }
}
