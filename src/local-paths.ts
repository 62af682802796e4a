/** The files and directories that inputs name besides the Dockerfile and the context: are they there? */
import { access, constants, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { errorCode, type Problem } from './errors.ts'
import { shown } from './input-lists.ts'
import type { Inputs } from './inputs.ts'
import { missingContexts } from './named-contexts.ts'

/** Everything that docker would stumble over later, and say less clearly. Secrets are for the build alone. */
export async function missingPaths(inputs: Inputs, workspace: string): Promise<readonly Problem[]> {
  const secrets = inputs.mode === 'build' ? inputs.secrets : []
  const [unreadable, contexts] = await Promise.all([
    Promise.all(
      secrets.map(async (secret) =>
        secret.kind === 'file' ? await secretFileProblem(secret.path, workspace) : undefined,
      ),
    ),
    missingContexts(inputs, workspace),
  ])
  return [...unreadable.filter((problem) => problem !== undefined), ...contexts]
}

async function secretFileProblem(path: string, workspace: string): Promise<Problem | undefined> {
  const full = resolve(workspace, path)
  const why = (await isDirectory(full)) ? 'it is a directory' : await unreadable(full)
  if (why === undefined) return undefined
  return {
    input: 'secret-files',
    message: `\`secret-files\`: \`${shown(path)}\` cannot be read: ${why}.`,
    mend: 'Give a path relative to the root of the checkout, and check that an earlier step makes the file.',
  }
}

async function unreadable(path: string): Promise<string | undefined> {
  try {
    await access(path, constants.R_OK)
    return undefined
  } catch (error) {
    const code = errorCode(error)
    return code === 'ENOENT' || code === 'ENOTDIR'
      ? 'there is no such file'
      : code === 'EACCES'
        ? 'this job’s user has no permission'
        : (code ?? 'unknown error')
  }
}

/** Whether there is a directory. Never rejects. */
export async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch {
    return false
  }
}

/** Whether there is a file. Never rejects. */
export async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}
