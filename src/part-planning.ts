/** One Dockerfile of a plan: parsed and resolved, its targets chosen, and all that is wrong with it. Asks nobody. */
import { targetProblem, type TargetProblem } from './build/bake-targets.ts'
import type { DockerfileError, DockerfileWarning } from './dockerfile/dockerfile-error.ts'
import type { Dockerfile } from './dockerfile/instructions.ts'
import { parseDockerfile } from './dockerfile/parse.ts'
import { nearest, UserError, sentence, type Problem } from './errors.ts'
import { mergeGraphs } from './graph/merge.ts'
import { errorsFor } from './graph/reachability.ts'
import { resolveStageGraph, type Resolution } from './graph/resolve.ts'
import type { StageGraph } from './graph/stage-graph.ts'
import { findTarget } from './graph/targets.ts'
import type { ImageCatalog } from './image-catalog.ts'
import { nativeMachine } from './images/platform.ts'
import { distinct } from './json-fields.ts'
import type { MissingFiles } from './missing-files.ts'
import { chooseTargets, type RequestedTarget } from './plan/targets.ts'
import type { Part } from './project.ts'

/** A Dockerfile as far as it can be known without asking registries. */
export interface PartDraft {
  readonly part: Part
  readonly dockerfile: Dockerfile
  readonly platforms: readonly string[]
  /** Of each resolution, over and over, what it is for. */
  readonly cells: readonly BuildCell[]
  readonly resolve: Resolver
  readonly resolutions: readonly Resolution[]
  /** Of all platforms. */
  readonly graph: StageGraph
  /** Their stages by the places in this Dockerfile. */
  readonly targets: readonly RequestedTarget[]
  /** What is wrong with the names of targets. */
  readonly problems: readonly Problem[]
  /** What is wrong with the stages of bake's targets. */
  readonly targetProblems: readonly TargetProblem[]
}

export type Resolver = (options: {
  readonly targets: readonly (string | undefined)[]
  readonly triggersFor?: readonly string[]
  readonly images: ImageCatalog | undefined
  /** What a named context that is an image, perhaps another target's, sets; `platform` is that of the stage which is based on it. */
  readonly environmentOf?: (context: string, cell: BuildCell) => readonly string[] | undefined
  /** The triggers that such an image holds. */
  readonly triggersOf?: (context: string, cell: BuildCell) => readonly string[] | undefined
}) => readonly Resolution[]

/** @throws UserError with all that stands against having a graph */
export function draftPart(part: Part, hostPlatform: string): PartDraft {
  const { inputs, dockerfileName: file } = part
  const platforms = inputs.platforms.length > 0 ? inputs.platforms : [hostPlatform]
  const dockerfile = parseDockerfile(part.dockerfileText, part.linesAbove)
  const cells = cellsOf(part, platforms, hostPlatform)
  const resolve = resolverOf(dockerfile, part, cells)
  const resolutions = resolve({ targets: [undefined], images: undefined })
  const graph = graphOrThrow(resolutions, file)
  const chosen =
    part.wanted === undefined
      ? { ...chooseTargets(graph, inputs.targets, file), targetProblems: [] }
      : { ...wantedTargets(part, graph), problems: [] }
  return { part, dockerfile, platforms, cells, resolve, resolutions, graph, ...chosen }
}

/** The stages of bake's targets. */
function wantedTargets(
  { wanted = [], dockerfileName, dockerfilePath }: Part,
  graph: StageGraph,
): Pick<PartDraft, 'targets' | 'targetProblems'> {
  const targets: RequestedTarget[] = []
  const targetProblems: TargetProblem[] = []
  for (const { name, stage } of wanted) {
    const found = findTarget(graph, stage ?? '')
    if (found.kind === 'stage') {
      targets.push({ name, stage: found.stage, stageName: graph.stages[found.stage]?.name })
      continue
    }
    const names = graph.stages.flatMap((candidate) => candidate.name ?? [])
    const near = found.didYouMean ?? nearest(stage ?? '', names)
    const file = dockerfilePath === undefined ? 'its inline Dockerfile' : dockerfileName
    const said = `: its \`target\` is \`${stage ?? ''}\`, and ${file} has no stage of that name.`
    const mend = near === undefined ? 'Name one of its stages with `target`.' : `Did you mean \`${near}\`?`
    targetProblems.push(targetProblem(name, said, mend))
  }
  return { targets, targetProblems }
}

