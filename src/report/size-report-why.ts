import type {
  BaseChange,
  Change,
  LayerChange,
  PackageChange,
  PathChange,
  SizeReport,
  SizeRowComparison,
} from '../measure/comparison.ts'
import { formatBytes, formatDelta } from '../measure/format.ts'
import { deltaOf } from '../measure/noise.ts'
import { code, details, htmlCode, table } from './markdown.ts'
import { rowName } from './size-report-budgets.ts'
import { type SizeReportContext, lineLink } from './size-report-context.ts'
import { byTarget, differenceText, headlineMetric, unbroken, worst } from './size-report-rows.ts'
import { shortDigest } from './sizes-table.ts'

/** The size report's "Why did it grow?": for one target the base image, the layers, the directories and the packages. */

export interface WhyOptions {
  readonly maxTargets: number
  readonly maxLayers: number
  readonly maxPaths: number
  readonly packages: boolean
}

const MAX_PACKAGES = 12
const MAX_OPEN = 3

/** A folded block per changed target, open for the first and those over budget (three at most). */
export function whyBlocks(report: SizeReport, context: SizeReportContext, options: WhyOptions): readonly string[] {
  const changed = report.rows.filter((row) => row.status === 'compared' && !row.unchanged)
  const blocks = byTarget(changed).flatMap((rows) => {
    const row = rows[0]
    const body = row === undefined ? undefined : whyBody(row, rows, report, context, options)
    return row === undefined || body === undefined ? [] : [{ row, body }]
  })
  const open = new Set(
    blocks
      .filter(({ row }, i) => i === 0 || worst(row) === 'over')
      .slice(0, MAX_OPEN)
      .map(({ row }) => row),
  )
  const shown = blocks.slice(0, options.maxTargets).map(({ row, body }) => {
    const block = details(`<b>${question(row)}</b> ${answer(row)}`, body)
    return open.has(row) ? block.replace(/^<details>/, '<details open>') : block
  })
  const more = blocks.length - shown.length
  return more === 0 || shown.length === 0
    ? shown
    : [...shown, `<sub>Why ${more} more targets changed is left out.</sub>`]
}

function question(row: SizeRowComparison): string {
  const bytes = deltaOf(row[headlineMetric(row)]) ?? 0
  return `Why did ${htmlCode(row.target, 60)} ${bytes > 0 ? 'grow' : bytes < 0 ? 'shrink' : 'change'}?`
}

/** The change, and how much of it came with the base image. */
function answer(row: SizeRowComparison): string {
  const metric = headlineMetric(row)
  const total = deltaOf(row[metric])
  if (total === undefined) return ''
  const unit = metric === 'unpacked' ? ' unpacked' : ''
  const own = deltaOf(row.own[metric])
  const inherited = deltaOf(row.inherited[metric])
  const split =
    own === undefined || inherited === undefined || (inherited === 0 && row.base === undefined)
      ? ''
      : `: ${formatDelta(inherited)} inherited, ${formatDelta(own)} yours`
  return unbroken(`${formatDelta(total)}${unit}${split}`)
}

function whyBody(
  row: SizeRowComparison,
  all: readonly SizeRowComparison[],
  report: SizeReport,
  context: SizeReportContext,
  options: WhyOptions,
): string | undefined {
  const parts = [
    ...layers(row.layers, context, options.maxLayers),
    ...paths(row.paths, options.maxPaths),
    ...(options.packages ? packages(row.packages) : []),
    ...base(row),
    ...waste(row.waste),
  ]
  if (parts.length === 0) return undefined
  const others = all.slice(1).map((other) => `${code(other.platform, 32)} ${change(other)}`)
  const platform =
    others.length === 0 ? [] : [`This is ${rowName(row, report)}. Beside it: ${others.slice(0, 10).join(', ')}.`]
  return [...platform, ...parts].join('\n\n')
}

function change(row: SizeRowComparison): string {
  const metric = headlineMetric(row)
  return unbroken(`${differenceText(row[metric]) ?? 'changed'}${metric === 'unpacked' ? ' unpacked' : ''}`)
}

function layers(changes: readonly LayerChange[], context: SizeReportContext, max: number): readonly string[] {
  if (changes.length === 0) return []
  const shown = changes
    .slice(0, max)
    .map((layer) => [
      layerDelta(layer, 'transfer'),
      layerDelta(layer, 'unpacked'),
      `${code(layer.instruction, 160)}${place(layer, context)}${layer.kind === 'changed' ? '' : ` <sub>${MARKS[layer.kind]}</sub>`}`,
    ])
  const columns = [
    { title: 'Transfer', align: 'right' },
    { title: 'Unpacked', align: 'right' },
    { title: 'Instruction' },
  ] as const
  return ['**Layers**', table(columns, shown), ...more(changes.length - shown.length, 'smaller layer')]
}

