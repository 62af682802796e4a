/**
 * The files of a context, walked as far as somebody asks for them and kept: names, types and modes, .dockerignore applied
 * as BuildKit applies it, links as links. The ids of files that git knows come with them; nothing is read.
 *
 * It walks without the thread pool: one lstat there takes ten times as long as the call itself. So that everything else
 * goes on, it pauses every few milliseconds.
 */
import { lstatSync, readdirSync, type Stats } from 'node:fs'
import { dirname } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { errorCode, UserError } from '../errors.ts'
import type { ContextHelpers } from './context-helpers.ts'
import { FIELDS, listDirectory, type Listing, numbersOf } from './directory-listing.ts'
import type { GitRepository } from './git-repository.ts'
import type { IgnoreMatcher } from './ignore-matcher.ts'
import type { LookAhead } from './look-ahead.ts'
import { DirectoryNode, isDirectory, isFile, type LeafNode, leafOf, type TreeNode } from './tree-nodes.ts'
import { type Known, type Place, Walk } from './tree-walk.ts'

const PAUSE_AFTER_MS = 10

/** From this size on, a file that is read alone is worth the reading of git's index. */
const ASK_GIT_BYTES = 4 << 20

const NOTHING: Listing = { names: [], numbers: new Float64Array() }

export class ContextTree {
  /** The context's absolute path, without links. */
  readonly root: string
  readonly #matcher: IgnoreMatcher
  readonly #ahead: LookAhead
  /** Walked, with what was found there. */
  readonly #directories = new Map<string, { readonly node: DirectoryNode | undefined }>()
  readonly #leaves = new Map<string, LeafNode>()
  #pausedAt = performance.now()

  constructor(root: string, matcher: IgnoreMatcher, ahead: LookAhead) {
    this.root = root
    this.#matcher = matcher
    this.#ahead = ahead
  }

  /** Threads that read files, too, if a walk was large enough for them. */
  get helpers(): ContextHelpers | undefined {
    return this.#ahead.helpers
  }

  /** The absolute path of a path in the context. */
  absolute(path: string): string {
    return path === '' ? this.root : `${this.root}/${path}`
  }

  /**
   * What is at a path (no link on the way is followed), a directory with all that is in it; undefined where nothing is
   * or .dockerignore leaves it out.
   * @throws UserError for what cannot be read, and for a broken .dockerignore pattern
   */
  async node(path: string): Promise<TreeNode | undefined> {
    const loaded = this.#loadedAbove(path)
    if (loaded !== undefined) return loaded.node
    const stats = lstatOrGone(this.absolute(path), path)
    if (stats === undefined) return undefined
    if (stats.isDirectory()) return await this.#directory(path, stats)
    const known = this.#leaves.get(path)
    if (known !== undefined) return known
    if (path === '' || this.#matcher.excludes(path, false).excluded) return undefined
    const leaf = await this.#lonelyLeaf(path, stats)
    this.#leaves.set(path, leaf)
    return leaf
  }

  /** What lstat says of a path; undefined for nothing. What .dockerignore says is not asked. */
  stat(path: string): Stats | undefined {
    return lstatOrGone(this.absolute(path), path)
  }

  /** The names in a directory, sorted, ignored ones among them; none where it is no directory. */
  names(path: string): readonly string[] {
    return this.#attempt(path, false, (absolute) => readdirSync(absolute).sort()) ?? []
  }

  /** Whether everything else has waited long enough. */
  get isPauseDue(): boolean {
    return performance.now() - this.#pausedAt >= PAUSE_AFTER_MS
  }

  /** Lets everything else go on, where that is due. */
  async pause(): Promise<void> {
    if (!this.isPauseDue) return
    await setImmediate()
    this.#pausedAt = performance.now()
  }

  /** A leaf of a directory that is not walked: git is asked only where that is cheaper than to read the file. */
  async #lonelyLeaf(path: string, stats: Stats): Promise<LeafNode> {
    const absolute = this.absolute(path)
    const repository = await this.#ahead.repositories.around(dirname(absolute))
    const numbers = numbersOf(stats)
    const leaf = leafOf(nameOf(path), numbers, { at: 0, format: repository?.format ?? 'sha1' })
    if (repository === undefined || leaf.type !== 'file' || leaf.size < ASK_GIT_BYTES) return leaf
    repository.readIndex()
    const scope = await repository.scopeOf(repository.pathOf(dirname(absolute)))
    const entry = repository.entryOf('', repository.pathOf(absolute), { numbers, at: 0, scope })
    if (entry !== 0) leaf.content = repository.idOf(entry)
    return leaf
  }

