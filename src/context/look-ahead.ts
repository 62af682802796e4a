/**
 * Directories of a large tree, listed by helper threads before anybody asks for them: while other programs are waited for, and
 * while git's index is read. What is listed here is what a walk would have listed, only earlier; which files are in the
 * context, and what git knows of them, is judged by the walk.
 */
import { realpath } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { putOffCompiling } from './compiling.ts'
import { ContextHelpers, type Deliver } from './context-helpers.ts'
import { listOrNothing, type Listing } from './directory-listing.ts'
import { GitRepositories, type GitRepository } from './git-repository.ts'
import { type Scouted, unpackListings } from './helper-messages.ts'
import { ignoreFileOf } from './ignore-file.ts'
import { IgnoreMatcher } from './ignore-matcher.ts'
import { LARGE_INDEX_BYTES, type Scout } from './scout.ts'
import { type AheadPlace, MOST_FILES, placesIn } from './scouting.ts'

const BATCH = 64
/** Questions that a helper holds: it is to have work while this thread reads Dockerfiles. */
const QUESTIONS = 16

/** What all contexts of a run share. */
export class LookAhead {
  readonly repositories: GitRepositories
  readonly #listings = new Map<string, Listing>()
  readonly #coming = new Set<string>()
  #open: AheadPlace[] = []
  #files = 0
  #isOver = false
  #helpers: ContextHelpers | undefined
  #resume: (() => void) | undefined
  /** Lists already. */
  #scout: Scout | undefined
  /** Where to look, when it is known. */
  #from: { readonly directory: string; readonly matcher: IgnoreMatcher } | undefined
  readonly #largeIndexBytes: number

  /**
   * @param env of this process: where git looks for its configuration
   * @param options.scout ends with this
   */
  constructor(
    env: NodeJS.ProcessEnv,
    {
      largeIndexBytes = LARGE_INDEX_BYTES,
      scout,
    }: { readonly largeIndexBytes?: number; readonly scout?: Scout | undefined } = {},
  ) {
    this.#largeIndexBytes = largeIndexBytes
    this.#scout = scout
    this.repositories = new GitRepositories(env)
  }

  /** Threads, if some were started. */
  get helpers(): ContextHelpers | undefined {
    return this.#helpers
  }

  /** Starts threads where a walk will need them: they come to be while git's index is read. */
  prepare(repository: GitRepository | undefined): void {
    if (this.#isLarge(repository)) this.startHelpers()
  }

  /** Starts threads; those that are there stay. */
  startHelpers(): ContextHelpers {
    if (this.#helpers !== undefined) return this.#helpers
    this.#resume = putOffCompiling()
    const scout = this.#scout
    this.#scout = undefined
    if (scout === undefined) return (this.#helpers = new ContextHelpers())
    // Nobody lists anew what it is listing: it lies all below.
    this.#coming.add(scout.directory)
    scout.stop()
    return (this.#helpers = new ContextHelpers({
      scout,
      deliver: (answer) => {
        this.#coming.delete(scout.directory)
        this.#takeScouted(scout.directory, answer?.kind === 'scouted' ? answer : undefined)
      },
    }))
  }

  /**
   * Lists what lies in a workspace, as far as its `.dockerignore` leaves it, and reads git's index. Never rejects: whoever asks
   * later finds what is wrong.
   */
  async beginAt(workspace: string): Promise<void> {
    try {
      const directory = await realpath(workspace)
      const matcher = new IgnoreMatcher(ignoreFileOf(directory))
      const opened = this.repositories.around(directory)
      // Where a scout is at work, it is known that the tree is large.
      if (this.#scout === undefined && !this.#isLarge(await opened)) return
      if (this.#isOver) return
      this.#from = { directory, matcher }
      if (this.#scout?.directory !== directory) this.#open = [{ directory, path: '', state: undefined }]
      void this.#run(this.startHelpers(), matcher).catch(() => {
        this.stop()
      })
      const repository = await opened
      repository?.readIndex()
    } catch {
      this.stop()
    }
  }

  /** A directory as it was found, if it was. */
  listing(directory: string): Listing | undefined {
    return this.#listings.get(directory)
  }

  /** Whether a helper is at it. */
  isComing(directory: string): boolean {
    return this.#coming.has(directory)
  }

  /** No more is asked for; what was asked still comes. */
  stop(): void {
    this.#isOver = true
    this.#open = []
  }

  /** Ends the threads and forgets the listings. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.stop()
    const helpers = this.#helpers
    this.#helpers = undefined
    await this.#scout?.worker.terminate()
    this.#listings.clear()
    this.#coming.clear()
    this.#resume?.()
    this.#resume = undefined
    await helpers?.[Symbol.asyncDispose]()
  }

  #isLarge(repository: GitRepository | undefined): repository is GitRepository {
    return repository !== undefined && repository.indexBytes >= this.#largeIndexBytes
  }

  /** Whether there is more to list. */
  get #isWanting(): boolean {
    return this.#open.length > 0 && this.#files < MOST_FILES
  }

  async #run(helpers: ContextHelpers, matcher: IgnoreMatcher): Promise<void> {
    while (!this.#isOver) {
      while (this.#isWanting && this.#ask(helpers, matcher));
      if (helpers.take()) continue
      if (this.#isWanting) {
        // Nobody else needs this thread now, and whoever comes waits for one directory only.
        this.#listHere(matcher)
        await setImmediate()
      } else if (this.#coming.size === 0) return
      else await helpers.changed()
    }
  }

  #ask(helpers: ContextHelpers, matcher: IgnoreMatcher): boolean {
    const places = this.#open.slice(0, BATCH)
    const question = { kind: 'list', paths: places.map(({ directory }) => directory) } as const
    const deliver: Deliver = (answer) => {
      for (const path of question.paths) this.#coming.delete(path)
      if (answer?.kind !== 'list') return
      for (const [index, listing] of unpackListings(answer).entries()) {
        const place = places[index]
        if (place !== undefined && listing !== undefined) this.#keep(place, listing, matcher)
      }
    }
    if (!helpers.ask(question, deliver, QUESTIONS)) return false
    this.#open.splice(0, places.length)
    for (const path of question.paths) this.#coming.add(path)
    return true
  }

  #listHere(matcher: IgnoreMatcher): void {
    const place = this.#open.pop()
    const listing = place === undefined ? undefined : listOrNothing(place.directory)
    if (place !== undefined && listing !== undefined) this.#keep(place, listing, matcher)
  }

  #keep(place: AheadPlace, listing: Listing, matcher: IgnoreMatcher): void {
    this.#listings.set(place.directory, listing)
    this.#files += listing.names.length
    if (!this.#isOver) for (const below of placesIn(place, listing, matcher)) this.#open.push(below)
  }

  #takeScouted(root: string, scouted: Scouted | undefined): void {
    for (const [index, listing] of (scouted === undefined ? [] : unpackListings(scouted)).entries()) {
      const path = scouted?.paths[index]
      if (path === undefined || listing === undefined) continue
      this.#listings.set(path, listing)
      this.#files += listing.names.length
    }
    if (this.#isOver || this.#from?.directory !== root) return
    const { matcher } = this.#from
    for (const directory of scouted?.open ?? [root]) {
      const path = directory.slice(root.length + 1)
      const state = path === '' || matcher.isEmpty ? undefined : matcher.excludes(path, true).state
      this.#open.push({ directory, path, state })
    }
  }
}
