/**
 * The files of one layer as a tree: what stands where, what hides files of lower layers, and which names share one file.
 * Data and how to look something up; `layer-files.ts` makes it, `image-files.ts` lays layers over one another.
 */

import type { NpmManifest } from './package-files.ts'

export interface LayerFile {
  readonly kind: 'file'
  readonly bytes: number
  /** Other names of the same layer are hard links to it. */
  readonly linked: boolean
}

/** Another name of a file; undefined where the layer does not hold that file. */
export interface LayerLink {
  readonly kind: 'link'
  readonly target: LayerFile | undefined
}

/** Symbolic links, devices, pipes and the like have no bytes. */
export interface LayerOther {
  readonly kind: 'symlink' | 'other'
}

export interface LayerDirectory {
  readonly kind: 'directory'
  readonly children: ReadonlyMap<string, LayerNode>
  /** The archive has an entry for it; else it is only the beginning of some path. */
  readonly explicit: boolean
  /** Hides all that lower layers have in it. */
  readonly opaque: boolean
  /** Names that it hides of lower layers. */
  readonly whiteouts: ReadonlySet<string> | undefined
  /** Bytes of entries directly in it that later entries of the same archive replaced. */
  readonly replaced: number
}

export type LayerNode = LayerFile | LayerLink | LayerOther | LayerDirectory

/** The files of one layer. */
export interface LayerFiles {
  readonly root: LayerDirectory
  /** The text of package databases. */
  readonly texts: ReadonlyMap<LayerFile, Buffer>
  readonly npm: ReadonlyMap<LayerFile, NpmManifest>
}

/** Bytes that a node's entries have in the archive. */
export function contentOf(node: LayerNode): number {
  if (node.kind === 'file') return node.bytes
  if (node.kind !== 'directory') return 0
  let bytes = node.replaced
  for (const child of node.children.values()) bytes += contentOf(child)
  return bytes
}

/** A name as it stands in an archive, without what leads to the root, in front and behind. */
export function trimPath(path: string): string {
  let start = 0
  for (;;) {
    if (path.startsWith('/', start)) start++
    else if (path.startsWith('./', start)) start += 2
    else break
  }
  let end = path.length
  while (end > start && path.endsWith('/', end)) end--
  const trimmed = path.slice(start, end)
  return trimmed === '.' ? '' : trimmed
}

/** The names on a path; `..` is left to the caller. */
export function pathNames(path: string): readonly string[] {
  const names = path.split('/')
  return names.includes('') || names.includes('.') ? names.filter((name) => name !== '' && name !== '.') : names
}
