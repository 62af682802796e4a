/** What the action and the child program that runs `@actions/cache` (`cache-client.ts`) say to each other. */

export interface ClientRequest {
  readonly id: number
  readonly op: 'restore' | 'lookUp' | 'save'
  readonly key: string
  readonly path: string
  readonly prefixes: readonly string[]
}

export type ClientOutcome =
  | { readonly kind: 'hit'; readonly key: string }
  | { readonly kind: 'miss' }
  | { readonly kind: 'saved' }
  | {
      readonly kind: 'failed'
      /**
       * `entry`: what came could not be unpacked, or what was to be saved could not be packed. `service`: it did not
       * answer as it should. The others as in `SaveResult`.
       */
      readonly why: 'denied' | 'limited' | 'exists' | 'entry' | 'service'
      readonly reason: string
      /** It may pass, and the toolkit did not try it again: too many requests, a connection that broke. */
      readonly passing?: { readonly failure: string; readonly retryAfter?: number | undefined }
    }

export interface ClientAnswer {
  readonly id: number
  readonly outcome: ClientOutcome
}
