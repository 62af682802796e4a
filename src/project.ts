/** What is to be built, on disk: the workspace, the build context and the Dockerfile, found and checked. */
import { readFile, readdir } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import type { InlineHeading } from './bake-places.ts'
import { errorCode, nearest, throwIfAny, type Problem } from './errors.ts'
import { readHead } from './git.ts'
import { readEvent } from './github-event.ts'
import { shown } from './input-lists.ts'
import type { Inputs } from './inputs.ts'
import type { LegCell } from './link-platforms.ts'
import { missingPaths, isDirectory } from './local-paths.ts'

export interface Project {
  readonly workspace: string
  /** The Dockerfile relative to the workspace, or the bake files, as reports name what is built. */
  readonly dockerfileName: string
  /** What the project's targets are called across runs. */
  readonly id: string
  /** Of all targets that there are in bake files; undefined of a plain Dockerfile, and where a plan does not need them. */
  readonly names?: readonly string[]
  /** The step's inputs, and all that bake files say of any target. */
  readonly inputs: Inputs
  /** What is worth knowing of bake files. */
  readonly warnings?: readonly Problem[]
  /** The same for the log alone. */
  readonly notes?: readonly string[]
  /** One of a plain Dockerfile. */
  readonly parts: readonly [Part, ...Part[]]
}

/** A Dockerfile, with what its targets are built with. */
export interface Part {
  /** The step's, and what bake files say of these targets. */
  readonly inputs: Inputs
  /** Absolute. */
  readonly contextDir: string
  /** Undefined: it is written in a bake file. */
  readonly dockerfilePath: string | undefined
  readonly dockerfileText: string
  /** How many lines of the file stand above it, where it is written in a bake file. */
  readonly linesAbove?: number
  /** Where its target begins, where it has no lines in that file. */
  readonly heading?: InlineHeading
  /** Relative to the workspace, as annotations and reports name it. */
  readonly dockerfileName: string
  /** The targets that bake files make of it; undefined: those that `targets` names by their stages. */
  readonly wanted: readonly WantedTarget[] | undefined
  /** Keys of named contexts that stand for targets of bake files, and these targets' names. */
  readonly links: ReadonlyMap<string, string>
  /** Of bake files, where legs build a platform each; its `inputs` name the platforms that are asked for. */
  readonly split?: {
    /** What the files say. */
    readonly written: readonly string[]
    /** All that its targets are built for, also for others that use them. */
    readonly cells: readonly LegCell[]
  }
}

/** What a named context of a Dockerfile stands for; '' where there is none of that name. */
export function contextValue({ inputs }: Pick<Part, 'inputs'>, context: string): string {
  return inputs.buildContexts.find(({ key }) => key === context)?.value ?? ''
}

/** A target of a bake file. */
export interface WantedTarget {
  readonly name: string
  /** Undefined: the last one. */
  readonly stage: string | undefined
  /** Among those that are asked for; undefined: it is only built for others that use it. */
  readonly place: number | undefined
  /** What the bake files say. */
  readonly tags: readonly string[]
}

/**
 * Finds the build context and the Dockerfile.
 * @throws UserError when either is missing, or when a pull request's head must not be built here.
 */
export async function openProject(inputs: Inputs, env: NodeJS.ProcessEnv): Promise<Project> {
  const workspace = resolve(env['GITHUB_WORKSPACE'] ?? '.')
  const contextDir = resolve(workspace, inputs.context)
  const problems: Problem[] = []
  const checkedOut = (await names(workspace)).some((name) => name !== '.git')
  if (!(await isDirectory(contextDir))) {
    problems.push({
      input: 'context',
      message: `\`context\`: the directory \`${shown(inputs.context)}\` does not exist in ${workspace}.`,
      mend: checkedOut
        ? 'Give a directory of the checkout, relative to its root.'
        : 'Add `actions/checkout` before this step.',
    })
  }
  const dockerfilePath = await findDockerfile(inputs, workspace, contextDir)
  const dockerfileName = relative(workspace, dockerfilePath)
  let dockerfileText = ''
  if (problems.length === 0) {
    try {
      dockerfileText = await readFile(dockerfilePath, 'utf8')
    } catch (error) {
      problems.push(await missingDockerfile({ inputs, path: dockerfilePath, name: dockerfileName, checkedOut, error }))
    }
  }
  if (checkedOut) problems.push(...(await missingPaths(inputs, workspace)))
  const refused = await refusedHead(contextDir, env)
  if (refused !== undefined) problems.push(refused)
  throwIfAny(problems)
  const context = relative(workspace, contextDir)
  const beside = context === '' || context === dirname(dockerfileName)
  const part = {
    inputs,
    contextDir,
    dockerfilePath,
    dockerfileText,
    dockerfileName,
    wanted: undefined,
    links: NO_LINKS,
  }
  return {
    ...{ workspace, dockerfileName, inputs, parts: [part] },
    id: inputs.id ?? (beside ? dockerfileName : `${dockerfileName}@${context}`),
  }
}

