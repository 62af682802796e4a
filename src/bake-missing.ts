/** What is named in `bake-files`, or in them, and is not there: what was meant instead. */
import { readdirSync, statSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path'
import { nearest, type Problem } from './errors.ts'
import { shown } from './input-lists.ts'

/** Bake files that are not there, or not in the workspace. At once: buildx waits for it. */
export function missingBakeFiles(files: readonly string[], workspace: string): readonly Problem[] {
  return files.flatMap((file) => {
    const path = resolve(workspace, file)
    const found = kindOf(path)
    const outside = isAbsolute(file) || relative(workspace, path).startsWith('..')
    if (found === 'file' && !outside) return []
    const siblings = namesIn(dirname(path)).filter((name) => /\.(?:hcl|json|ya?ml)$/.test(name))
    const near = nearest(basename(file), siblings)
    const what = outside ? 'is not in the workspace' : found === 'directory' ? 'is a directory' : 'is not there'
    return [
      {
        input: 'bake-files',
        message: `\`bake-files\`: \`${shown(file)}\` ${what}.`,
        mend:
          found === undefined && !outside && near !== undefined
            ? `Did you mean \`${shown(join(dirname(file), near))}\`?`
            : 'Give bake or compose files by their paths from the root of the checkout, and add `actions/checkout` before this step.',
      },
    ]
  })
}

function kindOf(path: string): 'file' | 'directory' | undefined {
  try {
    return statSync(path).isDirectory() ? 'directory' : 'file'
  } catch {
    return undefined
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

/** What a Dockerfile may be meant by, in words of the bake file. */
export function whatDockerfile(path: string, contextDir: string): string {
  const names = namesIn(dirname(path))
  const siblings = names.filter((name) => /dockerfile/i.test(name)).sort()
  const near = nearest(basename(path), siblings) ?? (siblings.length === 1 ? siblings[0] : undefined)
  return near === undefined
    ? 'Give `dockerfile` relative to `context`.'
    : `Did you mean \`dockerfile: ${shown(relative(contextDir, join(dirname(path), near)))}\`? It is relative to \`context\`.`
}
