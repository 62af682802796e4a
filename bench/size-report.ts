/**
 * What it takes to tell how 50 targets changed: the records are read from JSON, compared with their baseline, and rendered as
 * a comment and as a section of the job summary. Alone: `node bench/size-report.ts`.
 */
import { MAX_TREE_NODES } from '../src/measure/file-tree-fold.ts'
import type { FileTree } from '../src/measure/file-tree.ts'
import { compareSizes } from '../src/measure/compare-sizes.ts'
import type { BaselineFacts, PackageSize, SizeReport } from '../src/measure/comparison.ts'
import { parseSizeBudgets } from '../src/measure/size-budgets.ts'
import { readSizeRecords, writeSizeRecords, type SizeRecord } from '../src/measure/size-record.ts'
import { MAX_COMMENT_CHARACTERS, renderSizeReport, sizeReportSection } from '../src/report/size-report.ts'
import type { SizeReportContext } from '../src/report/size-report-context.ts'
import { digestOf, recordOf, sizesOf } from '../__tests__/support/size-records.ts'
import { Random } from '../__tests__/support/random.ts'
import type { Row } from './layer-cache-table.ts'

export interface SizeReportFigures {
  readonly targets: number
  readonly platforms: number
  /** Characters of the JSON that was read, both sides. */
  readonly json: number
  /** Characters of the comment. */
  readonly comment: number
  /** Milliseconds: the first time in the process, with reading; then medians. */
  readonly first: number
  readonly read: number
  readonly compare: number
  readonly render: number
}

interface Times {
  readonly read: number
  readonly compare: number
  readonly render: number
}

const TARGETS = 50
const PLATFORMS = ['linux/amd64', 'linux/arm64']
const LAYERS = { inherited: 5, own: 15 }
const PACKAGES = 400
const COMMIT = '9f3c1ab'.padEnd(40, '0')
const FACTS: BaselineFacts = { wanted: COMMIT, branch: 'main', commit: COMMIT, source: 'exact', distance: 0 }
const CONTEXT: SizeReportContext = {
  ...{ title: '', repository: 'o/r', serverUrl: 'https://github.com', headCommit: 'c0ffee1'.padEnd(40, '0') },
  ...{ runUrl: 'https://github.com/o/r/actions/runs/1850', budgetLabel: 'stage-build: allow-size-increase' },
}

/** Every target changed in layers, files and packages. */
export function measureSizeReport(rounds: number): SizeReportFigures {
  const [before, now] = [textsOf(0), textsOf(1)]
  const results = Array.from({ length: rounds }, () => measureOnce(before, now))
  const [first] = results
  if (first === undefined) throw new Error('no rounds')
  const median = (key: keyof Times): number =>
    results.map(({ times }) => times[key]).toSorted((a, b) => a - b)[Math.floor(rounds / 2)] ?? NaN
  return {
    targets: TARGETS,
    platforms: PLATFORMS.length,
    json: [...before, ...now].reduce((sum, text) => sum + text.length, 0),
    comment: first.comment.length,
    first: first.times.read + first.times.compare + first.times.render,
    ...{ read: median('read'), compare: median('compare'), render: median('render') },
  }
}

export function sizeReportRows(figures: SizeReportFigures): readonly Row[] {
  const { targets, platforms, first, read, compare, render } = figures
  const parts = `read ${read.toFixed(0)}, compared ${compare.toFixed(0)}, rendered ${render.toFixed(0)}`
  return [
    {
      what: `size report for ${targets} targets on ${platforms} platforms, all changed`,
      value: `${first.toFixed(0)} ms for the first in the process; medians: ${parts}`,
      bar: '≤ 1 s',
      ok: first <= 1_000,
    },
  ]
}

