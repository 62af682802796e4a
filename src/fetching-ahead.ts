/**
 * Fetches from the layer cache what a build will surely need, while the build begins: BuildKit asks for a layer only when
 * a step that runs mounts it. To expect too little or too much costs seconds and nothing else.
 */
import { outputTypes } from './build/output-lines.ts'
import type { ImageNotes } from './cache/image-notes.ts'
import type { LayerCache } from './cache/layer-cache.ts'
import type { Beneath } from './cache/needed-layers.ts'
import type { Upstream } from './cache/upstream.ts'
import type { StageGraph } from './graph/stage-graph.ts'
import { stagesOf } from './graph/reachability.ts'
import type { Inputs } from './inputs.ts'
import type { KnownRecords } from './known-records.ts'
import { expectedToRun } from './mounts/expected-steps.ts'
import type { StepPlace } from './mounts/mount-uses.ts'
import type { StagePrint } from './plan/stage-print.ts'
import type { Planned } from './planning.ts'
import { baseOfStage, layerSteps } from './stage-chain.ts'

export interface ExpectationOptions {
  readonly inputs: Pick<Inputs, 'noCache' | 'noCacheFilters'>
  readonly planned: Planned
  readonly records: KnownRecords | undefined
}

/** Whether a step of this run is expected to run, by the records of earlier builds; worked out when it is first asked. */
export function expectationOf({ inputs, planned, records }: ExpectationOptions): (place: StepPlace) => boolean {
  let isExpected: ((place: StepPlace) => boolean) | undefined
  return (place) => {
    isExpected ??= expectedToRun({
      prints: planned.targets.flatMap(({ name }) => stagesIn(planned.fingerprints.prints.get(name))),
      recorded: planned.targets.flatMap(({ name }) =>
        (records?.of(name) ?? []).flatMap(({ record }) => stagesIn(record.print)),
      ),
      noCache: inputs.noCache ? 'all' : new Set(inputs.noCacheFilters),
    })
    return isExpected(place)
  }
}

/** Begins to fetch; what cannot be had is missed when it is needed. */
export function fetchAhead(options: {
  readonly inputs: Inputs
  readonly planned: Planned
  readonly isExpected: (place: StepPlace) => boolean
  readonly cache: LayerCache
  readonly upstream: Upstream | undefined
  readonly notes: ImageNotes
}): void {
  const { inputs, isExpected, cache, upstream, notes } = options
  if (fetchesImages(inputs)) void cache.prefetch([...notes.layers.values()].flat())
  else {
    const { graph, targets, platforms, images } = options.planned
    const layersOf: FirstStepsQuestion['layersOf'] = (image, platform) =>
      images.baseOf(image, platform)?.resolved.layers.map(({ digest }) => digest)
    const places = firstSteps({ graph, targets, platforms, layersOf, isExpected })
    void cache.prefetchBeneath(places)
    upstream?.foresee(places.flatMap(({ base }) => base))
  }
}

/** Outputs that need every layer of the images on this machine. */
function fetchesImages({ load, outputs }: Inputs): boolean {
  return load || outputTypes(outputs).some((type) => ['docker', 'oci', 'tar', 'local'].includes(type))
}

export interface FirstStepsQuestion {
  readonly graph: StageGraph
  readonly targets: readonly { readonly name: string; readonly stage: number }[]
  readonly platforms: readonly string[]
  /** Digests of a base image's layers, the lowest first; undefined where they are not known. */
  readonly layersOf: (image: string, platform: string) => readonly string[] | undefined
  readonly isExpected: (place: StepPlace) => boolean
}

/** Where the first steps are that are expected to run, of those with others beneath that are not. */
export function firstSteps({
  graph,
  targets,
  platforms,
  layersOf,
  isExpected,
}: FirstStepsQuestion): readonly Beneath[] {
  return targets.flatMap(({ name, stage }) =>
    stagesOf(graph, stage).flatMap((index) => {
      const chain = layerSteps(graph, index) ?? []
      const steps = chain.findIndex(isExpected)
      // Where the first one is of a stage beneath, that stage tells it.
      if (steps < 1 || chain[steps]?.stage !== index) return []
      const beneath = baseOfStage(graph, index)
      if (beneath.kind !== 'image') return []
      return platforms.flatMap((platform) => {
        const base = layersOf(beneath.image, platform)
        return base === undefined ? [] : [{ target: name, base, steps }]
      })
    }),
  )
}

function stagesIn(
  print: { readonly platforms: readonly { readonly stages: readonly StagePrint[] }[] } | undefined,
): readonly StagePrint[] {
  return (print?.platforms ?? []).flatMap(({ stages }) => stages)
}
