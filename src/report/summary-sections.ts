import type { Problem } from '../errors.ts'
import { formatBytes } from '../measure/format.ts'
import { flowchart } from './flowchart.ts'
import { gantt } from './gantt.ts'
import { code, codeBlock, details, prose, table } from './markdown.ts'
import { mermaidBlock } from './mermaid-text.ts'
import { type Failure, type SummaryData, stageName } from './summary-data.ts'
import { count, formatDuration, list } from './words.ts'

/** The summary's sections about everything but sizes: failures, warnings and notes, graph, timeline, images, tags. */

const MAX_ITEMS = 50

export function failures(data: SummaryData, maxLines = 30): string | undefined {
  if (data.failures.length === 0) return undefined
  const shown = data.failures.slice(0, MAX_ITEMS).map((failure) => failureBlock(failure, maxLines))
  return [...shown, ...moreItems(data.failures.length, 'problem')].join('\n\n')
}

function failureBlock(failure: Failure, maxLines: number): string {
  const target = failure.target === undefined ? '' : `${code(failure.target, 60)}: `
  const line = `❌ ${target}${problemLine(failure.problem)}`
  if (failure.lastLines.length === 0 || maxLines === 0) return line
  return `${line}\n\n${codeBlock(failure.lastLines, { maxLines, maxLineLength: 500 })}`
}

/** Warnings, then notes. */
export function notes(data: SummaryData): string | undefined {
  const items = [
    ...data.warnings.slice(0, MAX_ITEMS).map((problem) => `⚠️ ${problemLine(problem)}`),
    ...moreItems(data.warnings.length, 'warning'),
    ...data.notes.slice(0, MAX_ITEMS).map((note) => prose(note)),
    ...moreItems(data.notes.length, 'note'),
  ]
  return items.length === 0 ? undefined : `#### Notes\n\n${items.map((item) => `- ${item}`).join('\n')}`
}

function moreItems(length: number, word: string): readonly string[] {
  return length > MAX_ITEMS ? [`${count(length - MAX_ITEMS, `more ${word}`)} in the step's log.`] : []
}

function problemLine(problem: Problem): string {
  const lines = problem.line === undefined ? '' : `:${problem.line}`
  const place = problem.file === undefined ? '' : `${code(problem.file + lines, 120)} `
  return `${place}${prose(problem.message)}${problem.mend === undefined ? '' : ` ${prose(problem.mend)}`}`
}

/** The stage graph as a picture, with what it doesn't show in words. Undefined without a graph or a target in it. */
export function stageGraph(data: SummaryData): string | undefined {
  if (data.graph === undefined) return undefined
  const requested = data.targets.map((target) => target.stage).filter((stage) => stage !== undefined)
  if (requested.length === 0) return undefined
  const failed = data.targets.filter((target) => target.status === 'failed').map((target) => target.stage)
  const chart = flowchart({
    graph: data.graph,
    requested,
    failed: failed.filter((stage) => stage !== undefined),
    shared: data.sharedStages,
    captions: captions(data),
    names: targetNames(data),
  })
  const needed = data.graph.stages.length - chart.unneeded.length
  const legend = [
    'blue: targets',
    ...(failed.length === 0 ? [] : ['red: failed']),
    ...(chart.hasShared ? ['gold edge: shared by several targets'] : []),
    ...(chart.hasExternal ? ['cylinder: external image'] : []),
    ...(chart.hasContext ? ['slanted: named context'] : []),
  ].join(' · ')
  const { stages } = data.graph
  const unneeded = chart.unneeded.map((index) => code(stageName(stages[index] ?? { name: undefined, index }, 60), 60))
  const sentences = [
    ...(unneeded.length === 0
      ? []
      : [`Left out, since no target needs ${unneeded.length === 1 ? 'it' : 'them'}: ${list(unneeded, 20)}.`]),
    ...(chart.collapsed === 0 ? [] : [`${chart.collapsed} stages and images are drawn as one.`]),
    ...(chart.edgesLeftOut === 0 ? [] : [`${count(chart.edgesLeftOut, 'edge')} left out.`]),
  ]
  return [
    `#### Stage graph`,
    mermaidBlock(chart.source),
    `<sub>${count(needed, 'stage')} · ${legend}</sub>${sentences.length === 0 ? '' : `<br><sub>${sentences.join(' ')}</sub>`}`,
  ].join('\n\n')
}

