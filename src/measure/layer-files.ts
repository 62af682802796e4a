/**
 * Builds the file index of one layer while it streams by (as `readLayer`'s listener). Bounded: a layer of more files or
 * longer names than `LAYER_LIMITS` says, or one that could not be unpacked as it is written, has no index but a reason.
 *
 * https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md
 */
import type { FilesBudget, FilesLimits } from './files-budget.ts'
import { contentOf, pathNames, trimPath, type LayerFiles, type LayerOther, type NpmManifest } from './layer-nodes.ts'
import { isPackageText, MAX_NPM_BYTES, MAX_NPM_MANIFESTS, MAX_TEXT_BYTES, npmManifest } from './package-files.ts'
import type { ContentSink, TarEntry, TarListener } from './tar-walker.ts'

/** The index of a layer, or one sentence why there is none. */
export type LayerIndex =
  { readonly files: LayerFiles; readonly reason?: undefined } | { readonly files?: undefined; readonly reason: string }

/** Of one layer; a file takes about 150 bytes. Bytes are those of names and of package databases. */
export const LAYER_LIMITS: FilesLimits = { nodes: 500_000, bytes: 64 << 20 }

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

/** Why a layer has no index. */
class Unindexable extends Error {}

export class LayerIndexer implements TarListener {
  readonly #budget: FilesBudget | undefined
  readonly #texts = new Map<File, Buffer>()
  readonly #npm = new Map<File, NpmManifest>()
  #taken: FilesLimits = { nodes: 0, bytes: 0 }
  #names = 0
  #root = directory()
  #reason: string | undefined
  /** Files lie beside one another in an archive, so the directory of the last one is mostly that of the next. */
  #last: { readonly path: string; readonly directory: Directory } = { path: '', directory: this.#root }
  /** The file whose content comes next. */
  #current: File | undefined

  /** An indexer for one layer. What it holds counts in `budget` until it is abandoned. */
  constructor(budget?: FilesBudget) {
    this.#budget = budget
  }

  readonly onEntry = (entry: TarEntry): void => {
    this.#current = undefined
    if (this.#reason !== undefined) return
    try {
      this.#insert(entry)
    } catch (error) {
      if (!(error instanceof Unindexable)) throw error
      this.#reason = error.message
      this.abandon()
    }
  }

  readonly openContent = ({ path, size }: TarEntry): ContentSink | undefined => {
    const file = this.#current
    if (file === undefined || size === 0 || size > MAX_TEXT_BYTES) return undefined
    if (path.endsWith('/package.json') && path.includes('node_modules/')) {
      if (size > MAX_NPM_BYTES || this.#npm.size >= MAX_NPM_MANIFESTS) return undefined
      return collect(size, (text) => {
        const manifest = npmManifest(text)
        if (manifest !== undefined && this.#tryTake(0, manifest.name.length + manifest.version.length))
          this.#npm.set(file, manifest)
      })
    }
    // Without a package's text there is still an index.
    if (!isPackageText(trimPath(path)) || !this.#tryTake(0, size)) return undefined
    return collect(size, (text) => {
      this.#texts.set(file, text)
    })
  }

  /** The index, after the layer was read to its end. */
  finish(): LayerIndex {
    if (this.#reason !== undefined) return { reason: `The files of a layer are not known: ${this.#reason}.` }
    return { files: { root: this.#root, texts: this.#texts, npm: this.#npm } }
  }

  /** Drops what was found, as for a layer that turns out to be unreadable. */
  abandon(): void {
    this.#reason ??= 'it could not be read'
    this.#budget?.giveBack(this.#taken)
    this.#taken = { nodes: 0, bytes: 0 }
    this.#root = directory()
    this.#last = { path: '', directory: this.#root }
    this.#texts.clear()
    this.#npm.clear()
  }

  #insert(entry: TarEntry): void {
    if (entry.path.length > MAX_PATH) throw new Unindexable('a path is longer than Linux allows')
    const path = trimPath(entry.path)
    const cut = path.lastIndexOf('/')
    const name = path.slice(cut + 1)
    const parent = this.#directoryAt(cut === -1 ? '' : path.slice(0, cut))
    if (parent === undefined) {
      this.#root.replaced += entry.size
    } else if (name === '' || name === '.') {
      parent.explicit ||= entry.kind === 'directory'
    } else if (name.startsWith(WHITEOUT)) {
      parent.replaced += entry.size
      this.#whiteOut(parent, name)
    } else {
      this.#place(parent, name, entry)
    }
  }

  #place(parent: Directory, name: string, entry: TarEntry): void {
    if (name === '..') throw new Unindexable('a path leads upwards')
    const before = parent.children.get(name)
    if (entry.kind === 'directory' && before?.kind === 'directory') {
      before.explicit = true
      return
    }
    const node = this.#nodeOf(entry)
    if (before !== undefined) {
      parent.replaced += contentOf(before)
      // Paths that led through it lead elsewhere now.
      if (before.kind === 'directory') this.#last = { path: '', directory: this.#root }
    }
    this.#add(parent, name, node)
    if (node.kind === 'file') this.#current = node
  }

  #nodeOf({ kind, size, linkPath }: TarEntry): Node {
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
    else if (!name.startsWith(WHITEOUT_META)) {
      this.#take(1, name.length)
      parent.whiteouts ??= new Set()
      parent.whiteouts.add(flat(name.slice(WHITEOUT.length)))
    }
  }

  /** The directory at a path, made as far as it is not there; undefined for what engines pass over. */
  #directoryAt(path: string): Directory | undefined {
    if (path === this.#last.path) return this.#last.directory
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
    this.#last = { path, directory: at }
    return at
  }

  *#walk(path: string): Generator<string> {
    for (const name of pathNames(path)) {
      if (name === '..') throw new Unindexable('a path leads upwards')
      if (++this.#names > MAX_NAMES_ON_PATHS) throw new Unindexable('its paths are too deep')
      yield name
    }
  }

  #add(parent: Directory, name: string, node: Node): void {
    if (name.length > MAX_NAME) throw new Unindexable('a name is longer than Linux allows')
    this.#take(1, name.length)
    parent.children.set(flat(name), node)
  }

  #take(nodes: number, bytes: number): void {
    if (!this.#tryTake(nodes, bytes)) throw new Unindexable('there are too many files to keep track of')
  }

  #tryTake(nodes: number, bytes: number): boolean {
    const taken = { nodes: this.#taken.nodes + nodes, bytes: this.#taken.bytes + bytes }
    if (taken.nodes > LAYER_LIMITS.nodes || taken.bytes > LAYER_LIMITS.bytes) return false
    if (this.#budget?.take({ nodes, bytes }) === false) return false
    this.#taken = taken
    return true
  }
}

function directory(explicit = false): Directory {
  return { kind: 'directory', children: new Map(), explicit, opaque: false, whiteouts: undefined, replaced: 0 }
}

function collect(size: number, done: (text: Buffer) => void): ContentSink {
  const text = Buffer.allocUnsafeSlow(size)
  let filled = 0
  return {
    write: (piece) => {
      text.set(piece, filled)
      filled += piece.length
    },
    end: () => {
      done(text)
    },
  }
}

const scratch = Buffer.alloc(4 * MAX_NAME)

/** A copy: V8 keeps the whole text alive of which a longer string was cut. */
function flat(name: string): string {
  return name.length < 13 ? name : scratch.toString('utf8', 0, scratch.write(name))
}