/** The same Dockerfile with what images and other targets are found to be. @throws UserError as `draftPart` */
export function resolvePart(
  draft: PartDraft,
  found: Pick<Parameters<Resolver>[0], 'images' | 'environmentOf' | 'triggersOf'>,
): Omit<PartDraft, 'problems' | 'targetProblems'> & { readonly dependsOnTarget: boolean } {
  // Triggers in base images may add edges, and a FROM may depend on the target: now both are known.
  const names = draft.targets.map((target) => target.stageName)
  const dependsOnTarget = draft.resolutions.some((resolution) => resolution.dependsOnTarget)
  const resolutions = draft.resolve({
    targets: dependsOnTarget ? names : [undefined],
    triggersFor: names.map((name) => name ?? ''),
    ...found,
  })
  return { ...draft, resolutions, graph: graphOrThrow(resolutions, draft.part.dockerfileName), dependsOnTarget }
}

/** What is wrong in the Dockerfile for these targets, and what they copy that is not there. */
export async function partProblems(
  { part, resolutions, graph, targets }: Pick<PartDraft, 'part' | 'resolutions' | 'graph' | 'targets'>,
  missingFiles: MissingFiles,
): Promise<{ readonly errors: readonly Problem[]; readonly warnings: readonly Problem[] }> {
  const stages = targets.map(({ stage }) => stage)
  const file = part.dockerfileName
  const missing = await missingFiles.problemsOf(part, { graph, stages })
  const errors = resolutions.flatMap(({ errors: all }) => errorsFor(all, graph, stages))
  return {
    errors: distinct([...errors.map((error) => problemOf(error, file)), ...missing.errors]),
    warnings: distinct([
      ...resolutions.flatMap(({ warnings }) => warnings.map((warning) => warningOf(warning, file))),
      ...missing.warnings,
    ]),
  }
}

/** What is built, and what it is built on. */
export interface BuildCell {
  readonly platform: string
  readonly machine: string
}

/** Legs that build a platform each run on a machine of it, or on one like that which plans: both are reckoned with. */
function cellsOf({ inputs, split }: Part, platforms: readonly string[], host: string): readonly BuildCell[] {
  const isPlan = inputs.mode === 'plan' && inputs.matrixBy === 'platform'
  const machinesOf = (leg: string): readonly string[] => (isPlan ? distinct([nativeMachine(leg), host]) : [host])
  const cells = split?.cells ?? platforms.map((platform) => ({ platform, leg: platform }))
  return distinct(cells.flatMap(({ platform, leg }) => machinesOf(leg).map((machine) => ({ platform, machine }))))
}

/** Resolves the same file once per platform, machine and target. */
function resolverOf(dockerfile: Dockerfile, { inputs }: Part, cells: readonly BuildCell[]): Resolver {
  const contexts = inputs.buildContexts.map((context) => context.key)
  return ({ targets, triggersFor, images, environmentOf, triggersOf }) =>
    targets.flatMap((target) =>
      cells.map(({ platform, machine }) =>
        resolveStageGraph(dockerfile, {
          buildArgs: inputs.buildArgs,
          target,
          platform,
          buildPlatform: machine,
          contexts,
          onBuildOf: (image, platform) => images?.triggersOf(image, platform),
          configOf: (image, platform) => images?.baseOf(image, platform)?.config,
          environmentOf: (context, of) => environmentOf?.(context, { platform: of, machine }),
          triggersOf: (context, of) => triggersOf?.(context, { platform: of, machine }),
          triggersFor,
        }),
      ),
    )
}

/** The one graph of all variants, or all that stands against having one. */
function graphOrThrow(resolutions: readonly Resolution[], file: string): StageGraph {
  const graphs = resolutions.flatMap(({ graph }) => graph ?? [])
  const [first, ...others] = graphs
  if (first === undefined || graphs.length < resolutions.length)
    throw refusal(
      resolutions.flatMap(({ errors }) => errors),
      resolutions,
      file,
    )
  const fatal = resolutions.flatMap(({ errors }) => errors.filter((error) => error.scope !== 'reachable-only'))
  if (fatal.length > 0) throw refusal(fatal, resolutions, file)
  return mergeGraphs([first, ...others])
}

/** Where warnings are what is wrong (`# check=error=true`), they are told, too. */
function refusal(errors: readonly DockerfileError[], resolutions: readonly Resolution[], file: string): UserError {
  const isLint = errors.some(({ scope }) => scope === 'lint')
  const warnings = resolutions.flatMap((resolution) => (isLint ? resolution.warnings : []))
  return new UserError(distinct(errors.map((error) => problemOf(error, file))), {
    warnings: distinct(warnings.map((warning) => warningOf(warning, file))),
  })
}

function problemOf(error: DockerfileError, file: string): Problem {
  // The annotation tells the line; BuildKit's words tell it again.
  const message = sentence(error.message.replace(/^dockerfile parse error on line \d+: /, ''))
  return { message, mend: error.mend, file, line: error.line ?? 1, endLine: error.endLine }
}

function warningOf({ rule, message, line, endLine }: DockerfileWarning, file: string): Problem {
  return { message: `${rule}: ${sentence(message)}`, file, line, endLine }
}
