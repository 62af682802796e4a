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

  constructor(tree: ContextTree) {
    this.#tree = tree
  }

  /** Begins to give every leaf its content; one that is gone is marked so. Directories are passed over. */
  begin(found: Iterable<Found>): Filling {
    return new Filling(this.#tree, this.#reader, found[Symbol.iterator]())
  }

  /**
   * The same, to its end.
   * @throws UserError for a file that cannot be read, is no file any more, or keeps changing
   */
  async fill(found: Iterable<Found>): Promise<void> {
    const filling = this.begin(found)
    while (await filling.step());
  }
}

/** Leaves that get their content in the order in which they were named, or nearly. */
export class Filling {
  readonly #tree: ContextTree
  readonly #reader: ContentReader
  readonly #found: Iterator<Found>
  #awaited = 0
  #large: Unread[] = []
  /** What helpers could not read. */
  #left: Unread[] = []

  constructor(tree: ContextTree, reader: ContentReader, found: Iterator<Found>) {
    this.#tree = tree
    this.#reader = reader
    this.#found = found
  }

  /** Gives helpers what they have time for. */
  share(): void {
    const { helpers } = this.#tree
    while (helpers?.isFree === true) {
      const files = this.#draw()
      if (files.length === 0) return
      if (files.length === BATCH && this.#isGiven(files)) continue
      this.#readHere(files)
      return
    }
  }

  /**
   * Gets on, here or by a helper; false when all have their content.
   * @throws UserError for a file that cannot be read, is no file any more, or keeps changing
   */
  async step(): Promise<boolean> {
    if (this.#tree.isPauseDue) await this.#tree.pause()
    const { helpers } = this.#tree
    if (helpers?.take() === true) return true
    this.share()
    const files = this.#draw()
    if (files.length > 0) this.#readHere(files)
    else if (this.#awaited > 0) helpers?.wait()
    else if (this.#left.length > 0 || this.#large.length > 0) {
      // Gone, grown, unreadable: it is found and told here.
      this.#readHere(this.#left.splice(0))
      await this.#readLarge(this.#large.splice(0))
    } else return false
    return true
  }

  /** The next small files, a batch at most. Links are read at once. */
  #draw(): readonly Unread[] {
    const small: Unread[] = []
    while (small.length < BATCH) {
      const next = this.#found.next()
      if (next.done === true) break
      const { path, node } = next.value
      if (!isUnread(node)) continue
      if (node.type !== 'file') take(node, readLink(this.#tree, path))
      else (node.size > SMALL_FILE_BYTES ? this.#large : small).push({ path, leaf: node })
    }
    return small
  }

  #isGiven(files: readonly Unread[]): boolean {
    const [first] = files
    const { format = 'sha1' } = first?.leaf ?? {}
    const { helpers } = this.#tree
    if (helpers === undefined || files.some(({ leaf }) => leaf.format !== format)) return false
    const paths = files.map(({ path }) => this.#tree.absolute(path))
    const asked = helpers.ask({ kind: 'read', paths, format }, (answer) => {
      this.#awaited--
      const contents = answer?.kind === 'read' ? answer.contents : []
      for (const [index, file] of files.entries()) {
        const content = contents[index]
        if (content === undefined) this.#left.push(file)
        else take(file.leaf, content.id, content.mode)
      }
    })
    if (asked) this.#awaited++
    return asked
  }

  #readHere(files: readonly Unread[]): void {
    for (const { path, leaf } of files) {
      const read = this.#reader.readSmall(this.#tree.absolute(path), leaf.format)
      if (read === 'large') this.#large.push({ path, leaf })
      else take(leaf, read?.id, read?.mode)
    }
  }

  async #readLarge(large: readonly Unread[]): Promise<void> {
    const queue = large.values()
    const work = async (): Promise<void> => {
      for (const { path, leaf } of queue) {
        const read = await this.#reader.readLarge(this.#tree.absolute(path), leaf.format)
        take(leaf, read?.id, read?.mode)
      }
    }
    await Promise.all(Array.from({ length: LARGE_AT_ONCE }, work))
  }
}

function take(leaf: LeafNode, content: string | undefined, mode = leaf.mode): void {
  leaf.content = content
  leaf.mode = mode
  leaf.gone = content === undefined
}
