/** File trees as JSON: `[name, bytes, files]` for a file, with a list of the same as the fourth for a directory. */
import { isCount } from '../json-fields.ts'
import type { FileTree } from './file-tree.ts'
import { MAX_TREE_DEPTH } from './file-tree-fold.ts'

/** More than a tree of this version has, for those of later ones. */
const MAX_NODES = 5_000
const MAX_NAME = 255

export type FileTreeJson =
  | readonly [name: string, bytes: number, files: number]
  | readonly [name: string, bytes: number, files: number, children: readonly FileTreeJson[]]

/** As JSON; the root's name is empty. */
export function fileTreeToJson(tree: FileTree, name = ''): FileTreeJson {
  const { bytes, files, children } = tree
  if (children === undefined) return [name, bytes, files]
  return [name, bytes, files, [...children].map(([child, node]) => fileTreeToJson(node, child))]
}

/** A tree from JSON that anybody may have written; undefined where it is none. */
export function parseFileTree(json: unknown): FileTree | undefined {
  const left = { nodes: MAX_NODES }
  const [name, tree] = parseNode(json, 0, left) ?? []
  return name === '' ? tree : undefined
}

function parseNode(
  json: unknown,
  depth: number,
  left: { nodes: number },
): readonly [name: string, tree: FileTree] | undefined {
  if (!Array.isArray(json) || json.length < 3 || json.length > 4 || depth > MAX_TREE_DEPTH || left.nodes-- <= 0)
    return undefined
  const [name, bytes, files, list] = json as readonly unknown[]
  if (!isName(name, depth) || !isCount(bytes) || !isCount(files)) return undefined
  if (json.length === 3) return [name, { bytes, files }]
  if (!Array.isArray(list)) return undefined
  const children = new Map<string, FileTree>()
  let [bytesBeneath, filesBeneath] = [0, 0]
  for (const entry of list as readonly unknown[]) {
    const parsed = parseNode(entry, depth + 1, left)
    if (parsed === undefined || children.has(parsed[0])) return undefined
    children.set(...parsed)
    bytesBeneath += parsed[1].bytes
    filesBeneath += parsed[1].files
  }
  return bytesBeneath > bytes || filesBeneath > files ? undefined : [name, { bytes, files, children }]
}

function isName(name: unknown, depth: number): name is string {
  if (typeof name !== 'string') return false
  if (depth === 0) return name === ''
  return name !== '' && name !== '.' && name !== '..' && name.length <= MAX_NAME && !/[/\0]/.test(name)
}
