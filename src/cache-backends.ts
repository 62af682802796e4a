/** Which cache backend a run uses. A choice is plain data, so that the post step makes the same one again. */
import { fileURLToPath } from 'node:url'
import type { CacheBackend } from './cache/cache-backend.ts'
import { openDirectoryBackend } from './cache/directory-backend.ts'
import { openGithubBackend } from './cache/github-backend.ts'

export type BackendChoice =
  | { readonly kind: 'github' }
  | {
      readonly kind: 'directory'
      readonly directory: string
      /** Own ref first. */
      readonly refs: readonly string[]
      readonly mayWrite: boolean
      /** Bytes of the whole directory. */
      readonly maxBytes: number
    }

/** Beside `dist/index.js`; run from `src/` it is the same file. */
const CLIENT = new URL('../dist/cache-client.js', import.meta.url)

/** Whether GitHub's cache service can be reached: the runner tells steps of actions where it is. */
export function serviceIsHere(env: NodeJS.ProcessEnv): boolean {
  const url = [env['ACTIONS_RESULTS_URL'], env['ACTIONS_CACHE_URL']].some(
    (value) => value !== undefined && value !== '',
  )
  return url && (env['ACTIONS_RUNTIME_TOKEN'] ?? '') !== ''
}

export interface BackendOptions {
  /** The session's folder. */
  readonly root: string
  readonly env: NodeJS.ProcessEnv
  readonly debug: (line: string) => void
  readonly log: (line: string) => void
  /** Further tries of what the service is too busy for. */
  readonly retries: number
  readonly signal?: AbortSignal | undefined
}

export function openBackend(choice: BackendChoice, options: BackendOptions): CacheBackend {
  const { root, env, debug, log, retries, signal } = options
  if (choice.kind === 'github') {
    return openGithubBackend({ root, env, debug, log, retries, signal, clientPath: fileURLToPath(CLIENT) })
  }
  const { directory, refs, mayWrite, maxBytes } = choice
  const scopes = { own: refs[0] ?? '', readable: refs }
  return openDirectoryBackend({ root, directory, scopes, mayWrite, maxBytes, debug })
}
