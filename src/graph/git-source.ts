/**
 * Which sources of COPY and ADD are no paths: URLs and Git references.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dfgitutil/git_ref.go, util/gitutil/git_url.go
 */

/** A Git reference that cannot be meant as a path (`github.com/o/r` can, so it is none). */
export function isGitSource(source: string): boolean {
  // Most sources are paths: one look tells.
  if (!source.includes(':')) return false
  if (source.startsWith('./') || source.startsWith('../')) return false
  if (/^(?:git|ssh):\/\//i.test(source)) return true
  if (/^https?:\/\//i.test(source)) return /\.git$/.test(source.replace(/[?#].*$/s, ''))
  return /^[a-zA-Z0-9\-_]+@[a-zA-Z0-9\-.]+:/.test(source)
}

export function isHttpSource(source: string): boolean {
  return source.startsWith('http') && /^https?:\/\//.test(source) && !isGitSource(source)
}
