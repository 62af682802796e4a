/**
 * What entries are called, whose a run may read, and whether it may write: GitHub's rules for scopes, which the directory
 * backend keeps, too. Pure, but for random names.
 * https://docs.github.com/en/actions/reference/workflows-and-actions/dependency-caching#restrictions-for-accessing-a-cache
 */
import { createHash, randomBytes } from 'node:crypto'

export type ScopeSource = 'own' | 'base' | 'default'

export interface CacheScope {
  readonly source: ScopeSource
  /** `refs/heads/main`, `refs/pull/7/merge`; `local` outside of GitHub Actions. */
  readonly ref: string
}

/** The refs whose caches a run may read, its own first, each once. */
export function cacheScopes(
  env: NodeJS.ProcessEnv,
  { defaultBranch }: { readonly defaultBranch: string | undefined },
): readonly CacheScope[] {
  const own = given(env['GITHUB_REF']) ?? 'local'
  const base = given(env['GITHUB_BASE_REF'])
  const scopes: CacheScope[] = [{ source: 'own', ref: own }]
  const add = (source: ScopeSource, branch: string | undefined): void => {
    const ref = `refs/heads/${branch ?? ''}`
    if (branch !== undefined && !scopes.some((scope) => scope.ref === ref)) scopes.push({ source, ref })
  }
  add('base', base)
  add('default', defaultBranch)
  return scopes
}

export interface WriteQuestion {
  readonly mode: 'auto' | 'read-write' | 'read-only' | 'off'
  readonly eventName: string | undefined
  readonly ref: string
  /** A pull request from another repository. */
  readonly isFork: boolean
  readonly backend: 'github' | 'directory'
}

/**
 * Events that outsiders can cause and that run in the default branch's scope: GitHub gives them a token that only reads.
 * https://github.blog/changelog/2026-06-26 (read-only caches for untrusted triggers)
 */
const UNTRUSTED_EVENTS = ['pull_request_target', 'issue_comment', 'workflow_run']

/** Whether a run saves what it built (DESIGN §4, `cache`). */
export function mayWrite({ mode, eventName = '', ref, isFork, backend }: WriteQuestion): boolean {
  if (mode === 'off' || mode === 'read-only') return false
  // A directory has no service that keeps a fork's layers away from everybody else's.
  if (backend === 'directory' && (isFork || UNTRUSTED_EVENTS.includes(eventName))) return false
  if (mode === 'read-write') return true
  return !ref.startsWith('refs/tags/') && eventName !== 'merge_group' && !UNTRUSTED_EVENTS.includes(eventName)
}

export interface CacheIdentity {
  /** The input `id`, or what stands for it. */
  readonly id: string
  /** The input `cache-scope`. */
  readonly scope: string
}

export interface IndexKeys {
  /** Of the indexes of this very set of targets and platforms. */
  readonly prefix: string
  /** Of the project's indexes, whatever their targets. */
  readonly anyLeg: string
}

export function indexKeys(
  question: CacheIdentity & {
    readonly ref: string
    readonly targets: readonly string[]
    readonly platforms: readonly string[]
  },
): IndexKeys {
  const { ref, targets, platforms } = question
  const anyLeg = `sb1-index-${identityHash(question)}-${hash([ref])}-`
  return { anyLeg, prefix: `${anyLeg}${hash([[...targets].sort(), [...platforms].sort()])}-` }
}

/**
 * A key that no entry had before: a save that was killed leaves its key reserved. Of one commit, later keys sort after
 * earlier ones.
 */
export function newIndexKey(
  prefix: string,
  { now, commit }: { readonly now: number; readonly commit?: string | undefined },
): string {
  return `${commitPrefix(prefix, commit)}${now.toString(16).padStart(12, '0')}-${randomBytes(4).toString('hex')}`
}

/** What the keys of the indexes begin with that runs of a commit left. */
export function commitPrefix(prefix: string, commit: string | undefined): string {
  return `${prefix}${/^[0-9a-f]{12}/.exec(commit ?? '')?.[0] ?? 'none'}-`
}

/** What the keys of a project's packs begin with. */
export function packPrefix(identity: CacheIdentity): string {
  return `sb1-pack-${identityHash(identity)}-`
}

/** `sb1-index-PROJECT-REF-TARGETS-COMMIT-TIME-RANDOM` */
export const INDEX_KEY =
  /^(sb1-index-([0-9a-f]{16})-[0-9a-f]{16}-[0-9a-f]{16})-([0-9a-f]{12}|none)-[0-9a-f]{12,}-[0-9a-f]{8}$/
/** `sb1-pack-PROJECT-RANDOM` */
export const PACK_KEY = /^sb1-pack-([0-9a-f]{16})-([0-9a-f]{32})$/

/**
 * Where the blobs of an entry lie, relative to the session's folder: a pack's, or those that came with an index. Undefined
 * for what is neither.
 */
export function blobsPath(key: string): string | undefined {
  const id = INDEX_KEY.test(key) ? shortHash(key) : PACK_KEY.exec(key)?.[2]
  return id === undefined ? undefined : `packs/${id}`
}

/** The name of an index's file. Several are unpacked into one directory, so it hangs on the key. */
export function indexFile(key: string): string {
  return `${shortHash(key)}.json`
}

/** The path that an entry is saved from: of all indexes the same, or GitHub's service would not find one for another. */
export const INDEX_PATH = 'index'

export function newPack(prefix: string): { readonly key: string; readonly path: string } {
  const id = randomBytes(16).toString('hex')
  return { key: `${prefix}${id}`, path: `packs/${id}` }
}

function identityHash({ id, scope }: CacheIdentity): string {
  return hash([id, scope])
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}

function hash(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)
}

function given(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}
