/**
 * Which targets of bake and compose files are built for themselves: those that are asked for, each image once, and without
 * those that `targets: all` does not mean.
 */
import { resolve } from 'node:path'
import { textsOf, type BakeFileText } from './bake-places.ts'
import { askedTargets, isNamed } from './bake-tags.ts'
import type { BakeFileTarget, BakeFileTargets } from './build/bake-targets.ts'
import type { Inputs } from './inputs.ts'
import { isFile } from './local-paths.ts'
import { list } from './report/words.ts'

type Targets = Pick<BakeFileTargets, 'targets' | 'asked'>

/**
 * What is asked for, of what buildx printed.
 * @param grouped where all targets are: those that a group names
 */
export async function targetsAsked(
  read: Targets,
  {
    inputs,
    workspace,
    grouped,
  }: { readonly inputs: Inputs; readonly workspace: string; readonly grouped: ReadonlySet<string> | undefined },
): Promise<DistinctTargets> {
  if (grouped === undefined) return withoutCopies(read, inputs)
  const [files, hasDockerfile] = await Promise.all([
    textsOf(inputs.bakeFiles, workspace),
    isFile(resolve(workspace, 'Dockerfile')),
  ])
  const helpers = helpersAmong(read, { files, grouped, hasDockerfile })
  const { notes, ...distinct } = withoutCopies(without(helpers, read), inputs)
  const left =
    helpers.size === 0
      ? []
      : [`not built, as others only inherit ${helpers.size === 1 ? 'it' : 'them'}: ${list([...helpers], NAMES)}`]
  return { ...distinct, notes: [...left, ...notes] }
}

export interface DistinctTargets extends Targets {
  /** What is built once for several, for the log. */
  readonly notes: readonly string[]
}

/**
 * Services of a compose file that run one image in several ways repeat how it is built (`web` and `worker` with one `image`).
 * Of targets that are the same in everything, tags included, the first one is built and stands for the others. Those that
 * the input `tags` names have tags of their own.
 */
export function withoutCopies({ targets, asked }: Targets, inputs: Inputs): DistinctTargets {
  const own = askedTargets({ targets, asked }).filter(({ name, tags }) => tags.length > 0 && !isNamed(name, inputs))
  const alike = [...Map.groupBy(own, (target) => JSON.stringify({ ...target, name: '' })).values()]
  const notes = alike.flatMap(([first, ...others]) =>
    first === undefined || others.length === 0 ? [] : [builtOnce(first, others)],
  )
  const copies = new Set(alike.flatMap(([, ...others]) => others.map(({ name }) => name)))
  return { ...without(copies, { targets, asked }), notes }
}

/** The others; those of them that a context names stay, to be built for that. */
function without(names: ReadonlySet<string>, { targets, asked }: Targets): Targets {
  const linked = new Set(targets.flatMap(({ contexts }) => contexts.map(({ value }) => value)))
  return {
    targets: targets.filter(({ name }) => !names.has(name) || linked.has(`target:${name}`)),
    asked: asked.filter((name) => !names.has(name)),
  }
}

function builtOnce({ name, tags }: BakeFileTarget, others: readonly BakeFileTarget[]): string {
  const names = list(
    others.map((other) => other.name),
    NAMES,
  )
  return `${names} ${others.length === 1 ? 'is' : 'are'} ${name} once more, with the same ${tags.length === 1 ? 'tag' : 'tags'}: built once, as ${name}`
}

/** So many targets are named. */
const NAMES = 6

/** What docker/metadata-action defines, with whatever is behind it. https://github.com/docker/metadata-action#bake-definition */
const OF_METADATA_ACTION = /^docker-metadata-action/

interface HelperFacts {
  readonly files: readonly BakeFileText[]
  /** Targets that a group names. */
  readonly grouped: ReadonlySet<string>
  /** Whether the root of the checkout has a Dockerfile, which is what a target builds that says nothing. */
  readonly hasDockerfile: boolean
}

/** The names of targets that others inherit and that say of themselves nothing that could be built. */
function helpersAmong(
  { targets, asked }: Targets,
  { files, grouped, hasDockerfile }: HelperFacts,
): ReadonlySet<string> {
  const inherited = new Set(files.flatMap(({ text }) => inheritedIn(text)))
  const isHelper = (target: BakeFileTarget): boolean =>
    inherited.has(target.name) &&
    !grouped.has(target.name) &&
    saysNothing(target) &&
    (!hasDockerfile || hasNoOwnTag(target, targets) || OF_METADATA_ACTION.test(target.name))
  const helpers = targets.filter((target) => asked.includes(target.name) && isHelper(target))
  // Where nothing is left, it was not said so.
  return new Set(helpers.length === asked.length ? [] : helpers.map(({ name }) => name))
}

/** What inherits it has its tags, too, unless it says others: both could not be built. */
function hasNoOwnTag({ name, tags }: BakeFileTarget, targets: readonly BakeFileTarget[]): boolean {
  const others = new Set(targets.flatMap((other) => (other.name === name ? [] : other.tags)))
  return tags.every((tag) => others.has(tag))
}

/** `inherits = ["a", "b"]`, in HCL and in JSON; what an expression makes is not seen. */
function inheritedIn(text: string): readonly string[] {
  return [...text.matchAll(/\binherits"?\s*[=:]\s*\[([^\]]*)\]/g)].flatMap(([, names = '']) =>
    [...names.matchAll(/"([\w-]+)"/g)].flatMap(([, name]) => name ?? []),
  )
}

function saysNothing({ context, dockerfile, inline, stage, contexts, outputs }: BakeFileTarget): boolean {
  const isPlain = context === '.' && dockerfile === 'Dockerfile' && inline === undefined && stage === undefined
  return isPlain && contexts.length === 0 && outputs.length === 0
}
