/**
 * What the entries of one layer come to as files. A layer that could not be unpacked as it is written, or of more
 * directories and longer names than Linux allows, has no files but a reason.
 *
 * https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md
 */
import { LAYER_LIMITS, unknownFiles, type PackedLayer } from './layer-index.ts'
import { contentOf, pathNames, trimPath, type LayerFiles, type LayerOther } from './layer-nodes.ts'
import type { NpmManifest } from './package-files.ts'
import { visitEntries, type PackedEntry } from './packed-entries.ts'

/** Linux's PATH_MAX and NAME_MAX: what is longer cannot be unpacked. */
const MAX_PATH = 4096
const MAX_NAME = 255
/** Of all paths together; ordinary ones have ten at most. */
const MAX_NAMES_ON_PATHS = 20_000_000
const WHITEOUT = '.wh.'
const OPAQUE = '.wh..wh..opq'
/** What AUFS keeps for itself; container engines pass it over. */
const WHITEOUT_META = '.wh..wh.'

interface File {
  readonly kind: 'file'
  readonly bytes: number
  linked: boolean
}

interface Directory {
  readonly kind: 'directory'
  readonly children: Map<string, Node>
  explicit: boolean
  opaque: boolean
  whiteouts: Set<string> | undefined
  replaced: number
}

type Node = File | Directory | LayerOther | { readonly kind: 'link'; readonly target: File | undefined }

const SYMLINK = { kind: 'symlink' } as const
const OTHER = { kind: 'other' } as const

/** Why a layer has no files. */
class Unindexable extends Error {}

export type FilesOrReason = LayerFiles | { readonly reason: string }

const built = new WeakMap<PackedLayer, WeakRef<LayerFiles>>()

/** The files of a layer; made once as long as somebody holds them. */
export function layerFiles(layer: PackedLayer): FilesOrReason {
  const known = built.get(layer)?.deref()
  if (known !== undefined) return known
  try {
    const files = new FilesBuilder().build(layer)
    built.set(layer, new WeakRef(files))
    return files
  } catch (error) {
    if (error instanceof Unindexable) return { reason: unknownFiles(error.message) }
    throw error
  }
}

class FilesBuilder {
  readonly #root = directory()
  #nodes = 0
  #names = 0
  /** The directory of the last entry, which cannot have been replaced since. */
  #parent: Directory | undefined = this.#root

  build({ entries, texts, npm }: PackedLayer): LayerFiles {
    const found = { texts: new Map<File, Buffer>(), npm: new Map<File, NpmManifest>() }
    let number = 0
    visitEntries(entries, (entry) => {
      const file = this.#insert(entry)
      if (file !== undefined) {
        const text = texts.get(number)
        const manifest = npm.get(number)
        if (text !== undefined) found.texts.set(file, text)
        if (manifest !== undefined) found.npm.set(file, manifest)
      }
      number++
    })
    return { root: this.#root, ...found }
  }

  #insert(entry: PackedEntry): File | undefined {
    const { path, isBeside } = entry
    if (path.length > MAX_PATH) throw new Unindexable('a path is longer than Linux allows')
    const cut = isBeside ? -1 : path.lastIndexOf('/')
    const name = cut === -1 ? path : path.slice(cut + 1)
    if (!isBeside) this.#parent = this.#directoryAt(path.slice(0, Math.max(0, cut)))
    const parent = this.#parent
    if (parent === undefined) {
      this.#root.replaced += entry.size
    } else if (name === '' || name === '.') {
      parent.explicit ||= entry.kind === 'directory'
      parent.replaced += entry.size
    } else if (name.startsWith(WHITEOUT)) {
      parent.replaced += entry.size
      this.#whiteOut(parent, name)
    } else {
      return this.#place(parent, name, entry)
    }
    return undefined
  }

  #place(parent: Directory, name: string, entry: PackedEntry): File | undefined {
    if (name === '..') throw new Unindexable('a path leads upwards')
    const before = parent.children.get(name)
    if (entry.kind === 'directory' && before?.kind === 'directory') {
      before.explicit = true
      return undefined
    }
    const node = this.#nodeOf(entry)
    if (before !== undefined) parent.replaced += contentOf(before)
    this.#add(parent, name, node)
    return node.kind === 'file' ? node : undefined
  }

  #nodeOf({ kind, size, linkPath }: PackedEntry): Node {
    switch (kind) {
      case 'file':
        return { kind, bytes: size, linked: false }
      case 'directory':
        return directory(true)
      case 'hard-link':
        return { kind: 'link', target: this.#linked(linkPath) }
      case 'symlink':
        return SYMLINK
      case 'other':
        return OTHER
    }
  }

  /** The file that a hard link names: one that stands before it in the same archive. */
  #linked(path: string): File | undefined {
    let at: Node | undefined = this.#root
    for (const name of this.#walk(trimPath(path))) at = at?.kind === 'directory' ? at.children.get(name) : undefined
    const target = at?.kind === 'link' ? at.target : at
    if (target?.kind !== 'file') return undefined
    target.linked = true
    return target
  }

  #whiteOut(parent: Directory, name: string): void {
    if (name === OPAQUE) parent.opaque = true
    else if (name === WHITEOUT) throw new Unindexable('a whiteout has no name')
    else if (!name.startsWith(WHITEOUT_META)) (parent.whiteouts ??= new Set()).add(name.slice(WHITEOUT.length))
  }

  /** The directory at a path, made as far as it is not there; undefined for what engines pass over. */
  #directoryAt(path: string): Directory | undefined {
    let at = this.#root
    for (const name of this.#walk(path)) {
      if (name.startsWith(WHITEOUT)) return undefined
      let next = at.children.get(name)
      if (next === undefined) {
        next = directory()
        this.#add(at, name, next)
      }
      if (next.kind !== 'directory') throw new Unindexable('a path leads through something that is no directory')
      at = next
    }
    return at
  }

  #walk(path: string): readonly string[] {
    const names = pathNames(path)
    this.#names += names.length
    if (names.includes('..')) throw new Unindexable('a path leads upwards')
    if (this.#names > MAX_NAMES_ON_PATHS) throw new Unindexable('its paths are too deep')
    return names
  }

  #add(parent: Directory, name: string, node: Node): void {
    // A character is three bytes at most, for each of JavaScript's.
    if (name.length > MAX_NAME / 3 && Buffer.byteLength(name) > MAX_NAME)
      throw new Unindexable('a name is longer than Linux allows')
    // Directories that have no entry count, too.
    if (++this.#nodes > LAYER_LIMITS.entries) throw new Unindexable('there are too many')
    parent.children.set(name, node)
  }
}

function directory(explicit = false): Directory {
  return { kind: 'directory', children: new Map(), explicit, opaque: false, whiteouts: undefined, replaced: 0 }
}
