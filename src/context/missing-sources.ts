/**
 * Looks for the files that a Dockerfile copies before any engine is asked, so that a forgotten file or a greedy
 * .dockerignore is told in one sentence. Reports only what is sure to fail (or to copy nothing); it reads no contents.
 */
import { lstatSync, type Stats } from 'node:fs'
import { readdir, readlink } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { nearest } from '../errors.ts'
import { listContext } from './context-files.ts'
import { BadPatternError, goMatch, hasWildcard } from './go-match.ts'
import type { IgnoreMatcher, IgnoreVerdict } from './ignore-matcher.ts'

/** A source that the build will not find. */
export interface MissingSource {
  /** As it was given. */
  readonly source: string
  /** `no-match`: a wildcard that matches nothing, which copies nothing and fails no build. */
  readonly kind: 'absent' | 'ignored' | 'no-match'
  /** What is wrong, starting with the source. */
  readonly message: string
  readonly mend: string
}

interface Context {
  readonly directory: string
  readonly matcher: IgnoreMatcher
}

/** As many links on the way to one file as Linux follows. */
const MAX_LINKS = 40

/**
 * Which of the sources are not in the context or are left out of it, each with a mend, in the order given. Links are
 * followed inside the context, as COPY follows them. Patterns for `--parents` (with `**`) are not judged.
 * @param sources paths as in COPY, ADD or a bind mount, rooted at the context
 * @throws UserError for a broken .dockerignore pattern
 */
export async function missingSources(
  contextDir: string,
  matcher: IgnoreMatcher,
  sources: readonly string[],
): Promise<readonly MissingSource[]> {
  const context = { directory: contextDir, matcher }
  const missing: MissingSource[] = []
  for (const source of new Set(sources)) {
    const path = posix.join('/', source).slice(1).replace(/\/$/, '')
    if (path === '') continue
    const found = hasWildcard(path)
      ? await unmatched(context, { source, path })
      : await unfound(context, { source, path })
    if (found !== undefined) missing.push(found)
  }
  return missing
}

interface Wanted {
  readonly source: string
  readonly path: string
}

async function unfound(context: Context, { source, path }: Wanted): Promise<MissingSource | undefined> {
  const resolved = await resolve(context, path)
  switch (resolved.kind) {
    case 'found':
      return undefined
    case 'ignored': {
      const { name } = context.matcher
      const by = resolved.verdict.rule
      const reason =
        by === undefined ? `${name} excludes it` : `${name} line ${by.line} (${JSON.stringify(by.pattern)}) excludes it`
      const through = resolved.path === path ? '' : ` It leads to ${resolved.path}.`
      return {
        source,
        kind: 'ignored',
        message: `${source} is not in the build context: ${reason}.${through}`,
        mend: `Add the line "!${resolved.path}" at the end of ${name}, or remove that pattern.`,
      }
    }
    case 'absent': {
      const like = await similar(context, resolved.path)
      return {
        source,
        kind: 'absent',
        message: `${source} is not in the build context: there is no such file.`,
        mend:
          like === undefined
            ? `Sources are looked up in the context (${context.directory}): check the path, or the step that should have made the file.`
            : `Did you mean ${like}?`,
      }
    }
  }
}

async function unmatched(context: Context, { source, path }: Wanted): Promise<MissingSource | undefined> {
  if (path.includes('**') || leadsThroughLink(context, path)) return undefined
  try {
    for await (const file of listContext(context.directory, context.matcher)) {
      if (goMatch(path, file.path)) return undefined
    }
  } catch (error) {
    if (error instanceof BadPatternError) return undefined
    throw error
  }
  return {
    source,
    kind: 'no-match',
    message: `${source} matches no file of the build context, so nothing will be copied.`,
    mend: `Check the pattern, and ${context.matcher.name} for a pattern that excludes the files.`,
  }
}

/** Whether a link stands on the way to the first wildcard: BuildKit follows it there, and nowhere behind. */
function leadsThroughLink(context: Context, path: string): boolean {
  const parts = path.split('/')
  const fixed = parts.slice(0, parts.findIndex(hasWildcard))
  for (let length = 1; length <= fixed.length; length++) {
    const stat = statOf(join(context.directory, ...fixed.slice(0, length)))
    if (stat === undefined) return false
    if (stat.isSymbolicLink()) return true
  }
  return false
}

type Resolved =
  | { readonly kind: 'found' }
  | { readonly kind: 'absent'; readonly path: string }
  | { readonly kind: 'ignored'; readonly path: string; readonly verdict: IgnoreVerdict }

/** Walks a path part by part, following links as if the context were the root of the file system. */
async function resolve(context: Context, path: string): Promise<Resolved> {
  let todo = path.split('/')
  let done = ''
  let links = 0
  for (let part = todo.shift(); part !== undefined; part = todo.shift()) {
    const here = posix.join('/', done, part).slice(1)
    if (here === '') {
      done = ''
      continue
    }
    const stat = statOf(join(context.directory, here))
    if (stat === undefined) return { kind: 'absent', path: here }
    if (stat.isSymbolicLink()) {
      const verdict = context.matcher.excludes(here, false)
      if (verdict.excluded) return { kind: 'ignored', path: here, verdict }
      if (++links > MAX_LINKS) return { kind: 'absent', path: here }
      const target = await readlink(join(context.directory, here))
      todo = [...posix.join('/', target.startsWith('/') ? '' : done, target).split('/'), ...todo]
      done = ''
      continue
    }
    if (todo.length > 0 && !stat.isDirectory()) return { kind: 'absent', path: posix.join(here, ...todo) }
    done = here
  }
  if (done === '') return { kind: 'found' }
  const isDirectory = statOf(join(context.directory, done))?.isDirectory() === true
  const verdict = context.matcher.excludes(done, isDirectory)
  if (!verdict.excluded) return { kind: 'found' }
  if (isDirectory && !verdict.cut && (await holdsIncluded(context, done))) return { kind: 'found' }
  return { kind: 'ignored', path: done, verdict }
}

/** What lstat says; undefined for what is not there or cannot be reached. A trip through the thread pool takes ten times as long. */
function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

/** Whether an excluded directory is sent all the same, as the parent of something included. */
async function holdsIncluded(context: Context, directory: string): Promise<boolean> {
  for await (const file of listContext(context.directory, context.matcher)) {
    if (file.path === directory || file.path.startsWith(`${directory}/`)) return true
  }
  return false
}

async function similar(context: Context, path: string): Promise<string | undefined> {
  const parent = posix.dirname(path)
  const names = await readdir(join(context.directory, parent)).catch(() => [])
  const name = nearest(posix.basename(path), names)
  return name === undefined ? undefined : posix.join(parent, name)
}
