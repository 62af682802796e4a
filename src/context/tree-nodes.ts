/** The files of a context as they are held in memory: few and small objects, for there may be a million of them. */
import { constants } from 'node:fs'
import type { ContextFileType } from './context-files.ts'
import { Field } from './directory-listing.ts'
import type { ObjectFormat } from './git-index.ts'
import type { GitRepository } from './git-repository.ts'

/** A file, a link or something else that is no directory. */
export interface LeafNode {
  readonly name: string
  readonly type: Exclude<ContextFileType, 'directory'>
  /** Permission bits with setuid, setgid and sticky; of a file that was read, those at that time. */
  mode: number
  /** Bytes; 0 where the content was known at once. */
  readonly size: number
  /** Of a file's id. */
  readonly format: ObjectFormat
  /** A file's blob id, a link's target, what else a thing is; undefined until it is asked for. */
  content: string | undefined
  /** It was gone when it was to be read. */
  gone: boolean
}

/** Who tells the ids of files that git knows. */
export type KnownIds = Pick<GitRepository, 'format' | 'idOf' | 'writeId'>

/**
 * A directory with all in it that .dockerignore leaves there, sorted by name, by code unit. Of a file that git knows, and that is
 * most of them, there are three numbers and no object.
 */
export class DirectoryNode {
  readonly type = 'directory'
  readonly name: string
  /** 0 for the context's root: BuildKit does not look at it. */
  readonly mode: number
  /** Over its mode and all that is in it; undefined until it is asked for. */
  digest: string | undefined = undefined
  #length = 0
  #names: string[] = []
  #modes: number[] = []
  /** Where git's index has a known file; of what is an object, its place among them: -1 is the first. */
  #entries: number[] = []
  #objects: TreeNode[] = []
  /** One index for all known files of a directory. */
  ids: KnownIds | undefined = undefined

  constructor(name: string, mode: number) {
    this.name = name
    this.mode = mode
  }

  get length(): number {
    return this.#length
  }

  /** Makes room, before anything is added: what grows is copied time and again. @param most how much will be added at most */
  reserve(most: number): void {
    this.#names = Array<string>(most)
    this.#modes = Array<number>(most)
    this.#entries = Array<number>(most)
  }

  /** Adds something whose name comes after all others. */
  add(node: TreeNode): void {
    this.#put(node.name, 0, -this.#objects.push(node))
  }

  /** Adds a file by its permission bits and its place in git's index. */
  addKnown(name: string, mode: number, entry: number): void {
    this.#put(name, mode, entry)
  }

  #put(name: string, mode: number, entry: number): void {
    const index = this.#length++
    this.#names[index] = name
    this.#modes[index] = mode
    this.#entries[index] = entry
  }

  nameAt(index: number): string {
    return this.#names[index] ?? ''
  }

  /** What is there, unless it is a known file. */
  objectAt(index: number): TreeNode | undefined {
    const entry = this.#entries[index] ?? 0
    return entry < 0 ? this.#objects[-entry - 1] : undefined
  }

  /** All that are no known files: most of a large tree need not be looked at. */
  get objects(): readonly TreeNode[] {
    return this.#objects
  }

  /** Of a known file. */
  modeAt(index: number): number {
    return this.#modes[index] ?? 0
  }

  /** Of a known file: its id, hex digits. */
  idAt(index: number): string {
    return this.ids?.idOf(this.#entries[index] ?? 0) ?? ''
  }

  /** Writes the same to a buffer; returns where it ends. */
  writeIdAt(index: number, target: Uint8Array, start: number): number {
    return this.ids?.writeId(this.#entries[index] ?? 0, target, start) ?? start
  }

  /** What is there, as an object; always the same one. */
  nodeAt(index: number): TreeNode | undefined {
    const name = this.#names[index]
    if (name === undefined) return undefined
    const object = this.objectAt(index)
    if (object !== undefined) return object
    const leaf: LeafNode = {
      ...{ name, type: 'file', mode: this.modeAt(index), size: 0, format: this.ids?.format ?? 'sha1' },
      ...{ content: this.idAt(index), gone: false },
    }
    this.#entries[index] = -this.#objects.push(leaf)
    return leaf
  }

  /** All that is in it, as objects. */
  *nodes(): Generator<TreeNode, void, undefined> {
    for (let index = 0; index < this.length; index++) {
      const node = this.nodeAt(index)
      if (node !== undefined) yield node
    }
  }

  /** What is in it under that name. */
  child(name: string): TreeNode | undefined {
    let low = 0
    let high = this.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.nameAt(middle) < name) low = middle + 1
      else high = middle
    }
    return this.nameAt(low) === name ? this.nodeAt(low) : undefined
  }

  /** Takes directories away. */
  remove(isRemoved: (directory: DirectoryNode) => boolean): void {
    const removed = new Set<TreeNode>(this.#objects.filter((node) => node.type === 'directory' && isRemoved(node)))
    if (removed.size === 0) return
    const objects = this.#objects
    const [names, modes, entries, { length }] = [this.#names, this.#modes, this.#entries, this]
    this.#objects = []
    this.#length = 0
    this.reserve(length - removed.size)
    for (let index = 0; index < length; index++) {
      const entry = entries[index] ?? 0
      const node = objects[-entry - 1]
      if (node === undefined) this.#put(names[index] ?? '', modes[index] ?? 0, entry)
      else if (!removed.has(node)) this.add(node)
    }
  }
}

export type TreeNode = LeafNode | DirectoryNode

/** A node of what lstat said; not for a directory, which is made with its content. */
export function leafOf(name: string, numbers: Float64Array, options: { at: number; format: ObjectFormat }): LeafNode {
  const { at, format } = options
  const mode = numbers[at] ?? 0
  const kind = mode & constants.S_IFMT
  const type = kind === constants.S_IFREG ? 'file' : kind === constants.S_IFLNK ? 'symlink' : 'other'
  const content = type === 'other' ? specialOf(kind, numbers[at + Field.rdev] ?? 0) : undefined
  return { name, type, mode: mode & 0o7777, size: numbers[at + Field.size] ?? 0, format, content, gone: false }
}

/** What a device, pipe or socket is: the bits of its kind, and of a device which one. */
function specialOf(kind: number, device: number): string {
  const isDevice = kind === constants.S_IFBLK || kind === constants.S_IFCHR
  return `${kind.toString(8)}${isDevice ? ` ${device}` : ''}`
}

/** Whether its content is still to be asked for. */
export function isUnread(node: TreeNode): node is LeafNode {
  return node.type !== 'directory' && node.content === undefined && !node.gone
}

/** Whether lstat said that it is a directory. */
export function isDirectory(mode: number): boolean {
  return (mode & constants.S_IFMT) === constants.S_IFDIR
}

/** Whether lstat said that it is a regular file. */
export function isFile(mode: number): boolean {
  return (mode & constants.S_IFMT) === constants.S_IFREG
}
