import type {
  BaselineFacts,
  BudgetVerdict,
  Change,
  LayerChange,
  PathChange,
  SizeReport,
  SizeRowComparison,
} from '../../src/measure/comparison.ts'
import type { PlatformSizes } from '../../src/measure/sizes.ts'
import type { SizeReportContext } from '../../src/report/size-report-context.ts'
import { digestOf, graphOf, image, stageSource } from './summary-examples.ts'

/** Size reports of builds that could have been, for tests and pictures. Sizes are given in MB. */

const MB = 1_000_000
const HEAD = 'c0ffee1a7b3d5e9f8a6c4b2d0e1f3a5c7b9d8e6f'
const BASE = '9f3c1ab84d2e6f7051c3b9a8d7e6f5041a2b3c4d'
const EARLIER = '41d0e77c5b6a798081726354f3e2d1c0b9a8f7e6'

export function sizeContext(over: Partial<SizeReportContext> = {}): SizeReportContext {
  return {
    title: '',
    repository: 'acme/shop',
    serverUrl: 'https://github.com',
    headCommit: HEAD,
    runUrl: 'https://github.com/acme/shop/actions/runs/1850',
    budgetLabel: 'stage-build: allow-size-increase',
    ...over,
  }
}

/** From MB; undefined stays unknown. */
export function change(now: number | undefined, before: number | undefined): Change {
  return { now: bytes(now), before: bytes(before) }
}

function bytes(mb: number | undefined): number | undefined {
  return mb === undefined ? undefined : Math.round(mb * MB)
}

const UNKNOWN: Change = { now: undefined, before: undefined }

/** A row of one target; what is not given is unknown or nothing. */
export function sizeRow(target: string, over: Partial<SizeRowComparison> = {}): SizeRowComparison {
  return {
    id: 'app',
    target,
    platform: 'linux/amd64',
    status: 'compared',
    transfer: UNKNOWN,
    unpacked: UNKNOWN,
    own: { transfer: UNKNOWN, unpacked: UNKNOWN },
    inherited: { transfer: UNKNOWN, unpacked: UNKNOWN },
    waste: UNKNOWN,
    notComparable: [],
    unchanged: false,
    layers: [],
    paths: [],
    packages: [],
    base: undefined,
    budgets: [],
    current: measured('gzip'),
    ...over,
  }
}

function measured(compression: 'gzip' | 'zstd', unknownReason?: string): PlatformSizes {
  const unknown = { total: undefined, own: undefined, inherited: undefined }
  const layer = { digest: digestOf(5), diffId: digestOf(6), size: 1, unpacked: 1, createdBy: 'COPY . .' }
  return {
    ...{ platform: 'linux/amd64', digest: digestOf(1), configDigest: digestOf(2), unknownReason },
    ...{ transfer: unknown, unpacked: unknown, layers: [{ ...layer, own: true, compression }] },
  }
}

function quiet(target: string, transfer: number, unpacked: number, budget?: BudgetVerdict): SizeRowComparison {
  return sizeRow(target, {
    transfer: change(transfer, transfer),
    unpacked: change(unpacked, unpacked),
    unchanged: true,
    budgets: budget === undefined ? [] : [budget],
  })
}

export function budget(
  text: string,
  limit: number | undefined,
  actual: number | undefined,
  verdict: BudgetVerdict['verdict'],
  metric: BudgetVerdict['metric'] = 'transfer',
): BudgetVerdict {
  return { budget: text, metric, limit: bytes(limit), actual: bytes(actual), verdict, line: 24 }
}

export function layer(
  instruction: string,
  line: number | undefined,
  transfer: Change,
  unpacked: Change,
  kind: LayerChange['kind'] = 'changed',
): LayerChange {
  return { kind, transfer, unpacked, instruction, line, file: line === undefined ? undefined : 'web/Dockerfile' }
}

function path(name: string, now: number, before: number): PathChange {
  return { path: name, now: now * MB, before: before * MB }
}

export function baseline(over: Partial<BaselineFacts> = {}): BaselineFacts {
  return {
    ...{ wanted: BASE, branch: 'main', commit: BASE, source: 'exact', distance: 0 },
    url: 'https://github.com/acme/shop/actions/runs/1843',
    ...over,
  }
}

export function sizeReport(rows: readonly SizeRowComparison[], over: Partial<SizeReport> = {}): SizeReport {
  return { rows, missing: [], baseline: baseline(), ...over }
}

