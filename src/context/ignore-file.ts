/**
 * The text of a .dockerignore file: which file applies, and the patterns in it. What patterns mean is
 * `ignore-matcher.ts`.
 */
import { lstatSync, readFileSync, realpathSync } from 'node:fs'
import { join, relative, isAbsolute } from 'node:path'
import { UserError } from '../errors.ts'
import { trimSpace } from '../dockerfile/go-text.ts'
import { cleanPath } from '../dockerfile/go-path.ts'

/** One pattern, cleaned as BuildKit cleans it, with the 1-based line that it stands on. */
export interface IgnorePattern {
  /** `src/*.md`, `!src/README.md`: relative to the context, with `!` for an exception. */
  readonly pattern: string
  readonly line: number
}

/** The ignore file that applies to a build. */
export interface IgnoreFile {
  /** As shown to users: `.dockerignore`, or `docker/Dockerfile.dockerignore`. */
  readonly name: string
  readonly patterns: readonly IgnorePattern[]
}

/** bufio.Scanner's limit, at which BuildKit gives up on the file. */
const MAX_LINE_BYTES = 64 * 1024

/**
 * Reads the patterns: comments (`#` in the first column only) and blank lines dropped, blanks trimmed, paths cleaned,
 * one leading slash removed.
 * https://github.com/moby/patternmatcher/blob/v0.6.0/ignorefile/ignorefile.go
 * @throws UserError for a line of 64 KiB or more.
 */
export function readIgnoreFile(text: string, name = '.dockerignore'): readonly IgnorePattern[] {
  const patterns: IgnorePattern[] = []
  text.split('\n').forEach((raw, index) => {
    const line = index + 1
    if (Buffer.byteLength(raw) >= MAX_LINE_BYTES) {
      throw new UserError({
        message: `Line ${line} of ${name} is longer than 64 KiB, and BuildKit does not read such a line.`,
        mend: 'Write one pattern per line.',
        file: name,
        line,
      })
    }
    const unmarked = index === 0 && raw.startsWith('\uFEFF') ? raw.slice(1) : raw
    if (unmarked.startsWith('#')) return
    const trimmed = trimSpace(unmarked)
    if (trimmed === '') return
    const exception = trimmed.startsWith('!')
    const path = exception ? trimSpace(trimmed.slice(1)) : trimmed
    patterns.push({ pattern: `${exception ? '!' : ''}${path === '' ? '' : relativePattern(path)}`, line })
  })
  return patterns
}

function relativePattern(path: string): string {
  const clean = cleanPath(path)
  return clean.length > 1 && clean.startsWith('/') ? clean.slice(1) : clean
}

/**
 * The ignore file of a build (of a Dockerfile without a path of its own: the context's): `<Dockerfile>.dockerignore` beside the Dockerfile where it can be read (also an empty
 * one), else `.dockerignore` in the root of the context; without either, one without patterns. As in BuildKit, a file
 * that cannot be read (or a link that leaves its directory) counts as none.
 * https://github.com/moby/buildkit/blob/v0.20.2/frontend/dockerui/config.go#L353
 * @throws UserError see readIgnoreFile
 */
export function ignoreFileFor(dockerfilePath: string | undefined, contextDir: string): IgnoreFile {
  if (dockerfilePath === undefined) return ignoreFileOf(contextDir)
  const own = `${dockerfilePath}.dockerignore`
  const ownText = readWithin(own, join(dockerfilePath, '..'))
  return ownText === undefined ? ignoreFileOf(contextDir) : { name: own, patterns: readIgnoreFile(ownText, own) }
}

/**
 * The ignore file of a named context: never one that is called after a Dockerfile.
 * https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerui/namedcontext.go
 * @throws UserError see readIgnoreFile
 */
export function ignoreFileOf(contextDir: string): IgnoreFile {
  const common = join(contextDir, '.dockerignore')
  const text = readWithin(common, contextDir)
  return { name: common, patterns: text === undefined ? [] : readIgnoreFile(text, common) }
}

/**
 * The file's text, if it is readable and really lies in the directory. At once: of many Dockerfiles each asks, and through the
 * thread pool each call would take ten times as long.
 */
function readWithin(path: string, directory: string): string | undefined {
  try {
    // Mostly there is none.
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return undefined
    const from = relative(realpathSync.native(directory), realpathSync.native(path))
    if (from.startsWith('..') || isAbsolute(from)) return undefined
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
