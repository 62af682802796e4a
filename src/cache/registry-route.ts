/**
 * Which endpoint of the distribution API a request means. Pure: no server, no storage.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#endpoints
 */

export type RegistryRoute =
  | { readonly kind: 'version' }
  | { readonly kind: 'blob'; readonly repository: string; readonly digest: string }
  | { readonly kind: 'manifest'; readonly repository: string; readonly reference: string }
  | { readonly kind: 'start-upload'; readonly repository: string; readonly digest: string | undefined }
  | { readonly kind: 'upload'; readonly repository: string; readonly id: string; readonly digest: string | undefined }

const DIGEST = /^sha256:[0-9a-f]{64}$/
const TAG = /^\w[\w.-]{0,127}$/

/** Whether a text is a digest that this registry serves: sha256 only, as nothing else is pushed. */
export function isDigest(text: string): boolean {
  return DIGEST.test(text)
}

/**
 * The endpoint of a request's target (`/v2/…?digest=…`), or undefined where it is none, or outside of `prefix`: the
 * secret first part of every repository. Listings (`_catalog`, `tags/list`, referrers) are none.
 */
export function readRoute(target: string, prefix: string): RegistryRoute | undefined {
  const url = URL.parse(target, 'http://registry.invalid')
  if (url === null) return undefined
  const { pathname, searchParams } = url
  if (pathname === '/v2/' || pathname === '/v2') return { kind: 'version' }
  const [, repository, kind, rest] = /^\/v2\/(.+?)\/(blobs\/uploads|blobs|manifests)\/([^/]*)$/.exec(pathname) ?? []
  if (repository === undefined || kind === undefined || rest === undefined) return undefined
  if (!repository.startsWith(`${prefix}/`)) return undefined
  const digest = searchParams.get('digest') ?? undefined
  if (kind === 'manifests') {
    return isDigest(rest) || TAG.test(rest) ? { kind: 'manifest', repository, reference: rest } : undefined
  }
  if (kind === 'blobs') return isDigest(rest) ? { kind: 'blob', repository, digest: rest } : undefined
  return rest === '' ? { kind: 'start-upload', repository, digest } : { kind: 'upload', repository, id: rest, digest }
}
