/** The git adapter: the little that the action asks of the checkout. A checkout without git is no error. */
import { ProgramMissingError, runProcess } from './process.ts'

export interface Head {
  readonly commit: string
  /** Parents as the commit object names them, which a shallow checkout does not hide. */
  readonly parents: readonly string[]
}

/** The commit checked out in `directory`, or undefined where that is no git checkout. */
export async function readHead(directory: string): Promise<Head | undefined> {
  // As it is stored: a shallow checkout leaves its parents in. https://git-scm.com/docs/git-rev-list (raw)
  const args = ['-c', 'safe.directory=*', '-C', directory, 'rev-list', '--no-walk', '--format=raw', 'HEAD', '--']
  try {
    const { code, stdout } = await runProcess('git', args)
    const header = stdout.split('\n\n', 1)[0] ?? ''
    const commit = /^commit ([0-9a-f]{40,64})$/m.exec(header)?.[1]
    if (code !== 0 || commit === undefined) return undefined
    const parents = [...header.matchAll(/^parent ([0-9a-f]{40,64})$/gm)].map((match) => match[1] ?? '')
    return { commit, parents }
  } catch (error) {
    if (error instanceof ProgramMissingError) return undefined
    throw error
  }
}
