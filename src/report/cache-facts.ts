/** What the summary tells of the layer cache. Types only: `layer-caching.ts` fills them. Refs are untrusted text. */

/** A cache that BuildKit imported for a target. */
export interface CacheImport {
  /** `refs/heads/main` */
  readonly ref: string
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  /** Layers that could be had. */
  readonly layers: number
}

/** Where an index was looked for, and what was there. */
export interface CacheSearch {
  readonly source: 'own' | 'base' | 'default'
  readonly ref: string
  readonly outcome: 'found' | 'none' | 'failed' | 'unusable'
  readonly reason?: string | undefined
}

/** What became of a cache mount. Ids are untrusted text. */
export interface MountFacts {
  readonly id: string
  /** Put in before the build; `none`: nothing could be had; `cached`: its steps were expected from the cache. */
  readonly putIn: 'none' | 'cached' | { readonly bytes: number; readonly ref: string; readonly savedAt: number }
  /** Taken out after it, or why not; bytes of what is saved, or of what is too large for it. */
  readonly takenOut:
    'not-run' | 'not-written' | 'unchanged' | 'empty' | { readonly bytes: number } | { readonly tooLarge: number }
}

export interface CacheFacts {
  readonly backend: 'github' | 'directory'
  readonly writes: boolean
  readonly searches: readonly CacheSearch[]
  /** By target. */
  readonly imports: ReadonlyMap<string, readonly CacheImport[]>
  /** Fetched from the backend. */
  readonly packsFetched: number
  readonly bytesFetched: number
  /** Passed on from base images' own registries. */
  readonly bytesProxied: number
  /** New layers: saved, or (`savedLater`) left to the post step. Undefined: nothing was new. */
  readonly bytesSaved: number | undefined
  readonly savedLater: boolean
  /** Cache mounts of the targets; empty where they are not kept. */
  readonly mounts: readonly MountFacts[]
  /** Layers too large for `cache-max-size`. */
  readonly bytesDropped: number
  /** Entries that an index names and that were gone, could not be fetched, or held wrong bytes. */
  readonly gone: number
  readonly failed: number
  readonly damaged: number
  /** Why nothing could be saved; a clause. */
  readonly trouble: string | undefined
  /** Milliseconds since the epoch: when the build was over. */
  readonly now: number
}
