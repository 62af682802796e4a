/**
 * Lays layers over one another as container engines do, without building the merged tree: each file that is visible in
 * the end is visited once, with the layer that it comes from.
 *
 * https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#applying-changesets
 */
import type { LayerDirectory, LayerFile, LayerLink, LayerNode } from './layer-nodes.ts'

/** The directories of one path that are visible, each of another layer, the highest first. */
export type Stack = readonly { readonly layer: number; readonly directory: LayerDirectory }[]

export interface MergeVisitor<Context> {
  /** What is said to the files directly in a directory and to the directories beneath. */
  readonly enter: (stack: Stack, path: string, parent: Context) => Context
  /** A visible file or hard link. `path` is that of its directory: empty, or with a slash at the end. */
  readonly visit: (
    found: { readonly node: LayerFile | LayerLink; readonly layer: number; readonly name: string },
    path: string,
    context: Context,
  ) => void
}

interface Walk<Context> {
  readonly visitor: MergeVisitor<Context>
  isExact: boolean
}

/**
 * Visits what is visible; roots are those of the layers, the lowest first.
 * @returns whether each file is where it was visited. It is not where a path leads through a symbolic link of a lower
 * layer, which an engine follows when it unpacks the layer above.
 */
export function visitMerged<Context>(
  roots: readonly LayerDirectory[],
  visitor: MergeVisitor<Context>,
  context: Context,
): boolean {
  const walk: Walk<Context> = { visitor, isExact: true }
  const all = roots.map((directory, layer) => ({ layer, directory })).reverse()
  const opaque = all.findIndex(({ directory }) => directory.opaque)
  visitDirectory(opaque === -1 ? all : all.slice(0, opaque + 1), '', walk, context)
  return walk.isExact
}

function visitDirectory<Context>(stack: Stack, path: string, walk: Walk<Context>, outer: Context): void {
  const { visitor } = walk
  const context = visitor.enter(stack, path, outer)
  /** Names that a higher layer decided. */
  const decided = new Set<string>()
  for (const [index, { layer, directory }] of stack.entries()) {
    const isLast = index === stack.length - 1
    for (const [name, node] of directory.children) {
      if (decided.has(name)) continue
      if (!isLast) decided.add(name)
      if (node.kind === 'directory') {
        const below = stackAt(stack.slice(index), name, walk)
        visitDirectory(below, `${path}${name}/`, walk, context)
      } else if (node.kind === 'file' || node.kind === 'link') {
        visitor.visit({ node, layer, name }, path, context)
      }
    }
    if (!isLast) for (const name of directory.whiteouts ?? []) decided.add(name)
  }
}

/** The visible directories called `name`, of which the first layer of the stack has one. */
function stackAt(stack: Stack, name: string, walk: { isExact: boolean }): Stack {
  const visible: { layer: number; directory: LayerDirectory }[] = []
  let isExplicit = false
  for (const { layer, directory } of stack) {
    const node: LayerNode | undefined = directory.children.get(name)
    if (node !== undefined && node.kind !== 'directory') {
      // A directory replaces a link; a path without an entry for the directory leads through it.
      if (node.kind === 'symlink' && !isExplicit) walk.isExact = false
      break
    }
    if (node !== undefined) {
      visible.push({ layer, directory: node })
      isExplicit = node.explicit
      if (node.opaque) break
    }
    if (directory.whiteouts?.has(name) === true) break
  }
  return visible
}
