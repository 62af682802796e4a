/**
 * Folds the files of layers into a small tree: what is large stands alone, what is small is counted in the directory
 * where it lies. The same files always fold alike: all that is as large as the smallest thing that stands alone does.
 */
import type { FileTree } from './file-tree.ts'
import { contentOf, type LayerDirectory, type LayerNode } from './layer-nodes.ts'

/** What stands alone, the root aside. */
export const MAX_TREE_NODES = 1_500
/** Of the tree as JSON. */
export const MAX_TREE_CHARACTERS = 40_000
/** Directories within one another; what is deeper is counted in the last of them. */
export const MAX_TREE_DEPTH = 64
/** Of all bytes: less than a report calls a change. */
const MIN_SHARE = 1 / 5_000

interface Draft {
  bytes: number
  files: number
  readonly isDirectory: boolean
  readonly children: Map<string, Draft>
}

/** The tree of what layers hold together; their order does not matter. */
export function foldFiles(roots: readonly LayerDirectory[]): FileTree {
  const total = roots.reduce((sum, root) => sum + contentOf(root), 0)
  const draft = draftOf(roots, { least: Math.max(1, total * MIN_SHARE), depth: 0 })
  return finished(draft, standingAlone(draft))
}

/** What nodes at one path hold in several layers. */
function draftOf(nodes: readonly LayerNode[], { least, depth }: { least: number; depth: number }): Draft {
  const directories = nodes.filter((node) => node.kind === 'directory')
  const draft: Draft = { bytes: 0, files: 0, isDirectory: directories.length > 0, children: new Map() }
  for (const node of nodes) {
    if (node.kind === 'file') draft.bytes += node.bytes
    if (node.kind === 'directory') draft.bytes += node.replaced
  }
  if (nodes.some(({ kind }) => kind === 'file' || kind === 'link')) draft.files++
  for (const [name, children] of byName(directories)) {
    const child = draftOf(children, { least, depth: depth + 1 })
    draft.bytes += child.bytes
    draft.files += child.files
    if (child.bytes >= least && depth < MAX_TREE_DEPTH) draft.children.set(name, child)
  }
  return draft
}

function* byName(directories: readonly LayerDirectory[]): Generator<readonly [string, readonly LayerNode[]]> {
  const [first, ...others] = directories
  for (const [name, node] of first?.children ?? []) {
    const more = others.map(({ children }) => children.get(name)).filter((child) => child !== undefined)
    yield [name, [node, ...more]]
  }
  if (others.length === 0) return
  const rest = others.map((directory) => ({
    ...directory,
    children: new Map([...directory.children].filter(([name]) => first?.children.has(name) !== true)),
  }))
  yield* byName(rest)
}

/** The largest, as many as the tree may have. A directory is never smaller than what is in it. */
function standingAlone(root: Draft): ReadonlySet<Draft> {
  const all: { readonly draft: Draft; readonly path: string; readonly depth: number; readonly cost: number }[] = []
  const collect = (draft: Draft, path: string, depth: number): void => {
    for (const [name, child] of draft.children) {
      const cost =
        JSON.stringify(name).length + String(child.bytes).length + String(child.files).length + '[,,,[]],'.length
      all.push({ draft: child, path: `${path}/${name}`, depth, cost })
      collect(child, `${path}/${name}`, depth + 1)
    }
  }
  collect(root, '', 0)
  all.sort((a, b) => b.draft.bytes - a.draft.bytes || a.depth - b.depth || (a.path < b.path ? -1 : 1))
  const chosen = new Set<Draft>()
  let characters = 64
  for (const { draft, cost } of all) {
    characters += cost
    if (chosen.size === MAX_TREE_NODES || characters > MAX_TREE_CHARACTERS) break
    chosen.add(draft)
  }
  return chosen
}

function finished({ bytes, files, isDirectory, children }: Draft, chosen: ReadonlySet<Draft>): FileTree {
  if (!isDirectory) return { bytes, files }
  const standing = [...children]
    .filter(([, child]) => chosen.has(child))
    .toSorted(([a, x], [b, y]) => y.bytes - x.bytes || (a < b ? -1 : 1))
  return { bytes, files, children: new Map(standing.map(([name, child]) => [name, finished(child, chosen)])) }
}
