/**
 * What a path of COPY, ADD or a bind mount leads to: links are followed as BuildKit follows them, with the context as the
 * root of the file system, and only links that .dockerignore leaves there.
 * https://github.com/moby/buildkit/blob/v0.25.2/cache/contenthash/checksum.go (getFollowLinks, wildcardPrefix)
 */
import { readlinkSync } from 'node:fs'
import { posix } from 'node:path'
import { errorCode } from '../errors.ts'
import type { ContextTree } from './context-tree.ts'
import { BadPatternError, goMatch, hasWildcard } from './go-match.ts'
import type { TreeNode } from './tree-nodes.ts'

/** Something in the context, and where it lies without links on the way. */
export interface Found {
  readonly path: string
  readonly node: TreeNode
}

/** BuildKit's limit for links on the way to one file. */
const MAX_LINKS = 255

/**
 * What a path leads to.
 * @param path relative to the context; empty for its root
 * @param options.last whether a link at the end is followed, too
 * @returns undefined where nothing is
 */
export async function followPath(
  tree: ContextTree,
  path: string,
  options: { readonly last: boolean },
): Promise<Found | undefined> {
  const led = await followLinks(tree, path, options)
  const node = led === undefined ? undefined : await tree.node(led)
  return led === undefined || node === undefined ? undefined : { path: led, node }
}

/** The path without links that a path leads to, whether something is there or not; undefined behind a link that is left out. */
async function followLinks(
  tree: ContextTree,
  path: string,
  options: { readonly last: boolean },
): Promise<string | undefined> {
  let todo = path.split('/')
  let done = ''
  let links = 0
  for (let part = todo.shift(); part !== undefined; part = todo.shift()) {
    const here = posix.join('/', done, part).slice(1)
    if (here !== '' && (todo.length > 0 || options.last) && tree.stat(here)?.isSymbolicLink() === true) {
      const target = await linkTarget(tree, here)
      if (target === undefined || ++links > MAX_LINKS) return undefined
      todo = [...target.split('/'), ...todo]
      if (target.startsWith('/')) done = ''
      continue
    }
    done = here
  }
  return done
}

/** The target of a link that is in the context; undefined for one that is left out. */
async function linkTarget(tree: ContextTree, path: string): Promise<string | undefined> {
  const node = await tree.node(path)
  if (node?.type !== 'symlink') return undefined
  node.content ??= readLink(tree, path)
  return node.content
}

/** A link's target; undefined where it is gone. */
export function readLink(tree: ContextTree, path: string): string | undefined {
  try {
    return readlinkSync(tree.absolute(path))
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EINVAL'].includes(errorCode(error) ?? '')) return undefined
    throw error
  }
}

/**
 * What a path with wildcards matches: of a directory that matches, nothing in it again. The names are as the path says
 * them: links before the first wildcard are followed, and no others.
 */
export async function matchPath(
  tree: ContextTree,
  pattern: string,
): Promise<readonly { readonly name: string; readonly found: Found }[]> {
  const parts = pattern.split('/')
  const first = parts.findIndex(hasWildcard)
  const prefix = parts.slice(0, first).join('/')
  const base = await followLinks(tree, prefix, { last: true })
  if (base === undefined || tree.stat(base)?.isDirectory() !== true) return []
  const matched: { readonly name: string; readonly found: Found }[] = []
  const start = prefix === '' ? '' : `${prefix}/`
  const depthOfMatches = parts.length - first
  // Only a class may match a slash; without one, the pattern says how deep its matches lie.
  const anyDepth = pattern.includes('[')
  const visit = async (below: string, depth: number): Promise<void> => {
    await tree.pause()
    for (const name of tree.names(joined(base, below))) {
      const path = joined(below, name)
      const real = joined(base, path)
      if ((anyDepth || depth === depthOfMatches) && matches(pattern, start + path)) {
        const node = await tree.node(real)
        if (node !== undefined) matched.push({ name: path, found: { path: real, node } })
      } else if ((anyDepth || depth < depthOfMatches) && tree.stat(real)?.isDirectory() === true) {
        await visit(path, depth + 1)
      }
    }
  }
  await visit('', 1)
  return matched
}

/** Two relative paths as one; either may be empty. */
export function joined(above: string, below: string): string {
  return above === '' ? below : below === '' ? above : `${above}/${below}`
}

function matches(pattern: string, path: string): boolean {
  try {
    return goMatch(pattern, path)
  } catch (error) {
    // The build fails at it, and says so.
    if (error instanceof BadPatternError) return false
    throw error
  }
}
