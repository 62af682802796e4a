/**
 * The content that instructions read of a build context, as digests that are at least as sensitive as BuildKit's content
 * keys and not more: names, types, modes, bytes and link targets count; times, owners, inodes, sizes of directories and
 * the mode of the context's own directory do not. A digest does not cover the query itself: that is the instruction's text.
 *
 * Not seen: extended attributes, which Node cannot read (BuildKit's key has those of `user.` and `trusted.` and the
 * capabilities).
 */
import { hash } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { ContentFiller } from './content-filler.ts'
import type { ContextFileType } from './context-files.ts'
import { type Found, joined } from './context-paths.ts'
import { type ContextReadQuery, type Selected, type Selection, selectPath } from './context-selection.ts'
import { ContextTree } from './context-tree.ts'
import type { IgnoreMatcher } from './ignore-matcher.ts'
import { LookAhead } from './look-ahead.ts'
import { DirectoryText } from './directory-text.ts'
import { type DirectoryNode, isUnread, type LeafNode } from './tree-nodes.ts'

/** One file, directory or link that an instruction reads. */
export interface ReadEntry {
  /** Relative to the context, with slashes, links on the way followed. */
  readonly path: string
  readonly type: ContextFileType
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number
  /** The git blob id of a file's bytes; a link's target; '' for directories. */
  readonly content: string
}

export interface ContextContent {
  /** `sha256:…` over everything that was read. */
  readonly digest: string
  /** What was read, each path once, in a stable order. Made as it is iterated. */
  readonly entries: Iterable<ReadEntry>
}

/** A context as it was when its files were looked at: each is looked at once, however many instructions read it. */
export interface ContextSnapshot {
  /**
   * What an instruction reads. A path that leads nowhere is no error here: the build says it.
   * @throws UserError for what cannot be read or keeps changing, and for a broken .dockerignore pattern
   */
  read(query: ContextReadQuery): Promise<ContextContent>
}

/**
 * A snapshot of a context directory. Nothing is walked or read before it is asked for.
 * @param options.ahead what is known of directories and repositories already, and who helps; without it, threads that are started
 * for a read end with it
 * @param options.env of this process: where git looks for its configuration
 * @throws the system's error when there is no such directory
 */
export async function snapshotContext(options: {
  readonly directory: string
  readonly matcher: IgnoreMatcher
  readonly env: NodeJS.ProcessEnv
  readonly ahead?: LookAhead | undefined
}): Promise<ContextSnapshot> {
  const root = await realpath(options.directory)
  const { matcher, env, ahead = new LookAhead(env) } = options
  return new Snapshot(root, matcher, { ahead, isOwn: options.ahead === undefined })
}

interface DirectoryPlace {
  readonly path: string
  readonly node: DirectoryNode
}

class Snapshot implements ContextSnapshot {
  readonly #tree: ContextTree
  readonly #filler: ContentFiller
  readonly #text = new DirectoryText()
  readonly #ahead: LookAhead
  /** Then its threads end with each read. */
  readonly #isOwn: boolean
  readonly #results = new Map<string, ContextContent>()
  #last: Promise<unknown> = Promise.resolve()

  constructor(
    root: string,
    matcher: IgnoreMatcher,
    { ahead, isOwn }: { readonly ahead: LookAhead; readonly isOwn: boolean },
  ) {
    this.#tree = new ContextTree(root, matcher, ahead)
    this.#filler = new ContentFiller(this.#tree)
    this.#ahead = ahead
    this.#isOwn = isOwn
  }

