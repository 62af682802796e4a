/** What records tell of sizes; those of targets whose platforms are built apart, each by a leg of its own, of the whole. Pure. */
import { parseTargetSizes, platformToJson } from './measure/sizes-json.ts'
import type { TargetSizes } from './measure/sizes.ts'
import type { TargetRecord } from './plan/record.ts'

/** What was measured of the image that a record tells of; undefined where it was not, or cannot be read. */
export function recordedSizes({ image }: TargetRecord): TargetSizes | undefined {
  return parseTargetSizes(image.sizes)
}

/** Whether a record is of one of these platforms, and of no other. */
export function isPart({ print }: TargetRecord, platforms: readonly string[]): boolean {
  return print.platforms.length === 1 && platforms.some((platform) => isOf({ print }, platform))
}

/** Whether a record is of this platform alone. */
export function isOf({ print }: Pick<TargetRecord, 'print'>, platform: string): boolean {
  const [only, ...others] = print.platforms
  return others.length === 0 && only?.platform === platform
}

/**
 * Records of one target on several platforms as one, without a digest, since what was pushed of each is not the whole. Of a
 * platform the first counts; when, by what commit and by which run is told of the latest.
 */
export function joinRecords(records: readonly TargetRecord[]): TargetRecord {
  const latest = records.toSorted((a, b) => (a.createdAt < b.createdAt ? 1 : -1))[0]
  if (latest === undefined) throw new Error('there is no record to join')
  const prints = firstOfEach(records.flatMap(({ print }) => print.platforms))
  const sizes = records.map((record) => recordedSizes(record)?.platforms)
  const known = sizes.every((platforms) => platforms !== undefined)
  const platforms = firstOfEach(sizes.flatMap((all) => all ?? []))
  return {
    ...latest,
    fingerprint: undefined,
    print: { platforms: prints, fields: latest.print.fields },
    files: new Map(records.flatMap(({ files }) => [...files])),
    image: {
      ...{ digest: undefined, imageId: undefined },
      repositories: [...new Set(records.flatMap(({ image }) => image.repositories))],
      sizes: known ? { platforms: platforms.map(platformToJson) } : undefined,
    },
  }
}

function firstOfEach<T extends { readonly platform: string }>(all: readonly T[]): readonly T[] {
  return [...new Map(all.toReversed().map((one) => [one.platform, one])).values()].reverse()
}
