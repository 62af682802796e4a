/**
 * What stages weigh on the builder's disk, for those that are left behind and never exported. Read from
 * `docker buildx du`: its records are snapshots, each with the step that made it and the snapshot beneath.
 *
 * An estimate, and told so: snapshots count blocks on disk, not file bytes. Where the records do not tell the whole
 * chain of a stage (pruned, or pulled from a cache instead of built) the answer is "unknown", never a part of it.
 */
import { list, parseJson } from '../json-fields.ts'
import { asRecord, textAt } from './json.ts'
import type { Step } from './progress.ts'

export interface DiskRecord {
  readonly id: string
  readonly parents: readonly string[]
  /** `[builder 3/5] COPY f.txt .`, `mount / from exec /bin/sh -c …`, `pulled from …`, `local source for context` */
  readonly description: string
  /** `regular`, `source.local`, `exec.cachemount`, `frontend`, … */
  readonly type: string
  /** Of the snapshot alone, in bytes: four significant digits. */
  readonly bytes: number
  readonly createdMs: number | undefined
}

/** Past these, what stages weigh may be unknown; an engine that lived long has tens of thousands. */
const MOST_RECORDS = 100_000

/** Reads `docker buildx du --format '{{json .}}'` as it arrives: an engine that lived long has megabytes of it. */
export class DiskUsageReader {
  readonly #records: DiskRecord[] = []
  #rest = ''

  push(text: string): void {
    const lines = `${this.#rest}${text}`.split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#read(line)
  }

  /** What was read, when all of it was. */
  end(): readonly DiskRecord[] {
    this.#read(this.#rest)
    this.#rest = ''
    return this.#records
  }

  #read(line: string): void {
    const record = asRecord(parseJson(line))
    if (record === undefined || this.#records.length >= MOST_RECORDS) return
    this.#records.push({
      id: textAt(record, 'ID') ?? '',
      parents: list(record['Parents']).filter((parent) => typeof parent === 'string'),
      description: textAt(record, 'Description') ?? '',
      type: textAt(record, 'Type') ?? '',
      bytes: parseSize(textAt(record, 'Size') ?? ''),
      createdMs: goTime(textAt(record, 'CreatedAt') ?? ''),
    })
  }
}

/** Bytes on the builder's disk. */
export interface StageOnDisk {
  /** What the instructions made. */
  readonly own: number
  /** The image beneath them. */
  readonly base: number
}

/**
 * What a stage takes on the builder's disk.
 * @param steps the instructions of a stage, in order, and before them those of the stages it is based on.
 * @returns undefined when the records do not tell, or when there are no steps to find it by.
 */
export function bytesOnDisk(records: readonly DiskRecord[], steps: readonly Step[]): StageOnDisk | undefined {
  const [first, ...rest] = steps
  if (first === undefined) return undefined
  const regular = records.filter((record) => record.type === 'regular' || record.type === '')
  const children = Map.groupBy(
    regular.flatMap((record) => record.parents.map((parent) => ({ parent, record }))),
    ({ parent }) => parent,
  )
  const starts = newestFirst(regular.filter((record) => matches(record, first) === 'exactly'))
  for (const start of starts) {
    const own = follow(start, rest, (id) => children.get(id)?.map(({ record }) => record) ?? [])
    if (own !== undefined) return { own, base: bytesBeneath(start, regular) }
  }
  return undefined
}

/** The snapshots beneath one: those of the base image. */
function bytesBeneath(record: DiskRecord, records: readonly DiskRecord[]): number {
  const byId = new Map(records.map((candidate) => [candidate.id, candidate]))
  const seen = new Set<string>([record.id])
  let sum = 0
  for (let next = record.parents[0]; next !== undefined && !seen.has(next);) {
    seen.add(next)
    const parent = byId.get(next)
    sum += parent?.bytes ?? 0
    next = parent?.parents[0]
  }
  return sum
}

/** Goes up the chain of snapshots, newest first at every fork. */
function follow(
  record: DiskRecord,
  steps: readonly Step[],
  childrenOf: (id: string) => readonly DiskRecord[],
): number | undefined {
  const [step, ...rest] = steps
  if (step === undefined) return record.bytes
  const children = childrenOf(record.id).map((child) => ({ child, match: matches(child, step) }))
  for (const quality of ['exactly', 'perhaps'] as const) {
    const candidates = children.filter(({ match }) => match === quality).map(({ child }) => child)
    for (const next of newestFirst(candidates)) {
      const above = follow(next, rest, childrenOf)
      if (above !== undefined) return record.bytes + above
    }
  }
  return undefined
}

/**
 * Whether a snapshot was made by a step. File operations keep the step's name (its place may be of an older
 * Dockerfile); commands keep their argv, which differs from the RUN as written for heredocs and expanded variables.
 */
function matches(record: DiskRecord, step: Step): 'exactly' | 'perhaps' | 'no' {
  const description = record.description.replaceAll(/\s+/g, ' ').trim()
  const text = step.text.replaceAll('\u200b', '').trim() // put there for the log (output-text.ts)
  if (!text.startsWith('RUN ')) {
    return description.replace(/^\[[^\]]*\] /, '') === text ? 'exactly' : 'no'
  }
  const argv = /^mount \/ from exec (.*)$/s.exec(description)?.[1]
  if (argv === undefined) return 'no'
  const command = text.replace(/^RUN (?:--\S+ )*/, '').trim()
  const words = list(parseJson(command)).join(' ')
  if (argv === command || argv.endsWith(` ${command}`) || (words !== '' && argv === words)) return 'exactly'
  return command.includes('<<') || expandsTo(argv, command) ? 'perhaps' : 'no'
}

/** Whether an argv with variables (`sh -c echo $X`) may be the command that BuildKit shows with their values. */
function expandsTo(argv: string, command: string): boolean {
  if (!argv.includes('$')) return false
  const literal = argv
    .split(/\$(?:\w+|\{[^}]*\})/)
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
  const shell = /^(\S+ )*?-\S*c /.exec(argv)?.[0] ?? ''
  return new RegExp(`^${literal.join('.*')}$`, 's').test(`${shell}${command}`)
}

function newestFirst(records: readonly DiskRecord[]): readonly DiskRecord[] {
  return records.toSorted((a, b) => (b.createdMs ?? 0) - (a.createdMs ?? 0))
}

/** `4.096kB`, `379.8MB`: decimal units. https://github.com/docker/go-units/blob/v0.5.0/size.go */
function parseSize(text: string): number {
  const [, number, unit] = /^([\d.]+)\s*([kMGTP]?)B$/.exec(text) ?? []
  const power = ['', 'k', 'M', 'G', 'T', 'P'].indexOf(unit ?? '')
  return number === undefined ? 0 : Math.round(Number(number) * 1000 ** power)
}

/** Go's default text of a time: `2026-11-21 03:59:06.217165184 +0000 UTC`. */
function goTime(text: string): number | undefined {
  const [, day, clock, zone] = /^(\S+) (\S+) ([+-]\d{4})/.exec(text) ?? []
  const ms = day === undefined ? NaN : Date.parse(`${day}T${clock ?? ''}${zone?.replace(/(\d\d)$/, ':$1') ?? 'Z'}`)
  return Number.isNaN(ms) ? undefined : ms
}
