/** Paths as calls of the system go through them: each directory of a path takes its time, for every file again. */

/** The same place from this process's own directory, where it lies there: on GitHub that is the workspace. */
export function fromHere(path: string): string {
  const here = process.cwd()
  if (path === here) return '.'
  return path.startsWith(here) && path[here.length] === '/' ? path.slice(here.length + 1) : path
}