  /** The node in a directory that was walked before, if there is such a directory. */
  #loadedAbove(path: string): { readonly node: TreeNode | undefined } | undefined {
    for (let end = path.length; ; end = path.lastIndexOf('/', end - 1)) {
      const above = end <= 0 ? '' : path.slice(0, end)
      const loaded = this.#directories.get(above)
      if (loaded !== undefined) {
        let node: TreeNode | undefined = loaded.node
        const below = path === above ? [] : path.slice(above === '' ? 0 : above.length + 1).split('/')
        for (const name of below) node = node?.type === 'directory' ? node.child(name) : undefined
        return { node }
      }
      if (above === '') return undefined
    }
  }

  async #directory(path: string, stats: Stats): Promise<DirectoryNode | undefined> {
    const node = await this.#load(path, stats)
    this.#directories.set(path, { node })
    return node
  }

  async #load(path: string, stats: Stats): Promise<DirectoryNode | undefined> {
    const verdict = path === '' ? undefined : this.#matcher.excludes(path, true)
    if (verdict?.cut === true) return undefined
    const mode = path === '' ? 0 : stats.mode & 0o7777
    const excluded = verdict?.excluded ?? false
    const node = new DirectoryNode(nameOf(path), mode)
    const known = await this.#knownOf(path)
    const walk = new Walk(this.#ahead, (below) => this.absolute(below))
    walk.add({ path, node, state: verdict?.state, excluded, known })
    await this.#walk(walk)
    walk.prune(node)
    return excluded && node.length === 0 ? undefined : node
  }

  async #walk(walk: Walk): Promise<void> {
    for (;;) {
      if (this.isPauseDue) await this.pause()
      const next = walk.next()
      if (next === undefined) return
      if (next === 'later') continue
      const { place, listing = this.#listing(place) } = next
      const known = this.#knownAmong(place, listing.names)
      // To wait for what is there already takes as long as to list a file, in each directory.
      this.#take(walk, place, { listing, known: known instanceof Promise ? await known : known })
    }
  }

  async #knownOf(path: string): Promise<Known | undefined> {
    const absolute = this.absolute(path)
    const repository = await this.#ahead.repositories.around(absolute)
    this.#ahead.prepare(repository)
    if (repository === undefined) return undefined
    return await knownIn(repository, repository.pathOf(absolute))
  }

  /** Takes all that is in a directory. */
  #take(
    walk: Walk,
    place: Place,
    { listing, known }: { readonly listing: Listing; readonly known: Known | undefined },
  ): void {
    const { names, numbers } = listing
    const { node: parent } = place
    parent.reserve(names.length)
    if (known !== undefined) parent.ids = known.repository
    const start = place.path === '' ? '' : `${place.path}/`
    const gitStart = known === undefined || known.directory === '' ? '' : `${known.directory}/`
    const format = known?.repository.format ?? 'sha1'
    const within = { depth: start.split('/').length, state: place.state }
    for (let index = 0, at = 0; index < names.length; index++, at += FIELDS) {
      const name = names[index] ?? ''
      const mode = numbers[at] ?? 0
      if (mode === 0) requireGone(start + name)
      else if (isDirectory(mode)) {
        const knownBelow = known === undefined ? undefined : { ...known, directory: gitStart + name }
        this.#enter(walk, place, { name, path: start + name, mode, known: knownBelow })
      } else if (this.#matcher.isEmpty || !this.#matcher.leavesOut(start, name, within)) {
        // Seldom any, and a look-up of every path takes its time.
        const before = this.#leaves.size === 0 ? undefined : this.#leaves.get(start + name)
        const entry =
          before !== undefined || known === undefined || !isFile(mode)
            ? 0
            : known.repository.entryOf(gitStart, name, { numbers, at, scope: known.scope })
        if (entry !== 0) parent.addKnown(name, mode & 0o7777, entry)
        else parent.add(before ?? leafOf(name, numbers, { at, format }))
      }
    }
  }

  #enter(
    walk: Walk,
    place: Place,
    below: { readonly name: string; readonly path: string; readonly mode: number; readonly known: Known | undefined },
  ): void {
    const { name, path, mode, known } = below
    const verdict = this.#matcher.isEmpty ? undefined : this.#matcher.enter(path, true, place.state)
    if (verdict?.cut === true) return
    const before = this.#directories.get(path)
    const node = before === undefined ? new DirectoryNode(name, mode & 0o7777) : before.node
    if (node === undefined) return
    place.node.add(node)
    const excluded = verdict?.excluded ?? false
    if (before === undefined) walk.add({ path, node, state: verdict?.state, excluded, known })
  }

  #listing(place: Place): Listing {
    return this.#attempt(place.path, place.excluded, listDirectory) ?? NOTHING
  }

  /** What git knows of a directory whose names were read: it may be the root of another work tree. */
  #knownAmong(place: Place, names: readonly string[]): Known | undefined | Promise<Known | undefined> {
    const { known } = place
    if (names.includes('.git') && known?.directory !== '') return this.#knownAt(place)
    if (known === undefined) return undefined
    const scope = known.repository.scopeBelow(known.scope, known.directory, names.includes('.gitattributes'))
    if (scope instanceof Promise) return scope.then((found) => ({ ...known, scope: found }))
    return scope === known.scope ? known : { ...known, scope }
  }

  async #knownAt(place: Place): Promise<Known | undefined> {
    const repository = await this.#ahead.repositories.at(this.absolute(place.path))
    return repository === undefined ? undefined : await knownIn(repository, '')
  }

  /** Lists a directory in one way or the other; undefined where it is gone, or unreadable and excluded. */
  #attempt<T>(path: string, excluded: boolean, list: (absolute: string) => T): T | undefined {
    try {
      return list(this.absolute(path))
    } catch (error) {
      const code = errorCode(error) ?? ''
      // A directory may go while we walk; the context itself must be there.
      if (path !== '' && ['ENOENT', 'ENOTDIR'].includes(code)) return undefined
      if (code !== 'EACCES' || path === '') throw error
      if (excluded) return undefined
      throw new UserError(
        {
          message: `A directory of the build context cannot be read: ${path}.`,
          mend: 'Give the user that runs this step read access to it, or exclude it in .dockerignore.',
        },
        { cause: error },
      )
    }
  }
}

async function knownIn(repository: GitRepository, directory: string): Promise<Known> {
  repository.readIndex()
  return { repository, directory, scope: await repository.scopeOf(directory) }
}

function lstatOrGone(absolute: string, path: string): Stats | undefined {
  const stats = lstatSync(absolute, { throwIfNoEntry: false })
  if (stats === undefined) requireGone(path)
  return stats
}

/** @throws UserError where nothing is found because Node cannot say the name. */
function requireGone(path: string): void {
  if (!path.includes('\uFFFD')) return
  throw new UserError({
    message: `The build context holds a file whose name is not valid UTF-8: ${JSON.stringify(path)}.`,
    mend: 'Rename it, or exclude its directory in .dockerignore.',
  })
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
