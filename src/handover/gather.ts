/**
 * The report job's view of what legs handed over: which records count, which are left out, and which were to come and
 * did not. Pure. Texts may come from anybody's artifact (of a fork's run), so a record counts only if it is what its
 * name says, and of the commit that the report is about.
 */
import { artifactName, parseArtifactName, type Cell, type Leg } from './artifact-name.ts'
import type { HandedOver, LeftOut } from './artifacts.ts'

/** How records are read; strict, and bounded in what it does for a text of 1 MB. */
export interface RecordForm<R> {
  /** `reason` completes "it was left out: …": the text is no record, or of a version that is not known. */
  readonly read: (
    text: string,
  ) => { readonly kind: 'record'; readonly record: R } | { readonly kind: 'refused'; readonly reason: string }
  readonly legOf: (record: R) => Leg
  /** The commit that was measured. */
  readonly commitOf: (record: R) => string | undefined
}

export interface Expected {
  /** Of this `id` the cells below should come; undefined: there is no plan, and nothing is missed. */
  readonly id?: string | undefined
  readonly cells?: readonly Cell[] | undefined
  /** Records of another commit are left out. */
  readonly commit?: string | undefined
}

export interface GatheredRecord<R> {
  readonly name: string
  readonly attempt: number
  readonly record: R
  /** Those that count: a higher attempt may have measured some of the leg's targets again, in another leg. */
  readonly cells: readonly Cell[]
}

export interface Gathered<R> {
  /** By identity, in the order of their names. */
  readonly records: readonly GatheredRecord<R>[]
  readonly left: readonly LeftOut[]
  readonly missing: readonly Cell[]
}

/** Sorts out what was handed over. A platform of an expected cell may be a list (`linux/amd64,linux/arm64`). */
export function gatherRecords<R>(
  texts: readonly HandedOver[],
  form: RecordForm<R>,
  expected: Expected = {},
): Gathered<R> {
  const left: LeftOut[] = []
  const read: { readonly name: string; readonly attempt: number; readonly record: R; readonly leg: Leg }[] = []
  for (const { name, text } of texts) {
    const found = readRecord(name, text, form, expected)
    if ('reason' in found) left.push({ name, reason: found.reason })
    else read.push({ name, ...found })
  }
  const newest = newestOf(read)
  const records = read
    .map(({ leg, ...rest }) => ({
      ...rest,
      cells: leg.cells.filter((cell) => newest.get(key(leg.id, cell)) === rest.name),
    }))
    .filter(({ cells }) => cells.length > 0)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  const missing = wanted(expected).filter((cell) => !newest.has(key(expected.id ?? '', cell)))
  return { records, left, missing }
}

/** One sentence for those that were left out; undefined where none was. Names are untrusted: to be escaped. */
export function leftOutWarning(left: readonly LeftOut[]): string | undefined {
  const [first] = left
  if (first === undefined) return undefined
  const others = left.length === 1 ? '' : `, and ${left.length - 1} more`
  return `Sizes that were handed over are left out of the report: ${first.name} (${first.reason})${others}.`
}

function readRecord<R>(
  name: string,
  text: string,
  form: RecordForm<R>,
  { commit }: Expected,
): { readonly record: R; readonly leg: Leg; readonly attempt: number } | { readonly reason: string } {
  const attempt = parseArtifactName(name)?.attempt
  if (attempt === undefined) return { reason: 'its name is not one of ours' }
  const read = form.read(text)
  if (read.kind === 'refused') return { reason: read.reason }
  const { record } = read
  const leg = form.legOf(record)
  if (artifactName(leg, attempt) !== name) return { reason: 'it is about other targets than its name says' }
  if (commit !== undefined && form.commitOf(record) !== commit) return { reason: 'it is about another commit' }
  return { record, leg, attempt }
}

/** For each identity the name of the artifact with the highest attempt. */
function newestOf(
  read: readonly { readonly name: string; readonly attempt: number; readonly leg: Leg }[],
): ReadonlyMap<string, string> {
  const newest = new Map<string, { readonly name: string; readonly attempt: number }>()
  for (const { name, attempt, leg } of read) {
    for (const cell of leg.cells) {
      const other = newest.get(key(leg.id, cell))
      const isNewer = other === undefined || attempt > other.attempt || (attempt === other.attempt && name < other.name)
      if (isNewer) newest.set(key(leg.id, cell), { name, attempt })
    }
  }
  return new Map([...newest].map(([cell, { name }]) => [cell, name]))
}

function wanted({ cells = [] }: Expected): readonly Cell[] {
  return cells.flatMap(({ target, platform }) => platform.split(',').map((one) => ({ target, platform: one.trim() })))
}

function key(id: string, { target, platform }: Cell): string {
  return JSON.stringify([id, target, platform])
}
