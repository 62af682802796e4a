/** From the names in `targets` to stages: which targets are built, what they are called, and what is wrong with a name. */
import { nearest, type Problem } from '../errors.ts'
import { findTarget, defaultTargets } from '../graph/targets.ts'
import type { StageGraph } from '../graph/stage-graph.ts'

export interface RequestedTarget {
  /** What the user calls it, and every output and report. */
  readonly name: string
  readonly stage: number
  /** Undefined for an unnamed last stage, which is built without naming a target. */
  readonly stageName: string | undefined
}

/** What an unnamed last stage is called where a name is needed: BuildKit's own word for it (TARGETSTAGE). */
export const UNNAMED_TARGET = 'default'

export interface ChosenTargets {
  readonly targets: readonly RequestedTarget[]
  readonly problems: readonly Problem[]
}

/** The targets that `targets` asks for; undefined means the last stage. */
export function chooseTargets(
  graph: StageGraph,
  wanted: readonly string[] | 'all' | undefined,
  file: string,
): ChosenTargets {
  if (wanted === undefined) return { targets: [targetOf(graph, graph.defaultTarget)], problems: [] }
  return wanted === 'all' ? allTargets(graph, file) : namedTargets(graph, wanted, file)
}

function allTargets(graph: StageGraph, file: string): ChosenTargets {
  const targets: RequestedTarget[] = []
  const problems: Problem[] = []
  for (const index of defaultTargets(graph, 'all')) {
    const stage = graph.stages[index]
    if (stage === undefined) continue
    const last = index === graph.defaultTarget
    const reachable = stage.name === undefined ? last : findStage(graph, stage.name) === index
    if (reachable) {
      targets.push(targetOf(graph, index))
      continue
    }
    problems.push({
      input: 'targets',
      file,
      line: stage.line,
      message:
        stage.name === undefined
          ? `\`targets: all\`: stage ${index} has no name, so it cannot be built by itself.`
          : `\`targets: all\`: a later stage is called \`${stage.name}\`, too, so this one cannot be built by itself.`,
      mend:
        stage.name === undefined
          ? `Name it: \`FROM ${stage.fromText} AS NAME\`; or list the targets.`
          : 'Give the two stages different names; or list the targets.',
    })
  }
  return { targets, problems }
}

function namedTargets(graph: StageGraph, wanted: readonly string[], file: string): ChosenTargets {
  const targets: RequestedTarget[] = []
  const problems: Problem[] = []
  for (const name of wanted) {
    const found = findTarget(graph, name)
    const last = graph.stages[graph.defaultTarget]
    if (found.kind === 'stage') {
      // Two spellings of one stage are one target.
      if (!targets.some((target) => target.stage === found.stage)) {
        targets.push({ name, stage: found.stage, stageName: graph.stages[found.stage]?.name })
      }
    } else if (name === UNNAMED_TARGET && last?.name === undefined) {
      targets.push(targetOf(graph, graph.defaultTarget))
    } else {
      problems.push(missing({ graph, name, file, didYouMean: found.didYouMean }))
    }
  }
  return { targets, problems }
}

function missing(options: {
  readonly graph: StageGraph
  readonly name: string
  readonly file: string
  readonly didYouMean: string | undefined
}): Problem {
  const { graph, name, file } = options
  const names = [...new Set(graph.stages.flatMap((stage) => stage.name ?? []))]
  const near = options.didYouMean ?? nearest(name, names)
  const numbered = /^\d+$/.test(name) ? graph.stages[Number(name)] : undefined
  const mend =
    numbered !== undefined
      ? numbered.name === undefined
        ? `A target is named, not numbered: write \`FROM ${numbered.fromText} AS NAME\` on line ${numbered.line} and \`targets: NAME\`.`
        : `A target is named, not numbered: write \`targets: ${numbered.name}\`.`
      : near !== undefined
        ? `Did you mean \`${near}\`?`
        : names.length === 0
          ? 'No stage has a name: leave `targets` out to build the last one, or add `AS NAME` to a FROM.'
          : `Its stages are ${names
              .slice(0, 20)
              .map((n) => `\`${n}\``)
              .join(', ')}.`
  return { input: 'targets', message: `\`targets\`: ${file} has no stage \`${name}\`.`, mend }
}

function targetOf(graph: StageGraph, index: number): RequestedTarget {
  const stageName = graph.stages[index]?.name
  return { name: stageName ?? UNNAMED_TARGET, stage: index, stageName }
}

function findStage(graph: StageGraph, name: string): number | undefined {
  const found = findTarget(graph, name)
  return found.kind === 'stage' ? found.stage : undefined
}
