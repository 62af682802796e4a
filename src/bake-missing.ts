/** What is named in `bake-files`, or in them, and is not there: what was meant instead. */
import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path'
import { nearest, type Problem } from './errors.ts'
import { shown } from './input-lists.ts'

/** Bake files that are not there, or not in the workspace. */
export async function missingBakeFiles(files: readonly string[], workspace: string): Promise<readonly Problem[]> {
  const found = await Promise.all(files.map(async (file) => await kindOf(resolve(workspace, file))))
  const siblings = await Promise.all(
    files.map(async (file) => await readdir(dirname(resolve(workspace, file))).catch(() => [])),
  )
  return files.flatMap((file, index) => {
    const near = nearest(basename(file), siblings[index]?.filter((name) => /\.(?:hcl|json|ya?ml)$/.test(name)) ?? [])
    const outside = isAbsolute(file) || relative(workspace, resolve(workspace, file)).startsWith('..')
    if (found[index] === 'file' && !outside) return []
    const what = outside ? 'is not in the workspace' : found[index] === 'directory' ? 'is a directory' : 'is not there'
    return [
      {
        input: 'bake-files',
        message: `\`bake-files\`: \`${shown(file)}\` ${what}.`,
        mend:
          found[index] === undefined && !outside && near !== undefined
            ? `Did you mean \`${shown(join(dirname(file), near))}\`?`
            : 'Give bake or compose files by their paths from the root of the checkout, and add `actions/checkout` before this step.',
      },
    ]
  })
}

async function kindOf(path: string): Promise<'file' | 'directory' | undefined> {
  try {
    return (await stat(path)).isDirectory() ? 'directory' : 'file'
  } catch {
    return undefined
  }
}

/** What a Dockerfile may be meant by, in words of the bake file. */
export async function whatDockerfile(path: string, contextDir: string): Promise<string> {
  const names = await readdir(dirname(path)).catch(() => [])
  const siblings = names.filter((name) => /dockerfile/i.test(name)).sort()
  const near = nearest(basename(path), siblings) ?? (siblings.length === 1 ? siblings[0] : undefined)
  return near === undefined
    ? 'Give `dockerfile` relative to `context`.'
    : `Did you mean \`dockerfile: ${shown(relative(contextDir, join(dirname(path), near)))}\`? It is relative to \`context\`.`
}
