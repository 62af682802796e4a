/**
 * The files of a build context as BuildKit would send them: walked lazily, links not followed, .dockerignore applied.
 * Reads names and inodes only; what is in the files is for whoever hashes them.
 * https://github.com/tonistiigi/fsutil/blob/91a3fc46842c58b62dd4630b688662842364da49/filter.go#L155
 */
import type { Dirent, Stats } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode, UserError } from '../errors.ts'
import type { IgnoreMatcher, IgnoreState } from './ignore-matcher.ts'

export type ContextFileType = 'file' | 'directory' | 'symlink' | 'other'

/** One file, directory or link of the context. */
export interface ContextFile {
  /** Relative to the context, with slashes. */
  readonly path: string
  readonly type: ContextFileType
  /** Permission bits with setuid, setgid and sticky (`0o7777`). */
  readonly mode: number
  /** Bytes; what lstat says, so of a link the length of its target. */
  readonly size: number
}

/** How many inodes are read at once. */
const LSTAT_BATCH = 64

interface Walk {
  readonly root: string
  readonly matcher: IgnoreMatcher
  /** Excluded directories above the current place that nothing included has brought in yet. */
  readonly pending: ContextFile[]
}

interface Place {
  readonly path: string
  readonly state: IgnoreState | undefined
}

/**
 * Walks a context: every included file, each directory before what it holds, names sorted by code unit. A directory that
 * is itself excluded comes when the first thing in it that an exception includes comes.
 * @throws UserError for a name that is not UTF-8 (Node cannot open it), or a pattern that is no valid expression
 * @throws the system's error when the context or an included directory cannot be read
 */
export async function* listContext(
  directory: string,
  matcher: IgnoreMatcher,
): AsyncGenerator<ContextFile, void, undefined> {
  yield* walkDirectory({ root: directory, matcher, pending: [] }, { path: '', state: undefined })
}

async function* walkDirectory(walk: Walk, place: Place): AsyncGenerator<ContextFile, void, undefined> {
  const entries = await readSorted(walk.root, place.path)
  for (let start = 0; start < entries.length; start += LSTAT_BATCH) {
    const judged = entries
      .slice(start, start + LSTAT_BATCH)
      .map((entry) => judge(walk, { entry, place }))
      .filter(({ verdict }) => !verdict.cut && !(verdict.excluded && !verdict.directory))
    const stats = await Promise.all(judged.map(({ path }) => statOrGone(walk.root, path)))
    for (const [index, { path, verdict }] of judged.entries()) {
      const stat = stats[index]
      // Gone since it was listed: BuildKit passes over it, too.
      if (stat === undefined) continue
      yield* visit(walk, { file: describe(path, stat), excluded: verdict.excluded, state: verdict.state })
    }
  }
}

async function* visit(
  walk: Walk,
  found: { readonly file: ContextFile; readonly excluded: boolean; readonly state: IgnoreState },
): AsyncGenerator<ContextFile, void, undefined> {
  const { file, excluded, state } = found
  if (!excluded) {
    yield* walk.pending.splice(0)
    yield file
  }
  if (file.type !== 'directory') return
  if (excluded) walk.pending.push(file)
  try {
    yield* walkDirectory(walk, { path: file.path, state })
  } catch (error) {
    // Only its listing can fail so: below it, the same rule has already been applied.
    if (!(excluded && isListingRefused(error, join(walk.root, file.path)))) throw error
  }
  if (walk.pending.at(-1) === file) walk.pending.pop()
}

function judge(walk: Walk, { entry, place }: { readonly entry: Dirent; readonly place: Place }) {
  const path = place.path === '' ? entry.name : `${place.path}/${entry.name}`
  const directory = entry.isDirectory()
  return { path, verdict: { ...walk.matcher.enter(path, directory, place.state), directory } }
}

async function readSorted(root: string, path: string): Promise<readonly Dirent[]> {
  const entries = await readdir(join(root, path), { withFileTypes: true }).catch((error: unknown) => {
    // A directory may go while we walk; the context itself must be there.
    if (path !== '' && ['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '')) return []
    throw error
  })
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1))
}

async function statOrGone(root: string, path: string): Promise<Stats | undefined> {
  try {
    return await lstat(join(root, path))
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
    if (!path.includes('\uFFFD')) return undefined
    throw new UserError(
      {
        message: `The build context holds a file whose name is not valid UTF-8: ${JSON.stringify(path)}.`,
        mend: 'Rename it, or exclude its directory in .dockerignore.',
      },
      { cause: error },
    )
  }
}

function describe(path: string, stat: Stats): ContextFile {
  const type = stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'symlink' : 'other'
  return { path, type, mode: stat.mode & 0o7777, size: stat.size }
}

function isListingRefused(error: unknown, directory: string): boolean {
  const { path } = error as NodeJS.ErrnoException
  return errorCode(error) === 'EACCES' && path === directory
}
