/** The files of a context as they are held in memory: few and small objects, for there may be a million of them. */
import { constants } from 'node:fs'
import type { ContextFileType } from './context-files.ts'
import { Field } from './directory-listing.ts'
import type { ObjectFormat } from './git-index.ts'

/** A file, a link or something else that is no directory. */
export interface LeafNode {
  readonly name: string
  readonly type: Exclude<ContextFileType, 'directory'>
  /** Permission bits with setuid, setgid and sticky; of a file that was read, those at that time. */
  mode: number
  readonly size: number
  /** Of a file's id. */
  readonly format: ObjectFormat
  /** A file's blob id, a link's target, what else a thing is; undefined until it is asked for. */
  content: string | undefined
  /** It was gone when it was to be read. */
  gone: boolean
}

/** A directory with all in it that .dockerignore leaves there. */
export interface DirectoryNode {
  readonly name: string
  readonly type: 'directory'
  /** 0 for the context's root: BuildKit does not look at it. */
  readonly mode: number
  /** Sorted by name, by code unit. */
  readonly children: TreeNode[]
  /** Over its mode and all that is in it; undefined until it is asked for. */
  digest: string | undefined
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

/** A directory without anything in it yet. */
export function directoryOf(name: string, mode: number): DirectoryNode {
  return { name, type: 'directory', mode, children: [], digest: undefined }
}

/** Whether lstat said that it is a directory. */
export function isDirectory(mode: number): boolean {
  return (mode & constants.S_IFMT) === constants.S_IFDIR
}

/** The child of that name. */
export function childOf(directory: DirectoryNode, name: string): TreeNode | undefined {
  const { children } = directory
  let low = 0
  let high = children.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((children[middle]?.name ?? '') < name) low = middle + 1
    else high = middle
  }
  return children[low]?.name === name ? children[low] : undefined
}
