/** GitHub's REST API as a run uses it: opened when it is first asked, and never where it is not needed. */
import type { Outcome } from './github/github-error.ts'
import { openGithub, type Answer, type GithubClient, type GithubLimits } from './github/rest-client.ts'

export interface AccessOptions {
  readonly token: string | undefined
  readonly env: NodeJS.ProcessEnv
  readonly signal: AbortSignal
  /** Where not those of a build. */
  readonly limits?: Partial<GithubLimits> | undefined
}

/** A client that is loaded with its first request: many runs have none. */
export class GithubAccess implements GithubClient {
  readonly #options: AccessOptions
  #client: Promise<GithubClient> | undefined
  #opened: GithubClient | undefined

  constructor(options: AccessOptions) {
    this.#options = options
  }

  get requests(): number {
    return this.#opened?.requests ?? 0
  }

  async request(route: string, parameters?: Readonly<Record<string, unknown>>): Promise<Outcome<Answer>> {
    return await (await this.#open()).request(route, parameters)
  }

  async query(query: string): Promise<Outcome<unknown>> {
    return await (await this.#open()).query(query)
  }

  async pause(milliseconds: number): Promise<void> {
    await (await this.#open()).pause(milliseconds)
  }

  async #open(): Promise<GithubClient> {
    const { token = '', env, signal, limits } = this.#options
    const apiUrl = env['GITHUB_API_URL'] ?? 'https://api.github.com'
    this.#client ??= openGithub({ token, apiUrl, signal, limits })
    this.#opened = await this.#client
    return this.#opened
  }
}

/** Answers nothing: for what is found without a request, or not at all. */
export const NO_REQUESTS: GithubClient = {
  request: () => Promise.resolve(REFUSED),
  query: () => Promise.resolve(REFUSED),
  pause: () => Promise.resolve(),
  requests: 0,
}

const REFUSED = {
  ok: false,
  error: { kind: 'unavailable', status: undefined, message: 'GitHub is not asked' },
} as const
