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
import type { AttributeScope, GitRepositories, GitRepository } from './git-repository.ts'
import type { IgnoreMatcher, IgnoreState } from './ignore-matcher.ts'
import { childOf, type DirectoryNode, type LeafNode, leafOf, type TreeNode } from './tree-nodes.ts'

const PAUSE_AFTER_MS = 10

/** From this size on, a file that is read alone is worth the reading of git's index. */
const ASK_GIT_BYTES = 4 << 20

/** A directory on the way of a walk. */
interface Place {
  /** Relative to the context. */
  readonly path: string
  readonly name: string
  readonly mode: number
  readonly state: IgnoreState | undefined
  /** Excluded itself; it is there only for what an exception includes in it. */
  readonly excluded: boolean
  readonly known: Known | undefined
}

/** What git knows of a directory. */
interface Known {
  readonly repository: GitRepository
  /** The directory in the work tree. */
  readonly directory: string
  readonly scope: AttributeScope
}

export class ContextTree {
  /** The context's absolute path, without links. */
  readonly root: string
  readonly #matcher: IgnoreMatcher
  readonly #repositories: GitRepositories
  readonly #directories = new Map<string, Promise<DirectoryNode | undefined>>()
  readonly #leaves = new Map<string, LeafNode>()
  #pausedAt = performance.now()

  constructor(root: string, matcher: IgnoreMatcher, repositories: GitRepositories) {
    this.root = root
    this.#matcher = matcher
    this.#repositories = repositories
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
    const loaded = await this.#loadedAbove(path)
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
    return this.#list(path, false)
  }

  /** Lets everything else go on, once in a while. */
  async pause(): Promise<void> {
    if (performance.now() - this.#pausedAt < PAUSE_AFTER_MS) return
    await setImmediate()
    this.#pausedAt = performance.now()
  }

  /** A leaf of a directory that is not walked: git is asked only where that is cheaper than to read the file. */
  async #lonelyLeaf(path: string, stats: Stats): Promise<LeafNode> {
    const absolute = this.absolute(path)
    const repository = await this.#repositories.around(dirname(absolute))
    const leaf = leafOf(nameOf(path), stats, repository?.format ?? 'sha1')
    if (repository === undefined || leaf.type !== 'file' || leaf.size < ASK_GIT_BYTES) return leaf
    await repository.readIndex()
    const inTree = repository.pathOf(absolute)
    leaf.content = repository.blobId(inTree, stats, await repository.scopeOf(repository.pathOf(dirname(absolute))))
    return leaf
  }

  /** The node in a directory that was walked before, if there is such a directory. */
  async #loadedAbove(path: string): Promise<{ readonly node: TreeNode | undefined } | undefined> {
    for (let end = path.length; ; end = path.lastIndexOf('/', end - 1)) {
      const above = end <= 0 ? '' : path.slice(0, end)
      const loaded = this.#directories.get(above)
      if (loaded !== undefined) {
        let node: TreeNode | undefined = await loaded
        const below = path === above ? [] : path.slice(above === '' ? 0 : above.length + 1).split('/')
        for (const name of below) node = node?.type === 'directory' ? childOf(node, name) : undefined
        return { node }
      }
      if (above === '') return undefined
    }
  }

  async #directory(path: string, stats: Stats): Promise<DirectoryNode | undefined> {
    const loading = this.#load(path, stats)
    this.#directories.set(path, loading)
    return await loading
  }

  async #load(path: string, stats: Stats): Promise<DirectoryNode | undefined> {
    const verdict = path === '' ? undefined : this.#matcher.excludes(path, true)
    if (verdict?.cut === true) return undefined
    return await this.#walk({
      path,
      name: nameOf(path),
      mode: path === '' ? 0 : stats.mode & 0o7777,
      state: verdict?.state,
      excluded: verdict?.excluded ?? false,
      known: await this.#knownOf(path),
    })
  }

  async #knownOf(path: string): Promise<Known | undefined> {
    const absolute = this.absolute(path)
    const repository = await this.#repositories.around(absolute)
    if (repository === undefined) return undefined
    return await knownIn(repository, repository.pathOf(absolute))
  }

  async #walk(place: Place): Promise<DirectoryNode | undefined> {
    await this.pause()
    const names = this.#list(place.path, place.excluded)
    const known = await this.#knownAmong(place, names)
    const format = known?.repository.format ?? 'sha1'
    const children: TreeNode[] = []
    const start = place.path === '' ? '' : `${place.path}/`
    const gitStart = known === undefined || known.directory === '' ? '' : `${known.directory}/`
    for (const name of names) {
      const path = start + name
      const verdict = this.#matcher.isEmpty ? undefined : this.#matcher.enter(path, true, place.state)
      if (verdict?.cut === true) continue
      const stats = lstatOrGone(this.absolute(path), path)
      if (stats === undefined) continue
      if (stats.isDirectory()) {
        const node = await this.#child(path, {
          name,
          mode: stats.mode & 0o7777,
          state: verdict?.state,
          excluded: verdict?.excluded ?? false,
          known: known === undefined ? undefined : { ...known, directory: gitStart + name },
        })
        if (node !== undefined) children.push(node)
      } else if (verdict?.excluded !== true) {
        const leaf = this.#leaves.get(path) ?? leafOf(name, stats, format)
        if (leaf.type === 'file') leaf.content ??= known?.repository.blobId(gitStart + name, stats, known.scope)
        children.push(leaf)
      }
    }
    if (place.excluded && children.length === 0) return undefined
    return { name: place.name, type: 'directory', mode: place.mode, children, digest: undefined }
  }

  async #child(path: string, place: Omit<Place, 'path'>): Promise<DirectoryNode | undefined> {
    const before = this.#directories.get(path)
    return before === undefined ? await this.#walk({ path, ...place }) : await before
  }

  /** What git knows of a directory whose names were read: it may be the root of another work tree. */
  async #knownAmong(place: Place, names: readonly string[]): Promise<Known | undefined> {
    const { known } = place
    if (names.includes('.git') && known?.directory !== '') {
      const repository = await this.#repositories.at(this.absolute(place.path))
      return repository === undefined ? undefined : await knownIn(repository, '')
    }
    if (known === undefined) return undefined
    const scope = known.repository.scopeBelow(known.scope, known.directory, names.includes('.gitattributes'))
    return { ...known, scope: scope instanceof Promise ? await scope : scope }
  }

  #list(path: string, excluded: boolean): readonly string[] {
    try {
      return readdirSync(this.absolute(path)).sort()
    } catch (error) {
      const code = errorCode(error) ?? ''
      // A directory may go while we walk; the context itself must be there.
      if (path !== '' && ['ENOENT', 'ENOTDIR'].includes(code)) return []
      if (code !== 'EACCES' || path === '') throw error
      if (excluded) return []
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
  await repository.readIndex()
  return { repository, directory, scope: await repository.scopeOf(directory) }
}

function lstatOrGone(absolute: string, path: string): Stats | undefined {
  const stats = lstatSync(absolute, { throwIfNoEntry: false })
  if (stats === undefined && path.includes('\uFFFD')) {
    throw new UserError({
      message: `The build context holds a file whose name is not valid UTF-8: ${JSON.stringify(path)}.`,
      mend: 'Rename it, or exclude its directory in .dockerignore.',
    })
  }
  return stats
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
