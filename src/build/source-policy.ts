/**
 * External images mapped and pinned through BuildKit's source policy. Unlike a named context, a policy never replaces
 * a stage that bears the image's name. Pure; the file is written by `bake.ts`.
 *
 * Read by buildx from the file that EXPERIMENTAL_BUILDKIT_SOURCE_POLICY names:
 * https://github.com/docker/buildx/blob/v0.29.1/build/opt.go and
 * https://github.com/moby/buildkit/blob/v0.25.2/sourcepolicy/pb/policy.proto
 */

/** Wherever `image` (normalised, as the Dockerfile names it) is used, `ref` is used instead. */
export interface ImageRule {
  readonly image: string
  /** Full reference without a digest: a mirror, or the image itself where it is only pinned. */
  readonly ref: string
  /** Undefined for an image that only the engine's own store knows: it cannot be pinned, as no registry has it. */
  readonly digest: string | undefined
}

export interface SourcePolicy {
  readonly rules: readonly PolicyRule[]
}

export interface PolicyRule {
  readonly action: 'CONVERT'
  /** EXACT: wildcards are off, and the rule cannot match its own result, which BuildKit would try again. */
  readonly selector: { readonly identifier: string; readonly matchType: 'EXACT' }
  readonly updates: { readonly identifier: string }
}

export const SOURCE_POLICY_VARIABLE = 'EXPERIMENTAL_BUILDKIT_SOURCE_POLICY'

/** The policy for these images, or undefined when it would change nothing. */
export function sourcePolicy(images: readonly ImageRule[]): SourcePolicy | undefined {
  const rules = images.flatMap((image): readonly PolicyRule[] => {
    const from = `docker-image://${image.image}`
    const to = `docker-image://${pinned(image)}`
    if (from === to) return []
    return [{ action: 'CONVERT', selector: { identifier: from, matchType: 'EXACT' }, updates: { identifier: to } }]
  })
  return rules.length === 0 ? undefined : { rules }
}

function pinned({ ref, digest }: ImageRule): string {
  return digest === undefined || ref.includes('@') ? ref : `${ref}@${digest}`
}
