/**
 * What a stage graph is. The types only: `resolve.ts` makes one from a parsed Dockerfile, `reachability.ts` asks it
 * questions.
 */

/** Where a stage, a `COPY --from` or a mount takes its files from. */
export type StageSource =
  | { readonly kind: 'stage'; readonly stage: number }
  /** `image` is the normalised reference (`docker.io/library/alpine:latest`). */
  | { readonly kind: 'image'; readonly image: string }
  /** A named context given with `build-contexts` (its key as given). */
  | { readonly kind: 'context'; readonly context: string }
  | { readonly kind: 'scratch' }

/** How a stage needs something beside its base. `onbuild-*`: through a trigger of its base stage or image. */
export type NeedVia = 'copy' | 'mount' | 'onbuild-copy' | 'onbuild-mount' | 'mount-phantom'

export interface StageNeed {
  readonly via: NeedVia
  readonly source: StageSource
  /** 1-based line of the instruction that needs it (of the consuming FROM, for a trigger of a base image). */
  readonly line: number
}

export interface Stage {
  readonly index: number
  /** Lower-cased; undefined where the stage has none. */
  readonly name: string | undefined
  /** 1-based lines of the stage: its FROM … its last line. */
  readonly line: number
  readonly endLine: number
  readonly from: StageSource
  /** The base as the user wrote it, after expansion. */
  readonly fromText: string
  /** The platform that the stage is built for, normalised (`linux/amd64`, `linux/arm64`, `linux/arm/v7`). */
  readonly platform: string
  /** Every edge once, in the order of the file; the base edge is `from`. */
  readonly needs: readonly StageNeed[]
  /** A named context of this stage's name replaces it: its base edge and commands are gone, its needs stay. */
  readonly replacedByContext: string | undefined
  /** Paths of the build context that its COPY, ADD and bind mounts read, as written, rooted at `/`. */
  readonly contextPaths: readonly string[]
}

export interface StageGraph {
  readonly stages: readonly Stage[]
  /** The stage that is built when no target is named: the last. */
  readonly defaultTarget: number
}
