/**
 * The layer cache in a directory, for runs away from GitHub and for self-hosted runners. Several processes use it at once
 * without locks: an entry appears and goes by one `rename`, and its files are never changed.
 *
 *     directory/v1/SCOPE/KEY/files/…   entries (`directory-entry.ts`)
 *     directory/v1/.tmp/…              being written, or on its way out
 *
 * The scopes are GitHub's: a run finds its own branch's entries, the base branch's and the default branch's, and writes
 * only its own. Who can write to the directory itself can do as they like, so untrusted builds must not share it.
 */
import { createHash } from 'node:crypto'
import { mkdir, rename, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode } from '../errors.ts'
import type { CacheBackend, EntryPlace, RestoreRequest, RestoreResult, SaveResult } from './cache-backend.ts'
import {
  creationTime,
  discard,
  entryKeys,
  EntryTooLargeError,
  readEntry,
  temporaryName,
  writeEntry,
} from './directory-entry.ts'
import { evict, removeLeftovers, TEMPORARY } from './directory-eviction.ts'
import { moveInto, placeFault } from './entry-files.ts'

export interface DirectoryBackendOptions {
  /** The session's folder, absolute: paths of entries are relative to it. */
  readonly root: string
  /** Where the cache lies; made when it is missing and may be written. */
  readonly directory: string
  readonly scopes: {
    /** The branch or pull request that this run writes for. */
    readonly own: string
    /** What it may read, in this order: its own first. */
    readonly readable: readonly string[]
  }
  readonly mayWrite: boolean
  /** Σ of the files of all scopes; beyond it the least recently used entries go. */
  readonly maxBytes: number
  readonly now?: (() => Date) | undefined
  readonly debug?: ((line: string) => void) | undefined
}

type Failure = Extract<SaveResult, { kind: 'failed' }>

const EXISTS: Failure = { kind: 'failed', why: 'exists', reason: 'the cache has an entry of this key already' }

/**
 * A cache in a directory. What it restores may be the same files as in the cache, by hard link: they must not be
 * written to, only read, replaced or deleted.
 */
export function openDirectoryBackend(options: DirectoryBackendOptions): CacheBackend {
  return new DirectoryBackend(options)
}

class DirectoryBackend implements CacheBackend {
  readonly kind = 'directory'
  readonly #options: DirectoryBackendOptions
  readonly #base: string
  readonly #now: () => Date
  readonly #debug: (line: string) => void
  #lastTime = 0

  constructor(options: DirectoryBackendOptions) {
    this.#options = options
    this.#base = join(options.directory, 'v1')
    this.#now = options.now ?? (() => new Date())
    this.#debug = options.debug ?? (() => undefined)
  }

