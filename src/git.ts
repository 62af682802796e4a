/** The git adapter: the little that the action asks of the checkout. A checkout without git is no error. */
import { ProgramMissingError, runProcess } from './process.ts'

export interface Head {
  readonly commit: string
  /** Parents as the commit object names them, which a shallow checkout does not hide. */
  readonly parents: readonly string[]
}

/** The commit checked out in `directory`, or undefined where that is no git checkout. */
export async function readHead(directory: string): Promise<Head | undefined> {
  const git = async (...args: readonly string[]): Promise<string | undefined> => {
    const result = await runProcess('git', ['-c', 'safe.directory=*', '-C', directory, ...args])
    return result.code === 0 ? result.stdout : undefined
  }
  try {
    const commit = (await git('rev-parse', '--verify', 'HEAD^{commit}'))?.trim()
    if (commit === undefined || commit === '') return undefined
    const object = (await git('cat-file', '-p', commit)) ?? ''
    const header = object.split('\n\n', 1)[0] ?? ''
    const parents = [...header.matchAll(/^parent ([0-9a-f]{40,64})$/gm)].map((match) => match[1] ?? '')
    return { commit, parents }
  } catch (error) {
    if (error instanceof ProgramMissingError) return undefined
    throw error
  }
}
