/**
 * What bake and compose files describe, as Dockerfiles with their targets: buildx resolves the files, and what the step's
 * inputs say is laid over it.
 */
import { readFile, stat } from 'node:fs/promises'
import { isAbsolute, relative, resolve } from 'node:path'
import { nothingToBuild, printBakeFiles } from './build/bake-print.ts'
import { readBakeTargets, type BakeFileTarget } from './build/bake-targets.ts'
import type { Docker } from './build/buildx.ts'
import { isAddress } from './build/definition.ts'
import { throwIfAny, UserError, type Problem } from './errors.ts'
import { malformed } from './input-forms.ts'
import { shown } from './input-lists.ts'
import { sharedOutputs } from './input-rules.ts'
import type { Inputs } from './inputs.ts'
import { distinct } from './json-fields.ts'
import { isDirectory, missingPaths } from './local-paths.ts'
import { refusedHead, type Part, type Project } from './project.ts'

/**
 * Reads the bake files and finds what they name.
 * @throws UserError with all that is wrong
 */
export async function openBakeProject(inputs: Inputs, env: NodeJS.ProcessEnv, docker: Docker): Promise<Project> {
  const workspace = resolve(env['GITHUB_WORKSPACE'] ?? '.')
  const { bakeFiles: files } = inputs
  const missing = await missingFiles(files, workspace)
  // The files are a pull request's, too: nothing of it is read where it must not be built.
  const refused = await refusedHead(workspace, env)
  throwIfAny(distinct([...missing, ...(refused === undefined ? [] : [refused])]))
  const question = { files, targets: inputs.targets, forPlan: inputs.mode === 'plan' }
  const { definition, names } = await printBakeFiles(docker, question)
  const { targets, asked, refused: unkept } = readBakeTargets(definition, { files, env })
  if (asked.length === 0) throw new UserError(nothingToBuild(files))
  const kept = targets.filter(({ name }) => !unkept.has(name))
  const of = { inputs, workspace, files, env }
  const parts = await Promise.all(
    grouped(kept, await dockerfileTexts(kept, workspace)).map(
      async ({ members, text }) => await openPart(members, { ...of, text, asked }),
    ),
  )
  const [first, ...others] = parts.flatMap(({ part }) => part ?? [])
  throwIfAny(
    distinct([
      ...[...unkept.values()].flat(),
      ...parts.flatMap((part) => part.problems),
      ...sharedOutputs(inputs, asked.length > 1),
    ]),
  )
  if (first === undefined) throw new UserError(nothingToBuild(files))
  const name = files.join(' + ')
  return {
    ...{ workspace, dockerfileName: name, id: inputs.id ?? name, names },
    inputs: together(inputs, [first, ...others]),
    warnings: ownCaches(inputs, kept, files),
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
  const names = own.slice(0, NAMES).map(({ name }) => `\`${name}\``)
  const more = own.length > NAMES ? ` and ${own.length - NAMES} more` : ''
  return [
    {
      ...{ input: 'bake-files', file: files[0] },
      message: `The bake ${own.length === 1 ? 'target' : 'targets'} ${names.join(', ')}${more} ${own.length === 1 ? 'has' : 'have'} \`cache-from\` or \`cache-to\`: these are passed on, and this step keeps no layers itself.`,
      mend: 'Remove them to use the layer cache of stage-build, which needs no configuration.',
    },
  ]
}

const NAMES = 8

async function missingFiles(files: readonly string[], workspace: string): Promise<readonly Problem[]> {
  const found = await Promise.all(files.map(async (file) => await kindOf(resolve(workspace, file))))
  return files.flatMap((file, index) => {
    const outside = isAbsolute(file) || relative(workspace, resolve(workspace, file)).startsWith('..')
    if (found[index] === 'file' && !outside) return []
    const what = outside ? 'is not in the workspace' : found[index] === 'directory' ? 'is a directory' : 'is not there'
    return [
      {
        input: 'bake-files',
        message: `\`bake-files\`: \`${shown(file)}\` ${what}.`,
        mend: 'Give bake or compose files by their paths from the root of the checkout, and add `actions/checkout` before this step.',
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

/** Where a target's Dockerfile is. https://github.com/docker/buildx/blob/v0.29.1/bake/bake.go (toBuildOpt) */
function dockerfilePath({ context, dockerfile }: BakeFileTarget, workspace: string): string {
  const [, ofWorkspace] = /^cwd:\/\/(.*)$/s.exec(dockerfile) ?? []
  return ofWorkspace === undefined
    ? resolve(workspace, localPath(context), dockerfile)
    : resolve(workspace, ofWorkspace)
}

function localPath(path: string): string {
  return path.replace(/^cwd:\/\//, '')
}

/** Each Dockerfile's text, or why there is none, by path. */
async function dockerfileTexts(
  targets: readonly BakeFileTarget[],
  workspace: string,
): Promise<(target: BakeFileTarget) => string | undefined> {
  const paths = new Set(targets.map((target) => dockerfilePath(target, workspace)))
  const texts = new Map(
    await Promise.all(
      [...paths].map(async (path) => [path, await readFile(path, 'utf8').catch(() => undefined)] as const),
    ),
  )
  return (target) => texts.get(dockerfilePath(target, workspace))
}

interface Group {
  /** They differ in name, stage and tags alone. */
  readonly members: readonly [BakeFileTarget, ...BakeFileTarget[]]
  readonly text: string | undefined
}

function grouped(
  targets: readonly BakeFileTarget[],
  textOf: (target: BakeFileTarget) => string | undefined,
): readonly Group[] {
  const groups = new Map<string, Group>()
  for (const target of targets) {
    const { name, stage, tags, ...rest } = target
    const text = textOf(target)
    // A FROM that depends on the target makes another graph of each.
    const own = text?.includes('TARGETSTAGE') === true ? [name, stage, tags.length] : []
    const key = JSON.stringify([rest, own])
    const known = groups.get(key)
    groups.set(key, { text, members: known === undefined ? [target] : [...known.members, target] })
  }
  return [...groups.values()]
}

async function openPart(
  members: Group['members'],
  {
    inputs,
    workspace,
    files,
    env,
    text,
    asked,
  }: {
    readonly inputs: Inputs
    readonly workspace: string
    readonly files: readonly string[]
    readonly env: NodeJS.ProcessEnv
    readonly text: string | undefined
    readonly asked: readonly string[]
  },
): Promise<{ readonly part: Part | undefined; readonly problems: readonly Problem[] }> {
  const [target] = members
  const path = dockerfilePath(target, workspace)
  const contextDir = resolve(workspace, localPath(target.context))
  const told = (problem: Problem): Problem => ({
    ...{ ...problem, input: 'bake-files', file: files[0] },
    message: `The bake target \`${target.name}\`: ${problem.message}`,
  })
  const laid = laidOver(inputs, target, relative(workspace, path))
  const isRemote = isAddress(target.context) && !target.context.startsWith('cwd://')
  const problems: Problem[] = []
  if (!isRemote && !(await isDirectory(contextDir))) {
    problems.push({
      message: `the context \`${shown(target.context)}\` is no directory of the checkout.`,
      mend: 'Give `context` from the root of the checkout, where bake is run.',
    })
  } else if (text === undefined && !isRemote) {
    problems.push({
      message: `there is no Dockerfile \`${shown(relative(workspace, path))}\`.`,
      mend: 'Give `dockerfile` relative to `context`.',
    })
  }
  if (inputs.mode === 'build') problems.push(...(await missingPaths(laid, workspace)), ...unsetSecrets(target, env))
  // The sizes of bake files are buildx's to read.
  problems.push(...malformed({ ...laid, shmSize: undefined, ulimit: [] }))
  const links = target.contexts.flatMap(({ key, value }) =>
    value.startsWith('target:') ? [[key, value.slice('target:'.length)] as const] : [],
  )
  const part: Part | undefined =
    text === undefined
      ? undefined
      : {
          ...{ inputs: laid, contextDir, dockerfilePath: path, dockerfileText: text },
          ...{ dockerfileName: relative(workspace, path), links: new Map(links) },
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

/** What the files say of a target, with the step's inputs over it. */
function laidOver(inputs: Inputs, target: BakeFileTarget, file: string): Inputs {
  const own = <T>(given: readonly T[], written: readonly T[]): readonly T[] => (given.length > 0 ? given : written)
  const ids = new Set(inputs.secrets.map(({ id }) => id))
  const said = new Set([
    ...inputs.attests.map(typeOf),
    ...(inputs.provenance === undefined ? [] : ['provenance']),
    ...(inputs.sbom === undefined ? [] : ['sbom']),
  ])
  return {
    ...inputs,
    ...{ context: target.context, file, pull: inputs.pull || target.pull, noCache: inputs.noCache || target.noCache },
    buildContexts: target.contexts.map(({ key, value }) => ({ key, value: localPath(value) })),
    buildArgs: { ...target.args, ...inputs.buildArgs },
    platforms: own(inputs.platforms, target.platforms),
    labels: [...target.labels, ...inputs.labels],
    annotations: [...target.annotations, ...inputs.annotations],
    secrets: [...target.secrets.filter(({ id }) => !ids.has(id)), ...inputs.secrets],
    ssh: [...new Set([...target.ssh, ...inputs.ssh])],
    outputs: own(inputs.outputs, outputsOf(target, inputs)),
    cacheFrom: own(inputs.cacheFrom, target.cacheFrom),
    cacheTo: own(inputs.cacheTo, target.cacheTo),
    attests: [...target.attests.filter((line) => !said.has(typeOf(line))), ...inputs.attests],
    noCacheFilters: own(inputs.noCacheFilters, target.noCacheFilters),
    network: inputs.network ?? target.network,
    addHosts: [...target.addHosts, ...inputs.addHosts],
    shmSize: inputs.shmSize ?? target.shmSize,
    ulimit: own(inputs.ulimit, target.ulimits),
    allow: [...new Set([...target.entitlements, ...inputs.allow])],
  }
}

function typeOf(attest: string): string {
  return /(?:^|,)"?type=([^,"]*)/.exec(attest)?.[1] ?? ''
}

/** Without those that say only what `push` and `load` say, too: they would keep an unchanged target from being skipped. */
function outputsOf({ outputs }: BakeFileTarget, { push, load }: Inputs): readonly string[] {
  const isTold = (line: string): boolean =>
    line === 'type=cacheonly' ||
    (push && /^type=(?:registry|image)(?:,push=true)?$/.test(line)) ||
    (load && line === 'type=docker')
  return outputs.filter((line) => !isTold(line))
}
