/**
 * Logins for registries, from where `docker login` puts them: the Docker configuration and its credential helpers. A
 * helper that is missing or fails is a warning, and the registry is asked without a login. Secrets stay in the returned
 * value; no message holds one.
 * https://github.com/docker/cli/blob/v28.0.0/cli/config/configfile/file.go#L276 (lookup)
 * https://github.com/docker/docker-credential-helpers#development (the helpers' protocol)
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode } from '../errors.ts'
import { ProgramMissingError, runProcess } from '../process.ts'
import { oneLine } from './registry-error.ts'

export type Credential =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token. */
  | { readonly kind: 'identity-token'; readonly token: string }
  /** A token that is sent to the registry as it is. */
  | { readonly kind: 'registry-token'; readonly token: string }

export interface DockerCredentialsOptions {
  readonly env: NodeJS.ProcessEnv
  readonly homeDirectory: string
  readonly warn: (message: string) => void
}

/** Docker Hub's key in every Docker configuration. */
const DOCKER_HUB_KEY = 'https://index.docker.io/v1/'
const HELPER_TIMEOUT_MS = 30_000
/** What helpers print for a registry without a login. */
const NOT_FOUND = 'credentials not found in native keychain'

type Json = Readonly<Record<string, unknown>>

/** The folder of docker's configuration. */
export function dockerFolder(env: NodeJS.ProcessEnv, homeDirectory: string): string {
  return env['DOCKER_CONFIG'] ?? join(homeDirectory, '.docker')
}

/** The logins of one Docker configuration; each is looked up once. */
export class DockerCredentials {
  readonly #options: DockerCredentialsOptions
  readonly #known = new Map<string, Promise<Credential | undefined>>()
  #configuration: Promise<Json> | undefined

  constructor(options: DockerCredentialsOptions) {
    this.#options = options
  }

  /** The login for a registry as in image names (`docker.io`, `ghcr.io`), or undefined: then ask without. Never throws. */
  async find(domain: string): Promise<Credential | undefined> {
    const key = domain === 'docker.io' ? DOCKER_HUB_KEY : domain
    let found = this.#known.get(key)
    if (found === undefined) {
      found = this.#lookUp(key)
      this.#known.set(key, found)
    }
    return await found
  }

  async #lookUp(key: string): Promise<Credential | undefined> {
    this.#configuration ??= this.#readConfiguration()
    const configuration = await this.#configuration
    const helper = text(object(configuration['credHelpers'])[key]) ?? text(configuration['credsStore'])
    if (helper !== undefined && helper !== '') {
      const answer = await this.#askHelper(helper, key)
      if (answer !== 'failed') return answer
    }
    return storedCredential(object(configuration['auths']), key)
  }

  async #readConfiguration(): Promise<Json> {
    const { env, homeDirectory, warn } = this.#options
    const path = join(dockerFolder(env, homeDirectory), 'config.json')
    let content: string
    try {
      content = await readFile(path, 'utf8')
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') warn(`${path} could not be read, so registries are asked without a login.`)
      return {}
    }
    try {
      return object(JSON.parse(content))
    } catch {
      // The parser's message quotes the file, which holds secrets.
      warn(`${path} is not valid JSON, so registries are asked without a login.`)
      return {}
    }
  }

  async #askHelper(helper: string, key: string): Promise<Credential | undefined | 'failed'> {
    const { env, warn } = this.#options
    const fail = (why: string): 'failed' => {
      warn(
        `The credential helper ${JSON.stringify(helper)} for ${key} ${why}, so the registry is asked without a login from it.`,
      )
      return 'failed'
    }
    if (!/^[A-Za-z0-9_.-]+$/.test(helper)) return fail('has no valid name')
    try {
      const signal = AbortSignal.timeout(HELPER_TIMEOUT_MS)
      const result = await runProcess(`docker-credential-${helper}`, ['get'], { env, input: key, signal })
      if (result.code !== 0) {
        const said = oneLine(result.stdout)
        if (said.includes(NOT_FOUND)) return undefined
        return fail(signal.aborted ? 'did not answer in time' : `failed (status ${result.code ?? 'unknown'})`)
      }
      return helperCredential(object(JSON.parse(result.stdout))) ?? fail('gave no login')
    } catch (error) {
      return fail(error instanceof ProgramMissingError ? 'is not installed' : 'gave no valid answer')
    }
  }
}

function helperCredential(answer: Json): Credential | undefined {
  const username = text(answer['Username'])
  const secret = text(answer['Secret'])
  if (username === undefined || secret === undefined) return undefined
  return username === '<token>'
    ? { kind: 'identity-token', token: secret }
    : { kind: 'basic', username, password: secret }
}

/** The entry under the key itself, else one whose key is an address of that host. */
function storedCredential(auths: Json, key: string): Credential | undefined {
  const exact = auths[key]
  if (exact !== undefined) return entryCredential(object(exact))
  const host = hostOf(key)
  for (const [address, entry] of Object.entries(auths)) {
    if (hostOf(address) === host) return entryCredential(object(entry))
  }
  return undefined
}

function hostOf(address: string): string {
  return address.replace(/^https?:\/\//, '').replace(/\/.*$/s, '')
}

function entryCredential(entry: Json): Credential | undefined {
  const identityToken = text(entry['identitytoken'])
  if (identityToken !== undefined && identityToken !== '') return { kind: 'identity-token', token: identityToken }
  const registryToken = text(entry['registrytoken'])
  if (registryToken !== undefined && registryToken !== '') return { kind: 'registry-token', token: registryToken }
  const auth = text(entry['auth'])
  if (auth !== undefined && auth !== '') {
    const decoded = Buffer.from(auth, 'base64').toString('utf8')
    const colon = decoded.indexOf(':')
    if (colon <= 0) return undefined
    return { kind: 'basic', username: decoded.slice(0, colon), password: decoded.slice(colon + 1).replace(/\0+$/, '') }
  }
  const username = text(entry['username'])
  const password = text(entry['password'])
  if (username === undefined || username === '' || password === undefined) return undefined
  return { kind: 'basic', username, password }
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {}
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