function runtime(over: Partial<SizeRowComparison> = {}): SizeRowComparison {
  return sizeRow('runtime', {
    transfer: change(186.5, 148.1),
    unpacked: change(512.9, 391.2),
    own: { transfer: change(131.4, 95.1), unpacked: change(371.3, 256) },
    inherited: { transfer: change(55.1, 53), unpacked: change(141.6, 135.2) },
    waste: change(14.2, 4.4),
    layers: [
      layer('COPY --from=build /app/node_modules ./node_modules', 31, change(118, 83.1), change(340, 228)),
      layer('COPY --from=build /app/dist ./dist', 32, change(8.1, 6.7), change(19.3, 16)),
      layer('RUN rm -rf /root/.npm && chown -R node:node /app', 34, change(0.9, 0), change(2.1, 0), 'added'),
      layer('RUN npm cache clean --force', 33, change(0, 0.9), change(0, 2), 'removed'),
    ],
    paths: [
      path('app/node_modules/@swc/', 88.1, 0),
      path('app/node_modules/typescript/', 21.7, 0),
      path('app/dist/', 19.3, 16),
      path('root/.npm/_cacache/', 0, 2),
    ],
    packages: [
      { manager: 'npm', name: '@swc/core', version: '1.13.5', versionBefore: undefined, now: 88.1 * MB, before: 0 },
      { manager: 'npm', name: 'typescript', version: '5.9.3', versionBefore: undefined, now: 21.7 * MB, before: 0 },
      {
        ...{ manager: 'apk', name: 'openssl', version: '3.3.2-r1', versionBefore: '3.3.1-r0' },
        ...{ now: 8.1 * MB, before: 8 * MB },
      },
      { manager: 'npm', name: 'moment', version: undefined, versionBefore: '2.30.1', now: 0, before: 4.3 * MB },
    ],
    base: {
      image: 'docker.io/library/node:22-alpine',
      imageBefore: 'docker.io/library/node:22-alpine',
      digest: digestOf(3),
      digestBefore: digestOf(7),
    },
    budgets: [budget('runtime=160MB', 160, 186.5, 'over')],
    ...over,
  })
}

const worker = (): SizeRowComparison =>
  sizeRow('worker', {
    transfer: change(92.1, 87.2),
    unpacked: change(241, 228.8),
    own: { transfer: change(37, 32.1), unpacked: change(99.4, 87.2) },
    inherited: { transfer: change(55.1, 55.1), unpacked: change(141.6, 141.6) },
    layers: [layer('RUN apk add --no-cache vips ffmpeg', 41, change(22.4, 17.5), change(61, 48.8))],
    paths: [path('usr/lib/', 54, 42.1)],
    packages: [
      { manager: 'apk', name: 'ffmpeg', version: '6.1.2-r2', versionBefore: undefined, now: 11.6 * MB, before: 0 },
    ],
    budgets: [budget('worker=100MB', 100, 92.1, 'held')],
  })

const web = (): SizeRowComparison =>
  sizeRow('web', {
    transfer: change(21.3, 21.9),
    unpacked: change(58.8, 60.7),
    own: { transfer: change(1.9, 2.5), unpacked: change(6.1, 8) },
    inherited: { transfer: change(19.4, 19.4), unpacked: change(52.7, 52.7) },
    layers: [layer('COPY --from=build /app/dist/browser /usr/share/nginx/html', 48, change(1.9, 2.5), change(6.1, 8))],
    paths: [path('usr/share/nginx/html/assets/', 4.2, 6.1)],
    budgets: [budget('web=40MB', 40, 21.3, 'held')],
  })

/** Over budget, grown, shrunk and unchanged; with the graph. */
export function overBudget(): readonly [SizeReport, SizeReportContext] {
  const graph = graphOf([
    { name: 'deps', from: image('docker.io/library/node:22-alpine') },
    { name: 'build', from: stageSource(0) },
    { name: 'runtime', from: image('docker.io/library/node:22-alpine'), needs: [['copy', stageSource(1)]] },
    { name: 'worker', from: image('docker.io/library/node:22-alpine'), needs: [['copy', stageSource(1)]] },
    { name: 'web', from: image('docker.io/library/nginx:1.27'), needs: [['copy', stageSource(1)]] },
    { name: 'migrate', from: stageSource(0) },
  ])
  const targets = ['runtime', 'worker', 'web', 'migrate'].map((name, i) => ({ name, stage: i + 2 }))
  return [
    sizeReport([runtime(), worker(), web(), quiet('migrate', 64, 170.2)]),
    sizeContext({ graphChanged: { graph, targets, shared: [0, 1], added: ['worker'], removed: ['jobs'] } }),
  ]
}

