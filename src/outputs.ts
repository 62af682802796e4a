/** The action's outputs: the only writer. */
import type { Matrix } from './plan/matrix.ts'
import { serializePlan, type Plan } from './plan/plan.ts'
import type { SizeRowComparison } from './measure/comparison.ts'
import type { TargetSizes } from './measure/sizes.ts'
import type { Runner } from './runner.ts'

/** Every output of `action.yml`; a test ties the two together. */
export const OUTPUT_NAMES = [
  'plan',
  'matrix',
  'changed',
  'unchanged',
  'any-changed',
  'images',
  'built',
  'failed',
  'sizes',
  'metadata',
  'digest',
  'imageid',
  'comment-url',
  'baseline-sha',
] as const
export type OutputName = (typeof OUTPUT_NAMES)[number]

/** One built target, as the `images` output shows it. */
export interface BuiltImage {
  readonly target: string
  readonly tags: readonly string[]
  /** Digest of what was published (pushed, loaded or written); undefined when nothing was. */
  readonly digest: string | undefined
  /** Digest of the image config. */
  readonly imageId: string | undefined
  readonly sizes: TargetSizes | undefined
}

export function writePlanOutputs(runner: Runner, plan: Plan, matrix: Matrix | undefined): void {
  const write = outputWriter(runner)
  const { text, cut } = serializePlan(plan)
  if (cut)
    runner.notice(
      'The plan is over 1 MB, GitHub’s limit for outputs: the `plan` output keeps the targets without the stages.',
    )
  const named = (status: 'changed' | 'unchanged'): readonly string[] =>
    plan.targets.filter((target) => target.status === status).map((target) => target.name)
  write('plan', text)
  if (matrix !== undefined) write('matrix', JSON.stringify(matrix))
  write('changed', JSON.stringify(named('changed')))
  write('unchanged', JSON.stringify(named('unchanged')))
  write('any-changed', String(named('changed').length > 0))
}

/** What came of the size report. */
export interface ReportOutputs {
  readonly rows: readonly SizeRowComparison[]
  readonly baselineSha: string | undefined
  readonly commentUrl: string | undefined
}

export function writeBuildOutputs(
  runner: Runner,
  images: readonly BuiltImage[],
  {
    metadata,
    report,
    toBuild,
  }: {
    readonly metadata: Readonly<Record<string, unknown>>
    readonly report?: ReportOutputs | undefined
    /** Names of the targets that were to be built; undefined where none was. */
    readonly toBuild?: readonly string[] | undefined
  },
): void {
  const write = outputWriter(runner)
  const rowOf = (target: string, platform: string): SizeRowComparison | undefined =>
    report?.rows.find((row) => row.target === target && row.platform === platform)
  write('images', JSON.stringify(Object.fromEntries(images.map((image) => [image.target, imageEntry(image)]))))
  write(
    'sizes',
    JSON.stringify({
      version: 1,
      targets: Object.fromEntries(
        images.map((image) => [image.target, sizesEntry(image.sizes, (platform) => rowOf(image.target, platform))]),
      ),
    }),
  )
  const has = new Set(images.map(({ target }) => target))
  if (toBuild !== undefined) {
    write('built', JSON.stringify(toBuild.filter((name) => has.has(name))))
    write('failed', JSON.stringify(toBuild.filter((name) => !has.has(name))))
  }
  write('metadata', JSON.stringify(metadata, undefined, 2))
  write('baseline-sha', report?.baselineSha ?? '')
  write('comment-url', report?.commentUrl ?? '')
  const [only] = images
  const isOnlyOne = images.length === 1 && (toBuild ?? []).every((name) => has.has(name))
  if (isOnlyOne && only !== undefined) {
    write('digest', only.digest ?? '')
    write('imageid', only.imageId ?? '')
  }
}

function outputWriter(runner: Runner): (name: OutputName, value: string) => void {
  return (name, value) => {
    runner.setOutput(name, value)
  }
}

function imageEntry(image: BuiltImage): Record<string, unknown> {
  return {
    tags: image.tags,
    digest: image.digest ?? null,
    imageid: image.imageId ?? null,
    sizes: sizesEntry(image.sizes),
  }
}

/** Sizes by platform; `baseline` and `delta` are null where there is nothing to compare with. */
function sizesEntry(
  sizes: TargetSizes | undefined,
  rowOf: (platform: string) => SizeRowComparison | undefined = () => undefined,
): Record<string, unknown> {
  if (sizes === undefined) return {}
  return Object.fromEntries(
    sizes.platforms.map(({ platform, transfer, unpacked }) => {
      const row = rowOf(platform)
      const before = row?.status === 'compared' ? [row.transfer.before, row.unpacked.before] : []
      const [transferBefore, unpackedBefore] = before
      const baseline = { transfer: transferBefore ?? null, unpacked: unpackedBefore ?? null }
      const delta = {
        transfer: difference(transfer.total, transferBefore),
        unpacked: difference(unpacked.total, unpackedBefore),
      }
      const isKnown = transferBefore !== undefined || unpackedBefore !== undefined
      return [platform, { transfer, unpacked, baseline: isKnown ? baseline : null, delta: isKnown ? delta : null }]
    }),
  )
}

function difference(now: number | undefined, before: number | undefined): number | null {
  return now === undefined || before === undefined ? null : now - before
}