  async read(query: ContextReadQuery): Promise<ContextContent> {
    // One after the other, so that no file is looked at twice.
    const result = this.#last.then(async () => {
      try {
        return await this.#read(query)
      } finally {
        if (this.#isOwn) await this.#ahead[Symbol.asyncDispose]()
      }
    })
    this.#last = result.catch(() => undefined)
    return await result
  }

  async #read(query: ContextReadQuery): Promise<ContextContent> {
    const key = JSON.stringify([query.via === 'mount', query.paths, query.exclude, query.parents])
    const known = this.#results.get(key)
    if (known !== undefined) return known
    const selections: Selection[] = []
    for (const path of query.paths) selections.push(await selectPath(this.#tree, query, path))
    const lines: string[] = []
    for (const selection of selections) lines.push(await this.#lineOf(selection))
    const digest = `sha256:${hash('sha256', lines.join(''))}`
    const content: ContextContent = { digest, entries: { [Symbol.iterator]: () => entriesOf(selections) } }
    this.#results.set(key, content)
    return content
  }

  async #lineOf(selection: Selection): Promise<string> {
    switch (selection.kind) {
      case 'none':
        return 'none\n'
      case 'whole':
        return `whole ${await this.#contentOf(selection.found)}\n`
      case 'some': {
        await this.#filler.fill(selection.files.map(({ found }) => found))
        let text = ''
        for (const file of selection.files) text += await this.#lineOfFile(file)
        return `some ${hash('sha256', text)}\n`
      }
    }
  }

  async #lineOfFile({ name, found, target, replaced }: Selected): Promise<string> {
    const { node } = found
    if (node.type === 'directory') return `${headerOf(node)}\0${name}\0`
    if (node.gone) return ''
    if (node.type !== 'symlink') return `${textOf(node)}\0${name}\0`
    const led = target === undefined ? 'none' : await this.#contentOf(target)
    return `${replaced ? '' : `${textOf(node)}\0`}${led}\0${name}\0`
  }

  async #contentOf({ path, node }: Found): Promise<string> {
    if (node.type === 'directory') {
      await this.#digestBelow(path, node)
      return node.digest ?? ''
    }
    await this.#filler.fill([{ path, node }])
    return node.gone ? 'none' : textOf(node)
  }

  /** Gives a directory its digest, and all in it, each as soon as what is unknown in it has been read: helpers read meanwhile. */
  async #digestBelow(path: string, directory: DirectoryNode): Promise<void> {
    const places = [...placesBelow(path, directory)]
    const filling = this.#filler.begin(unreadIn(places))
    for (const { node } of places) {
      filling.share()
      for (const child of node.objects) while (isUnread(child) && (await filling.step()));
      node.digest = this.#digestOf(node)
      if (this.#tree.isPauseDue) await this.#tree.pause()
    }
  }

  /** Over a directory's mode, and the names and contents of all in it, which has been read. */
  #digestOf(directory: DirectoryNode): string {
    const text = this.#text.begin(`${headerOf(directory)}\0`)
    for (let index = 0; index < directory.length; index++) {
      const child = directory.objectAt(index)
      if (child === undefined) text.addKnown(directory, index)
      else if (child.type === 'directory') text.add(`${child.digest ?? ''}\0${child.name}\0`)
      else if (!child.gone) text.add(`${textOf(child)}\0${child.name}\0`)
    }
    return `directory ${text.hash()}`
  }
}

/** Directories without a digest, each after what it holds. */
function* placesBelow(path: string, node: DirectoryNode): Generator<DirectoryPlace, void, undefined> {
  if (node.digest !== undefined) return
  for (const child of node.objects) if (child.type === 'directory') yield* placesBelow(joined(path, child.name), child)
  yield { path, node }
}

/** What is still to be read in them. */
function* unreadIn(places: readonly DirectoryPlace[]): Generator<Found, void, undefined> {
  for (const { path, node } of places) {
    for (const child of node.objects) if (isUnread(child)) yield { path: joined(path, child.name), node: child }
  }
}

/** A directory's own line. */
function headerOf({ mode }: DirectoryNode): string {
  return `header ${mode}`
}

/** The content of a leaf that is there. A link's own mode means nothing. */
function textOf({ type, mode, content }: LeafNode): string {
  return `${type} ${type === 'symlink' ? '' : mode} ${content ?? ''}`
}

function* entriesOf(selections: readonly Selection[]): Generator<ReadEntry, void, undefined> {
  // One path alone leads nowhere twice.
  const seen = selections.length === 1 && selections[0]?.kind === 'whole' ? undefined : new Set<string>()
  for (const selection of selections) {
    switch (selection.kind) {
      case 'none':
        break
      case 'whole':
        yield* entriesBelow(selection.found, seen)
        break
      case 'some':
        for (const { found, target, replaced } of selection.files) {
          if (!replaced && isNew(found, seen)) yield entryOf(found)
          if (target !== undefined) yield* entriesBelow(target, seen)
        }
    }
  }
}

/** A thing and, of a directory, all that is in it: each before what it holds, by name. */
function* entriesBelow(found: Found, seen: Set<string> | undefined): Generator<ReadEntry, void, undefined> {
  if (isNew(found, seen)) yield entryOf(found)
  if (found.node.type !== 'directory') return
  const open = [{ node: found.node, path: found.path, next: 0 }]
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const index = top.next++
    if (index >= top.node.length) {
      open.pop()
      continue
    }
    const path = joined(top.path, top.node.nameAt(index))
    const node = top.node.objectAt(index)
    if (node === undefined) {
      if (isFirst(path, seen)) yield { path, type: 'file', mode: top.node.modeAt(index), content: top.node.idAt(index) }
      continue
    }
    if (isNew({ path, node }, seen)) yield entryOf({ path, node })
    if (node.type === 'directory') open.push({ node, path, next: 0 })
  }
}

/** Whether it is there, has a name, and was not told of before. */
function isNew({ path, node }: Found, seen: Set<string> | undefined): boolean {
  return path !== '' && (node.type === 'directory' || !node.gone) && isFirst(path, seen)
}

function isFirst(path: string, seen: Set<string> | undefined): boolean {
  if (seen?.has(path) === true) return false
  seen?.add(path)
  return true
}

function entryOf({ path, node }: Found): ReadEntry {
  return { path, type: node.type, mode: node.mode, content: node.type === 'directory' ? '' : (node.content ?? '') }
}
