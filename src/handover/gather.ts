/**
 * The report job's view of what legs handed over: which records count, which are left out, and which were to come and
 * did not. Pure. Texts may come from anybody's artifact (of a fork's run), so a record counts only if it is what its
 * name says, and of the commit that the report is about.
 */
import { readSizeRecords, type SizeRecord } from '../measure/size-record.ts'
import { legName, parseArtifactName, type Cell, type Leg } from './artifact-name.ts'
import type { HandedOver, LeftOut } from './artifacts.ts'

export interface Expected {
  /** The identity's `id` of the plan's targets. */
  readonly id: string
  /**
   * What the plan has legs for. A platform may be a list (`linux/amd64,linux/arm64`), or empty where the builder decides:
   * then any counts.
   */
  readonly cells: readonly Cell[]
}

export interface GatherOptions {
  /** Undefined: there is no plan, and nothing is missed. */
  readonly expected?: Expected | undefined
  /** Records of another commit are left out. */
  readonly commit?: string | undefined
}

export interface GatheredRecord {
  /** The artifact's. */
  readonly name: string
  readonly attempt: number
  /** Without the platforms that a higher attempt measured again. */
  readonly record: SizeRecord
}

export interface Gathered {
  /** By the names of their artifacts, then as they stand in them. */
  readonly records: readonly GatheredRecord[]
  readonly left: readonly LeftOut[]
  readonly missing: readonly Cell[]
}

/** What a step that hands these records over is called by; its records have one `id`. */
export function legOf(records: readonly SizeRecord[]): Leg {
  return { id: records[0]?.id ?? '', cells: records.flatMap(cellsOf) }
}

/** Sorts out what was handed over. */
export function gatherRecords(texts: readonly HandedOver[], { expected, commit }: GatherOptions = {}): Gathered {
  const left: LeftOut[] = []
  const read: GatheredRecord[] = []
  for (const { name, text } of [...texts].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const found = readRecords(name, text, commit)
    if ('reason' in found) left.push({ name, reason: found.reason })
    else read.push(...found.records.map((record) => ({ name, attempt: found.attempt, record })))
  }
  const newest = newestOf(read)
  const counts = (one: GatheredRecord, platform: string): boolean =>
    newest.get(key(one.record.id, { target: one.record.target, platform })) === one
  const records = read
    .filter((one) => cellsOf(one.record).some(({ platform }) => counts(one, platform)))
    .map((one) => ({ ...one, record: onPlatforms(one.record, (platform) => counts(one, platform)) }))
  return {
    records,
    left,
    missing:
      expected === undefined
        ? []
        : missingOf(
            expected,
            read.map(({ record }) => record),
          ),
  }
}

/** One sentence for those that were left out; undefined where none was. Names are untrusted: to be escaped. */
export function leftOutWarning(left: readonly LeftOut[]): string | undefined {
  const [first] = left
  if (first === undefined) return undefined
  const others = left.length === 1 ? '' : `, and ${left.length - 1} more`
  return `Sizes that were handed over are left out of the report: ${first.name} (${first.reason})${others}.`
}

function readRecords(
  name: string,
  text: string,
  commit: string | undefined,
): { readonly records: readonly SizeRecord[]; readonly attempt: number } | { readonly reason: string } {
  const parsed = parseArtifactName(name)
  if (parsed === undefined) return { reason: 'its name is not one of ours' }
  const read = readSizeRecords(text)
  if (read.kind === 'refused') return { reason: read.reason }
  const { records } = read
  const leg = legOf(records)
  const isOneLeg = records.every(({ id }) => id === leg.id) && legName(leg) === parsed.leg
  if (!isOneLeg) return { reason: 'it is about other targets than its name says' }
  if (commit !== undefined && records.some((record) => record.commit !== commit)) {
    return { reason: 'it is about another commit' }
  }
  return { records, attempt: parsed.attempt }
}

/** What a record is about: what was measured, and what was to be; of what failed early, no platform may be known. */
function cellsOf({ target, platforms, wantedPlatforms = [] }: SizeRecord): readonly Cell[] {
  const all = new Set([...platforms.map(({ platform }) => platform), ...wantedPlatforms])
  return all.size === 0 ? [{ target, platform: '' }] : [...all].map((platform) => ({ target, platform }))
}

function onPlatforms(record: SizeRecord, isKept: (platform: string) => boolean): SizeRecord {
  const { platforms, wantedPlatforms } = record
  return {
    ...record,
    platforms: platforms.filter(({ platform }) => isKept(platform)),
    ...(wantedPlatforms === undefined ? {} : { wantedPlatforms: wantedPlatforms.filter(isKept) }),
  }
}

/** For each identity the record of the highest attempt. */
function newestOf(read: readonly GatheredRecord[]): ReadonlyMap<string, GatheredRecord> {
  const newest = new Map<string, GatheredRecord>()
  for (const one of read) {
    for (const cell of cellsOf(one.record)) {
      const other = newest.get(key(one.record.id, cell))
      if (other === undefined || one.attempt > other.attempt) newest.set(key(one.record.id, cell), one)
    }
  }
  return newest
}

/** What was to come and is not among the records. */
export function missingOf({ id, cells }: Expected, records: readonly SizeRecord[]): readonly Cell[] {
  const handed = records.filter((record) => record.id === id).flatMap(cellsOf)
  const wanted = cells.flatMap(({ target, platform }) =>
    platform.split(',').map((one) => ({ target, platform: one.trim() })),
  )
  return wanted.filter(
    ({ target, platform }) =>
      !handed.some(
        (cell) => cell.target === target && (platform === '' || cell.platform === '' || cell.platform === platform),
      ),
  )
}

function key(id: string, { target, platform }: Cell): string {
  return JSON.stringify([id, target, platform])
}
