/**
 * The two Go text functions that the rules of .dockerignore lean on, with Go's results. Owns no rule itself.
 */
import { posix } from 'node:path'

/**
 * filepath.Clean on Linux: the shortest lexical form of a path; `.` for an empty one, no trailing slash.
 * https://pkg.go.dev/path/filepath#Clean
 */
export function cleanPath(path: string): string {
  const normal = posix.normalize(path)
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal
}

const SPACE = '[\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+'
const LEADING = new RegExp(`^${SPACE}`)
const TRAILING = new RegExp(`${SPACE}$`)

/**
 * strings.TrimSpace: Unicode's White_Space. `String.trim` differs at two characters: it takes U+FEFF and leaves U+0085.
 * https://pkg.go.dev/unicode#IsSpace
 */
export function trimSpace(text: string): string {
  const started = text.replace(LEADING, '')
  // A trailing-anchored expression tries every run of blanks in the text; most lines end in none.
  return TRAILING.test(started.slice(-1)) ? started.replace(TRAILING, '') : started
}
