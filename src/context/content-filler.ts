/** Reads what a digest covers and nobody knows yet: bytes of files, targets of links. Helper threads read small files beside this one. */
import { ContentReader, SMALL_FILE_BYTES } from './content-id.ts'
import { type Found, readLink } from './context-paths.ts'
import type { ContextTree } from './context-tree.ts'
import { isUnread, type LeafNode } from './tree-nodes.ts'

/** How many large files are read at once. */
const LARGE_AT_ONCE = 4
/** So many small files are given away at once: a message takes as long as one of them. */
const BATCH = 64

interface Unread {
  readonly path: string
  readonly leaf: LeafNode
}

export class ContentFiller {
  readonly #tree: ContextTree
  readonly #reader = new ContentReader()
  #awaited = 0
  /** What helpers could not read. */
  #left: Unread[] = []

  constructor(tree: ContextTree) {
    this.#tree = tree
  }

  /**
   * Gives every leaf its content; one that is gone is marked so. Directories are passed over.
   * @throws UserError for a file that cannot be read, is no file any more, or keeps changing
   */
  async fill(found: Iterable<Found>): Promise<void> {
    const large: Unread[] = []
    let small: Unread[] = []
    for (const { path, node } of found) {
      if (!isUnread(node)) continue
      if (node.type !== 'file') this.#take(node, readLink(this.#tree, path))
      else if (node.size > SMALL_FILE_BYTES) large.push({ path, leaf: node })
      else small.push({ path, leaf: node })
      if (small.length < BATCH) continue
      await this.#fillSmall(small, large)
      small = []
    }
    await this.#fillSmall(small, large)
    while (this.#awaited > 0) {
      await this.#tree.pause()
      if (this.#tree.helpers?.take() !== true) this.#tree.helpers?.wait()
    }
    // Gone, grown, unreadable: it is found and told here.
    this.#readHere(this.#left.splice(0), large)
    await this.#fillLarge(large)
  }

  /** By a helper that has time, or else here. */
  async #fillSmall(files: readonly Unread[], large: Unread[]): Promise<void> {
    await this.#tree.pause()
    this.#tree.helpers?.take()
    if (files.length < BATCH || !this.#isGiven(files)) this.#readHere(files, large)
  }

  #isGiven(files: readonly Unread[]): boolean {
    const [first] = files
    const { format = 'sha1' } = first?.leaf ?? {}
    const { helpers } = this.#tree
    if (helpers?.isFree !== true || files.some(({ leaf }) => leaf.format !== format)) return false
    const paths = files.map(({ path }) => this.#tree.absolute(path))
    const asked = helpers.ask({ kind: 'read', paths, format }, (answer) => {
      this.#awaited--
      const contents = answer?.kind === 'read' ? answer.contents : []
      for (const [index, file] of files.entries()) {
        const content = contents[index]
        if (content === undefined) this.#left.push(file)
        else this.#take(file.leaf, content.id, content.mode)
      }
    })
    if (asked) this.#awaited++
    return asked
  }

  #readHere(files: readonly Unread[], large: Unread[]): void {
    for (const { path, leaf } of files) {
      const read = this.#reader.readSmall(this.#tree.absolute(path), leaf.format)
      if (read === 'large') large.push({ path, leaf })
      else this.#take(leaf, read?.id, read?.mode)
    }
  }

  async #fillLarge(large: readonly Unread[]): Promise<void> {
    const queue = large.values()
    const work = async (): Promise<void> => {
      for (const { path, leaf } of queue) {
        const read = await this.#reader.readLarge(this.#tree.absolute(path), leaf.format)
        this.#take(leaf, read?.id, read?.mode)
      }
    }
    await Promise.all(Array.from({ length: LARGE_AT_ONCE }, work))
  }

  #take(leaf: LeafNode, content: string | undefined, mode = leaf.mode): void {
    leaf.content = content
    leaf.mode = mode
    leaf.gone = content === undefined
  }
}
