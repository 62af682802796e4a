/**
 * What packages weigh: bytes of the files that they own in the own layers of the merged image. Never by the layer in
 * which a database lies, for each installation writes the whole database anew.
 */
import type { PackageSize } from './comparison.ts'
import { visitMerged, type Stack } from './layer-merge.ts'
import type { LayerFile, LayerFiles } from './layer-nodes.ts'
import {
  APK_DATABASES,
  DPKG_LISTS,
  DPKG_STATUS,
  DPKG_STATUS_FILES,
  isPackageText,
  type NpmManifest,
} from './package-files.ts'
import { readApkDatabase } from './packages-apk.ts'
import { readDpkgDatabase } from './packages-dpkg.ts'

/** A package of the image's own package manager, with the paths of its files from the root. */
export interface InstalledPackage {
  readonly name: string
  readonly version: string
  readonly files: Iterable<string>
}

/** How many packages are told; what is smaller than all of them is not. */
export const MAX_PACKAGES = 500
/** Of all packages together. */
const MAX_OWNED_FILES = 600_000

type PackageId = Omit<PackageSize, 'bytes'>

/**
 * Packages with bytes in own layers, the largest first.
 * @param layers the lowest first; the first `inherited` of them are not own ones.
 */
export function packageSizes(
  layers: readonly LayerFiles[],
  { inherited }: { readonly inherited: number },
): readonly PackageSize[] {
  const roots = layers.map(({ root }) => root)
  const texts = visibleTexts(layers)
  const owners = ownersOf(texts)
  const sizes = new Map<string, { readonly id: PackageId; bytes: number }>()
  const seen = new Set<LayerFile>()
  visitMerged<PackageId | undefined>(
    roots,
    {
      enter: (stack, path, parent) => npmPackageAt(stack, { path, parent, layers }),
      visit: ({ node, layer, name }, path, npm) => {
        const file = node.kind === 'file' ? node : node.target
        if (layer < inherited || file === undefined || seen.has(file)) return
        if (file.linked) seen.add(file)
        const id = (owners.size === 0 ? undefined : ownerOf(owners, `${path}${name}`)) ?? npm
        if (id === undefined || file.bytes === 0) return
        const key = [id.manager, id.name, id.version].join('\n')
        const size = sizes.get(key)
        if (size === undefined) sizes.set(key, { id, bytes: file.bytes })
        else size.bytes += file.bytes
      },
    },
    undefined,
  )
  return [...sizes]
    .toSorted(([a, { bytes: x }], [b, { bytes: y }]) => y - x || (a < b ? -1 : 1))
    .slice(0, MAX_PACKAGES)
    .map(([, { id, bytes }]) => ({ ...id, bytes }))
}

function visibleTexts(layers: readonly LayerFiles[]): ReadonlyMap<string, Buffer> {
  const texts = new Map<string, Buffer>()
  if (layers.every((layer) => layer.texts.size === 0)) return texts
  visitMerged(
    layers.map(({ root }) => root),
    {
      enter: () => undefined,
      visit: ({ node, layer, name }, path) => {
        const text = node.kind === 'file' ? layers[layer]?.texts.get(node) : undefined
        if (text !== undefined && isPackageText(`${path}${name}`)) texts.set(`${path}${name}`, text)
      },
    },
    undefined,
  )
  return texts
}

/** Who owns the file at a path. */
function ownersOf(texts: ReadonlyMap<string, Buffer>): ReadonlyMap<string, PackageId> {
  const owners = new Map<string, PackageId>()
  const add = (manager: PackageSize['manager'], packages: Iterable<InstalledPackage>): void => {
    for (const { name, version, files } of packages) {
      const id = { manager, name, version }
      for (const file of files) {
        if (owners.size >= MAX_OWNED_FILES) return
        owners.set(file, id)
      }
    }
  }
  for (const path of APK_DATABASES) {
    const text = texts.get(path)
    if (text !== undefined) add('apk', readApkDatabase(text))
  }
  const isDpkg = (path: string): boolean =>
    [DPKG_STATUS, DPKG_LISTS, DPKG_STATUS_FILES].some((at) => path.startsWith(at))
  add('dpkg', readDpkgDatabase(new Map([...texts].filter(([path]) => isDpkg(path)))))
  return owners
}

/** Where `/lib` is a link to `/usr/lib`, and so on, databases tell one of the two. */
const MERGED_USR = /^usr\/(?=(?:bin|sbin|lib|lib32|lib64|libx32)\/)/

function ownerOf(owners: ReadonlyMap<string, PackageId>, path: string): PackageId | undefined {
  const owner = owners.get(path)
  if (owner !== undefined || !MERGED_USR.test(path)) return owner
  return owners.get(path.slice('usr/'.length))
}

const NPM_ROOT = /(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/@.][^/]*\/$/

/** The package that files directly in a directory belong to. */
function npmPackageAt(
  stack: Stack,
  at: { readonly path: string; readonly parent: PackageId | undefined; readonly layers: readonly LayerFiles[] },
): PackageId | undefined {
  if (!NPM_ROOT.test(at.path)) return at.parent
  let found: NpmManifest | undefined
  for (const { layer, directory } of stack) {
    const node = directory.children.get('package.json')
    if (node?.kind === 'file') found = at.layers[layer]?.npm.get(node)
    // A package all the same, but who knows which.
    if (node !== undefined || directory.whiteouts?.has('package.json') === true) break
  }
  return found && { manager: 'npm', ...found }
}
