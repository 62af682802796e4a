/**
 * What git knows of the files below a directory. Runs `git config` and nothing else: no filter, hook or monitor of the
 * repository is started, and a repository that git does not trust (`safe.directory`) is read all the same, because only
 * its index is believed, and that only where it agrees with lstat.
 */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { lstat, readFile, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { ProgramMissingError, runProcess } from '../process.ts'
import { numbersOf } from './directory-listing.ts'
import { type ConversionTest, readAttributes, unknownAttributes } from './git-attributes.ts'
import { GitIndex, type ObjectFormat } from './git-index.ts'

/** Settings that say how bytes are stored, and where the index lies. */
const SETTINGS = String.raw`^(core\.(autocrlf|attributesfile|worktree)|attr\.tree|extensions\.objectformat)$`

/** Where git looks for attributes of the whole machine, by its usual prefixes. */
const SYSTEM_ATTRIBUTES = ['/etc/gitattributes', '/usr/local/etc/gitattributes', '/opt/homebrew/etc/gitattributes']

/** A directory's attributes: its own and those of the directories above it, each with where its paths begin. */
export interface AttributeScope {
  readonly tests: readonly { readonly directory: string; readonly test: ConversionTest }[]
}

/** One work tree and, once it has been read, its index. */
export class GitRepository {
  /** Absolute path of the work tree's root. */
  readonly root: string
  readonly format: ObjectFormat
  /** Size of its index, by which a large repository is known; 0 where there is none. */
  readonly indexBytes: number
  readonly #readIndex: () => GitIndex | undefined
  readonly #common: readonly ConversionTest[]
  readonly #scopes = new Map<string, Promise<AttributeScope>>()
  #isRead = false
  #index: GitIndex | undefined

  private constructor(
    root: string,
    format: ObjectFormat,
    known: {
      readonly indexBytes: number
      readonly readIndex: () => GitIndex | undefined
      readonly common: readonly ConversionTest[]
    },
  ) {
    this.root = root
    this.indexBytes = known.indexBytes
    this.format = format
    this.#readIndex = known.readIndex
    this.#common = known.common
  }

  /**
   * The repository whose work tree's root is `root` (with a `.git` in it).
   * @returns undefined where nothing of it can be used, not even the format of its ids
   */
  static async open(root: string, env: NodeJS.ProcessEnv): Promise<GitRepository | undefined> {
    const gitDir = await gitDirectory(root)
    if (gitDir === undefined) return undefined
    const settings = await readSettings(gitDir, env)
    if (settings === undefined) return undefined
    const format = (settings.get('extensions.objectformat') ?? 'sha1').toLowerCase()
    if (format !== 'sha1' && format !== 'sha256') return undefined
    const converts = !isFalse(settings.get('core.autocrlf')) || settings.has('attr.tree') || 'GIT_ATTR_SOURCE' in env
    const elsewhere = settings.get('core.worktree')
    const foreign = elsewhere !== undefined && resolve(gitDir, elsewhere) !== root
    const readIndex = (): GitIndex | undefined => (converts || foreign ? undefined : indexOf(gitDir, format))
    const common = await commonAttributes(gitDir, { env, configured: settings.get('core.attributesfile') })
    const indexBytes = await stat(join(gitDir, 'index')).then(
      ({ size }) => size,
      () => 0,
    )
    return new GitRepository(root, format, { indexBytes, readIndex, common })
  }

  /** Reads the index, once; before, no id is known. */
  readIndex(): void {
    if (!this.#isRead) this.#index = this.#readIndex()
    this.#isRead = true
  }

  /** A path of the work tree (absolute, without links), relative to its root. */
  pathOf(absolute: string): string {
    return absolute.slice(this.root.endsWith('/') ? this.root.length : this.root.length + 1)
  }

  /**
   * As scopeOf, for a walk that comes from the directory above and has read the names in this one.
   * @param present whether there is a `.gitattributes` among them
   */
  scopeBelow(above: AttributeScope, directory: string, present: boolean): AttributeScope | Promise<AttributeScope> {
    const attributes = present || (this.#index?.attributeFiles.has(directory) ?? false)
    return attributes ? this.scopeOf(directory) : above
  }

  /** The attributes that hold in a directory of the work tree (relative to its root). */
  async scopeOf(directory: string): Promise<AttributeScope> {
    const known = this.#scopes.get(directory)
    if (known !== undefined) return await known
    const scope = this.#makeScope(directory)
    this.#scopes.set(directory, scope)
    return await scope
  }

  /**
   * The index's entry of a file whose bytes git knows; 0 where they have to be read.
   * @param start the directory's path relative to the work tree's root, with its slash at the end; empty for the root
   * @param found what lstat says of it, and the attributes of its directory
   */
  entryOf(
    start: string,
    name: string,
    found: { readonly numbers: Float64Array; readonly at: number; readonly scope: AttributeScope },
  ): number {
    if (this.#index === undefined) return 0
    const { numbers, at, scope } = found
    // A hard link or a file of a directory that was renamed may be filtered in another way than the index's path.
    const anyPath = this.#common.length === 0 && this.#index.attributeFiles.size === 0
    const entry = this.#index.entryOf(anyPath ? undefined : start + name, numbers, at)
    if (entry === 0 || scope.tests.length === 0) return entry
    const path = start + name
    return scope.tests.some(({ directory, test }) => test(path.slice(directory.length))) ? 0 : entry
  }

  /** What an entry's file has for an id, hex digits. */
  idOf(entry: number): string {
    return this.#index?.idOf(entry) ?? ''
  }

  /** Writes the same to a buffer that has room for it; returns where it ends. */
  writeId(entry: number, target: Uint8Array, start: number): number {
    return this.#index?.writeId(entry, target, start) ?? start
  }

  async #makeScope(directory: string): Promise<AttributeScope> {
    const above =
      directory === ''
        ? { tests: this.#common.map((test) => ({ directory: '', test })) }
        : await this.scopeOf(parentOf(directory))
    const own = await this.#ownAttributes(directory)
    if (own.length === 0) return above
    const start = directory === '' ? '' : `${directory}/`
    return { tests: [...above.tests, ...own.map((test) => ({ directory: start, test }))] }
  }

  async #ownAttributes(directory: string): Promise<readonly ConversionTest[]> {
    const tracked = this.#index?.attributeFiles.has(directory) ?? false
    const path = directory === '' ? '.gitattributes' : `${directory}/.gitattributes`
    const file = join(this.root, path)
    try {
      const stats = await lstat(file)
      if (!stats.isFile()) return unknownAttributes()
      // Changed since it was checked out, perhaps: the files may have been checked out by its old lines.
      if (tracked && this.#index?.entryOf(path, numbersOf(stats), 0) === 0) return unknownAttributes()
      return readAttributes(await readFile(file, 'utf8'))
    } catch {
      return tracked ? unknownAttributes() : []
    }
  }
}

function parentOf(directory: string): string {
  const slash = directory.lastIndexOf('/')
  return slash < 0 ? '' : directory.slice(0, slash)
}

/** The repository's own directory: `.git`, or where the file `.git` of a worktree or submodule points. */
async function gitDirectory(root: string): Promise<string | undefined> {
  const path = join(root, '.git')
  try {
    if ((await stat(path)).isDirectory()) return path
    const target = /^gitdir: (.+?)\r?\n*$/.exec(await readFile(path, 'utf8'))?.[1]
    return target === undefined ? undefined : resolve(root, target)
  } catch {
    return undefined
  }
}

/** Settings as git reads them here, the environment's included; undefined where git cannot be asked. */
async function readSettings(gitDir: string, env: NodeJS.ProcessEnv): Promise<ReadonlyMap<string, string> | undefined> {
  const args = [`--git-dir=${gitDir}`, 'config', '--null', '--get-regexp', SETTINGS]
  try {
    const { code, stdout } = await runProcess('git', args, { env, cwd: gitDir })
    // 1: none of them is set.
    if (code !== 0 && code !== 1) return undefined
    const settings = new Map<string, string>()
    for (const record of stdout.split('\0')) {
      if (record === '') continue
      const [name = '', ...value] = record.split('\n')
      // A name without a value means true.
      settings.set(name, value.length === 0 ? 'true' : value.join('\n'))
    }
    return settings
  } catch (error) {
    if (error instanceof ProgramMissingError) return undefined
    throw error
  }
}

function isFalse(value: string | undefined): boolean {
  return value === undefined || /^(?:false|no|off|0|)$/i.test(value)
}

function indexOf(gitDir: string, format: ObjectFormat): GitIndex | undefined {
  try {
    // At once: through the thread pool it would come in many pieces, and each would wait for the walk.
    const file = openSync(join(gitDir, 'index'), 'r')
    try {
      const { mtimeMs } = fstatSync(file)
      return GitIndex.parse(readFileSync(file), { format, writtenMs: mtimeMs })
    } finally {
      closeSync(file)
    }
  } catch {
    return undefined
  }
}

/** Attributes that hold in all directories: the repository's, the user's and the machine's. */
async function commonAttributes(
  gitDir: string,
  { env, configured }: { readonly env: NodeJS.ProcessEnv; readonly configured: string | undefined },
): Promise<readonly ConversionTest[]> {
  const home = env['HOME'] ?? homedir()
  const xdg = env['XDG_CONFIG_HOME'] ?? join(home, '.config')
  const personal =
    configured === undefined ? join(xdg, 'git/attributes') : resolve(home, configured.replace(/^~\//, ''))
  const common = await readFile(join(gitDir, 'commondir'), 'utf8').then(
    (text) => resolve(gitDir, text.trim()),
    () => gitDir,
  )
  const files = [...SYSTEM_ATTRIBUTES, personal, join(common, 'info/attributes')]
  const texts = await Promise.all(files.map(async (file) => await readFile(file, 'utf8').catch(() => '')))
  return texts.flatMap((text) => readAttributes(text))
}

/** The repositories that a context lies in or holds; each is opened once. */
export class GitRepositories {
  readonly #env: NodeJS.ProcessEnv
  readonly #opened = new Map<string, Promise<GitRepository | undefined>>()

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env
  }

  /** The repository whose work tree's root this is; undefined where it cannot be used. */
  async at(root: string): Promise<GitRepository | undefined> {
    const known = this.#opened.get(root)
    if (known !== undefined) return await known
    const opened = GitRepository.open(root, this.#env)
    this.#opened.set(root, opened)
    return await opened
  }

  /** The repository that a directory (absolute, without links) lies in: the nearest with a `.git`. */
  async around(directory: string): Promise<GitRepository | undefined> {
    for (let at = directory; ; at = dirname(at)) {
      const there = await lstat(join(at, '.git')).catch(() => undefined)
      if (there !== undefined) return await this.at(at)
      if (dirname(at) === at) return undefined
    }
  }
}
