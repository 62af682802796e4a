/** The records of earlier builds that this run may believe, and the ones that it leaves. */
import { isDeepStrictEqual } from 'node:util'
import type { FoundRecords, IndexSource } from './cache/index-loader.ts'
import type { PlatformSizes } from './measure/sizes.ts'
import { readRecords, writeRecords, type TargetRecord } from './plan/record.ts'
import { isPart, joinRecords, recordedSizes } from './record-parts.ts'

/** A record, and whose it is. */
export interface Candidate {
  readonly source: IndexSource
  readonly ref: string
  readonly record: TargetRecord
}

export interface RecordsQuestion {
  readonly isPullRequest: boolean
  /** Only records of one of these platforms alone count; undefined where all platforms are built together. */
  readonly parts?: readonly string[] | undefined
}

/** Under what the records stand in an index. */
const KEY = 'built'

export class KnownRecords {
  readonly #candidates = new Map<string, Candidate[]>()
  /** All that was found, also what may not vouch for an image: enough to compare sizes with. */
  readonly #found = new Map<string, Candidate[]>()
  readonly #own: ReadonlyMap<string, TargetRecord>

  readonly #question: RecordsQuestion

  /** @param found own branch first */
  constructor(found: readonly FoundRecords[], question: RecordsQuestion) {
    this.#question = question
    const own = found.find(({ source }) => source === 'own')
    this.#own = own === undefined ? new Map() : this.#recordsIn(own)
    this.add(found)
  }

  /** Adds what further indexes say. */
  add(found: readonly FoundRecords[]): void {
    const { isPullRequest } = this.#question
    for (const place of found) {
      const { source, ref } = place
      for (const [name, record] of this.#recordsIn(place)) {
        const candidate = { source, ref, record }
        this.#found.set(name, [...(this.#found.get(name) ?? []), candidate])
        if (mayVouch(source, isPullRequest)) {
          this.#candidates.set(name, [...(this.#candidates.get(name) ?? []), candidate])
        }
      }
    }
  }

  /** Whose sizes may be known of a target; of several of a branch the latest first. */
  measured(target: string, source: IndexSource): readonly Candidate[] {
    const later = (a: Candidate, b: Candidate): number => (a.record.createdAt < b.record.createdAt ? 1 : -1)
    const found = (this.#found.get(target) ?? []).filter((candidate) => candidate.source === source).sort(later)
    return (this.#question.parts ?? []).length > 1 ? wholeOf(found) : found
  }

  /** What was measured of a target, by whomever. */
  sizesOf(target: string): readonly PlatformSizes[] {
    return (this.#found.get(target) ?? []).flatMap(({ record }) => recordedSizes(record)?.platforms ?? [])
  }

  /** What was measured of the images that the branch's own records tell of. */
  ownSizes(): readonly PlatformSizes[] {
    return [...this.#own.values()].flatMap((record) => recordedSizes(record)?.platforms ?? [])
  }

  /** All targets that something is known of. */
  names(source: IndexSource): readonly string[] {
    return [...this.#found].flatMap(([name, all]) => (all.some((one) => one.source === source) ? [name] : []))
  }

  /** Records of a target: own branch first, then the latest. */
  of(target: string): readonly Candidate[] {
    const rank = ({ source }: Candidate): number => ['own', 'base', 'default'].indexOf(source)
    const later = (a: Candidate, b: Candidate): number => (a.record.createdAt < b.record.createdAt ? 1 : -1)
    return [...(this.#candidates.get(target) ?? [])].sort((a, b) => rank(a) - rank(b) || later(a, b))
  }

  #recordsIn({ records }: FoundRecords): ReadonlyMap<string, TargetRecord> {
    const isThere = typeof records === 'object' && records !== null && KEY in records
    const all = isThere ? readRecords(records[KEY]) : new Map<string, TargetRecord>()
    const { parts } = this.#question
    if (parts === undefined) return all
    // Where legs build a platform each, what one left must not stand for another.
    return new Map([...all].filter(([, record]) => isPart(record, parts)))
  }

  /** The branch's own records with new ones in their places, as JSON for its index; whether it says so already. */
  withNew(records: ReadonlyMap<string, TargetRecord>): {
    readonly json: Readonly<Record<string, unknown>>
    readonly areNew: boolean
  } {
    const fresh = [...records].map(([name, record]) => [name, pushedBefore(this.#own.get(name), record)] as const)
    const areNew = fresh.some(([name, record]) => !saysTheSame(this.#own.get(name), record))
    return { json: { [KEY]: writeRecords(new Map([...this.#own, ...fresh])) }, areNew }
  }
}

/**
 * What legs measured of a platform each, as one for every commit; of a platform that its run left as it was, what the one before
 * measured.
 * @param found the latest first
 */
function wholeOf(found: readonly Candidate[]): readonly Candidate[] {
  const commits = found.map(({ record }) => record.commit)
  return found.flatMap((candidate, at) => {
    if (commits.indexOf(candidate.record.commit) < at) return []
    return [{ ...candidate, record: joinRecords(found.slice(at).map(({ record }) => record)) }]
  })
}

/**
 * Of a pull request's run, records of the branch that it is to be merged into and its own count; of a branch's, its own
 * and the default branch's: what others can write is no reason to skip anything.
 */
function mayVouch(source: IndexSource, isPullRequest: boolean): boolean {
  return source !== 'default' || !isPullRequest
}

/** A run that pushed nothing does not forget where an equal image was pushed to. */
function pushedBefore(known: TargetRecord | undefined, record: TargetRecord): TargetRecord {
  const { fingerprint, image } = record
  const isSame = fingerprint !== undefined && known?.fingerprint === fingerprint && image.digest === undefined
  return isSame && known.image.digest !== undefined ? { ...record, image: known.image } : record
}

function saysTheSame(known: TargetRecord | undefined, record: TargetRecord): boolean {
  const { fingerprint, image } = record
  return (
    known !== undefined && known.fingerprint === fingerprint && isDeepStrictEqual(asRead(known.image), asRead(image))
  )
}

/** As it would be read from an index: what is undefined is not there. */
function asRead(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}
