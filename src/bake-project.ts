/**
 * What bake and compose files describe, as Dockerfiles with their targets: buildx resolves the files, and what the step's
 * inputs say is laid over it.
 */
import { readFile } from 'node:fs/promises'
import { basename, relative, resolve } from 'node:path'
import { targetsAsked } from './bake-asked.ts'
import { nothingToBuild, printBakeFiles } from './build/bake-print.ts'
import { readBakeTargets, targetProblem, type BakeFileTarget, type TargetProblem } from './build/bake-targets.ts'
import { isAddress } from './build/definition.ts'
import { dockerOf } from './engine.ts'
import { throwIfAny, UserError, type Problem } from './errors.ts'
import { malformed } from './input-forms.ts'
import { shown } from './input-lists.ts'
import { missingBakeFiles, missingContext, missingDockerfile } from './bake-missing.ts'
import { laidOver, localPath, withoutSaidPlatforms } from './bake-inputs.ts'
import { inlinePlaces, type InlinePlace } from './bake-places.ts'
import { toldOfTargets, toldOfWarnings } from './bake-problems.ts'
import { bakeTagProblems } from './bake-tags.ts'
import { sharedOutputs } from './input-rules.ts'
import type { Inputs } from './inputs.ts'
import { distinct } from './json-fields.ts'
import { splitTargets, type SplitTarget } from './link-platforms.ts'
import { isDirectory, missingPaths } from './local-paths.ts'
import { tagsOf } from './planned-tags.ts'
import { refusedHead, type Part, type Project } from './project.ts'
import { list } from './report/words.ts'

/**
 * Reads the bake files and finds what they name.
 * @param host the platform of targets that name none, or `local`
 * @throws UserError with all that is wrong
 */
export async function openBakeProject(inputs: Inputs, env: NodeJS.ProcessEnv, host: string): Promise<Project> {
  const workspace = resolve(env['GITHUB_WORKSPACE'] ?? '.')
  const { bakeFiles: files } = inputs
  const missing = missingBakeFiles(inputs, workspace)
  // The files are a pull request's, too: nothing of it is read where it must not be built.
  const refused = await refusedHead(workspace, env)
  throwIfAny(distinct([...missing, ...(refused === undefined ? [] : [refused])]))
  const forPlan = inputs.mode === 'plan'
  // A plan needs no names of targets that it does not plan, but for budgets, which may be of any of them.
  const needsNames = !forPlan || inputs.sizeBudgets.length > 0
  const place = resolve(workspace, inputs.context)
  const pathOf = (file: string): string => relative(place, resolve(workspace, file))
  const question = { files, pathOf, targets: inputs.targets, forPlan, needsNames }
  const { definition, names, inGroups, warnings } = await printBakeFiles(dockerOf({ workspace: place }, env), question)
  const { refused: unkept, ...read } = readBakeTargets(definition, { env, host, base: relative(workspace, place) })
  const { targets, asked, notes } = await targetsAsked(read, { inputs, workspace, grouped: inGroups })
  if (asked.length === 0) throw new UserError(nothingToBuild(question))
  const isSplit = inputs.matrixBy === 'platform'
  const split = isSplit ? splitTargets(targets, { asked, inputs, host }) : { targets, problems: [] }
  const kept = split.targets.filter(({ name }) => !unkept.has(name))
  const of = {
    inputs: isSplit ? { ...inputs, platforms: [] } : withoutSaidPlatforms(inputs, { targets, asked }),
    workspace,
    env,
    placeOf: await inlinePlaces(files, kept, workspace),
  }
  const parts = await Promise.all(
    grouped(kept, await dockerfilesOf(kept, workspace)).map(
      async ({ members, ...file }) => await openPart(members, { ...of, ...file, asked }),
    ),
  )
  const [first, ...others] = parts.flatMap(({ part }) => part ?? [])
  const problems = [
    ...(await toldOfTargets(
      [
        ...[...unkept.values()].flat(),
        ...split.problems,
        ...parts.flatMap((part) => part.problems),
        ...bakeTagProblems({ targets, asked }, inputs),
      ],
      files,
      workspace,
    )),
    ...sharedOutputs(inputs, asked.length > 1),
  ]
  // The plan looks at tags; where it does not come to that, what is wrong with them is told with the rest.
  if (problems.length > 0)
    problems.push(
      ...tagsOf(
        asked.map((name) => ({ name })),
        inputs,
        targets,
      ).problems,
    )
  const said = toldOfWarnings(warnings, files)
  throwIfAny(distinct(problems), {
    warnings: [...said.warnings, ...said.notes.map((note) => ({ message: `${note}.` }))],
  })
  if (first === undefined) throw new UserError(nothingToBuild(question))
  const name = files.join(' + ')
  return {
    ...{ workspace, dockerfileName: name, id: inputs.id ?? name, ...(names === undefined ? {} : { names }) },
    inputs: together(inputs, [first, ...others]),
    warnings: [...said.warnings, ...ownCaches(inputs, kept, files)],
    notes: [...said.notes, ...notes],
    parts: [first, ...others],
  }
}