const NO_LINKS: ReadonlyMap<string, string> = new Map()

/** `file`, or the context's `Dockerfile`, or `dockerfile` where only that is there (as BuildKit does). */
async function findDockerfile(inputs: Inputs, workspace: string, contextDir: string): Promise<string> {
  if (inputs.file !== undefined) return resolve(workspace, inputs.file)
  const found = await names(contextDir)
  return join(contextDir, !found.includes('Dockerfile') && found.includes('dockerfile') ? 'dockerfile' : 'Dockerfile')
}

async function missingDockerfile(options: {
  readonly inputs: Inputs
  readonly path: string
  readonly name: string
  readonly checkedOut: boolean
  readonly error: unknown
}): Promise<Problem> {
  const { inputs, path, name, checkedOut } = options
  const input = inputs.file === undefined ? 'context' : 'file'
  if (!checkedOut) {
    return {
      input,
      message: `There is no \`${shown(name)}\`: nothing is checked out.`,
      mend: 'Add `actions/checkout` before this step.',
    }
  }
  const code = errorCode(options.error)
  if (code !== 'ENOENT' && code !== 'ENOTDIR') {
    return {
      input,
      message:
        code === 'EISDIR'
          ? `\`${shown(name)}\` is a directory, not a Dockerfile.`
          : `\`${shown(name)}\` cannot be read (${code ?? 'unknown error'}).`,
      mend: 'Name a readable Dockerfile with `file`, relative to the root of the checkout.',
    }
  }
  const siblings = (await names(dirname(path))).filter((sibling) => /dockerfile/i.test(sibling))
  const near = nearest(basename(path), siblings) ?? (siblings.length === 1 ? siblings[0] : undefined)
  const others = siblings.slice(0, 5).map((sibling) => `\`${shown(sibling)}\``)
  return {
    input,
    message: `There is no \`${shown(name)}\`.`,
    mend:
      near !== undefined
        ? `Did you mean \`file: ${shown(join(dirname(name), near))}\`?`
        : others.length > 0
          ? `Beside it are ${others.join(', ')}: name one with \`file\`.`
          : 'Name the Dockerfile with `file`, relative to the root of the checkout.',
  }
}

/**
 * Under `pull_request_target` the job holds the base repository's secrets, and building a Dockerfile runs its code:
 * a pull request's head is not built there.
 * https://docs.github.com/en/actions/reference/security/securely-using-pull_request_target
 */
export async function refusedHead(contextDir: string, env: NodeJS.ProcessEnv): Promise<Problem | undefined> {
  if (env['GITHUB_EVENT_NAME'] !== 'pull_request_target') return undefined
  const head = await readHead(contextDir)
  // An unreadable event is an unknown head: refused.
  const { headSha: pullHead } = await readEvent(env)
  const own = head !== undefined && head.commit === env['GITHUB_SHA']
  if (own || (head !== undefined && pullHead !== undefined && !isOf(head, pullHead))) return undefined
  return {
    message:
      'This job runs on `pull_request_target` and has a pull request’s head checked out: building it would run foreign code beside this repository’s secrets.',
    mend: 'Build on `pull_request` instead; where a fork’s run needs a comment, let a `workflow_run` workflow write it.',
  }
}

function isOf(head: { readonly commit: string; readonly parents: readonly string[] }, pullHead: string): boolean {
  return head.commit === pullHead || head.parents.includes(pullHead)
}

async function names(directory: string): Promise<readonly string[]> {
  try {
    return (await readdir(directory)).sort()
  } catch {
    return []
  }
}
