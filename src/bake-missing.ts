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

/** What a target says, and where that is as bake reads it. */
export interface TargetPaths {
  readonly context: string
  readonly dockerfile: string
  /** Absolute. */
  readonly contextDir: string
  /** The Dockerfile, absolute. */
  readonly path: string
  readonly files: readonly string[]
  readonly workspace: string
}

const FROM_ROOT =
  'bake counts paths from the root of the checkout, where it is run, and not from its file as `docker compose` does.'

/** A context that is no directory, as its target's problem. */
export function missingContext({
  context,
  files,
  workspace,
}: Pick<TargetPaths, 'context' | 'files' | 'workspace'>): Problem {
  const beside = foldersOf(files, workspace)
    .map((folder) => resolve(folder, context))
    .find((path) => kindOf(path) === 'directory' && isWithin(workspace, path))
  return {
    message: `the context \`${shown(context)}\` is no directory of the checkout.`,
    mend:
      beside === undefined
        ? 'Give `context` from the root of the checkout, where bake is run.'
        : `There is ${code(workspace, beside)}: ${FROM_ROOT} Write ${code(workspace, beside)} as \`context\`.`,
  }
}

/** A Dockerfile that cannot be read, as its target's problem. */
export function missingDockerfile(paths: TargetPaths): Problem {
  const { path, contextDir, workspace } = paths
  const name = code(workspace, path)
  const kind = kindOf(path)
  if (kind !== undefined)
    return {
      message: `its Dockerfile ${name} ${kind === 'directory' ? 'is a directory' : 'cannot be read'}.`,
      mend: 'Give a readable file as `dockerfile`, relative to `context`.',
    }
  return {
    message: `there is no Dockerfile ${name}.`,
    mend:
      dockerfileBeside(paths) ??
      (isWithin(workspace, contextDir)
        ? whatDockerfile(path, contextDir)
        : 'Give `context` from the root of the checkout, where bake is run.'),
  }
}

/** Where it is as `docker compose` would read the file. */
function dockerfileBeside({ context, dockerfile, contextDir, files, workspace }: TargetPaths): string | undefined {
  for (const folder of foldersOf(files, workspace)) {
    const meant = resolve(folder, context)
    const found = resolve(meant, dockerfile)
    if (kindOf(found) !== 'file' || !isWithin(workspace, meant)) continue
    const kept = isWithin(workspace, contextDir)
      ? `, or, to keep the context, ${code(contextDir, found)} as \`dockerfile\``
      : ''
    return `There is ${code(workspace, found)}: ${FROM_ROOT} Write ${code(workspace, meant)} as \`context\`${kept}.`
  }
  return undefined
}

/** Those of the bake files that are not the root. */
function foldersOf(files: readonly string[], workspace: string): readonly string[] {
  return files.map((file) => dirname(resolve(workspace, file))).filter((folder) => folder !== workspace)
}

function isWithin(workspace: string, path: string): boolean {
  return !/^\.\.(?:\/|$)/.test(relative(workspace, path))
}

/** A path as it is written from a folder. */
function code(folder: string, path: string): string {
  return `\`${shown(relative(folder, path) || '.')}\``
}

/** What a Dockerfile may be meant by, in words that fit bake and compose files. */
function whatDockerfile(path: string, contextDir: string): string {
  const folder = dirname(path)
  const names = namesIn(folder).filter((name) => kindOf(join(folder, name)) === 'file')
  const siblings = names.filter((name) => /dockerfile/i.test(name)).sort()
  const near = nearest(basename(path), siblings) ?? (siblings.length === 1 ? siblings[0] : undefined)
  return near === undefined
    ? 'Give `dockerfile` relative to `context`.'
    : `Did you mean ${code(contextDir, join(folder, near))}? \`dockerfile\` is relative to \`context\`.`
}
