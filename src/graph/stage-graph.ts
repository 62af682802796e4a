/**
 * What a stage graph is. The types only: `resolve.ts` makes one from a parsed Dockerfile, `reachability.ts` asks it
 * questions.
 */
import type { Keyword } from '../dockerfile/instructions.ts'
import type { CacheMount } from './cache-mounts.ts'

/** Where a stage, a `COPY --from` or a mount takes its files from. */
export type StageSource =
  | { readonly kind: 'stage'; readonly stage: number }
  /** `image` is the normalised reference (`docker.io/library/alpine:latest`). */
  | { readonly kind: 'image'; readonly image: string }
  /** A named context given with `build-contexts` (its key as given) in place of `image`, which is what the file names. */
  | { readonly kind: 'context'; readonly context: string; readonly image: string }
  | { readonly kind: 'scratch' }

/**
 * How a stage needs something beside its base. `onbuild-*`: through a trigger of its base stage or image.
 * `mount-phantom`: a stage is called `scratch`, and BuildKit takes it for the source of every mount without one.
 */
export type NeedVia = 'from' | 'copy' | 'mount' | 'onbuild-copy' | 'onbuild-mount' | 'mount-phantom'

export interface StageNeed {
  readonly via: NeedVia
  readonly source: StageSource
  /** 1-based line of the instruction that needs it (of the consuming FROM, for a trigger). */
  readonly line: number
}

/** What one instruction reads of the build context. */
export interface ContextRead {
  readonly line: number
  readonly via: 'copy' | 'add' | 'mount'
  /** Rooted at `/`, variables expanded, wildcards as written. */
  readonly paths: readonly string[]
  /** `--exclude` patterns. */
  readonly exclude: readonly string[]
  /** `COPY --parents`. */
  readonly parents: boolean
}

/** What an ADD fetches: a URL or a Git reference, variables expanded. */
export interface RemoteSource {
  readonly line: number
  readonly source: string
  /** `--checksum`; undefined where the content may change unnoticed. */
  readonly checksum: string | undefined
}

/**
 * One instruction as it is carried out. Equal words, equal settings and equal inputs mean that BuildKit finds the result
 * in its cache; `history` covers what the image's configuration says besides.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (dispatch)
 */
export interface StageStep {
  readonly keyword: Keyword
  /** 1-based physical lines; for a trigger, those of the FROM. */
  readonly line: number
  readonly endLine: number
  /** It runs because the base triggers it. */
  readonly isTrigger: boolean
  /** As in the file, for people. */
  readonly text: string
  /** Bodies of its heredocs, as in the file. */
  readonly bodies: readonly string[]
  /** `setting`: shapes later RUNs (ARG, ENV, USER, SHELL); `config`: only the image's configuration. */
  readonly effect: 'setting' | 'files' | 'run' | 'config'
  /** What is set, by name; undefined where an ARG stays without value. Empty unless `setting`. */
  readonly settings: readonly (readonly [name: string, value: string | undefined])[]
  /** Of `files` and `run`: what is done, variables expanded and paths rooted where they can be. */
  readonly words: readonly string[]
  /** What the configuration and its history say of it, variables expanded. */
  readonly history: readonly string[]
  readonly reads: readonly ContextRead[]
  readonly remotes: readonly RemoteSource[]
  /** Where else it takes files from: `COPY --from`, mounts. */
  readonly sources: readonly StepSource[]
  /** Cache mounts of a RUN. */
  readonly caches: readonly CacheMount[]
}

/** A stage, image or context that a COPY or a mount takes files from, and what of it. */
export interface StepSource {
  readonly source: StageSource
  readonly read: ContextRead
}

export interface Stage {
  readonly index: number
  /** Its Dockerfile, where the graph is of several. */
  readonly file?: string
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
  /** Every edge once, triggers first, then in the order of the file; the base edge is `from`. */
  readonly needs: readonly StageNeed[]
  /** A named context of this stage's name replaces it: its base edge and commands are gone, its needs stay. */
  readonly replacedByContext: string | undefined
  /**
   * Paths of the build context that BuildKit asks the client for: what its COPY, ADD and mounts name, rooted at `/`,
   * sorted. A superset of what is read (Git references and tmpfs mounts are in it): for content, see `reads`.
   */
  readonly contextPaths: readonly string[]
  readonly reads: readonly ContextRead[]
  readonly remotes: readonly RemoteSource[]
  /**
   * Variables that its instructions use and that no ARG or ENV of the file sets: they are empty, unless the base image's
   * configuration sets them.
   */
  readonly undefinedVariables: readonly string[]
  /** Triggers first, then in the order of the file; empty where a context replaces the stage. */
  readonly steps: readonly StageStep[]
}

export interface StageGraph {
  readonly stages: readonly Stage[]
  /** The stage that is built when no target is named: the last. */
  readonly defaultTarget: number
  /** The platform that the graph was resolved for, normalised; `COPY --from=IMAGE` takes the image for it. */
  readonly platform: string
}
