/**
 * The files behind a digest, kept with a record so that a reason can name the ones that differ. Only names and short
 * digests; where there are too many, directories stand for what is in them.
 */

/** Path → short digest of type, mode and content. A path that ends in `/` stands for all that is below it. */
export type FileList = ReadonlyMap<string, string>

export interface ListedFile {
  readonly path: string
  readonly digest: string
}

/** As many names as a list keeps. */
export const MOST_NAMES = 2_000

/** The deepest directories that may stand for what is in them. */
const DEEPEST = 4

/**
 * A list of at most `MOST_NAMES` names.
 * @param files each path once; asked for several times, since there may be too many to be kept
 * @param fold makes one digest of several
 */
export function listFiles(files: () => Iterable<ListedFile>, fold: (digests: readonly string[]) => string): FileList {
  const depths = [Infinity, ...Array.from({ length: DEEPEST }, (_, index) => DEEPEST - index)]
  return foldAt(files, depths.find((depth) => isShort(files, depth)) ?? 0, fold)
}

/** Whether there are few enough names where directories of that depth stand for what is in them. */
function isShort(files: () => Iterable<ListedFile>, depth: number): boolean {
  const names = new Set<string>()
  for (const { path } of files()) {
    names.add(path.slice(0, cutAt(path, depth)))
    if (names.size > MOST_NAMES) return false
  }
  return true
}

/** Where the name of the directory at that depth ends, its slash included; the whole length of what lies higher. */
function cutAt(path: string, depth: number): number {
  if (depth === Infinity) return path.length
  let at = 0
  for (let level = 0; level < depth; level++) {
    const slash = path.indexOf('/', at)
    if (slash < 0) return path.length
    at = slash + 1
  }
  return at
}

function foldAt(
  files: () => Iterable<ListedFile>,
  depth: number,
  fold: (digests: readonly string[]) => string,
): FileList {
  const groups = new Map<string, string[]>()
  const list = new Map<string, string>()
  for (const { path, digest } of files()) {
    const cut = cutAt(path, depth)
    const name = cut === 0 ? '/' : path.slice(0, cut)
    if (cut === path.length) {
      list.set(path, digest)
      continue
    }
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [`${path} ${digest}`])
    else group.push(`${path} ${digest}`)
  }
  for (const [directory, digests] of groups) list.set(directory, fold(digests))
  return list
}

export interface FileChanges {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly changed: readonly string[]
}

/** What differs between two lists; directories of which only what is in them is added are left out. */
export function compareLists(before: FileList, now: FileList): FileChanges {
  const added = [...now.keys()].filter((path) => !before.has(path))
  const removed = [...before.keys()].filter((path) => !now.has(path))
  const changed = [...now]
    .filter(([path, digest]) => before.has(path) && before.get(path) !== digest)
    .map(([path]) => path)
  return { added: leaves(added), removed: leaves(removed), changed }
}

/** A new directory is told by what is in it. */
function leaves(paths: readonly string[]): readonly string[] {
  const parents = new Set(paths.flatMap((path) => (path.includes('/') ? [path.slice(0, path.lastIndexOf('/'))] : [])))
  return paths.filter((path) => !parents.has(path)).sort()
}

const MOST_TOLD = 3

/** The repository itself, where `COPY . .` takes it along: it differs with every checkout. */
const GIT = /^(?:.*\/)?\.git(?:\/|$)/

/** `a.go changed, b.go added and 12 more files`; empty where nothing differs. */
export function tellChanges({ added, removed, changed }: FileChanges): string {
  const every = [
    ...changed.map((path) => ({ path, what: 'changed' })),
    ...added.map((path) => ({ path, what: 'added' })),
    ...removed.map((path) => ({ path, what: 'removed' })),
  ]
  const all = every.filter(({ path }) => !GIT.test(path)).map(({ path, what }) => `${path} ${what}`)
  if (all.length < every.length) all.push('.git changed (exclude it with a line `.git` in .dockerignore)')
  const rest = all.length - MOST_TOLD
  const told = all.slice(0, rest === 1 ? MOST_TOLD + 1 : MOST_TOLD)
  return rest > 1 ? `${told.join(', ')} and ${rest} more files` : told.join(', ')
}
