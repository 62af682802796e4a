/** Lists a context in which nobody has asked for anything yet, as far as its `.dockerignore` leaves it. */
import { FIELDS, listOrNothing, type Listing } from './directory-listing.ts'
import { packListings, type Scouted } from './helper-messages.ts'
import { ignoreFileOf } from './ignore-file.ts'
import { IgnoreMatcher, type IgnoreState } from './ignore-matcher.ts'
import { isDirectory } from './tree-nodes.ts'

/** No more files than this are looked at ahead: what nobody asks for must not fill the memory. */
export const MOST_FILES = 300_000

/** A directory that is to be listed, and what an ignore file says of it. */
export interface AheadPlace {
  /** Absolute, without links. */
  readonly directory: string
  /** Relative to where the patterns begin. */
  readonly path: string
  readonly state: IgnoreState | undefined
}

/** The directories in one that was listed, as far as an ignore file leaves them. */
export function placesIn(
  place: AheadPlace,
  { names, numbers }: Listing,
  matcher: IgnoreMatcher,
): readonly AheadPlace[] {
  const { directory, path, state } = place
  const places: AheadPlace[] = []
  for (let index = 0; index < names.length; index++) {
    const name = names[index] ?? ''
    // Git's own directory is seldom in a context, and large.
    if (!isDirectory(numbers[index * FIELDS] ?? 0) || name === '.git') continue
    const below = path === '' ? name : `${path}/${name}`
    const verdict = matcher.isEmpty ? undefined : matcher.enter(below, true, state)
    if (verdict?.cut === true) continue
    places.push({ directory: `${directory}/${name}`, path: below, state: verdict?.state })
  }
  return places
}

/**
 * Lists until it is stopped. What cannot be listed is left to who asks for it; a broken ignore file leaves all.
 * @param isStopped asked after each directory
 */
export function scout(directory: string, isStopped: () => boolean): Scouted {
  const found = new Map<string, Listing>()
  let open: AheadPlace[] = [{ directory, path: '', state: undefined }]
  let files = 0
  try {
    const matcher = new IgnoreMatcher(ignoreFileOf(directory))
    while (files < MOST_FILES && !isStopped()) {
      const place = open.pop()
      if (place === undefined) break
      const listing = listOrNothing(place.directory)
      if (listing === undefined) continue
      found.set(place.directory, listing)
      files += listing.names.length
      for (const below of placesIn(place, listing, matcher)) open.push(below)
    }
  } catch {
    open = []
  }
  const { names, numbers } = packListings([...found.values()])
  return { kind: 'scouted', paths: [...found.keys()], names, numbers, open: open.map((place) => place.directory) }
}