const MARKS = { added: 'new', removed: 'gone' } as const

function layerDelta(layer: LayerChange, metric: 'transfer' | 'unpacked'): string {
  const { now, before } = layer[metric]
  // Of a layer that was not there nothing is known, and that is 0 bytes.
  const bytes = layer.kind === 'added' ? now : layer.kind === 'removed' ? before && -before : deltaOf({ now, before })
  return bytes === undefined ? '–' : unbroken(formatDelta(bytes))
}

function place({ file, line, kind }: LayerChange, context: SizeReportContext): string {
  // A layer that is gone has no line at the head commit.
  if (file === undefined || line === undefined || kind === 'removed') return ''
  return ` ${lineLink(context, code(`${file.slice(file.lastIndexOf('/') + 1)}:${line}`, 60), file, line)}`
}

function paths(changes: readonly PathChange[], max: number): readonly string[] {
  if (changes.length === 0) return []
  const shown = changes
    .slice(0, max)
    .map(({ path, now, before }) => [
      unbroken(formatDelta(now - before)),
      `${code(path, 120)}${before === 0 ? ' <sub>new</sub>' : now === 0 ? ' <sub>gone</sub>' : ''}`,
      now === 0 ? '–' : unbroken(formatBytes(now)),
    ])
  const columns = [{ title: 'Unpacked', align: 'right' }, { title: 'Path' }, { title: 'Now', align: 'right' }] as const
  return ['**Directories and files**', table(columns, shown), ...more(changes.length - shown.length, 'path')]
}

function packages(changes: readonly PackageChange[]): readonly string[] {
  if (changes.length === 0) return []
  const shown = changes.slice(0, MAX_PACKAGES).map(({ name, version, versionBefore, now, before }) => {
    const versions =
      versionBefore === undefined
        ? `${version === undefined ? '' : `${code(version, 40)} `}new`
        : version === undefined
          ? 'gone'
          : version === versionBefore
            ? code(version, 40)
            : `${code(versionBefore, 40)} → ${code(version, 40)}`
    return `${code(name, 60)} ${versions} ${unbroken(formatDelta(now - before))}`
  })
  const rest = changes.length - shown.length
  return [`**Packages:** ${[...shown, ...(rest === 0 ? [] : [`${rest} more`])].join(' · ')}`]
}

function base({ base: changed, inherited }: SizeRowComparison): readonly string[] {
  if (changed === undefined) return []
  const sizes = [
    ...inheritedText(inherited.transfer, 'to transfer'),
    ...inheritedText(inherited.unpacked, 'unpacked'),
  ].join(', ')
  return [`**Base image:** ${images(changed)}${sizes === '' ? '' : `: ${sizes}`}`]
}

function inheritedText(figure: Change, unit: string): readonly string[] {
  const bytes = deltaOf(figure)
  return bytes === undefined ? [] : [`${unbroken(formatDelta(bytes))} ${unit}`]
}

function images({ image, imageBefore, digest, digestBefore }: BaseChange): string {
  const digests = [digestBefore, digest].map((value) => {
    const short = shortDigest(value)
    return short === undefined ? undefined : `\`${short}\``
  })
  const [old, now] = digests
  if (imageBefore === undefined || imageBefore === image) {
    const moved = old === undefined || now === undefined || old === now ? (now ?? '') : `${old} → ${now}`
    return `${code(image, 100)}${moved === '' ? '' : ` ${moved}`}`
  }
  return `${code(imageBefore, 100)}${old === undefined ? '' : ` ${old}`} → ${code(image, 100)}${now === undefined ? '' : ` ${now}`}`
}

function waste({ now, before }: Change): readonly string[] {
  if (now === undefined || now === 0) return []
  const bytes = deltaOf({ now, before })
  const more = bytes === undefined || bytes === 0 ? '' : ` (${formatDelta(bytes)})`
  return [`**Waste:** ${unbroken(`${formatBytes(now)}${more}`)} that a later layer overwrites or deletes`]
}

function more(n: number, what: string): readonly string[] {
  return n === 0 ? [] : [`<sub>${n} ${what}${n === 1 ? '' : 's'} more.</sub>`]
}