/** What a run has to be ready for. */
function together(inputs: Inputs, parts: readonly Part[]): Inputs {
  const all = <T>(of: (said: Inputs) => readonly T[]): readonly T[] => [
    ...new Set(parts.flatMap((part) => of(part.inputs))),
  ]
  return {
    ...inputs,
    outputs: all(({ outputs }) => outputs),
    secrets: all(({ secrets }) => secrets),
    cacheFrom: all(({ cacheFrom }) => cacheFrom),
    cacheTo: all(({ cacheTo }) => cacheTo),
    noCacheFilters: all(({ noCacheFilters }) => noCacheFilters),
    noCache: parts.some((part) => part.inputs.noCache),
  }
}

/** As the inputs `cache-from` and `cache-to`, what the files say is passed on, and there is no layer cache beside it. */
function ownCaches(inputs: Inputs, targets: readonly BakeFileTarget[], files: readonly string[]): readonly Problem[] {
  const own = targets.filter(({ cacheFrom, cacheTo }) => cacheFrom.length + cacheTo.length > 0)
  if (own.length === 0 || inputs.cacheFrom.length + inputs.cacheTo.length > 0) return []
  const names = list(
    own.map(({ name }) => `\`${name}\``),
    NAMES,
  )
  return [
    {
      ...{ input: 'bake-files', file: files[0] },
      message: `The bake ${own.length === 1 ? 'target' : 'targets'} ${names} ${own.length === 1 ? 'has' : 'have'} \`cache-from\` or \`cache-to\`: these are passed on, and this step keeps no layers itself.`,
      mend: 'Remove them to use the layer cache of stage-build, which needs no configuration.',
    },
  ]
}

const NAMES = 8

/** Where a target's Dockerfile is. https://github.com/docker/buildx/blob/v0.29.1/bake/bake.go (toBuildOpt) */
function dockerfilePath({ context, dockerfile }: BakeFileTarget, workspace: string): string {
  const [, ofWorkspace] = /^cwd:\/\/(.*)$/s.exec(dockerfile) ?? []
  return ofWorkspace === undefined
    ? resolve(workspace, localPath(context), dockerfile)
    : resolve(workspace, ofWorkspace)
}

interface FoundDockerfile {
  /** Absolute. */
  readonly path: string
  /** Undefined where it cannot be read. */
  readonly text: string | undefined
}

/** Each target's Dockerfile: an inline one's path is of no meaning. */
async function dockerfilesOf(
  targets: readonly BakeFileTarget[],
  workspace: string,
): Promise<(target: BakeFileTarget) => FoundDockerfile> {
  const ofFiles = targets.filter(({ inline }) => inline === undefined)
  const paths = new Set(ofFiles.map((target) => dockerfilePath(target, workspace)))
  const found = new Map(await Promise.all([...paths].map(async (path) => [path, await findDockerfile(path)] as const)))
  return (target) => {
    const path = dockerfilePath(target, workspace)
    return target.inline === undefined ? (found.get(path) ?? { path, text: undefined }) : { path, text: target.inline }
  }
}

