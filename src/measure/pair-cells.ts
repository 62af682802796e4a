/** Which measurement of the baseline stands beside which of now. Pure. */
import { findRenames } from './renames.ts'
import { cellKey, normalizedPlatform, targetKey, type SizeCell } from './size-cells.ts'

/** What is to be measured. */
export interface PlannedCell {
  readonly id: string
  readonly target: string
  /** One or, as in the `matrix` output, several with commas between; undefined: whichever. */
  readonly platform?: string | undefined
}

export interface CellPair {
  readonly now: SizeCell | undefined
  readonly before: SizeCell | undefined
  readonly renamedFrom?: string | undefined
}

/**
 * Each cell of now beside that of the baseline, in their order, then those of the baseline that are gone. Only what was
 * built under the same `id`s can be gone.
 */
export function pairCells(options: {
  readonly now: readonly SizeCell[]
  readonly before: readonly SizeCell[]
  readonly planned: readonly PlannedCell[]
  /** It was not built this time, but is no less there. */
  readonly isStillThere: (id: string, target: string) => boolean
}): readonly CellPair[] {
  const { planned } = options
  const measured = options.before.filter(isMeasured)
  const now = withPlatforms(options.now, measured)
  const was = new Map(measured.map((cell) => [cellKey(cell), cell]))
  const [nowKeys, nowTargets] = [new Set(now.map(cellKey)), new Set(now.map(targetKey))]
  const ids = new Set([...now, ...planned].map(({ id }) => id))
  const wanted = new Set(planned.flatMap(plannedKeys))
  const gone = measured.filter((cell) => {
    if (!ids.has(cell.id) || nowKeys.has(cellKey(cell))) return false
    if (wanted.has(cellKey(cell)) || wanted.has(targetKey(cell))) return false
    return nowTargets.has(targetKey(cell)) || !options.isStillThere(cell.id, cell.target)
  })
  const beforeTargets = new Set(options.before.map(targetKey))
  const renames = findRenames(
    gone.filter((cell) => !nowTargets.has(targetKey(cell))),
    now.filter((cell) => cell.record.status !== 'failed' && !beforeTargets.has(targetKey(cell))),
  )
  const pairs = now.map((cell): CellPair => {
    const renamedFrom = renames.get(targetKey(cell))
    const key = cellKey(renamedFrom === undefined ? cell : { ...cell, target: renamedFrom })
    const before = was.get(key)
    return { now: cell, before, ...(before === undefined ? {} : { renamedFrom }) }
  })
  const taken = new Set(pairs.map(({ before }) => before))
  return [...pairs, ...gone.filter((cell) => !taken.has(cell)).map((before) => ({ now: undefined, before }))]
}

/** A build that failed without saying for which platforms failed for those of the baseline that there is nothing else of. */
function withPlatforms(now: readonly SizeCell[], before: readonly SizeCell[]): readonly SizeCell[] {
  const platforms = Map.groupBy(before, targetKey)
  const there = new Set(now.map(cellKey))
  return now.flatMap((cell) => {
    const known = cell.platform === '' ? (platforms.get(targetKey(cell)) ?? []) : []
    const left = known.map(({ platform }) => ({ ...cell, platform })).filter((named) => !there.has(cellKey(named)))
    return left.length === 0 ? [cell] : left
  })
}

/** What was planned and is not among the cells: targets, with the platforms where others of theirs are. */
export function missingCells(planned: readonly PlannedCell[], now: readonly SizeCell[]): readonly string[] {
  const [cells, targets] = [new Set(now.map(cellKey)), new Set(now.map(targetKey))]
  const names = planned.flatMap((plan): readonly string[] => {
    if (!targets.has(targetKey(plan))) return [plan.target]
    if (cells.has(cellKey({ ...plan, platform: '' }))) return []
    const missing = platformsOf(plan).filter((platform) => !cells.has(cellKey({ ...plan, platform })))
    return missing.length === 0 ? [] : [`${plan.target} (${missing.join(', ')})`]
  })
  return [...new Set(names)]
}

/** There is something to compare with. */
export function isMeasured({ sizes, record }: SizeCell): boolean {
  return sizes !== undefined && record.status !== 'failed'
}

/** A target's key, where any of its platforms will do. */
function plannedKeys(plan: PlannedCell): readonly string[] {
  const platforms = platformsOf(plan)
  return platforms.length === 0 ? [targetKey(plan)] : platforms.map((platform) => cellKey({ ...plan, platform }))
}

function platformsOf({ platform = '' }: PlannedCell): readonly string[] {
  const names = platform.split(',').map((name) => name.trim())
  return names.filter((name) => name !== '').map(normalizedPlatform)
}
