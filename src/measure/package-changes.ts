/** Which packages came, went, or are of another version or size. Pure. */
import type { PackageChange, PackageSize } from './comparison.ts'
import { MAX_PACKAGES } from './packages.ts'

/** Bytes: smaller differences of a package whose version is the same say nothing. */
const NOISE = 10_000
/** Versions of one package that are named. */
const MOST_VERSIONS = 3

/**
 * By manager and name, the largest change first. A package that is there several times (npm nests them) is one, with all its
 * versions.
 */
export function packageChanges(before: readonly PackageSize[], now: readonly PackageSize[]): readonly PackageChange[] {
  const [was, is] = [byName(before), byName(now)]
  const [leastBefore, leastNow] = [leastTold(before), leastTold(now)]
  const keys = [...new Set([...is.keys(), ...was.keys()])]
  const changes = keys.flatMap((key): readonly PackageChange[] => {
    const [old, current] = [was.get(key), is.get(key)]
    const any = (current ?? old)?.[0]
    if (any === undefined) return []
    const [version, versionBefore] = [versionsOf(current), versionsOf(old)]
    const [bytes, bytesBefore] = [sum(current), sum(old)]
    const [copies, copiesBefore] = [current?.length ?? 0, old?.length ?? 0]
    // What is hardly larger than the least that a list tells may be there all the same.
    const untold = copies < copiesBefore ? leastNow : copies > copiesBefore ? leastBefore : 0
    const isLittle = Math.abs(bytes - bytesBefore) < NOISE + untold
    return isLittle && (version === versionBefore || untold > 0)
      ? []
      : [{ manager: any.manager, name: any.name, version, versionBefore, now: bytes, before: bytesBefore }]
  })
  const weight = (change: PackageChange): number => Math.abs(change.now - change.before)
  return changes.sort((a, b) => weight(b) - weight(a) || compare(a.name, b.name) || compare(a.manager, b.manager))
}

/** Bytes up to which packages are left out of a list; 0 where all are in it. */
function leastTold(packages: readonly PackageSize[]): number {
  return packages.length < MAX_PACKAGES ? 0 : Math.min(...packages.map(({ bytes }) => bytes))
}

function byName(packages: readonly PackageSize[]): ReadonlyMap<string, readonly PackageSize[]> {
  return Map.groupBy(packages, ({ manager, name }) => `${manager} ${name}`)
}

function versionsOf(packages: readonly PackageSize[] | undefined): string | undefined {
  if (packages === undefined) return undefined
  const versions = [...new Set(packages.map(({ version }) => version))].sort(compare)
  const more = versions.length - MOST_VERSIONS
  return more > 0 ? `${versions.slice(0, MOST_VERSIONS).join(', ')} and ${more} more` : versions.join(', ')
}

function sum(packages: readonly PackageSize[] = []): number {
  return packages.reduce((total, { bytes }) => total + bytes, 0)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
