/** Reads what a digest covers and nobody knows yet: bytes of files, targets of links. */
import { ContentReader, SMALL_FILE_BYTES } from './content-id.ts'
import { type Found, readLink } from './context-paths.ts'
import type { ContextTree } from './context-tree.ts'
import { isUnread, type LeafNode } from './tree-nodes.ts'

/** How many large files are read at once. */
const LARGE_AT_ONCE = 4

interface Large {
  readonly path: string
  readonly leaf: LeafNode
}

export class ContentFiller {
  readonly #tree: ContextTree
  readonly #reader = new ContentReader()

  constructor(tree: ContextTree) {
    this.#tree = tree
  }

  /**
   * Gives every leaf its content; one that is gone is marked so. Directories are passed over.
   * @throws UserError for a file that cannot be read, is no file any more, or keeps changing
   */
  async fill(found: Iterable<Found>): Promise<void> {
    const large: Large[] = []
    for (const { path, node } of found) {
      if (!isUnread(node)) continue
      await this.#tree.pause()
      if (node.type === 'file') this.#fillSmall(path, node, large)
      else this.#take(node, readLink(this.#tree, path))
    }
    const queue = large.values()
    const work = async (): Promise<void> => {
      for (const { path, leaf } of queue) {
        const read = await this.#reader.readLarge(this.#tree.absolute(path), leaf.format)
        this.#take(leaf, read?.id, read?.mode)
      }
    }
    await Promise.all(Array.from({ length: LARGE_AT_ONCE }, work))
  }

  #fillSmall(path: string, leaf: LeafNode, large: Large[]): void {
    const read = leaf.size > SMALL_FILE_BYTES ? 'large' : this.#reader.readSmall(this.#tree.absolute(path), leaf.format)
    if (read === 'large') large.push({ path, leaf })
    else this.#take(leaf, read?.id, read?.mode)
  }

  #take(leaf: LeafNode, content: string | undefined, mode = leaf.mode): void {
    leaf.content = content
    leaf.mode = mode
    leaf.gone = content === undefined
  }
}