function measureOnce(before: readonly string[], now: readonly string[]): { times: Times; comment: string } {
  const start = performance.now()
  const [was, is] = [before.flatMap(recordsOf), now.flatMap(recordsOf)]
  const afterRead = performance.now()
  const { budgets } = parseSizeBudgets(['*=+5%', '*=2GB unpacked'], undefined)
  const report = compareSizes({ records: is, baseline: { facts: FACTS, records: was }, budgets, waived: false })
  const afterCompare = performance.now()
  const [comment, section] = [renderSizeReport(report, CONTEXT), sizeReportSection(report, CONTEXT)]
  const end = performance.now()
  check(report, comment, section)
  return { times: { read: afterRead - start, compare: afterCompare - afterRead, render: end - afterCompare }, comment }
}

/** Nothing was left out that takes time. */
function check({ rows }: SizeReport, comment: string, section: string): void {
  const whole = rows.filter(
    ({ layers, paths, packages }) => layers.length > 0 && paths.length > 0 && packages.length > 0,
  )
  if (whole.length !== TARGETS * PLATFORMS.length) throw new Error(`${whole.length} rows were compared whole`)
  if (comment.length > MAX_COMMENT_CHARACTERS || section.length < comment.length / 2) throw new Error('not rendered')
}

function recordsOf(text: string): readonly SizeRecord[] {
  const read = readSizeRecords(text)
  if (read.kind === 'refused') throw new Error(read.reason)
  return read.records
}

/** A file for each target, as legs hand them over. */
function textsOf(version: number): readonly string[] {
  return Array.from({ length: TARGETS }, (_, index) => writeSizeRecords([targetOf(index, version)]))
}

function targetOf(index: number, version: number): SizeRecord {
  const platforms = PLATFORMS.map((platform) => {
    const inherited = Array.from({ length: LAYERS.inherited }, (_, i) => ({
      ...{ content: `base ${version} ${platform} ${i}`, size: 20_000_000 + version * 40_000, inherited: true },
    }))
    // One layer more at the beginning, and every later one with other content.
    const own = Array.from({ length: LAYERS.own + version }, (_, i) => {
      const instruction = `RUN install --target ${index} step-${i === 0 && version === 1 ? 'new' : i - version}`
      const content = `${platform} ${instruction} ${version}`
      return { instruction, content, size: 3_000_000 + i * 1_000 + version * 50_000, line: 2 + i }
    })
    const base = { image: 'docker.io/library/node:22', digest: digestOf(`base ${version}`) }
    const [files, packages] = [treeOf(index, version), packagesOf(version)]
    return sizesOf({ platform, layers: [...inherited, ...own], base, files, packages, merged: 500_000_000 })
  })
  return recordOf({ target: `target-${index}`, platforms })
}

function packagesOf(version: number): readonly PackageSize[] {
  return Array.from({ length: PACKAGES }, (_, i) => ({
    ...{ manager: 'npm' as const, name: `@scope/package-${i}`, version: `1.${i % 3 === 0 ? version : 0}.0` },
    bytes: 20_000 + i * 100,
  }))
}

/** A tree of nearly as many entries as are kept, some of which grew. */
function treeOf(seed: number, version: number): FileTree {
  const random = new Random(seed)
  let left = MAX_TREE_NODES
  const node = (depth: number): FileTree => {
    left--
    const width = depth === 0 ? 20 : random.below(8)
    if (depth >= 6 || left <= 0 || width === 0) {
      const grown = random.below(10) === 0 ? version * random.below(3_000_000) : 0
      return { bytes: 100_000 + random.below(1_000_000) + grown, files: 1 }
    }
    const children = new Map(
      Array.from({ length: width }, (_, i) => [`${random.word()}-${i}`, node(depth + 1)] as const),
    )
    const sum = (key: 'bytes' | 'files'): number => [...children.values()].reduce((total, one) => total + one[key], 0)
    return { bytes: sum('bytes'), files: sum('files'), children }
  }
  return node(0)
}

if (process.argv[1] === import.meta.filename) {
  const figures = measureSizeReport(7)
  console.log(figures)
  for (const row of sizeReportRows(figures))
    console.log(`${row.ok ? 'ok  ' : 'MISS'}  ${row.what}: ${row.value} (bar: ${row.bar})`)
}
