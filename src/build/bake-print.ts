/**
 * What bake and compose files say, resolved by buildx itself: groups, inheritance, variables from the environment, matrix
 * targets. Asks the client only; no engine need be there.
 */
import { UserError, type Problem } from '../errors.ts'
import { parseJson } from '../json-fields.ts'
import { runDocker, type Docker } from './buildx.ts'

export interface BakeFilesQuestion {
  /** Relative to where docker is run. */
  readonly files: readonly string[]
  /** Targets and groups; undefined: the group `default`. */
  readonly targets: readonly string[] | 'all' | undefined
  /** What a build needs beside the files (SSH agents, secret files) need not be there. */
  readonly forPlan: boolean
}

export interface PrintedBake {
  /** The resolved definition. */
  readonly definition: unknown
  /** Of all targets that the files have. */
  readonly names: readonly string[]
}

/**
 * Has buildx read the files.
 * @throws UserError in buildx's words, at the file and line that it tells
 */
export async function printBakeFiles(docker: Docker, question: BakeFilesQuestion): Promise<PrintedBake> {
  const { files, targets, forPlan } = question
  const base = ['buildx', 'bake', ...files.flatMap((file) => ['--file', file]), '--progress', 'quiet']
  const without = forPlan ? ['--set', '*.ssh=', '--set', '*.secrets='] : []
  const print = async (wanted: readonly string[]): Promise<unknown> =>
    await ask(docker, [...base, '--print', ...without, '--', ...wanted], question)
  const list = async (): Promise<readonly string[]> => {
    const listed = await ask(docker, [...base, '--list', 'type=targets,format=json'], question)
    return Array.isArray(listed) ? (listed as readonly unknown[]).flatMap(targetName) : []
  }
  if (targets === 'all') {
    const names = await list()
    return { names, definition: await print(names) }
  }
  const [definition, names] = await Promise.all([print(targets ?? []), list()])
  return { definition, names }
}

async function ask(docker: Docker, args: readonly string[], question: BakeFilesQuestion): Promise<unknown> {
  const { code, stdout, stderr } = await runDocker(docker, args)
  const found = code === 0 ? parseJson(stdout) : undefined
  if (found === undefined) throw new UserError(problemOf(stderr, question))
  return found
}

/** Groups are listed beside the targets. */
function targetName(item: unknown): readonly string[] {
  if (typeof item !== 'object' || item === null || !('name' in item) || typeof item.name !== 'string') return []
  return 'group' in item && item.group === true ? [] : [item.name]
}

/** `ERROR: docker-bake.hcl:3,34-4,1: Invalid …`; what stands before it is an excerpt of the file. */
function problemOf(stderr: string, { files, targets }: BakeFilesQuestion): Problem {
  const said = /(?:^|\n)ERROR: ([\s\S]*)$/.exec(stderr)?.[1] ?? stderr
  const text = said.trim().replaceAll(/\s+/g, ' ')
  const file = files.find((candidate) => text.startsWith(`${candidate}:`))
  const [, line, message] = (file === undefined ? null : /^:(\d+)[\d,-]*: (.*)$/.exec(text.slice(file.length))) ?? []
  const missing = /failed to find target (\S+)/.exec(text)?.[1]
  const where = { input: 'bake-files', file: file ?? files[0], ...(line === undefined ? {} : { line: Number(line) }) }
  if (missing === 'default' && targets === undefined) return nothingToBuild(files)
  if (missing !== undefined) {
    return {
      ...{ ...where, input: 'targets' },
      message: `\`targets\`: ${files.join(', ')} ${files.length === 1 ? 'has' : 'have'} no target or group \`${missing}\`.`,
      mend: '`docker buildx bake --list=targets` tells what there is; `all` means all of them.',
    }
  }
  return {
    ...where,
    message: `\`bake-files\`: ${message ?? (text === '' ? 'docker buildx bake could not read them' : text)}`,
    mend: 'Mend it so that `docker buildx bake --print` accepts it; variables come from the step’s `env`.',
  }
}

/** There is nothing in the files that is built without being named. */
export function nothingToBuild(files: readonly string[]): Problem {
  return {
    ...{ input: 'bake-files', file: files[0] },
    message: `\`bake-files\`: ${files.join(', ')} ${files.length === 1 ? 'has' : 'have'} no group \`default\`, and \`targets\` names nothing.`,
    mend: 'Name targets or groups with `targets` (`all` means every target), or add a group `default`.',
  }
}
