/**
 * Which files one path of an instruction selects, and under which names, as BuildKit's content key sees them: by path, by
 * wildcard, less `--exclude`, or as `--parents` includes them.
 * https://github.com/moby/buildkit/blob/v0.25.2/cache/contenthash/checksum.go#L466 (includedPaths)
 */
import { UserError } from '../errors.ts'
import { rootedPath } from '../dockerfile/go-text.ts'
import { followPath, type Found, joined, matchPath } from './context-paths.ts'
import type { ContextTree } from './context-tree.ts'
import { hasWildcard } from './go-match.ts'
import { IgnoreMatcher, type IgnoreState } from './ignore-matcher.ts'
import type { TreeNode } from './tree-nodes.ts'

/** What an instruction reads: `ContextRead` of the stage graph without its line. */
export interface ContextReadQuery {
  readonly via: 'copy' | 'add' | 'mount'
  /** Rooted at `/`, wildcards as written; with `--parents`, the pivot `/./` kept. */
  readonly paths: readonly string[]
  /** `--exclude` patterns. */
  readonly exclude: readonly string[]
  readonly parents: boolean
}

/** A selected file or link, or a directory's own mode. */
export interface Selected {
  /** As the digest covers it: relative to what the path names. */
  readonly name: string
  readonly found: Found
  /** What a link leads to; BuildKit looks at it wherever it has to select file by file. */
  readonly target: Found | undefined
  /** A link that the path itself names: what it leads to is copied in its place. */
  readonly replaced: boolean
}

/**
 * One path's selection: `whole` is everything at a place, `none` a path that leads nowhere, `some` a choice of files in
 * the order of their names.
 */
export type Selection =
  | { readonly kind: 'none' }
  | { readonly kind: 'whole'; readonly found: Found }
  | { readonly kind: 'some'; readonly files: readonly Selected[] }

/** What one path of the query selects. */
export async function selectPath(tree: ContextTree, query: ContextReadQuery, path: string): Promise<Selection> {
  if (query.via === 'mount') return await wholeOf(tree, rootedPath(path).slice(1))
  const { base, include } = query.parents ? splitPivot(path) : { base: path, include: undefined }
  const rooted = rootedPath(base).slice(1)
  const filter: Filter = { include: matcherOf(include), exclude: matcherOf(query.exclude) }
  const wild = hasWildcard(rooted)
  if (!wild && filter.include === undefined && filter.exclude === undefined) return await wholeOf(tree, rooted)
  if (!wild) {
    const found = await followPath(tree, rooted, { last: false })
    if (found === undefined) return { kind: 'none' }
    // Filters are not applied behind a link that the path itself names.
    if (found.node.type === 'symlink') return await wholeOf(tree, rooted)
    return { kind: 'some', files: await filtered(tree, { name: '', found }, filter) }
  }
  const files: Selected[] = []
  for (const match of await matchPath(tree, rooted)) {
    for (const file of await filtered(tree, match, filter)) files.push(file)
  }
  return { kind: 'some', files }
}

async function wholeOf(tree: ContextTree, path: string): Promise<Selection> {
  const found = await followPath(tree, path, { last: true })
  return found === undefined ? { kind: 'none' } : { kind: 'whole', found }
}

/** `--parents` takes what is behind the first `/./` for a pattern below what is before it. */
function splitPivot(path: string): { readonly base: string; readonly include: readonly string[] } {
  const pivot = path.indexOf('/./')
  const [base, pattern] = pivot < 0 ? ['/', path] : [path.slice(0, pivot), path.slice(pivot + 3)]
  return { base, include: [rootedPath(pattern).slice(1)] }
}

/** Patterns in the language of .dockerignore; undefined for none, and for broken ones, at which the build fails. */
function matcherOf(patterns: readonly string[] | undefined): IgnoreMatcher | undefined {
  if (patterns === undefined || patterns.length === 0) return undefined
  try {
    return new IgnoreMatcher({ name: '', patterns: patterns.map((pattern) => ({ pattern, line: 0 })) })
  } catch (error) {
    if (error instanceof UserError) return undefined
    throw error
  }
}

interface Filter {
  readonly include: IgnoreMatcher | undefined
  readonly exclude: IgnoreMatcher | undefined
}

/** Which patterns matched the directory above. */
interface FilterState {
  readonly include: IgnoreState | undefined
  readonly exclude: IgnoreState | undefined
}

/** The files at a place that the filter leaves, each directory before what it holds, and only if it is wanted itself or holds something. */
async function filtered(
  tree: ContextTree,
  start: { readonly name: string; readonly found: Found },
  filter: Filter,
): Promise<readonly Selected[]> {
  const files: Selected[] = []
  const pending: Selected[] = []
  const visit = async (selected: Selected, candidate: string, above: FilterState): Promise<void> => {
    const { node, path } = selected.found
    const { wanted, state } = judge(filter, { candidate, node, above })
    if (wanted) files.push(...pending.splice(0), await withTarget(tree, selected))
    if (node.type !== 'directory') return
    if (!wanted) pending.push(selected)
    await tree.pause()
    for (const child of node.nodes()) {
      const below: Selected = {
        name: joined(selected.name, child.name),
        found: { path: joined(path, child.name), node: child },
        target: undefined,
        replaced: false,
      }
      await visit(below, joined(candidate, child.name), state)
    }
    if (pending.at(-1) === selected) pending.pop()
  }
  await visit({ ...start, target: undefined, replaced: start.found.node.type === 'symlink' }, '', {
    include: undefined,
    exclude: undefined,
  })
  return files
}

function judge(
  filter: Filter,
  { candidate, node, above }: { readonly candidate: string; readonly node: TreeNode; readonly above: FilterState },
): { readonly wanted: boolean; readonly state: FilterState } {
  const directory = node.type === 'directory'
  const included = filter.include?.enter(candidate, directory, above.include)
  // As upstream: what is not included is not tried for exclusion, nor is that remembered for what is in it.
  if (included?.excluded === false) return { wanted: false, state: { include: included.state, exclude: undefined } }
  const excluded = filter.exclude?.enter(candidate, directory, above.exclude)
  return { wanted: excluded?.excluded !== true, state: { include: included?.state, exclude: excluded?.state } }
}

async function withTarget(tree: ContextTree, selected: Selected): Promise<Selected> {
  if (selected.found.node.type !== 'symlink') return selected
  return { ...selected, target: await followPath(tree, selected.found.path, { last: true }) }
}
