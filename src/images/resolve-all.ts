/**
 * Looks up all external images of a build side by side. A failure is a value, since a plan goes on without it.
 */
import { resolve } from 'node:path'
import type { Problem } from '../errors.ts'
import { type ImageSource, parseImageSource } from './image-source.ts'
import { resolveOciLayout } from './oci-layout.ts'
import type { RegistryClient } from './registry-client.ts'
import { RegistryError, type RegistryErrorKind } from './registry-error.ts'
import type { ResolvedImage } from './resolve-image.ts'
import { sideBySide } from './side-by-side.ts'

export interface ImageRequest {
  /** As `parseImageSource` reads it. */
  readonly image: string
  /** `linux/amd64` */
  readonly platform: string
}

export type ImageOutcome =
  | (ImageRequest & { readonly kind: 'resolved'; readonly resolved: ResolvedImage })
  | (ImageRequest & {
      readonly kind: 'failed'
      /** `invalid`: the request itself is no image or platform. */
      readonly reason: RegistryErrorKind | 'invalid'
      readonly problem: Problem
    })

export interface ResolveAllOptions {
  readonly client: Pick<RegistryClient, 'resolveImage'>
  /** What relative paths of OCI layouts count from. */
  readonly directory: string
  /** Look-ups at a time. */
  readonly concurrency?: number | undefined
  readonly signal?: AbortSignal | undefined
}

const DEFAULT_CONCURRENCY = 8

/** One outcome per image and platform, each looked up once, in the order first asked for. Never rejects. */
export async function resolveAll(
  requests: readonly ImageRequest[],
  options: ResolveAllOptions,
): Promise<readonly ImageOutcome[]> {
  const distinct = [...new Map(requests.map((request) => [`${request.platform} ${request.image}`, request])).values()]
  const limit = options.concurrency ?? DEFAULT_CONCURRENCY
  return await sideBySide(distinct, limit, async (request) => await resolveOne(request, options))
}

async function resolveOne(request: ImageRequest, options: ResolveAllOptions): Promise<ImageOutcome> {
  try {
    const resolved = await resolveSource(parseImageSource(request.image), { ...options, platform: request.platform })
    return { ...request, kind: 'resolved', resolved }
  } catch (error) {
    if (error instanceof RegistryError) {
      return { ...request, kind: 'failed', reason: error.kind, problem: { message: error.message, mend: error.mend } }
    }
    const why = error instanceof Error ? error.message : String(error)
    const problem = { message: `${JSON.stringify(request.image)} cannot be looked up for ${request.platform}: ${why}.` }
    return { ...request, kind: 'failed', reason: 'invalid', problem }
  }
}

/**
 * Resolves one source, wherever it lies.
 * @throws RegistryError
 */
async function resolveSource(
  source: ImageSource,
  { client, directory, platform, signal }: ResolveAllOptions & { readonly platform: string },
): Promise<ResolvedImage> {
  return source.kind === 'registry'
    ? await client.resolveImage(source.ref, { platform, signal })
    : await resolveOciLayout({ ...source, path: resolve(directory, source.path) }, { platform })
}
