/**
 * From the names of targets to stages, by BuildKit's rules: in any letters, the last of several with one name, never by
 * number.
 */
import { DockerfileError } from '../dockerfile/dockerfile-error.ts'
import { goQuote } from '../dockerfile/go-text.ts'
import { mendFor } from '../dockerfile/mends.ts'
import { suggestion, withSuggestion } from '../dockerfile/suggest.ts'
import type { StageGraph } from './stage-graph.ts'

export type TargetLookup =
  | { readonly kind: 'stage'; readonly stage: number }
  | { readonly kind: 'missing'; readonly error: DockerfileError; readonly didYouMean: string | undefined }

/** The stage that a target names; an empty name is the last stage. */
export function findTarget(graph: StageGraph, name: string): TargetLookup {
  if (name === '') return { kind: 'stage', stage: graph.defaultTarget }
  const wanted = name.toLowerCase()
  const stage = graph.stages.findLast((candidate) => candidate.name === wanted)
  if (stage !== undefined) return { kind: 'stage', stage: stage.index }
  const names = graph.stages.flatMap((candidate) => candidate.name ?? [])
  const error = missingTarget(
    name,
    graph.stages.map((candidate) => candidate.name ?? `stage-${candidate.index}`),
  )
  return { kind: 'missing', error, didYouMean: suggestion(name, names) }
}

/** BuildKit's error for a target that is no stage's name. */
export function missingTarget(name: string, names: readonly string[]): DockerfileError {
  const text = `target stage ${goQuote(name)} could not be found`
  const message = withSuggestion(text, name, names, { caseSensitive: true })
  return new DockerfileError(message, { phase: 'target', scope: 'target', mend: mendFor(text, '') })
}

/**
 * The targets of `targets: all`: every stage that no other stage needs, and the last. In the order of the file.
 * @param mode only `all`; it stands there so that a call says what it asks for
 */
export function defaultTargets(graph: StageGraph, mode: 'all' | 'last'): readonly number[] {
  if (mode === 'last') return [graph.defaultTarget]
  const needed = new Set<number>()
  for (const { index, from, needs } of graph.stages) {
    for (const source of [from, ...needs.map((need) => need.source)]) {
      if (source.kind === 'stage' && source.stage !== index) needed.add(source.stage)
    }
  }
  return graph.stages.flatMap(({ index }) => (index === graph.defaultTarget || !needed.has(index) ? [index] : []))
}
