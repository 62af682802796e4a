/**
 * What bake and compose files say, resolved by buildx itself: groups, inheritance, variables from the environment, matrix
 * targets. Asks the client only; no engine need be there.
 */
import { tmpdir } from 'node:os'
import { nearest, sentence, UserError, type Problem } from '../errors.ts'
import { distinct, field, list, parseJson } from '../json-fields.ts'
import { readBakeTargets } from './bake-targets.ts'
import { runDocker, type Docker } from './buildx.ts'
import { withIdleAgent } from './idle-agent.ts'

export interface BakeFilesQuestion {
  /** As problems name them. */
  readonly files: readonly string[]
  /** How docker finds one from where it is run. */
  readonly pathOf: (file: string) => string
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
  /** Where all targets are asked for: those that a group names. */
  readonly inGroups?: ReadonlySet<string>
  /** What buildx warns of, in its words, each once. */
  readonly warnings: readonly string[]
}

/**
 * Has buildx read the files.
 * @throws UserError in buildx's words, at the file and line that it tells
 */
export async function printBakeFiles(docker: Docker, question: BakeFilesQuestion): Promise<PrintedBake> {
  const { files, pathOf, targets, forPlan, needsNames } = question
  const base = ['buildx', 'bake', ...files.flatMap((file) => ['--file', pathOf(file)]), '--progress', 'quiet']
  const without = forPlan ? ['--set', '*.ssh=', '--set', '*.secrets='] : []
  let listing: ReturnType<typeof ask> | undefined
  const list = async (): ReturnType<typeof ask> =>
    await (listing ??= ask(docker, [...base, '--list', 'type=targets,format=json']))
  const print = async (wanted: readonly string[]): Promise<Omit<PrintedBake, 'names'>> => {
    const args = [...base, '--print', ...without, '--', ...wanted]
    const { found, stderr } = await ask(docker, args)
    const remote = found === undefined && WANTS_AGENT.test(stderr) ? await askOfRemote(docker, args) : undefined
    const definition = found ?? remote
    if (definition === undefined) throw new UserError(problemsOf(stderr, question, listedNames((await list()).found)))
    return { definition, warnings: distinct([...stderr.matchAll(/^WARNING: (.+)$/gm)].map(([, text = '']) => text)) }
  }
  const listed = async (): Promise<readonly ListedName[]> => {
    const { found, stderr } = await list()
    if (found === undefined) throw new UserError(problemsOf(stderr, question, []))
    return listedNames(found)
  }
  if (targets === 'all') {
    const there = await listed()
    const names = targetsAmong(there)
    // What the files call so is what bake means by it.
    if (there.some(({ name }) => name === 'all')) return { names, ...(await print(['all'])) }
    return { names, ...(await print(names)), inGroups: new Set(there.flatMap(({ members }) => members)) }
  }
  const [printed, names] = await Promise.all([
    print(targets ?? []),
    needsNames ? listed().then(targetsAmong) : undefined,
  ])
  return { ...printed, names }
}

async function ask(
  docker: Docker,
  args: readonly string[],
): Promise<{ readonly found: unknown; readonly stderr: string }> {
  const { code, stdout, stderr } = await runDocker(docker, args)
  return { found: code === 0 ? parseJson(stdout) : undefined, stderr }
}

/** https://github.com/docker/buildx/blob/v0.29.1/util/buildflags/ssh.go (CreateSSH) */
const WANTS_AGENT = /failed to convert agent config/

/** What bake prints where there is an agent, if it has a target that is refused: one whose context is fetched by SSH. */
async function askOfRemote(docker: Docker, args: readonly string[]): Promise<unknown> {
  const tempRoot = docker.env['RUNNER_TEMP'] ?? tmpdir()
  const asked = withIdleAgent(tempRoot, async (socket) => {
    return await ask({ ...docker, env: { ...docker.env, SSH_AUTH_SOCK: socket } }, args)
  })
  // Where there can be no such socket, what bake said first is told.
  const { found } = await asked.catch(() => ({ found: undefined }))
  return found !== undefined && readBakeTargets(found, { env: docker.env }).refused.size > 0 ? found : undefined
}

interface ListedName {
  readonly name: string
  readonly isGroup: boolean
  /** Of a group, unless the file describes it in words of its own. */
  readonly members: readonly string[]
}

/** https://github.com/docker/buildx/blob/v0.29.1/commands/bake.go (printTargetList) */
function listedNames(listed: unknown): readonly ListedName[] {
  return list(listed).flatMap((item) => {
    const [name, described] = [field(item, 'name'), field(item, 'description')]
    if (typeof name !== 'string') return []
    const isGroup = field(item, 'group') === true
    return [{ name, isGroup, members: isGroup && typeof described === 'string' ? described.split(', ') : [] }]
  })
}