  async restore(request: RestoreRequest): Promise<RestoreResult> {
    return await this.#find(request, async (entry) => {
      const fresh = join(this.#options.root, temporaryName())
      try {
        await readEntry(entry, fresh)
        await moveInto(fresh, join(this.#options.root, request.path))
      } finally {
        await discard(fresh)
      }
    })
  }

  async lookUp(request: RestoreRequest): Promise<RestoreResult> {
    return await this.#find(request, async (entry) => {
      await stat(entry)
    })
  }

  async save({ key, path }: EntryPlace): Promise<SaveResult> {
    const fault = placeFault({ key, path })
    if (fault !== undefined) return { kind: 'failed', why: 'other', reason: fault }
    if (!this.#options.mayWrite) return { kind: 'failed', why: 'denied', reason: 'this run may not write to the cache' }
    const scope = join(this.#base, scopeName(this.#options.scopes.own))
    const place = join(scope, key)
    const fresh = join(this.#base, TEMPORARY, temporaryName())
    try {
      if ((await creationTime(place)) !== undefined) return EXISTS
      await mkdir(scope, { recursive: true })
      await writeEntry(join(this.#options.root, path), fresh, this.#time(), this.#options.maxBytes)
      await this.#touch(fresh)
      await rename(fresh, place)
    } catch (error) {
      await discard(fresh)
      return this.#failure(error)
    }
    await this.#tidy()
    return { kind: 'saved' }
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  /** Takes the entry that a request asks for. One that vanishes meanwhile was not there. */
  async #find(request: RestoreRequest, take: (entry: string) => Promise<void>): Promise<RestoreResult> {
    const { key, prefixes = [] } = request
    const fault = placeFault(request, prefixes)
    if (fault !== undefined) return { kind: 'failed', reason: fault }
    try {
      for (const scope of this.#options.scopes.readable) {
        const folder = join(this.#base, scopeName(scope))
        for await (const found of candidates(folder, key, prefixes)) {
          try {
            await take(join(folder, found))
          } catch (error) {
            if (errorCode(error) !== 'ENOENT') throw error
            continue
          }
          await this.#touch(join(folder, found))
          return { kind: 'hit', key: found }
        }
      }
      return { kind: 'miss' }
    } catch (error) {
      // The file system's own errors have a code.
      const isSpoilt = errorCode(error) === undefined
      return { kind: 'failed', reason: this.#failure(error).reason, ...(isSpoilt && { isSpoilt }) }
    }
  }

  /** The time, but later each time: of two uses in one millisecond the second is the later one, too. */
  #time(): Date {
    this.#lastTime = Math.max(this.#now().getTime(), this.#lastTime + 1)
    return new Date(this.#lastTime)
  }

  /** Notes that an entry was used. */
  async #touch(entry: string): Promise<void> {
    const time = this.#time()
    // Gone, or of another user, who may read it only: then it is not known to be used.
    await utimes(entry, time, time).catch(() => undefined)
  }

  async #tidy(): Promise<void> {
    try {
      await removeLeftovers(this.#base, this.#now())
      await evict(this.#base, this.#options.maxBytes, this.#debug)
    } catch (error) {
      this.#debug(`the cache could not be tidied: ${this.#failure(error).reason}`)
    }
  }

  #failure(error: unknown): Failure {
    const code = errorCode(error) ?? ''
    const { directory } = this.#options
    if (code === 'EEXIST' || code === 'ENOTEMPTY') return EXISTS
    if (error instanceof EntryTooLargeError) {
      return { kind: 'failed', why: 'limited', reason: 'the entry is larger than the whole cache may be' }
    }
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      return { kind: 'failed', why: 'limited', reason: `there is no room left in ${directory}` }
    }
    const message = error instanceof Error ? error.message : String(error)
    const known: Readonly<Record<string, string>> = {
      EACCES: `the cache’s directory ${directory} may not be used by this user`,
      EPERM: `the cache’s directory ${directory} may not be used by this user`,
      EROFS: `the cache’s directory ${directory} is on a file system that cannot be written to`,
      ENOTDIR: `the cache’s directory ${directory} is no directory`,
    }
    return { kind: 'failed', why: 'other', reason: known[code] ?? `the cache in ${directory} failed: ${message}` }
  }
}

/** A scope is a ref, with slashes and letters of all kinds; and a file system may not tell `A` from `a`. */
function scopeName(scope: string): string {
  return createHash('sha256').update(scope).digest('hex').slice(0, 32)
}

/** The keys of a scope that answer a request, the best first. */
async function* candidates(folder: string, key: string, prefixes: readonly string[]): AsyncGenerator<string> {
  // Where it is not there, to take it fails, and the next one follows.
  yield key
  if (prefixes.length === 0) return
  const keys = await entryKeys(folder)
  for (const prefix of prefixes) {
    const found: { readonly name: string; readonly created: number }[] = []
    for (const name of keys.filter((other) => other.startsWith(prefix))) {
      const created = await creationTime(join(folder, name))
      if (created !== undefined) found.push({ name, created })
    }
    for (const { name } of found.sort((a, b) => b.created - a.created)) yield name
  }
}
