/** What the thread of a context and its helpers say to each other: few and large messages, for each costs as much as many files. */
import type { ReadContent } from './content-id.ts'
import { FIELDS, type Listing } from './directory-listing.ts'
import type { ObjectFormat } from './git-index.ts'

/** Directories to list, or files to read, by absolute paths. */
export type Question =
  | { readonly kind: 'list'; readonly paths: readonly string[] }
  | { readonly kind: 'read'; readonly paths: readonly string[]; readonly format: ObjectFormat }

/** One by one as they were asked for; undefined where something failed: who asks finds it again, and says why. */
export type Answer =
  | {
      readonly kind: 'list'
      readonly names: readonly (string | undefined)[]
      readonly numbers: Float64Array<ArrayBuffer>
    }
  | { readonly kind: 'read'; readonly contents: readonly (ReadContent | undefined)[] }

export interface HelperData<Port> {
  readonly port: Port
  /** One number, which goes up with each answer. */
  readonly answered: Int32Array
}

/** No name holds it. */
const BETWEEN = '\0'

/** Listings as one message. */
export function packListings(listings: readonly (Listing | undefined)[]): Extract<Answer, { readonly kind: 'list' }> {
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
}: Extract<Answer, { readonly kind: 'list' }>): readonly (Listing | undefined)[] {
  let at = 0
  return names.map((joined) => {
    if (joined === undefined) return undefined
    const own = joined === '' ? [] : joined.split(BETWEEN)
    const start = at
    at += own.length * FIELDS
    return { names: own, numbers: numbers.subarray(start, at) }
  })
}
