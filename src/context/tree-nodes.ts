/** The files of a context as they are held in memory: few and small objects, for there may be a million of them. */
import type { Stats } from 'node:fs'
import type { ContextFileType } from './context-files.ts'
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
  readonly children: readonly TreeNode[]
  /** Over its mode and all that is in it; undefined until it is asked for. */
  digest: string | undefined
}

export type TreeNode = LeafNode | DirectoryNode

/** A node of what lstat said; a directory is made with its content, later. */
export function leafOf(name: string, stats: Stats, format: ObjectFormat): LeafNode {
  const type = stats.isFile() ? 'file' : stats.isSymbolicLink() ? 'symlink' : 'other'
  const content = type === 'other' ? specialContent(stats) : undefined
  return { name, type, mode: stats.mode & 0o7777, size: stats.size, format, content, gone: false }
}

/** What a device, pipe or socket is: the bits of its kind, and of a device which one. */
function specialContent(stats: Stats): string {
  const device = stats.isBlockDevice() || stats.isCharacterDevice() ? ` ${stats.rdev}` : ''
  return `${(stats.mode & 0o170000).toString(8)}${device}`
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
