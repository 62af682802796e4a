/**
 * Directories of a large tree, listed by helper threads before anybody asks for them: while other programs are waited for, and
 * while git's index is read. What is listed here is what a walk would have listed, only earlier; which files are in the
 * context, and what git knows of them, is judged by the walk.
 */
import { realpath } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { ContextHelpers, type Deliver } from './context-helpers.ts'
import { FIELDS, listDirectory, type Listing } from './directory-listing.ts'
import { GitRepositories, type GitRepository } from './git-repository.ts'
import { unpackListings } from './helper-messages.ts'
import { ignoreFileOf } from './ignore-file.ts'
import { IgnoreMatcher, type IgnoreState } from './ignore-matcher.ts'
import { isDirectory } from './tree-nodes.ts'

/** From this size of git's index on (ten thousand files), a tree is worth a thread: to start one takes as long as to list some hundred directories. */
const LARGE_INDEX_BYTES = 1_000_000

/** No more files than this are looked at ahead: what nobody asks for must not fill the memory. */
const MOST_FILES = 300_000
const BATCH = 64
/** Questions that a helper holds: it is to have work while this thread reads Dockerfiles. */
const QUESTIONS = 16

/** Where to look: a directory, and what an ignore file says of it. */
interface AheadPlace {
  /** Absolute, without links. */
  readonly directory: string
  /** Relative to where the patterns begin. */
  readonly path: string
  readonly state: IgnoreState | undefined
}

/** What all contexts of a run share. */
export class LookAhead {
  readonly repositories: GitRepositories
  readonly #listings = new Map<string, Listing>()
  readonly #coming = new Set<string>()
  #open: AheadPlace[] = []
  #files = 0
  #isOver = false
  #helpers: ContextHelpers | undefined

  readonly #largeIndexBytes: number

  /** @param env of this process: where git looks for its configuration */
  constructor(env: NodeJS.ProcessEnv, { largeIndexBytes = LARGE_INDEX_BYTES } = {}) {
    this.#largeIndexBytes = largeIndexBytes
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
    return (this.#helpers ??= new ContextHelpers())
  }

  /**
   * Lists what lies in a workspace, as far as its `.dockerignore` leaves it, and reads git's index. Never rejects: whoever asks
   * later finds what is wrong.
   */
  async beginAt(workspace: string): Promise<void> {
    try {
      const directory = await realpath(workspace)
      const matcher = new IgnoreMatcher(await ignoreFileOf(directory))
      const repository = await this.repositories.around(directory)
      if (this.#isOver || !this.#isLarge(repository)) return
      this.#open = [{ directory, path: '', state: undefined }]
      void this.#run(this.startHelpers(), matcher).catch(() => {
        this.stop()
      })
      await repository.readIndex()
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
    this.#listings.clear()
    this.#coming.clear()
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
    if (place === undefined) return
    try {
      this.#keep(place, listDirectory(place.directory), matcher)
    } catch {
      // Whoever asks for it finds out.
    }
  }

  #keep({ directory, path, state }: AheadPlace, listing: Listing, matcher: IgnoreMatcher): void {
    const { names, numbers } = listing
    this.#listings.set(directory, listing)
    this.#files += names.length
    if (this.#isOver) return
    for (let index = 0; index < names.length; index++) {
      const name = names[index] ?? ''
      // Git's own directory is seldom in a context, and large.
      if (!isDirectory(numbers[index * FIELDS] ?? 0) || name === '.git') continue
      const below = path === '' ? name : `${path}/${name}`
      const verdict = matcher.isEmpty ? undefined : matcher.enter(below, true, state)
      if (verdict?.cut === true) continue
      this.#open.push({ directory: `${directory}/${name}`, path: below, state: verdict?.state })
    }
  }
}