export function noChange(): readonly [SizeReport, SizeReportContext] {
  const rows = [
    quiet('runtime', 148.1, 391.2, budget('runtime=160MB', 160, 148.1, 'held')),
    ...[quiet('worker', 87.2, 228.8), quiet('web', 21.9, 60.7), quiet('migrate', 64, 170.2)],
  ]
  return [sizeReport(rows), sizeContext()]
}

export function noBaseline(): readonly [SizeReport, SizeReportContext] {
  const first = (row: SizeRowComparison): SizeRowComparison => ({
    ...row,
    ...{ status: 'no-baseline', unchanged: false, layers: [], paths: [], packages: [], base: undefined },
    ...{ transfer: { ...row.transfer, before: undefined }, unpacked: { ...row.unpacked, before: undefined } },
  })
  const rows = [
    { ...first(runtime()), budgets: [budget('*=+5%', undefined, 186.5, 'skipped')] },
    { ...first(worker()), budgets: [budget('worker=100MB', 100, 92.1, 'held')] },
    first(web()),
  ]
  const none = baseline({ source: 'none', commit: undefined, distance: undefined, url: undefined })
  return [sizeReport(rows, { baseline: none }), sizeContext()]
}

/** An ancestor of the base commit; the increase is allowed, and another was over before. */
export function olderBaseline(): readonly [SizeReport, SizeReportContext] {
  const rows = [
    runtime({
      budgets: [budget('runtime=160MB', 160, 186.5, 'waived')],
      ...{ paths: [], packages: [], layers: runtime().layers.slice(0, 1), waste: UNKNOWN },
    }),
    { ...quiet('worker', 92.1, 241), budgets: [budget('worker=90MB', 90, 92.1, 'over-before')] },
  ]
  const old = baseline({ source: 'ancestor', commit: EARLIER, distance: 6 })
  return [sizeReport(rows, { baseline: old }), sizeContext()]
}

export function notComparable(): readonly [SizeReport, SizeReportContext] {
  const sentence =
    'The baseline’s layers are compressed by gzip and these are compressed by zstd, so their transfer sizes cannot be compared.'
  const rows = [
    runtime({
      ...{ packages: [], base: undefined, inherited: { transfer: UNKNOWN, unpacked: UNKNOWN }, waste: UNKNOWN },
      paths: runtime().paths.slice(0, 2),
      layers: runtime().layers.slice(0, 2),
      transfer: change(131.2, 148.1),
      notComparable: [sentence],
      current: measured('zstd'),
      budgets: [
        budget('runtime=450MB unpacked', 450, 512.9, 'over', 'unpacked'),
        budget('runtime=+5%', undefined, 131.2, 'skipped'),
      ],
    }),
    sizeRow('web', {
      transfer: change(17.2, 21.9),
      unpacked: change(60.7, 60.7),
      notComparable: [sentence],
      unchanged: true,
    }),
  ]
  return [sizeReport(rows), sizeContext({ title: 'shop' })]
}

/** One build failed, one leg of the matrix has not reported. */
export function failedAndPartial(): readonly [SizeReport, SizeReportContext] {
  const rows = [
    sizeRow('runtime', {
      status: 'failed',
      current: undefined,
      failure: '`RUN npm ci` (line 12) ended with exit code 1.',
    }),
    worker(),
  ]
  return [sizeReport(rows, { missing: ['web', 'migrate'] }), sizeContext()]
}

/** New, gone and renamed targets, on two platforms. */
export function comingsAndGoings(): readonly [SizeReport, SizeReportContext] {
  const platforms = ['linux/amd64', 'linux/arm64'].map((platform, i) => [
    sizeRow('api', {
      ...{ platform, renamedFrom: 'server', transfer: change(44.1 + i, 42 + i), unpacked: change(120 + i, 114 + i) },
      ...{ own: { transfer: change(24 + i, 22 + i), unpacked: change(61 + i, 55 + i) } },
      ...{ inherited: { transfer: change(20.1, 20), unpacked: change(59, 59) } },
      layers: [layer('COPY --from=build /out/api /usr/local/bin/api', 18, change(24, 22), change(61, 55))],
    }),
    sizeRow('debug', {
      platform,
      status: 'added',
      transfer: change(61 + i, undefined),
      unpacked: change(180 + i, undefined),
    }),
    sizeRow('legacy', {
      ...{ platform, status: 'removed', transfer: change(undefined, 98.2 + i), unpacked: change(undefined, 250) },
      current: undefined,
    }),
    { ...quiet('web', 21.9 + i, 60.7), platform },
  ])
  // By target, as a comparison has them.
  const rows = [0, 1, 2, 3].flatMap((target) => platforms.flatMap((ofPlatform) => ofPlatform[target] ?? []))
  return [sizeReport(rows), sizeContext()]
}

