/** The state of one walk: directories that are still to be listed, and who lists them. */
import { ListingHelpers } from './directory-listing.ts'
import type { AttributeScope, GitRepository } from './git-repository.ts'
import type { IgnoreState } from './ignore-matcher.ts'
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
  readonly places: Place[] = []
  /** Given to a helper, by absolute path. */
  readonly asked = new Map<string, Place>()
  helpers: ListingHelpers | undefined
  readonly #excluded = new Set<DirectoryNode>()
  #added = 0

  add(place: Place): void {
    this.places.push(place)
    this.#added++
    if (place.excluded) this.#excluded.add(place.node)
    if (this.#added === HELP_AFTER) this.helpers = new ListingHelpers()
  }

  /** Gives helpers what they have time for. */
  share(absolute: (path: string) => string): void {
    const { helpers } = this
    while (helpers !== undefined && this.places.length > KEPT) {
      const taken = (): readonly string[] => {
        // From those that wait longest: they lie highest, and hold most.
        const batch = this.places.splice(0, Math.min(BATCH, this.places.length - KEPT))
        return batch.map((place) => {
          const path = absolute(place.path)
          this.asked.set(path, place)
          return path
        })
      }
      if (!helpers.ask(taken)) return
    }
  }

  /** Takes excluded directories away in which nothing was found. */
  prune(directory: DirectoryNode): void {
    if (this.#excluded.size === 0) return
    const kept = directory.children.filter((child) => {
      if (child.type !== 'directory') return true
      this.prune(child)
      return child.children.length > 0 || !this.#excluded.has(child)
    })
    directory.children.splice(0, Infinity, ...kept)
  }

  async end(): Promise<void> {
    await this.helpers?.[Symbol.asyncDispose]()
  }
}
