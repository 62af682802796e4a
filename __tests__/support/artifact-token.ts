/** Tokens of the runner for GitHub's artifact service: which run and job a step is of (claim `scp`). */
import { createHash } from 'node:crypto'
import { tokenOf } from './cache-token.ts'

export interface RunToken {
  readonly runId: number
  /** From 1; default 1. */
  readonly attempt?: number
  /** Default `job`. */
  readonly job?: string
}

export interface BackendIds {
  readonly run: string
  readonly job: string
}

/** Ids as the service has them inside: each attempt of a run has its own. */
export function backendIds({ runId, attempt = 1, job = 'job' }: RunToken): BackendIds {
  return { run: uuid(`run ${runId} ${attempt}`), job: uuid(`job ${runId} ${attempt} ${job}`) }
}

/**
 * A token as the runner gives an action. Nobody signed it, and no client looks.
 * https://github.com/actions/toolkit/blob/main/packages/artifact/src/internal/shared/util.ts
 */
export function runtimeToken(token: RunToken): string {
  const { run, job } = backendIds(token)
  const scp = `Actions.GenericRead:00000000-0000-0000-0000-000000000000 Actions.Results:${run}:${job}`
  return tokenOf({ scp, nbf: 1_700_000_000, exp: 4_102_444_800 })
}

/** The ids of an `Authorization` header; undefined when the token is none, too early, or too late. */
export function backendIdsOf(authorization: string | undefined): BackendIds | undefined {
  const [, payload, signature] = /^Bearer (.*)$/.exec(authorization ?? '')?.[1]?.split('.') ?? []
  if (payload === undefined || signature === undefined) return undefined
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))
    const { scp, nbf, exp } = claims as { readonly scp?: unknown; readonly nbf?: unknown; readonly exp?: unknown }
    const now = Date.now() / 1_000
    if (typeof scp !== 'string' || typeof nbf !== 'number' || typeof exp !== 'number') return undefined
    const [, run, job] = /(?:^| )Actions\.Results:([0-9a-f-]{36}):([0-9a-f-]{36})(?: |$)/.exec(scp) ?? []
    return nbf > now || exp < now || run === undefined || job === undefined ? undefined : { run, job }
  } catch {
    return undefined
  }
}

function uuid(seed: string): string {
  const hex = createHash('sha256').update(seed).digest('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-')
}
