/** Which measurement counts for a target on a platform. Pure. */
import { formatPlatform, parsePlatform } from '../images/platform.ts'
import type { SizeRecord } from './size-record.ts'
import type { PlatformSizes } from './sizes.ts'

/** A target on a platform, as a record tells it. */
export interface SizeCell {
  readonly id: string
  readonly target: string
  /** Empty where a record of a failed build does not say it. */
  readonly platform: string
  readonly record: SizeRecord
  readonly sizes: PlatformSizes | undefined
}

/**
 * One cell for each identity and platform: of several records (a leg that ran again) the one of the highest attempt, then the
 * latest.
 */
export function newestCells(records: readonly SizeRecord[]): readonly SizeCell[] {
  const newest = new Map<string, SizeCell>()
  for (const cell of records.flatMap(cellsOf)) {
    const key = cellKey(cell)
    const other = newest.get(key)
    if (other === undefined || isNewer(cell, other)) newest.set(key, cell)
  }
  // What failed for no platform in particular is done with where a later attempt measured something.
  const cells = [...newest.values()]
  const later = ({ id, target, record }: SizeCell): boolean =>
    cells.some((cell) => cell.id === id && cell.target === target && attemptOf(cell.record) > attemptOf(record))
  return cells.filter((cell) => cell.platform !== '' || !later(cell))
}

export function targetKey({ id, target }: { readonly id: string; readonly target: string }): string {
  return JSON.stringify([id, target])
}

export function cellKey({ id, target, platform }: Pick<SizeCell, 'id' | 'target' | 'platform'>): string {
  return JSON.stringify([id, target, platform])
}

/** The one spelling of a platform; what is none stays as it is. */
export function normalizedPlatform(platform: string): string {
  try {
    return formatPlatform(parsePlatform(platform))
  } catch {
    return platform
  }
}

function cellsOf(record: SizeRecord): readonly SizeCell[] {
  const { id, target } = record
  const measured = new Map(record.platforms.map((sizes) => [sizes.platform, sizes]))
  const names = new Set([...measured.keys(), ...(record.wantedPlatforms ?? []).map(normalizedPlatform)])
  const platforms = names.size === 0 ? [''] : [...names]
  return platforms.map((platform) => ({ id, target, platform, record, sizes: measured.get(platform) }))
}

/** Attempts of different runs are not in any order. */
function isNewer({ record: a }: SizeCell, { record: b }: SizeCell): boolean {
  const attempts = a.run?.id === b.run?.id ? attemptOf(a) - attemptOf(b) : 0
  return attempts === 0 ? Date.parse(a.createdAt) > Date.parse(b.createdAt) : attempts > 0
}

function attemptOf({ run }: SizeRecord): number {
  return run?.attempt ?? 0
}