/** Each target's size, to stand in its node. */
function captions(data: SummaryData): ReadonlyMap<number, string> {
  return new Map(
    data.targets.flatMap((target) => {
      const size = target.platforms[0]?.transfer.total
      return target.stage === undefined || size === undefined || target.platforms.length > 1
        ? []
        : [[target.stage, formatBytes(size)] as const]
    }),
  )
}

/** Of several Dockerfiles, stages of one name are many, and targets are told by their own. */
function targetNames({ graph, targets }: SummaryData): ReadonlyMap<number, string> {
  const named = targets.flatMap(({ name, stage }) =>
    stage === undefined || graph?.stages[stage]?.file === undefined ? [] : [[stage, name] as const],
  )
  const byStage = Map.groupBy(named, ([stage]) => stage)
  return new Map([...byStage].map(([stage, all]) => [stage, all.map(([, name]) => name).join(', ')]))
}

/** The build's steps over time. Undefined where nothing took time. */
export function timeline(data: SummaryData): string | undefined {
  const chart = gantt(data.timeline)
  if (chart === undefined) return undefined
  const sentences = [
    `Each bar is a step${chart.hasCached ? '; ✓: cached' : ''}.`,
    ...(chart.leftOut === 0
      ? []
      : [`${count(chart.leftOut, 'shorter step')} took ${formatDuration(chart.leftOutMs)} together.`]),
  ]
  return ['#### Timeline', mermaidBlock(chart.source), `<sub>${sentences.join(' ')}</sub>`].join('\n\n')
}

/** External images, what stands in for them, and the digests that were built on. */
export function externalImages(data: SummaryData): string | undefined {
  if (data.externalImages.length === 0) return undefined
  const shown = data.externalImages.slice(0, 2 * MAX_ITEMS)
  const rows = shown.map(({ image, mapped, digest, before }) => [
    code(image, 120) + (mapped === undefined ? '' : `<br>taken from ${code(mapped, 120)}`),
    (digest === undefined ? 'could not be resolved' : code(digest, 80)) +
      (before === undefined ? '' : `<br>moved: was ${code(before, 80)}`),
  ])
  const more = data.externalImages.length - shown.length
  const body =
    table([{ title: 'Image' }, { title: 'Digest' }], rows) + (more === 0 ? '' : `\n\n${more} more are left out.`)
  const moved = data.externalImages.filter(({ before }) => before !== undefined).length
  const title = count(data.externalImages.length, 'external image')
  return details(moved === 0 ? title : `${title}, ${moved} moved`, body)
}

/** Every tag and digest in full, to copy. Undefined where there are none. */
export function tagsAndDigests(data: SummaryData): string | undefined {
  const rows = data.targets.flatMap((target) => {
    const digest = target.digest === undefined ? '' : code(target.digest, 80)
    if (target.tags.length === 0) return digest === '' ? [] : [[code(target.name, 60), '–', digest]]
    return target.tags.slice(0, MAX_ITEMS).map((tag) => [code(target.name, 60), code(tag, 300), digest])
  })
  if (rows.length === 0) return undefined
  const shown = rows.slice(0, 4 * MAX_ITEMS)
  const more = rows.length - shown.length
  const body =
    table([{ title: 'Target' }, { title: 'Tag' }, { title: 'Digest' }], shown) +
    (more === 0 ? '' : `\n\n${more} more are left out.`)
  return details('Tags and digests', body)
}
