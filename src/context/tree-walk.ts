/** The state of one walk: directories that are still to be listed, and who lists them. */
import type { Listing } from './directory-listing.ts'
import type { AttributeScope, GitRepository } from './git-repository.ts'
import { unpackListings } from './helper-messages.ts'
import type { IgnoreState } from './ignore-matcher.ts'
import type { LookAhead } from './look-ahead.ts'
import type { DirectoryNode } from './tree-nodes.ts'

/** A directory that is to be listed. */
export interface Place {
  /** Relative to the context. */
  readonly path: string
  /** Its children are to be added. */
  readonly node: DirectoryNode
  readonly state: IgnoreState | undefined
  /** Excluded itself; it is there only for what an exception includes in it. */
  readonly excluded: boolean
  readonly known: Known | undefined
}

/** What git knows of a directory. */
export interface Known {
  readonly repository: GitRepository
  /** The directory in the work tree. */
  readonly directory: string
  readonly scope: AttributeScope
}

/** Directories after which help is called: to start a thread takes as long as to list some hundreds. */
const HELP_AFTER = 200
const BATCH = 16
/** Directories that are kept for this thread. */
const KEPT = 4

export class Walk {
  /** To be listed, the last first. */
  readonly #places: Place[] = []
  /** Listed. */
  readonly #ready: { readonly place: Place; readonly listing: Listing | undefined }[] = []
  /** Being listed since before the walk. */
  #coming: Place[] = []
  #awaited = 0
  readonly #ahead: LookAhead
  readonly #absolute: (path: string) => string
  readonly #excluded = new Set<DirectoryNode>()
  #added = 0

  /** @param absolute of a path in the context */
  constructor(ahead: LookAhead, absolute: (path: string) => string) {
    this.#ahead = ahead
    this.#absolute = absolute
    ahead.stop()
  }

  add(place: Place): void {
    if (place.excluded) this.#excluded.add(place.node)
    const directory = this.#absolute(place.path)
    const listing = this.#ahead.listing(directory)
    if (listing !== undefined) this.#ready.push({ place, listing })
    else if (this.#ahead.isComing(directory)) this.#coming.push(place)
    else {
      this.#places.push(place)
      if (++this.#added === HELP_AFTER) this.#ahead.startHelpers()
    }
  }

  /**
   * A directory to be visited, and what is in it, where that is known already: undefined is to be listed. Waits a few
   * milliseconds at most: `later` then says to ask again; undefined at the end of the walk.
   */
  next(): { readonly place: Place; readonly listing: Listing | undefined } | 'later' | undefined {
    const { helpers } = this.#ahead
    this.#share()
    const ready = this.#ready.pop()
    if (ready !== undefined) return ready
    if (helpers?.take() === true) return 'later'
    const place = this.#places.pop()
    if (place !== undefined) return { place, listing: undefined }
    if (this.#coming.length === 0 && this.#awaited === 0) return undefined
    if (!this.#sift()) helpers?.wait()
    return 'later'
  }

  /** Gives helpers what they have time for. */
  #share(): void {
    const { helpers } = this.#ahead
    while (helpers?.isFree === true && this.#places.length > KEPT) {
      // From those that wait longest: they lie highest, and hold most.
      const batch = this.#places.splice(0, Math.min(BATCH, this.#places.length - KEPT))
      const paths = batch.map(({ path }) => this.#absolute(path))
      this.#awaited++
      helpers.ask({ kind: 'list', paths }, (answer) => {
        this.#awaited--
        const listings = answer?.kind === 'list' ? unpackListings(answer) : []
        for (const [index, place] of batch.entries()) this.#ready.push({ place, listing: listings[index] })
      })
    }
  }

  /** Looks which of the directories that were asked for before have come; false where none has. */
  #sift(): boolean {
    const before = this.#coming
    this.#coming = []
    for (const place of before) this.add(place)
    return this.#coming.length < before.length
  }

  /** Takes excluded directories away in which nothing was found. */
  prune(directory: DirectoryNode): void {
    if (this.#excluded.size === 0) return
    directory.remove((child) => {
      this.prune(child)
      return child.length === 0 && this.#excluded.has(child)
    })
  }
}
