/** What is remembered of the targets that were built, for runs to come. Pure. */
import type { BuildOutcome } from './build/build.ts'
import type { ReadyBuilder } from './build/own-builder.ts'
import { repositoryOf } from './images/reference.ts'
import type { Inputs } from './inputs.ts'
import { platformToJson } from './measure/sizes-json.ts'
import type { TargetSizes } from './measure/sizes.ts'
import type { TargetRecord } from './plan/record.ts'
import type { TargetPrint } from './plan/target-print.ts'
import type { Planned, PlannedPart } from './planning.ts'

/** Records of the built targets; one without a fingerprint is of use to compare sizes with. */
export function newRecords(options: {
  readonly outcome: BuildOutcome
  readonly planned: Planned
  readonly inputs: Inputs
  readonly measured: { readonly sizes: ReadonlyMap<string, TargetSizes> }
  readonly builder: Pick<ReadyBuilder, 'loopback' | 'platform'>
  readonly env: NodeJS.ProcessEnv
  /** Milliseconds since the epoch. */
  readonly now: number
}): ReadonlyMap<string, TargetRecord> {
  const { outcome, planned, inputs, measured, builder, env, now } = options
  const { fingerprints, tagsOf } = planned
  const files = fingerprints.files()
  const records = planned.targets.flatMap(({ name }): readonly (readonly [string, TargetRecord])[] => {
    const print = fingerprints.prints.get(name)
    const result = outcome.metadata.results.find(({ target }) => target === name)
    if (result === undefined || !outcome.built.has(name)) return []
    const tags = inputs.push ? (tagsOf.get(name) ?? []) : []
    const sizes = measured.sizes.get(name)
    const image = {
      digest: tags.length === 0 ? undefined : result.digest,
      repositories: [...new Set(tags.map(repositoryOf))],
      imageId: result.configDigest ?? sizes?.platforms[0]?.configDigest,
      sizes: sizes === undefined ? undefined : { platforms: sizes.platforms.map(platformToJson) },
    }
    const read = new Set(print === undefined ? [] : readsOf(print))
    return [
      [
        name,
        {
          createdAt: new Date(now).toISOString(),
          commit: env['GITHUB_SHA'],
          run: env['GITHUB_RUN_ID'],
          fingerprint: isAsPlanned(sizes, planned.partOf(name), builder) ? print?.fingerprint : undefined,
          print: { platforms: print?.platforms ?? [], fields: print?.fields ?? [] },
          files: new Map([...files].filter(([digest]) => read.has(digest))),
          image,
        },
      ],
    ]
  })
  return new Map(records)
}

/** A builder elsewhere may be of another platform than the one that the plan was made for, where none is named. */
function isAsPlanned(
  sizes: TargetSizes | undefined,
  { part, platforms }: Pick<PlannedPart, 'part' | 'platforms'>,
  builder: Pick<ReadyBuilder, 'loopback' | 'platform'>,
): boolean {
  if (builder.loopback || part.inputs.platforms.length > 0) return true
  const built = sizes?.platforms.map(({ platform }) => platform) ?? [builder.platform]
  return built.join() === platforms.join()
}

function readsOf({ platforms }: TargetPrint): readonly string[] {
  return platforms.flatMap(({ stages }) =>
    stages.flatMap(({ base, steps }) =>
      [base, ...steps.flatMap(({ sources }) => sources)].flatMap(({ kind, digest }) =>
        kind === 'context' && digest !== undefined ? [digest] : [],
      ),
    ),
  )
}
