/** The job summary of `mode: plan`: which targets are to be built and why, their stages, the stage graph. */
import { ownPlatforms, type Plan, type PlanStage, type PlanTarget } from '../plan/plan.ts'
import { code, table } from './markdown.ts'
import { whyCell } from './reasons-section.ts'
import { stageName, type SummaryData } from './summary-data.ts'
import { externalImages, notes, stageGraph } from './summary-sections.ts'
import { count } from './words.ts'

const MAX_ROWS = 300
const NOTHING = { reasons: [], since: undefined }

/** The summary as Markdown. `data` has the graph and the images; its sizes are not used. */
export function renderPlanSummary(plan: Plan, data: SummaryData): string {
  const changed = plan.targets.filter((target) => target.status === 'changed')
  const verdict = `**Plan: ${changed.length} of ${count(plan.targets.length, 'target')} to build**`
  const rows = plan.targets
    .slice(0, MAX_ROWS)
    .map((target) => [
      [code(target.name, 60), ...ownPlatforms(plan, target).map((platform) => code(platform, 40))].join('<br>'),
      target.status,
      whyCell(data.targets.find(({ name }) => name === target.name) ?? NOTHING),
      stageList(plan, target),
    ])
  const columns = [{ title: 'Target' }, { title: 'Status' }, { title: 'Why' }, { title: 'Stages, in build order' }]
  const sections = [
    verdict,
    `${code(data.title, 80)} · file ${code(data.file, 200)} · ${plan.platforms.map((p) => code(p, 40)).join(', ')}`,
    table(columns, rows),
    notes(data),
    stageGraph(data),
    externalImages(data),
  ]
  return `${sections.filter((section) => section !== undefined).join('\n\n')}\n`
}

function stageList(plan: Plan, target: PlanTarget): string {
  const shown = target.stages.slice(0, 12).map((index) => stageCode(plan.stages[index], index))
  const more = target.stages.length - shown.length
  return `${shown.join(' → ')}${more > 0 ? ` → ${more} more` : ''}`
}

function stageCode(stage: PlanStage | undefined, index: number): string {
  return code(stageName(stage ?? { name: undefined, index }, 60), 60)
}
