/** An image beside what it was, of one platform: how much it changed and what makes the difference. Pure. */
import { changedPaths } from './changed-paths.ts'
import type { BaseChange, Change, SizeRowComparison } from './comparison.ts'
import { layerChanges } from './layer-alignment.ts'
import { isNoise } from './noise.ts'
import { packageChanges } from './package-changes.ts'
import type { LayerSize, PlatformSizes } from './sizes.ts'

export type PlatformComparison = Pick<
  SizeRowComparison,
  | 'transfer'
  | 'unpacked'
  | 'own'
  | 'inherited'
  | 'waste'
  | 'notComparable'
  | 'unchanged'
  | 'layers'
  | 'paths'
  | 'packages'
  | 'base'
>

/** Either may be missing: then there are figures and no reasons. */
export function comparePlatforms(
  before: PlatformSizes | undefined,
  now: PlatformSizes | undefined,
): PlatformComparison {
  const figures = figuresOf(before, now)
  const none = { notComparable: [], unchanged: false, layers: [], paths: [], packages: [], base: undefined }
  if (before === undefined || now === undefined) return { ...figures, ...none }
  if (before.digest !== '' && before.digest === now.digest) return { ...figures, ...none, unchanged: true }
  const notComparable = otherCompression(before, now)
  return {
    ...figures,
    notComparable,
    unchanged: isUnchanged(figures, notComparable),
    layers: layersBetween(before, now),
    paths: before.files === undefined || now.files === undefined ? [] : changedPaths(before.files, now.files),
    packages:
      before.packages === undefined || now.packages === undefined ? [] : packageChanges(before.packages, now.packages),
    base: baseChange(before, now),
  }
}

type Figures = Pick<PlatformComparison, 'transfer' | 'unpacked' | 'own' | 'inherited' | 'waste'>

function figuresOf(before: PlatformSizes | undefined, now: PlatformSizes | undefined): Figures {
  const change = (figure: (sizes: PlatformSizes) => number | undefined): Change => ({
    now: now === undefined ? undefined : figure(now),
    before: before === undefined ? undefined : figure(before),
  })
  return {
    transfer: change(({ transfer }) => transfer.total),
    unpacked: change(({ unpacked }) => unpacked.total),
    own: { transfer: change(({ transfer }) => transfer.own), unpacked: change(({ unpacked }) => unpacked.own) },
    inherited: {
      transfer: change(({ transfer }) => transfer.inherited),
      unpacked: change(({ unpacked }) => unpacked.inherited),
    },
    waste: change(({ unpacked, merged }) =>
      unpacked.total === undefined || merged === undefined ? undefined : Math.max(0, unpacked.total - merged),
    ),
  }
}

/** A size that is not known on one side hides no change that is known of the other. */
function isUnchanged({ transfer, unpacked }: Figures, notComparable: readonly string[]): boolean {
  const known = [notComparable.length > 0 ? undefined : isNoise(transfer), isNoise(unpacked)]
  return known.some((noise) => noise === true) && !known.includes(false)
}

/** The layers of the base keep what compression they had; those of the Dockerfile are compressed by the builder. */
function otherCompression(before: PlatformSizes, now: PlatformSizes): readonly string[] {
  const [was, is] = [compressionsOf(before), compressionsOf(now)]
  if (was.length === 0 || is.length === 0 || was.join() === is.join()) return []
  return [
    `The baseline’s layers are ${words(was)} and these are ${words(is)}, so their transfer sizes cannot be compared.`,
  ]
}

/** In one order, each once. */
function compressionsOf(sizes: PlatformSizes): readonly string[] {
  // Of an empty layer it matters nothing how it is compressed.
  const weighing = sizes.layers.filter(({ own, size, unpacked }) => own && size > 0 && unpacked !== 0)
  return [...new Set(weighing.flatMap(({ compression }) => compression ?? []))].sort()
}

function words(compressions: readonly string[]): string {
  return compressions.map((name) => (name === 'none' ? 'not compressed' : `compressed by ${name}`)).join(' or ')
}

/**
 * Own layers, where both sides know which those are: then the changes add up to the change of own bytes. Else all layers: then
 * they add up to that of the whole.
 */
function layersBetween(before: PlatformSizes, now: PlatformSizes): SizeRowComparison['layers'] {
  if (!knowsLayers(before) || !knowsLayers(now)) return []
  const ownKnown = before.transfer.own !== undefined && now.transfer.own !== undefined
  const chosen = ({ layers }: PlatformSizes): readonly LayerSize[] => layers.filter(({ own }) => own || !ownKnown)
  return layerChanges(chosen(before), chosen(now))
}

/** A user's sizes file tells totals only. */
function knowsLayers({ layers, transfer }: PlatformSizes): boolean {
  return layers.length > 0 || transfer.total === 0
}

const SCRATCH = 'scratch'

/** Undefined where it is the same, or one of the two is not known. */
function baseChange(before: PlatformSizes, now: PlatformSizes): BaseChange | undefined {
  const [was, is] = [baseOf(before), baseOf(now)]
  if (was === undefined || is === undefined) return undefined
  if (was.image === is.image && !holdsOther(before, now)) return undefined
  return { image: is.image, imageBefore: was.image, digest: is.digest, digestBefore: was.digest }
}

function baseOf({ base, transfer }: PlatformSizes): PlatformSizes['base'] {
  return base ?? (transfer.inherited === 0 ? { image: SCRATCH, digest: undefined } : undefined)
}

/** An index may have another digest for what another platform has in it: the layers tell, where they are known. */
function holdsOther(before: PlatformSizes, now: PlatformSizes): boolean {
  const [was, is] = [inheritedOf(before), inheritedOf(now)]
  if (was !== undefined && is !== undefined) return was !== is
  const [digestBefore, digest] = [before.base?.digest, now.base?.digest]
  return digestBefore !== undefined && digest !== undefined && digestBefore !== digest
}

function inheritedOf(sizes: PlatformSizes): string | undefined {
  if (!knowsLayers(sizes) || sizes.transfer.inherited === undefined) return undefined
  return sizes.layers.flatMap(({ own, diffId }) => (own ? [] : [diffId])).join()
}
