/**
 * What bake and compose files say, resolved by buildx itself: groups, inheritance, variables from the environment, matrix
 * targets. Asks the client only; no engine need be there.
 */
import { nearest, sentence, UserError, type Problem } from '../errors.ts'
import { field, list, parseJson } from '../json-fields.ts'
import { runDocker, type Docker } from './buildx.ts'

export interface BakeFilesQuestion {
  /** Relative to where docker is run. */
  readonly files: readonly string[]
  /** Targets and groups; undefined: the group `default`. */
  readonly targets: readonly string[] | 'all' | undefined
  /** What a build needs beside the files (SSH agents, secret files) need not be there. */
  readonly forPlan: boolean
  /** Whether all targets of the files have to be known: buildx is asked for them by a call of its own. */
  readonly needsNames: boolean
}

export interface PrintedBake {
  /** The resolved definition. */
  readonly definition: unknown
  /** Of all targets that the files have; undefined where nobody needs them. */
  readonly names: readonly string[] | undefined
}

/**
 * Has buildx read the files.
 * @throws UserError in buildx's words, at the file and line that it tells
 */
export async function printBakeFiles(docker: Docker, question: BakeFilesQuestion): Promise<PrintedBake> {
  const { files, targets, forPlan, needsNames } = question
  const base = ['buildx', 'bake', ...files.flatMap((file) => ['--file', file]), '--progress', 'quiet']
  const without = forPlan ? ['--set', '*.ssh=', '--set', '*.secrets='] : []
  let listing: ReturnType<typeof ask> | undefined
  const list = async (): ReturnType<typeof ask> =>
    await (listing ??= ask(docker, [...base, '--list', 'type=targets,format=json']))
  const print = async (wanted: readonly string[]): Promise<unknown> => {
    const { found, stderr } = await ask(docker, [...base, '--print', ...without, '--', ...wanted])
    if (found === undefined) throw new UserError(problemsOf(stderr, question, listedNames((await list()).found)))
    return found
  }
  const names = async (): Promise<readonly string[]> => {
    const { found, stderr } = await list()
    if (found === undefined) throw new UserError(problemsOf(stderr, question, []))
    return listedNames(found).flatMap(({ name, isGroup }) => (isGroup ? [] : [name]))
  }
  if (targets === 'all') {
    const all = await names()
    return { names: all, definition: await print(all) }
  }
  const [definition, all] = await Promise.all([print(targets ?? []), needsNames ? names() : undefined])
  return { definition, names: all }
}

async function ask(
  docker: Docker,
  args: readonly string[],
): Promise<{ readonly found: unknown; readonly stderr: string }> {
  const { code, stdout, stderr } = await runDocker(docker, args)
  return { found: code === 0 ? parseJson(stdout) : undefined, stderr }
}

interface ListedName {
  readonly name: string
  readonly isGroup: boolean
}

function listedNames(listed: unknown): readonly ListedName[] {
  return list(listed).flatMap((item) => {
    const name = field(item, 'name')
    return typeof name === 'string' ? [{ name, isGroup: field(item, 'group') === true }] : []
  })
}

/** `ERROR: docker-bake.hcl:3,34-4,1: Invalid …`; what stands before it is an excerpt of the file. */
function problemsOf(
  stderr: string,
  { files, targets }: BakeFilesQuestion,
  listed: readonly ListedName[],
): readonly Problem[] {
  const said = /(?:^|\n)ERROR: ([\s\S]*)$/.exec(stderr)?.[1] ?? stderr
  const text = said.trim().replaceAll(/\s+/g, ' ')
  const file = files.find((candidate) => text.startsWith(`${candidate}:`))
  const [, line, message] = (file === undefined ? null : /^:(\d+)[\d,-]*: (.*)$/.exec(text.slice(file.length))) ?? []
  const missing = /failed to find target (\S+)/.exec(text)?.[1]
  const where = { input: 'bake-files', file: file ?? files[0], ...(line === undefined ? {} : { line: Number(line) }) }
  if (missing === 'default' && targets === undefined) return [nothingToBuild(files)]
  if (missing !== undefined) {
    const names = listed.map(({ name }) => name)
    const wanted = targets === 'all' ? [] : (targets ?? [])
    const unknown = names.length === 0 ? [] : wanted.filter((name) => !names.includes(name))
    const has = `${files.join(', ')} ${files.length === 1 ? 'has' : 'have'} no target`
    if (unknown.length === 0 && !wanted.includes(missing)) {
      const message = `\`bake-files\`: a target or group names \`${missing}\`, and ${has} of that name.`
      return [
        { ...where, message, mend: meant(missing, names) ?? 'Add a target of that name, or remove what names it.' },
      ]
    }
    return (unknown.length === 0 ? [missing] : unknown).map((name) => ({
      ...{ ...where, input: 'targets', mend: meant(name, names) ?? whatThereIs(names) },
      message: `\`targets\`: ${has} or group \`${name}\`.`,
    }))
  }
  const [, to, from] = /infinite loop from (\S+) to (\S+)/.exec(text) ?? []
  if (to !== undefined && from !== undefined) {
    return [
      {
        ...where,
        message: `\`bake-files\`: the targets \`${from}\` and \`${to}\` are built from each other.`,
        mend: `Remove \`target:${from}\` from the \`contexts\` of \`${to}\`, or the other way round (in a compose file \`service:\` in \`additional_contexts\`).`,
      },
    ]
  }
  return [
    {
      ...where,
      message: `\`bake-files\`: ${sentence(message ?? (text === '' ? 'docker buildx bake could not read them' : text))}`,
      mend: 'Mend it so that `docker buildx bake --print` accepts it; variables come from the step’s `env`.',
    },
  ]
}

/** At most so many names are told. */
const NAMES = 12

function meant(name: string, names: readonly string[]): string | undefined {
  const near = nearest(name, names)
  return near === undefined ? undefined : `Did you mean \`${near}\`?`
}

function whatThereIs(names: readonly string[]): string {
  if (names.length === 0 || names.length > NAMES)
    return '`docker buildx bake --list=targets` tells what there is; `all` means all of them.'
  return `There are ${names.map((one) => `\`${one}\``).join(', ')}; \`all\` means all of them.`
}

/** There is nothing in the files that is built without being named. */
export function nothingToBuild(files: readonly string[]): Problem {
  return {
    ...{ input: 'bake-files', file: files[0] },
    message: `\`bake-files\`: ${files.join(', ')} ${files.length === 1 ? 'has' : 'have'} no group \`default\`, and \`targets\` names nothing.`,
    mend: 'Name targets or groups with `targets` (`all` means every target), or add a group `default`.',
  }
}
