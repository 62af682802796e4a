/**
 * Go's filepath.Clean, with its results. Owns no rule of .dockerignore.
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
