/** Tokens of GitHub's cache service: which scopes a run may read and write (claim `ac`). */

export interface CacheScope {
  readonly Scope: string
  /** Bits: 1 read, 2 write. */
  readonly Permission: number
}

export interface TokenOptions {
  /** The run's own: `refs/heads/topic`, or `refs/pull/7/merge` for a pull request. */
  readonly ref: string
  /** A pull request's base branch. */
  readonly baseRef?: string
  readonly defaultRef?: string
  /** As for untrusted triggers: the own scope cannot be written either. */
  readonly readOnly?: boolean
}

/**
 * A token as the runner gives an action: own scope first, then base, then default. Nobody signed it, and no client
 * looks; BuildKit's reads `ac`, `nbf` and `exp`.
 * https://github.com/tonistiigi/go-actions-cache/blob/041a0b16a5229c5a208d49ae224438c6976ec514/cache.go#L120-L190
 */
export function cacheToken({ ref, baseRef, defaultRef, readOnly = false }: TokenOptions): string {
  const others = new Set([baseRef, defaultRef].filter((other) => other !== undefined && other !== ref))
  const scopes: readonly CacheScope[] = [
    { Scope: ref, Permission: readOnly ? 1 : 3 },
    ...[...others].map((other) => ({ Scope: other ?? '', Permission: 1 })),
  ]
  return tokenOf({ ac: JSON.stringify(scopes), nbf: 1_700_000_000, exp: 4_102_444_800, repository_id: '1' })
}

/** A token with any claims. */
export function tokenOf(claims: Readonly<Record<string, unknown>>): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'none', typ: 'JWT' })}.${part(claims)}.${Buffer.from('nobody').toString('base64url')}`
}

/** The scopes of an `Authorization` header; undefined when the token is none, too early, or too late. */
export function scopesOf(authorization: string | undefined): readonly CacheScope[] | undefined {
  const [, payload, signature] = /^Bearer (.*)$/.exec(authorization ?? '')?.[1]?.split('.') ?? []
  if (payload === undefined || signature === undefined) return undefined
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))
    if (typeof claims !== 'object' || claims === null) return undefined
    const { ac, nbf, exp } = claims as { readonly ac?: unknown; readonly nbf?: unknown; readonly exp?: unknown }
    const now = Date.now() / 1_000
    if (typeof ac !== 'string' || typeof nbf !== 'number' || typeof exp !== 'number') return undefined
    if (nbf > now || exp < now) return undefined
    const scopes: unknown = JSON.parse(ac)
    return Array.isArray(scopes) && scopes.every(isScope) ? scopes : undefined
  } catch {
    return undefined
  }
}

function isScope(value: unknown): value is CacheScope {
  if (typeof value !== 'object' || value === null) return false
  const { Scope, Permission } = value as { readonly Scope?: unknown; readonly Permission?: unknown }
  return typeof Scope === 'string' && typeof Permission === 'number'
}
