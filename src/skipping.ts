/**
 * What becomes of targets that are not built: their tags are set in the registry where they are pushed, and what is told
 * of them comes from the record. A target that cannot be re-tagged is built instead.
 */
import type { Built } from './built.ts'
import type { Docker } from './build/buildx.ts'
import { carryOut } from './build/imagetools.ts'
import { isBuiltAnyway } from './deciding.ts'
import { sinceText, type Unchanged } from './decision.ts'
import { sentence, type Problem } from './errors.ts'
import type { RegistryClient } from './images/registry-client.ts'
import type { Inputs } from './inputs.ts'
import type { LayerCaching } from './layer-caching.ts'
import type { TargetSizes } from './measure/sizes.ts'
import type { BuiltImage } from './outputs.ts'
import type { Planned } from './planning.ts'
import { recordedSizes } from './record-parts.ts'

export interface Skipped {
  /** By target. */
  readonly images: ReadonlyMap<string, BuiltImage>
  readonly sizes: ReadonlyMap<string, TargetSizes>
  readonly warnings: readonly Problem[]
}

/** Skips the unchanged targets; re-tags what is pushed. */
export async function skipUnchanged(options: {
  readonly planned: Planned
  readonly docker: Docker
  readonly client: RegistryClient
  readonly log: (line: string) => void
  readonly signal: AbortSignal
}): Promise<Skipped> {
  const { planned, log } = options
  const unchanged = [...planned.decisions].flatMap(([name, decision]) =>
    decision.status === 'unchanged' && !isBuiltAnyway(planned.partOf(name).part.inputs)
      ? [[name, decision] as const]
      : [],
  )
  const failures = await retag(unchanged, options)
  const skipped = unchanged.filter(([name]) => !failures.has(name))
  for (const [name, decision] of skipped)
    log(
      `  ${name} is not built: ${sinceText(decision)}${insteadText(decision, planned.tagsOf.get(name) ?? [], planned.partOf(name).part.inputs)}`,
    )
  const sizes = new Map(skipped.flatMap(([name, { record }]) => withKey(name, recordedSizes(record))))
  return {
    sizes,
    images: new Map(
      skipped.map(([name, { record, retag: plan }]) => [
        name,
        {
          target: name,
          tags: planned.tagsOf.get(name) ?? [],
          digest: plan === undefined ? undefined : record.image.digest,
          imageId: record.image.imageId,
          sizes: sizes.get(name),
        },
      ]),
    ),
    warnings: [...failures].map(([name, { message, ...problem }]) => ({
      ...problem,
      message: `\`${name}\` is unchanged, but it is built, since its tags could not be set: ${sentence(message)}`,
    })),
  }
}

function withKey<K, T>(key: K, value: T | undefined): readonly (readonly [K, T])[] {
  return value === undefined ? [] : [[key, value]]
}

/** Why it could not be done, by target. */
async function retag(
  unchanged: readonly (readonly [string, Unchanged])[],
  {
    docker,
    client,
    signal,
  }: { readonly docker: Docker; readonly client: RegistryClient; readonly signal: AbortSignal },
): Promise<ReadonlyMap<string, Problem>> {
  const actions = unchanged.flatMap(([, { retag: plan }]) => plan?.actions ?? [])
  if (actions.length === 0) return new Map()
  const problems = await carryOut(docker, actions, { client, signal })
  const failed = new Map(actions.flatMap((action, index) => withKey(action, problems[index])))
  return new Map(
    unchanged.flatMap(([name, { retag: plan }]) =>
      withKey(
        name,
        (plan?.actions ?? []).map((action) => failed.get(action)).find((problem) => problem !== undefined),
      ),
    ),
  )
}

/** What was done instead of building. */
function insteadText(
  { record, retag: plan }: Unchanged,
  tags: readonly string[],
  { matrixBy }: Pick<Inputs, 'matrixBy'>,
): string {
  if (plan === undefined) return ''
  if (matrixBy === 'platform') return `; ${record.image.digest?.slice(0, 19) ?? ''} is there still`
  if (plan.actions.length === 0) return `; ${tags.length === 1 ? 'its tag is' : 'its tags are'} there already`
  return `; re-tagged ${record.image.digest?.slice(0, 19) ?? ''}`
}

/** What came of a run that built nothing. */
export async function builtNothing(caching: LayerCaching | undefined): Promise<Built> {
  return {
    images: [],
    unchanged: new Set(),
    failed: new Map(),
    metadata: {},
    steps: [],
    measured: { sizes: new Map(), leftBehind: new Map(), unknownReason: undefined, warnings: [] },
    cache: caching?.keepsLayers === true ? await caching.facts() : undefined,
    missing: [],
    problems: [],
    warnings: (await caching?.warnings([])) ?? [],
  }
}

/** What was built, and what was not, in the order of the targets. */
export function withSkipped(
  built: Built,
  { skipped, planned }: { readonly skipped: Skipped; readonly planned: Planned },
): Built {
  const images = new Map(built.images.map((image) => [image.target, image]))
  return {
    ...built,
    unchanged: new Set(skipped.images.keys()),
    images: planned.plan.targets.flatMap(({ name }) => images.get(name) ?? skipped.images.get(name) ?? []),
    measured: { ...built.measured, sizes: new Map([...skipped.sizes, ...built.measured.sizes]) },
    metadata: {
      ...Object.fromEntries([...skipped.images].map(([name, image]) => [name, metadataOf(image)])),
      ...built.metadata,
    },
    warnings: [...skipped.warnings, ...built.warnings],
  }
}

/** As buildx tells of a built one. https://github.com/docker/buildx/blob/v0.29.1/docs/reference/buildx_bake.md#metadata-file */
function metadataOf({ digest, imageId, tags }: BuiltImage): Readonly<Record<string, unknown>> {
  return {
    ...(imageId === undefined ? {} : { 'containerimage.config.digest': imageId }),
    ...(digest === undefined ? {} : { 'containerimage.digest': digest, 'image.name': tags.join(',') }),
  }
}
