/** What the action and the child program that runs `@actions/artifact` (`artifact-client.ts`) say to each other. */

/** A run of a workflow, read through GitHub's REST API. */
export interface RunPlace {
  readonly owner: string
  readonly repository: string
  readonly runId: number
  /** Needs `actions: read`. */
  readonly token: string
}

/** `own`: the run that asks, by the runner's own token. */
export type ArtifactPlace = 'own' | RunPlace

export interface FetchLimits {
  /** Artifacts that are fetched; the others are left out. */
  readonly artifacts: number
  /** Bytes of one, packed as well as unpacked. */
  readonly bytes: number
  /** Milliseconds for one. */
  readonly timeMs: number
}

export type HandoverRequest =
  | {
      readonly op: 'upload'
      readonly name: string
      /** Absolute; in `folder`. */
      readonly file: string
      readonly folder: string
      readonly retentionDays: number
    }
  | {
      readonly op: 'fetch'
      /** Artifacts of all of them count, each is fetched from the first that gives it. */
      readonly places: readonly ArtifactPlace[]
      /** An empty folder, absolute. */
      readonly folder: string
      readonly limits: FetchLimits
    }

/** Why an upload or a listing came to nothing. */
export type HandoverFault = 'exists' | 'denied' | 'limited' | 'service'

export type HandoverAnswer =
  | { readonly kind: 'uploaded'; readonly bytes: number }
  | { readonly kind: 'failed'; readonly why: HandoverFault; readonly reason: string }
  /** One for each artifact of ours; `file` is absolute, and holds what was uploaded as it came. */
  | { readonly kind: 'fetched'; readonly name: string; readonly file: string }
  | { readonly kind: 'left'; readonly name: string; readonly reason: string }
  | { readonly kind: 'done' }
