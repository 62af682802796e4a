/**
 * Where the layer cache lives between runs. A backend keeps *entries*: a directory with a few files, saved once under a
 * key of its own, never changed, and gone whenever the backend likes. It knows nothing of blobs and indexes, and nothing
 * that it gives back is trusted: what uses it checks every byte.
 */

/** An entry's key, and the directory that it is saved from or restored into, relative to the session's folder. */
export interface EntryPlace {
  /** Lower-case letters, digits and `-` only; at most 512. */
  readonly key: string
  /** The same in every run: GitHub's service finds an entry only under the path that it was saved from. */
  readonly path: string
}

export interface RestoreRequest extends EntryPlace {
  /** Where no entry has the key: the newest whose key begins with the first of these that finds one. */
  readonly prefixes?: readonly string[] | undefined
  readonly timeoutMs: number
}

export type RestoreResult =
  /** Its files lie in `path` now; `key` is the key that was found. */
  | { readonly kind: 'hit'; readonly key: string }
  | { readonly kind: 'miss' }
  /** The backend could not answer. Or it did, and what it has is no entry (`isSpoilt`): nor will it be the next time. */
  | { readonly kind: 'failed'; readonly reason: string; readonly isSpoilt?: true }

export type SaveResult =
  | { readonly kind: 'saved' }
  | {
      readonly kind: 'failed'
      /** `denied`: this run may not write. `limited`: too many uploads in a while, or no room. */
      readonly why: 'denied' | 'limited' | 'exists' | 'other'
      readonly reason: string
    }

export interface CacheBackend {
  readonly kind: 'github' | 'directory'
  /** Never rejects. */
  restore(request: RestoreRequest): Promise<RestoreResult>
  /** Whether an entry is there, without fetching it; it counts as used from now on. Never rejects. */
  lookUp(request: EntryPlace & { readonly timeoutMs: number }): Promise<RestoreResult>
  /** Saves the directory `path`. Never rejects. */
  save(request: EntryPlace & { readonly timeoutMs: number }): Promise<SaveResult>
  /** Ends what is still going on. */
  close(): Promise<void>
}
