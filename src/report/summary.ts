import { layerCache } from './cache-section.ts'
import { code } from './markdown.ts'
import { missing } from './missing.ts'
import { whyBuilt } from './reasons-section.ts'
import { externalImages, failures, notes, stageGraph, tagsAndDigests, timeline } from './summary-sections.ts'
import type { SummaryData } from './summary-data.ts'
import { leftBehind, sideBySide, targetsTable, verdict } from './summary-targets.ts'
import { list } from './words.ts'

/** The job summary: which sections stand in which order, and what goes when there is no room for all of them. */

/**
 * GitHub refuses a step's summary above 1 MiB, whole. (docs: workflow-commands, "Step isolation and limits".) A little
 * stays free for what else the step writes.
 */
export const MAX_SUMMARY_BYTES = 1_000_000

interface Section {
  /** As the sentence about what was dropped calls it. */
  readonly name: string
  readonly markdown: string | undefined
  /** Dropped first where lowest; undefined: never dropped whole. */
  readonly drop?: number
  /** What to show instead of dropping it. */
  readonly shorter?: (() => string | undefined) | undefined
}

/**
 * The summary as Markdown, ending in a line break. Its first line is the verdict. Where it would exceed `maxBytes`
 * (UTF-8), sections go in this order, and a sentence says which: timeline, stage graph, external images, tags and
 * digests, the layer cache, sizes side by side, what was left behind, what is missing, warnings and notes; then all but the first reasons,
 * the failures' last lines and all but the first rows of the table are cut.
 */
export function renderSummary(data: SummaryData, maxBytes = MAX_SUMMARY_BYTES): string {
  let sections: readonly Section[] = [
    { name: 'verdict', markdown: verdict(data) },
    { name: 'identity', markdown: identity(data) },
    { name: 'the last lines of failing steps', markdown: failures(data), drop: 10, shorter: () => failures(data, 0) },
    { name: 'rows of the table', markdown: targetsTable(data), drop: 11, shorter: () => targetsTable(data, 10) },
    { name: 'the comparison of sizes', markdown: data.sizeReport?.trim(), drop: 8 },
    { name: 'why targets are built', markdown: whyBuilt(data), drop: 9, shorter: () => whyBuilt(data, 20) },
    { name: 'the sizes side by side', markdown: sideBySide(data), drop: 6 },
    { name: 'what multi-stage left behind', markdown: leftBehind(data), drop: 7 },
    { name: 'the layer cache', markdown: layerCache(data), drop: 5 },
    { name: 'what is missing', markdown: missing(data), drop: 7 },
    { name: 'warnings and notes', markdown: notes(data), drop: 8 },
    { name: 'the stage graph', markdown: stageGraph(data), drop: 2 },
    { name: 'the timeline', markdown: timeline(data), drop: 1 },
    { name: 'the external images', markdown: externalImages(data), drop: 3 },
    { name: 'tags and digests', markdown: tagsAndDigests(data), drop: 4 },
  ]
  const dropped: string[] = []
  let text = assemble(sections, dropped)
  while (Buffer.byteLength(text) > maxBytes) {
    const victim = nextToDrop(sections)
    // What is left is bounded: the verdict names five targets at most.
    if (victim === undefined) return `${[verdict(data), leftOut(['everything else'])].join('\n\n')}\n`
    dropped.push(victim.name)
    sections = sections.map((section) =>
      section === victim ? { name: section.name, markdown: section.shorter?.() } : section,
    )
    text = assemble(sections, dropped)
  }
  return text
}

function nextToDrop(sections: readonly Section[]): Section | undefined {
  return sections
    .filter((section) => section.drop !== undefined && section.markdown !== undefined)
    .sort((a, b) => (a.drop ?? 0) - (b.drop ?? 0))[0]
}

function assemble(sections: readonly Section[], dropped: readonly string[]): string {
  const texts = sections.map((section) => section.markdown).filter((markdown) => markdown !== undefined)
  return `${[...texts, ...(dropped.length === 0 ? [] : [leftOut(dropped)])].join('\n\n')}\n`
}

function leftOut(names: readonly string[]): string {
  return `<sub>Left out, since GitHub takes 1 MiB of summary per step: ${list(names)}.</sub>`
}

function identity(data: SummaryData): string {
  const title = data.title === '' || data.title === data.file ? '' : `${code(data.title, 80)} · `
  return `${title}file ${code(data.file, 200)} · context ${code(data.context, 200)}`
}