function targetsAmong(listed: readonly ListedName[]): readonly string[] {
  return listed.flatMap(({ name, isGroup }) => (isGroup ? [] : [name]))
}

/**
 * `ERROR: docker-bake.hcl:3,34-4,1: Invalid …`; what stands before it is an excerpt of the file. Of a panic the first line: what
 * stands behind it is buildx's stack.
 */
function problemsOf(
  stderr: string,
  { files, pathOf, targets }: BakeFilesQuestion,
  listed: readonly ListedName[],
): readonly Problem[] {
  const said = /(?:^|\n)(?:ERROR: ([\s\S]*)$|(?=panic: )(.*))/.exec(stderr)?.slice(1).join('') ?? stderr
  const lines = said.split('\n').flatMap((line) => line.trim().replaceAll(/\s+/g, ' ') || [])
  const ofCompose = composeProblems(lines, files)
  if (ofCompose.length > 0) return ofCompose
  const text = lines.reduce((all, line) => `${all}${all === '' ? '' : /[.,:;!?]$/.test(all) ? ' ' : '; '}${line}`, '')
  const file = files.find((candidate) => text.startsWith(`${pathOf(candidate)}:`))
  const [, line, message] =
    (file === undefined ? null : /^:(\d+)[\d,-]*: (.*)$/.exec(text.slice(pathOf(file).length))) ?? []
  const missing = /failed to find target (\S+)/.exec(text)?.[1]
  const where = { input: 'bake-files', file: file ?? files[0], ...(line === undefined ? {} : { line: Number(line) }) }
  if (missing === 'default' && targets === undefined) return [noDefault(files)]
  // What `--set *.ssh=` of a plan finds nothing to be set on.
  if (text.includes("could not find any target matching '*'")) return [nothingToBuild({ files, targets })]
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
  const envFile = /^env file (.+?) not found/.exec(text)?.[1]
  if (envFile !== undefined) {
    return [
      {
        ...{ ...where, file: composeFiles(files)[0] },
        message: `\`bake-files\`: the \`env_file\` \`${envFile}\` is not there.`,
        mend: 'It is for containers, and bake wants it all the same: make it in an earlier step (an empty one will do), or mark it `required: false` in the compose file.',
      },
    ]
  }
  return [
    {
      ...where,
      message: `\`bake-files\`: ${sentence(message ?? (text === '' ? 'docker buildx bake could not read them' : text))}`,
      mend: UNREADABLE,
    },
  ]
}

const UNREADABLE = 'Mend it so that `docker buildx bake --print` accepts it; variables come from the step’s `env`.'

/** Each of the lines below `decoding failed due to the following error(s):`. */
function composeProblems([first = '', ...others]: readonly string[], files: readonly string[]): readonly Problem[] {
  if (!first.endsWith('following error(s):')) return []
  const file = composeFiles(files)[0]
  return others.map((line) => ({
    input: 'bake-files',
    file,
    message: `\`bake-files\`: ${sentence(line)}`,
    mend: UNREADABLE,
  }))
}

/** Those that are read as compose files; all where none is by its name. */
export function composeFiles(files: readonly string[]): readonly string[] {
  const found = files.filter((file) => /\.ya?ml$/i.test(file))
  return found.length > 0 ? found : files
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
function noDefault(files: readonly string[]): Problem {
  return {
    ...{ input: 'bake-files', file: files[0] },
    message: `\`bake-files\`: ${files.join(', ')} ${files.length === 1 ? 'has' : 'have'} no group \`default\`, and \`targets\` names nothing.`,
    mend: 'Name targets or groups with `targets` (`all` means every target), or add a group `default`.',
  }
}

/** What is asked for is there, and no target is in it. */
export function nothingToBuild({ files, targets }: Pick<BakeFilesQuestion, 'files' | 'targets'>): Problem {
  const where = { input: 'bake-files', file: files[0] }
  const named = files.join(', ')
  if (files.every((file) => /\.ya?ml$/.test(file)) && (targets === undefined || targets === 'all')) {
    return {
      ...where,
      message: `\`bake-files\`: no service of ${named} has \`build\`, so there is nothing to build.`,
      mend: 'Add `build` to the services that have a Dockerfile.',
    }
  }
  if (targets === 'all')
    return {
      ...where,
      message: `\`bake-files\`: ${named} ${files.length === 1 ? 'has' : 'have'} no target.`,
      mend: 'Add one.',
    }
  const groups = (targets ?? ['default']).map((name) => `\`${name}\``)
  return {
    ...(targets === undefined ? where : { ...where, input: 'targets' }),
    message: `\`${targets === undefined ? 'bake-files' : 'targets'}\`: ${groups.length === 1 ? 'the group' : 'the groups'} ${groups.join(', ')} of ${named} ${groups.length === 1 ? 'is' : 'are'} empty, so there is nothing to build.`,
    mend: 'Name other targets or groups with `targets`, or put targets into the group.',
  }
}
