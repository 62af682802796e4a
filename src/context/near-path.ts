/** Paths as calls of the system go through them: each directory of a path takes its time, for every file again. */

/** The same place from this process's own directory, where it lies there: on GitHub that is the workspace. */
export function fromHere(path: string): string {
  const here = ownDirectory()
  if (here === undefined) return path
  if (path === here) return '.'
  return path.startsWith(here) && path[here.length] === '/' ? path.slice(here.length + 1) : path
}

/** Undefined where it is gone: what lies elsewhere must not be taken for gone with it. */
function ownDirectory(): string | undefined {
  try {
    return process.cwd()
  } catch {
    return undefined
  }
}
