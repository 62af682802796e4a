import { formatBytes } from '../measure/format.ts'
import { type Column, code, codeBlock, prose, table } from './markdown.ts'
import { type SizeRow, shortDigest, sizesTable } from './sizes-table.ts'
import type { PlatformReport, StageLeftBehind, SummaryData, TargetReport, TargetStatus } from './summary-data.ts'
import { count, formatChange, formatDuration, list } from './words.ts'

/** The summary's sections about targets: the verdict, their table, their sizes, what multi-stage left behind. */

const MAX_ROWS = 300
const UNKNOWN = 'unknown'

/** The first line: what happened, to how many targets, how large they are. */
export function verdict(data: SummaryData): string {
  const { targets, durationMs } = data
  const of = (status: TargetStatus): number => targets.filter((target) => target.status === status).length
  const time = (word: string): string => (durationMs === undefined ? '' : ` ${word} ${formatDuration(durationMs)}`)
  if (
    targets.length === 0 ||
    (data.failures.length > 0 && of('failed') + of('skipped') === targets.length && of('failed') === 0)
  ) {
    const problems = data.failures.length
    return problems === 0 ? '**Nothing was built**' : `**Nothing was built: ${count(problems, 'problem')}**`
  }
  if (of('failed') > 0) {
    const names = targets.filter((target) => target.status === 'failed').map((target) => code(target.name, 40))
    const others = [
      ...(of('built') > 0 ? [`${of('built')} built`] : []),
      ...(of('unchanged') > 0 ? [`${of('unchanged')} unchanged`] : []),
      ...(of('skipped') > 0 ? [`${of('skipped')} not built`] : []),
    ]
    const head = targets.length === 1 ? 'The target failed' : `${of('failed')} of ${targets.length} targets failed`
    return `**${head}${time('after')}** — ${list(names, 5)}${others.length === 0 ? '' : `; ${list(others)}`}`
  }
  if (of('unchanged') === targets.length) {
    const who = targets.length === 1 ? 'the target is' : `all ${targets.length} targets are`
    return `**Nothing to build: ${who} unchanged**${sizesPhrase(targets)}`
  }
  const others = [
    ...(of('unchanged') > 0 ? [`, ${of('unchanged')} unchanged`] : []),
    ...(of('skipped') > 0 ? [`, ${of('skipped')} not built`] : []),
  ].join('')
  return `**${count(of('built'), 'target')} built${others}${time('in')}**${sizesPhrase(targets)}`
}

function sizesPhrase(targets: readonly TargetReport[]): string {
  const known = targets.flatMap((target) => {
    const sizes = target.platforms.map((platform) => platform.transfer.total).filter((size) => size !== undefined)
    if (sizes.length === 0) return []
    return [`${code(target.name, 40)} ${range(formatBytes(Math.min(...sizes)), formatBytes(Math.max(...sizes)))}`]
  })
  if (known.length === 0) return ''
  const shown = known.length > 6 ? [...known.slice(0, 5), `${known.length - 5} more`] : known
  return ` — ${shown.join(', ')} to transfer`
}

/** Platforms differ: `5.50–5.70 MB`, `980 kB–1.20 MB`. */
function range(least: string, most: string): string {
  if (least === most) return most
  const unit = most.slice(most.indexOf(' '))
  return `${least.endsWith(unit) ? least.slice(0, -unit.length) : least}–${most}`
}

const COLUMNS: readonly Column[] = [
  { title: 'Target' },
  { title: 'Platform' },
  { title: 'Transfer', align: 'right' },
  { title: 'Own', align: 'right' },
  { title: 'Base', align: 'right' },
  { title: 'Unpacked', align: 'right' },
  { title: 'Time and steps', align: 'right' },
  { title: 'Image' },
]

/** One row per target and platform. Undefined without targets. */
export function targetsTable(data: SummaryData, maxRows = MAX_ROWS): string | undefined {
  if (data.targets.length === 0) return undefined
  const rows = data.targets.flatMap(targetRows)
  const shown = rows.slice(0, maxRows)
  const reasons = data.targets.flatMap(unknownReasons)
  return [
    table(COLUMNS, shown),
    ...(shown.length < rows.length ? [`${rows.length - shown.length} more rows are left out.`] : []),
    ...(reasons.length === 0 ? [] : [bullets(reasons.slice(0, maxRows))]),
    '<sub>Transfer: the layers as a registry keeps them, the sum of own (what this Dockerfile adds) and base (what it inherits). Unpacked: the files in them.</sub>',
  ].join('\n\n')
}

function targetRows(target: TargetReport): readonly (readonly string[])[] {
  const platforms: readonly (PlatformReport | undefined)[] =
    target.platforms.length === 0 ? [undefined] : target.platforms
  return platforms.map((platform, i) => {
    const first = i === 0
    const size = (bytes: number | undefined): string =>
      bytes === undefined ? (hasImage(target) ? UNKNOWN : '–') : unbroken(formatBytes(bytes))
    return [
      first ? nameCell(target) : '',
      platform === undefined ? '–' : code(platform.platform, 32),
      size(platform?.transfer.total),
      size(platform?.transfer.own),
      size(platform?.transfer.inherited),
      size(platform?.unpacked.total),
      first ? workCell(target) : '',
      imageCell(platform?.digest ?? (first ? target.digest : undefined), first ? target.tags : []),
    ]
  })
}

function hasImage(target: TargetReport): boolean {
  return target.status === 'built' || target.status === 'unchanged'
}

