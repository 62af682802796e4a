/**
 * Turns a registry's challenge and a stored login into the Authorization header that it asks for. Tokens are kept per
 * scope until shortly before they expire; several requests that need the same one wait for one answer.
 * https://distribution.github.io/distribution/spec/auth/token/ and .../oauth/
 */
import type { AuthChallenge } from './auth-challenge.ts'
import type { Credential } from './docker-credentials.ts'
import { type HttpAnswer, type HttpExchange, isLoopback, readBody } from './http-exchange.ts'
import { answerError, badAnswer } from './registry-error.ts'

export interface AuthRequest {
  /** The registry as in image names. */
  readonly domain: string
  /** `repository:library/alpine:pull`. */
  readonly scope: string
  /** The image, for messages. */
  readonly subject: string
  readonly challenges: readonly AuthChallenge[]
  readonly credential: Credential | undefined
  readonly signal?: AbortSignal | undefined
}

interface Token {
  readonly header: string
  /** Milliseconds of the clock. */
  readonly expires: number
}

const CLIENT_ID = 'stage-build'
const MAX_TOKEN_ANSWER = 1 << 20
/** What the specification assumes where a server names no lifetime, seconds. */
const DEFAULT_LIFETIME = 60
/** A token is renewed this long before its end, so that it does not end on the way, ms. */
const MARGIN = 5_000

/** The Authorization headers of one client. */
export class RegistryAuth {
  readonly #exchange: HttpExchange
  readonly #now: () => number
  readonly #tokens = new Map<string, Promise<Token>>()

  constructor(exchange: HttpExchange, now: () => number) {
    this.#exchange = exchange
    this.#now = now
  }

  /** The header that was good for this scope before, if it still is. */
  async known(domain: string, scope: string): Promise<string | undefined> {
    const key = `${domain} ${scope}`
    try {
      const token = await this.#tokens.get(key)
      if (token === undefined) return undefined
      if (token.expires - MARGIN > this.#now()) return token.header
    } catch {
      // Whoever asked for it was told.
    }
    this.#tokens.delete(key)
    return undefined
  }

  /** Forgets a header that the registry no longer takes. */
  forget(domain: string, scope: string): void {
    this.#tokens.delete(`${domain} ${scope}`)
  }

  /**
   * The header that answers the challenges; undefined when there is none to give (Basic without a login).
   * @throws RegistryError when the token server refuses or answers nonsense
   */
  async answer(request: AuthRequest): Promise<string | undefined> {
    const { credential, challenges, domain, scope } = request
    if (credential?.kind === 'registry-token') return `Bearer ${credential.token}`
    const key = `${domain} ${scope}`
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer')
    if (bearer !== undefined) {
      let token = this.#tokens.get(key)
      if (token === undefined) {
        token = this.#fetchToken(request, bearer)
        this.#tokens.set(key, token)
        token.catch(() => this.#tokens.delete(key))
      }
      return (await token).header
    }
    if (challenges.some(({ scheme }) => scheme === 'basic') && credential?.kind === 'basic') {
      const header = basicHeader(credential)
      this.#tokens.set(key, Promise.resolve({ header, expires: Number.POSITIVE_INFINITY }))
      return header
    }
    return undefined
  }

  async #fetchToken(request: AuthRequest, challenge: AuthChallenge): Promise<Token> {
    const { credential, subject, domain, signal } = request
    const realm = realmUrl(challenge, request)
    const fields = new URLSearchParams()
    const service = challenge.parameters.get('service')
    if (service !== undefined) fields.set('service', service)
    fields.set('scope', challenge.parameters.get('scope') ?? request.scope)

    let answer: HttpAnswer
    if (credential?.kind === 'identity-token') {
      fields.set('grant_type', 'refresh_token')
      fields.set('client_id', CLIENT_ID)
      fields.set('refresh_token', credential.token)
      const headers = { 'content-type': 'application/x-www-form-urlencoded' }
      answer = await this.#exchange.send({ method: 'POST', url: realm, headers, body: fields.toString(), signal })
    } else {
      for (const [name, value] of fields) realm.searchParams.append(name, value)
      const headers = credential?.kind === 'basic' ? { authorization: basicHeader(credential) } : {}
      answer = await this.#exchange.send({ method: 'GET', url: realm, headers, signal })
    }
    const body = await readBody(answer, MAX_TOKEN_ANSWER)
    if (answer.status !== 200) {
      const loggedIn = credential !== undefined
      // What it says is left out: a token server may repeat what it was sent.
      throw answerError({ subject, domain, status: answer.status, detail: undefined, retryAfter: undefined, loggedIn })
    }
    return this.#readToken(body, request)
  }

  #readToken(body: Buffer, { subject }: AuthRequest): Token {
    let answer: unknown
    try {
      answer = JSON.parse(body.toString('utf8'))
    } catch {
      throw badAnswer(subject, 'its token server answered with something that is not JSON.')
    }
    const fields = typeof answer === 'object' && answer !== null ? (answer as Readonly<Record<string, unknown>>) : {}
    const token = [fields['token'], fields['access_token']].find((value) => typeof value === 'string' && value !== '')
    if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) {
      throw badAnswer(subject, 'its token server gave no token.')
    }
    const lifetime = typeof fields['expires_in'] === 'number' ? fields['expires_in'] : DEFAULT_LIFETIME
    return { header: `Bearer ${token}`, expires: this.#now() + Math.max(lifetime, DEFAULT_LIFETIME) * 1000 }
  }
}

/** A login goes only over TLS, or to this machine. */
function realmUrl(challenge: AuthChallenge, { subject, domain }: AuthRequest): URL {
  const realm = URL.parse(challenge.parameters.get('realm') ?? '')
  if (realm === null) throw badAnswer(subject, 'its login challenge names no address for tokens.')
  const local = realm.protocol === 'http:' && isLoopback(realm.host) && isLoopback(domain)
  if (realm.protocol !== 'https:' && !local) {
    throw badAnswer(subject, `its login challenge sends logins to ${realm.protocol}//${realm.host}, which is not safe.`)
  }
  return realm
}

function basicHeader({ username, password }: Credential & { readonly kind: 'basic' }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}
