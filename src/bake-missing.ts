/** What is named in `bake-files`, or in them, and is not there: what was meant instead. */
import { readdirSync, statSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path'
import { nearest, type Problem } from './errors.ts'
import { shown } from './input-lists.ts'
import type { Inputs } from './inputs.ts'

/** Bake files that are not there, or not in the workspace, and where bake is to be run. At once: buildx waits for it. */
export function missingBakeFiles(
  { bakeFiles, context }: Pick<Inputs, 'bakeFiles' | 'context'>,
  workspace: string,
): readonly Problem[] {
  const place = resolve(workspace, context)
  const missing = bakeFiles.flatMap((file) => missingBakeFile(file, workspace))
  if (kindOf(place) === 'directory' && isWithin(workspace, place)) return missing
  return [
    ...missing,
    {
      input: 'context',
      message: `\`context\`: \`${shown(context)}\` is no directory of the checkout.`,
      mend: 'Give the directory where the relative paths of the bake files begin, from the root of the checkout, or leave it out.',
    },
  ]
}

function missingBakeFile(file: string, workspace: string): readonly Problem[] {
  const path = resolve(workspace, file)
  const found = kindOf(path)
  const outside = isAbsolute(file) || !isWithin(workspace, path)
  if (found === 'file' && !outside) return []
  const siblings = namesIn(dirname(path)).filter((name) => /\.(?:hcl|json|ya?ml)$/.test(name))
  const near = nearest(basename(file), siblings)
  const what = outside ? 'is not in the workspace' : found === 'directory' ? 'is a directory' : 'is not there'
  return [
    {
      input: 'bake-files',
      message: `\`bake-files\`: \`${shown(file)}\` ${what}.`,
      mend:
        ofMetadata(file) ??
        (found === undefined && !outside && near !== undefined
          ? `Did you mean \`${shown(join(dirname(file), near))}\`?`
          : 'Give bake or compose files by their paths from the root of the checkout, and add `actions/checkout` before this step.'),
    },
  ]
}

/** What stands in the place of a file that docker/metadata-action writes for bake. */
function ofMetadata(file: string): string | undefined {
  return /docker-metadata-action-bake[\w-]*\.json$/.test(file)
    ? 'Leave it out, and give the outputs of docker/metadata-action to `tags`, `labels` and `annotations`.'
    : undefined
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
  /** The step's: `context` is where bake is run. */
  readonly inputs: Pick<Inputs, 'bakeFiles' | 'context'>
  readonly workspace: string
}

/** A context that is no directory, as its target's problem. */
export function missingContext(paths: Pick<TargetPaths, 'context' | 'inputs' | 'workspace'>): Problem {
  const { context, workspace } = paths
  const folder = foldersOf(paths).find((one) => {
    const meant = resolve(one, context)
    return kindOf(meant) === 'directory' && isWithin(workspace, meant)
  })
  return {
    message: `the context \`${shown(context)}\` is no directory of the checkout.`,
    mend: folder === undefined ? FROM_PLACE : runThere(folder, resolve(folder, context), workspace),
  }
}

const FROM_PLACE = 'Give `context` from where bake is run: the root of the checkout, or what the input `context` says.'

/** A Dockerfile that cannot be read, as its target's problem. */
export function missingDockerfile(paths: TargetPaths): Problem {
  const { context, dockerfile, path, contextDir, workspace } = paths
  const name = code(workspace, path)
  const kind = kindOf(path)
  if (kind !== undefined)
    return {
      message: `its Dockerfile ${name} ${kind === 'directory' ? 'is a directory' : 'cannot be read'}.`,
      mend: 'Give a readable file as `dockerfile`, relative to `context`.',
    }
  const folder = foldersOf(paths).find((one) => {
    const meant = resolve(one, context)
    return kindOf(resolve(meant, dockerfile)) === 'file' && isWithin(workspace, meant)
  })
  const elsewhere = isWithin(workspace, contextDir) ? whatDockerfile(path, contextDir) : FROM_PLACE
  return {
    message: `there is no Dockerfile ${name}.`,
    mend: folder === undefined ? elsewhere : runThere(folder, resolve(folder, context, dockerfile), workspace),
  }
}

/** The folders of the bake files, from which `docker compose` counts; none where it is said where bake is run. */
function foldersOf({ inputs, workspace }: Pick<TargetPaths, 'inputs' | 'workspace'>): readonly string[] {
  if (resolve(workspace, inputs.context) !== workspace) return []
  return inputs.bakeFiles.map((file) => dirname(resolve(workspace, file))).filter((folder) => folder !== workspace)
}

/** @param found what is there as seen from the bake file's folder */
function runThere(folder: string, found: string, workspace: string): string {
  return `There is ${code(workspace, found)}: bake counts paths from where it is run, and not from its file as \`docker compose\` does. Set the input \`context: ${shown(relative(workspace, folder))}\`, and it is run there.`
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
