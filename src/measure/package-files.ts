/** Which files tell of packages, how much of them is kept while a layer streams by, and what a `package.json` says. */

/** What a `package.json` says of itself; untrusted. */
export interface NpmManifest {
  readonly name: string
  readonly version: string
}

/** Debian's whole archive would be 16 MB of status; an image has some hundreds of kilobytes. */
export const MAX_TEXT_BYTES = 16 << 20
export const MAX_NPM_BYTES = 64 << 10
export const MAX_NPM_MANIFESTS = 50_000
/** npm allows 214 characters for a name, 256 for a version. */
const MAX_WORD = 256

/** Since 3.23, Alpine has `lib` under `usr`. */
export const APK_DATABASES: readonly string[] = ['lib/apk/db/installed', 'usr/lib/apk/db/installed']
export const DPKG_STATUS = 'var/lib/dpkg/status'
/** `PACKAGE.list` or `PACKAGE:ARCHITECTURE.list`. */
export const DPKG_LISTS = 'var/lib/dpkg/info/'
/** Distroless images have a file for each package, and `PACKAGE.md5sums` with it. */
export const DPKG_STATUS_FILES = 'var/lib/dpkg/status.d/'

/** Whether the text of the file at a path, as it stands from the root, is needed to tell packages. */
export function isPackageText(path: string): boolean {
  if (path.startsWith('var/lib/dpkg/')) {
    return (
      path === DPKG_STATUS ||
      path.startsWith(DPKG_STATUS_FILES) ||
      (path.startsWith(DPKG_LISTS) && path.endsWith('.list'))
    )
  }
  return APK_DATABASES.includes(path)
}

/** Name and version; undefined where the text has none, or none that can be shown. */
export function npmManifest(text: Buffer): NpmManifest | undefined {
  let manifest: unknown
  try {
    manifest = JSON.parse(text.toString('utf8'))
  } catch {
    return undefined
  }
  if (typeof manifest !== 'object' || manifest === null) return undefined
  const { name, version } = { name: undefined, version: undefined, ...manifest } as Readonly<Record<string, unknown>>
  return isWord(name) && isWord(version) ? { name, version } : undefined
}

/** Whether it can be a package's name or version: short, and nothing but visible ASCII characters. */
export function isWord(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_WORD && /^[!-~]+$/.test(value)
}