function nameCell(target: TargetReport): string {
  const name = `**${code(target.name, 60)}**`
  switch (target.status) {
    case 'built':
      return name
    case 'failed':
      return `❌ ${name} failed`
    case 'unchanged':
      return `${name} unchanged`
    case 'skipped':
      return `${name} not built`
  }
}

function workCell({ durationMs, steps }: TargetReport): string {
  return [
    ...(durationMs === undefined ? [] : [unbroken(formatDuration(durationMs))]),
    ...(steps === undefined ? [] : [`<sub>${unbroken(`${steps.run} run, ${steps.cached} cached`)}</sub>`]),
  ].join('<br>')
}

/** Columns are narrow: a number stays with its unit. */
function unbroken(text: string): string {
  return text.replaceAll(' ', '&nbsp;')
}

function imageCell(digest: string | undefined, tags: readonly string[]): string {
  const short = shortDigest(digest)
  const tag = tags[0]
  const more = tags.length > 1 ? ` +${tags.length - 1}` : ''
  return [...(tag === undefined ? [] : [code(tag, 36) + more]), ...(short === undefined ? [] : [`\`${short}\``])].join(
    '<br>',
  )
}

/** A size that isn't known is explained where the table says so. */
function unknownReasons(target: TargetReport): readonly string[] {
  if (!hasImage(target)) return []
  return target.platforms
    .filter(({ transfer, unpacked }) =>
      [transfer.total, transfer.own, transfer.inherited, unpacked.total].includes(undefined),
    )
    .map((platform) => {
      const all = platform.transfer.total === undefined && platform.unpacked.total === undefined
      const reason =
        platform.unknownReason === undefined ? 'no reason was recorded.' : prose(platform.unknownReason, 500)
      return `${code(target.name, 60)} ${code(platform.platform, 32)}: ${all ? 'its sizes are' : 'a part of its sizes is'} unknown: ${reason}`
    })
}

/** All images of the run beside each other. Undefined where there are fewer than two to compare. */
export function sideBySide(data: SummaryData): string | undefined {
  const rows = sizeRows(data)
  if (rows.length < 2) return undefined
  const table = sizesTable(rows.slice(0, MAX_ROWS)).split('\n')
  const note = '<sub>Own and base are parts of the unpacked size here.</sub>'
  return `#### Sizes side by side\n\n${codeBlock(table, { maxLines: MAX_ROWS + 1 })}\n\n${note}`
}

/** The rows of {@link sizesTable} for every image that there is. */
export function sizeRows(data: SummaryData): readonly SizeRow[] {
  return data.targets.filter(hasImage).flatMap((target) =>
    target.platforms.map((platform) => ({
      name: target.name,
      platform: platform.platform,
      digest: platform.digest ?? target.digest,
      transfer: platform.transfer.total,
      unpacked: platform.unpacked.total,
      unpackedOwn: platform.unpacked.own,
      unpackedInherited: platform.unpacked.inherited,
    })),
  )
}

/** Each stage that a target took files from without shipping it. Undefined where there is none. */
export function leftBehind(data: SummaryData): string | undefined {
  const rows = data.targets
    .filter(hasImage)
    .flatMap((target) => target.leftBehind.map((stage) => leftBehindRow(target, stage)))
  if (rows.length === 0) return undefined
  const shown = rows.slice(0, MAX_ROWS)
  const columns: readonly Column[] = [
    { title: 'Stage left behind' },
    { title: 'Its base' },
    { title: 'Its size', align: 'right' },
    { title: '' },
    { title: 'Target' },
    { title: 'Final image', align: 'right' },
    { title: 'Difference', align: 'right' },
  ]
  return [
    '#### What multi-stage left behind',
    table(columns, shown),
    ...(shown.length < rows.length ? [`${rows.length - shown.length} more rows are left out.`] : []),
    leftBehindNote(data.targets.filter(hasImage).flatMap((target) => target.leftBehind)),
  ].join('\n\n')
}

function leftBehindNote(stages: readonly StageLeftBehind[]): string {
  const metrics = [...new Set(stages.map((stage) => stage.metric))]
  const estimate = stages.some((stage) => stage.approximate && stage.size !== undefined) ? ' ≈ marks an estimate.' : ''
  const what = metrics.length === 1 ? `Sizes here are ${metrics[0] ?? ''} sizes.` : 'Each row compares like with like.'
  return `<sub>What each stage holds, its base included, and what the target ships instead. ${what}${estimate}</sub>`
}

function leftBehindRow(target: TargetReport, stage: StageLeftBehind): readonly string[] {
  const platform = target.platforms.find(({ platform }) => platform === stage.platform) ?? target.platforms[0]
  const final = platform?.[stage.metric].total
  const change = stage.size === undefined || final === undefined ? undefined : formatChange(stage.size, final)
  return [
    `${code(stage.name ?? `stage ${stage.stage}`, 60)} <sub>line ${stage.line}</sub>`,
    stage.baseImage === undefined ? '–' : code(stage.baseImage, 60),
    stage.size === undefined ? UNKNOWN : `${stage.approximate ? '≈ ' : ''}${formatBytes(stage.size)}`,
    '→',
    code(target.name, 60),
    final === undefined ? UNKNOWN : formatBytes(final),
    // Where the final image is the larger one nothing was saved, and a percentage would only confuse.
    change === undefined || !change.startsWith('−') ? '' : `**${change}**`,
  ]
}

function bullets(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join('\n')
}
