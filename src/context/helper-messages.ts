/** What the thread of a context and its helpers say to each other: few and large messages, for each costs as much as many files. */
import type { ReadContent } from './content-id.ts'
import { FIELDS, type Listing } from './directory-listing.ts'
import type { ObjectFormat } from './git-index.ts'

/** Directories to list, or files to read, by absolute paths. */
export type Question =
  | { readonly kind: 'list'; readonly paths: readonly string[] }
  | { readonly kind: 'read'; readonly paths: readonly string[]; readonly format: ObjectFormat }

/** Listings one by one; undefined where something failed: who asks finds it again, and says why. */
export interface Listed {
  readonly kind: 'list'
  readonly names: readonly (string | undefined)[]
  readonly numbers: Float64Array<ArrayBuffer>
}

/** What was listed before anybody asked: an answer without a question, the first of a scout. */
export interface Scouted extends Omit<Listed, 'kind'> {
  readonly kind: 'scouted'
  /** Absolute, of the listings. */
  readonly paths: readonly string[]
  /** Absolute: not listed yet. */
  readonly open: readonly string[]
}

/** One by one as they were asked for. */
export type Answer =
  Listed | { readonly kind: 'read'; readonly contents: readonly (ReadContent | undefined)[] } | Scouted

export interface HelperData<Port> {
  readonly port: Port
  /** One number, which goes up with each answer. */
  readonly answered: Int32Array
  /** Begin with that, before any question: until one number is not 0 any more. */
  readonly scouting?: { readonly directory: string; readonly stopped: Int32Array } | undefined
}

/** No name holds it. */
const BETWEEN = '\0'

/** Listings as one message. */
export function packListings(listings: readonly (Listing | undefined)[]): Listed {
  const numbers = new Float64Array(listings.reduce((sum, listing) => sum + (listing?.numbers.length ?? 0), 0))
  let at = 0
  for (const listing of listings) {
    if (listing === undefined) continue
    numbers.set(listing.numbers, at)
    at += listing.numbers.length
  }
  return { kind: 'list', names: listings.map((listing) => listing?.names.join(BETWEEN)), numbers }
}

/** The listings of a message. */
export function unpackListings({
  names,
  numbers,
}: Pick<Listed, 'names' | 'numbers'>): readonly (Listing | undefined)[] {
  let at = 0
  return names.map((joined) => {
    if (joined === undefined) return undefined
    const own = joined === '' ? [] : joined.split(BETWEEN)
    const start = at
    at += own.length * FIELDS
    return { names: own, numbers: numbers.subarray(start, at) }
  })
}
