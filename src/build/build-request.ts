/** What is asked of one bake run, in the action's own words. Types only: `definition.ts` makes bake's words of it. */

export interface BuildRequest {
  /** Absolute path of the build context. */
  readonly contextDir: string
  /** Absolute path of the Dockerfile; undefined: it is `dockerfileInline`. */
  readonly dockerfile: string | undefined
  readonly dockerfileInline?: string | undefined
  /** Absolute; relative paths in `outputs` and `buildContexts` start here. */
  readonly workspace: string
  readonly targets: readonly BuildTarget[]
  /** Targets that others are built from (`links`), whether or not they are built for themselves. */
  readonly linked?: readonly BuildTarget[]
  readonly platforms?: readonly string[]
  readonly buildArgs?: Readonly<Record<string, string>>
  readonly buildContexts?: readonly Pair[]
  /** External images that are OCI layouts: image name → `oci-layout://…` (they cannot go through the source policy). */
  readonly ociContexts?: readonly Pair[]
  readonly secrets?: readonly SecretSource[]
  readonly ssh?: readonly string[]
  readonly labels?: readonly Pair[]
  readonly annotations?: readonly string[]
  readonly push?: boolean
  /** What is pushed gets no tags, and `tags` are repositories. */
  readonly byDigest?: boolean
  readonly load?: boolean
  readonly provenance?: string | undefined
  readonly sbom?: string | undefined
  readonly attests?: readonly string[]
  readonly pull?: boolean
  readonly noCache?: boolean
  readonly noCacheFilters?: readonly string[]
  readonly network?: string | undefined
  /** `host:ip` */
  readonly addHosts?: readonly string[]
  /** Entitlements: `network.host`, `security.insecure`, … */
  readonly allow?: readonly string[]
  readonly shmSize?: string | undefined
  readonly ulimit?: readonly string[]
  readonly cgroupParent?: string | undefined
  /** `{target}` in them stands for each target's name. */
  readonly cacheFrom?: readonly string[]
  readonly cacheTo?: readonly string[]
  readonly compression?: string | undefined
  /** Where a copy of every image goes to be measured; undefined: nowhere. */
  readonly measure?: Measure | undefined
}

export interface BuildTarget {
  /** As the user calls it; names in errors, metadata and outputs. */
  readonly name: string
  /** The stage to stop at; undefined: the last, which may have no name. */
  readonly stage: string | undefined
  readonly tags: readonly string[]
  /** Lines as the user wrote them, `{target}` replaced. */
  readonly outputs: readonly string[]
  /** What holds for it in place of what the request says. */
  readonly own?: TargetOptions
  /** Keys of named contexts that stand for other targets, and their names. */
  readonly links?: ReadonlyMap<string, string>
  /** Absolute path of another Dockerfile than the request's, or its own one. */
  readonly dockerfile?: string
  /** Added to the request's: the layer registry has references for each target. */
  readonly cacheFrom?: readonly string[]
  readonly cacheTo?: readonly string[]
}

/** Options that targets of bake files have for themselves. */
export type TargetOptions = Pick<
  BuildRequest,
  | 'contextDir'
  | 'dockerfile'
  | 'dockerfileInline'
  | 'platforms'
  | 'buildArgs'
  | 'buildContexts'
  | 'secrets'
  | 'ssh'
  | 'labels'
  | 'annotations'
  | 'provenance'
  | 'sbom'
  | 'attests'
  | 'pull'
  | 'noCache'
  | 'noCacheFilters'
  | 'network'
  | 'addHosts'
  | 'allow'
  | 'shmSize'
  | 'ulimit'
  | 'cacheFrom'
  | 'cacheTo'
>

export interface Pair {
  readonly key: string
  readonly value: string
}

/** A secret for `RUN --mount=type=secret`; its value never leaves this object but through the environment or a file. */
export type SecretSource =
  | { readonly kind: 'value'; readonly id: string; readonly value: string }
  | { readonly kind: 'env'; readonly id: string; readonly env: string }
  | { readonly kind: 'file'; readonly id: string; readonly path: string }

export interface Measure {
  /** `127.0.0.1:PORT` */
  readonly host: string
  /** Repository that a target's image goes to. */
  readonly repository: (target: BuildTarget) => string
}