/** All that an image in a registry tells. */
export function fromRegistry(): readonly [SizeReport, SizeReportContext] {
  const row = sizeRow('prod', {
    transfer: change(24.8, 23.1),
    unpacked: change(66.2, undefined),
    layers: [layer('COPY --from=build /app/dist /srv', 22, change(4.8, 3.1), change(11, undefined))],
    budgets: [budget('prod=+10%', 25.41, 24.8, 'held')],
  })
  const registry = baseline({ source: 'registry', commit: undefined, distance: undefined, url: undefined })
  return [sizeReport([row], { baseline: registry }), sizeContext()]
}

/** Every target of a large repository grew, each for many reasons. */
export function fiftyTargets(count = 50): readonly [SizeReport, SizeReportContext] {
  const many = <T>(n: number, of: (i: number) => T): readonly T[] => Array.from({ length: n }, (_, i) => of(i))
  const rows = many(count, (t) =>
    runtime({
      target: `service-${t}`,
      budgets: t === 0 ? [budget('service-0=160MB', 160, 186.5, 'over')] : [],
      layers: many(12, (i) => layer(`COPY --from=build /out/${t}/${i} /srv/${i}`, i + 1, change(9, 8), change(20, 18))),
      paths: many(12, (i) => path(`srv/${i}/lib/node_modules/`, 20, 18)),
      packages: many(12, (i) => ({
        ...{ manager: 'npm', name: `@acme/part-${i}`, version: '2.0.0', versionBefore: '1.0.0' },
        ...{ now: 2 * MB, before: MB },
      })),
    }),
  )
  const [, context] = overBudget()
  return [sizeReport([...rows, quiet('web', 21.9, 60.7)]), context]
}

export const SIZE_REPORT_EXAMPLES = {
  overBudget,
  noChange,
  noBaseline,
  olderBaseline,
  notComparable,
  failedAndPartial,
  comingsAndGoings,
  fromRegistry,
} as const

/** Every text of a report and its context is `name`, as far as it comes from others. Its shape does not hang on `name`. */
export function saying(name: string): readonly [SizeReport, SizeReportContext] {
  const layers = (['added', 'removed', 'changed'] as const).map((kind) => ({
    ...layer(name, 7, change(3, 2), change(6, 4), kind),
    file: `src/${name}`,
  }))
  const common = {
    ...{ id: name, platform: name, layers, notComparable: [name], failure: name },
    ...{ transfer: change(3, 2), unpacked: change(6, 4), waste: change(1, 0.5) },
    own: { transfer: change(2, 1), unpacked: change(4, 3) },
    inherited: { transfer: change(1, 1), unpacked: change(2, 1) },
    paths: [path(name, 2, 1), path(name, 0, 1), path(name, 1, 0)],
    packages: (['apk', 'dpkg', 'npm'] as const).map((manager) => ({
      ...{ manager, name, version: `${name}2`, versionBefore: `${name}1`, now: 2 * MB, before: MB },
    })),
    base: { image: name, imageBefore: `${name}0`, digest: name, digestBefore: name },
    current: measured('gzip', name),
    budgets: (['over', 'waived', 'over-before', 'held', 'skipped'] as const).map((verdict) => ({
      ...{ budget: name, metric: 'transfer' as const, limit: 1_000, actual: 2_000, verdict },
    })),
  }
  const rows = (['compared', 'added', 'removed', 'no-baseline', 'failed'] as const).map((status) =>
    sizeRow(name, { ...common, status, renamedFrom: name }),
  )
  const graph = graphOf([
    { name, from: image(name) },
    { name, from: stageSource(0), needs: [['copy', image(name)]] },
  ])
  return [
    sizeReport([...rows, sizeRow(name, { ...common, budgets: [], unchanged: true })], {
      missing: [name, name],
      baseline: { ...{ wanted: name, branch: name, commit: name, source: 'ancestor', distance: 2, url: name } },
    }),
    sizeContext({
      title: name === '' ? 'app' : name,
      budgetLabel: name,
      graphChanged: { graph, targets: [{ name, stage: 1 }], shared: [0], added: [name], removed: [name] },
    }),
  ]
}