/** In lower case, too. https://github.com/moby/buildkit/blob/v0.25.2/frontend/dockerui/config.go (ReadEntrypoint) */
async function findDockerfile(path: string): Promise<FoundDockerfile> {
  const read = async (file: string): Promise<string | undefined> => await readFile(file, 'utf8').catch(() => undefined)
  const text = await read(path)
  if (text !== undefined || basename(path) !== 'Dockerfile') return { path, text }
  const lower = resolve(path, '../dockerfile')
  const other = await read(lower)
  return other === undefined ? { path, text } : { path: lower, text: other }
}

/** Where legs build a platform each, with what they are built for. */
type LaidTarget = BakeFileTarget | SplitTarget

interface Group extends FoundDockerfile {
  /** They differ in name, stage and tags alone. */
  readonly members: readonly [LaidTarget, ...LaidTarget[]]
}

function grouped(
  targets: readonly LaidTarget[],
  fileOf: (target: BakeFileTarget) => FoundDockerfile,
): readonly Group[] {
  const groups = new Map<string, Group>()
  for (const target of targets) {
    const { name, stage, tags, ...rest } = target
    const file = fileOf(target)
    // A FROM that depends on the target makes another graph of each.
    const own = file.text?.includes('TARGETSTAGE') === true ? [name, stage, tags.length] : []
    const key = JSON.stringify([rest, own])
    const known = groups.get(key)
    groups.set(key, { ...file, members: known === undefined ? [target] : [...known.members, target] })
  }
  return [...groups.values()]
}

async function openPart(
  members: Group['members'],
  {
    inputs,
    workspace,
    env,
    path,
    text,
    asked,
    placeOf,
  }: FoundDockerfile & {
    readonly inputs: Inputs
    readonly workspace: string
    readonly env: NodeJS.ProcessEnv
    readonly asked: readonly string[]
    readonly placeOf: (target: BakeFileTarget) => InlinePlace | undefined
  },
): Promise<{ readonly part: Part | undefined; readonly problems: readonly TargetProblem[] }> {
  const [target] = members
  const contextDir = resolve(workspace, localPath(target.context))
  const told = (problem: Problem): TargetProblem => ({
    ...problem,
    ...targetProblem(target.name, `: ${problem.message}`, problem.mend),
  })
  const inline = placeOf(target)
  const name = inline?.file ?? relative(workspace, path)
  const laid = laidOver(inputs, target, name)
  const isRemote = isAddress(target.context) && !target.context.startsWith('cwd://')
  const problems: Problem[] = []
  if (!isRemote && !(await isDirectory(contextDir))) {
    problems.push(missingContext({ context: target.context, inputs, workspace }))
  } else if (text === undefined && !isRemote) {
    const { context, dockerfile } = target
    problems.push(missingDockerfile({ context, dockerfile, contextDir, path, inputs, workspace }))
  }
  problems.push(...(await missingPaths(laid, workspace)))
  if (inputs.mode === 'build') problems.push(...unsetSecrets(target, env))
  // The sizes of bake files are buildx's to read.
  problems.push(...malformed({ ...laid, shmSize: undefined, ulimit: [] }))
  const links = target.contexts.flatMap(({ key, value }) =>
    value.startsWith('target:') ? [[key, value.slice('target:'.length)] as const] : [],
  )
  const part: Part | undefined =
    text === undefined
      ? undefined
      : {
          ...{ inputs: laid, contextDir, dockerfileText: text, dockerfileName: name, links: new Map(links) },
          ...('cells' in target ? { split: { written: target.written, cells: target.cells } } : {}),
          ...(inline === undefined
            ? { dockerfilePath: path }
            : { dockerfilePath: undefined, linesAbove: inline.above }),
          ...(inline?.heading === undefined ? {} : { heading: inline.heading }),
          wanted: members.map(({ name, stage, tags }) => {
            const place = asked.indexOf(name)
            return { name, stage, tags, place: place === -1 ? undefined : place }
          }),
        }
  return { part, problems: problems.map(told) }
}

function unsetSecrets({ secrets }: BakeFileTarget, env: NodeJS.ProcessEnv): readonly Problem[] {
  return secrets.flatMap((secret) =>
    secret.kind === 'env' && env[secret.env] === undefined
      ? [
          {
            message: `its secret \`${shown(secret.id)}\` is the variable \`${shown(secret.env)}\`, which is not set.`,
            mend: 'Set it in the step’s `env:`.',
          },
        ]
      : [],
  )
}
