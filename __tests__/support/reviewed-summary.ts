/** The job summary of a pull request's run with everything in it: why, sizes beside their baseline, the layer cache. */
import { sizeReportSection } from '../../src/report/size-report.ts'
import type { SummaryData } from '../../src/report/summary-data.ts'
import { baseline, change, layer, sizeContext, sizeReport, sizeRow } from './size-report-examples.ts'
import { cacheFacts, nodeToNginx } from './summary-examples.ts'

const MB = 1_000_000
const NOW = Date.UTC(2026, 10, 21, 12)
const MAIN = 'refs/heads/main'

/** A pull request that adds a font to the web site. */
export function reviewedNodeToNginx(): SummaryData {
  const site = nodeToNginx()
  const grown = [{ text: 'web/assets/inter.woff2 added', stage: 'build-stage', line: 14 }]
  return {
    ...site,
    targets: site.targets.map((target) => ({ ...target, reasons: grown })),
    notes: [],
    warnings: [],
    sizeReport: sizes(),
    cache: cacheFacts({
      now: NOW,
      searches: [
        { source: 'own', ref: 'refs/pull/42/merge', outcome: 'none' },
        { source: 'base', ref: MAIN, outcome: 'found' },
      ],
      imports: new Map(
        ['production-stage', 'debug', 'test'].map((name) => [
          name,
          [{ ref: MAIN, createdAt: NOW - 7_200_000, layers: 9 }],
        ]),
      ),
      ...{ packsFetched: 2, bytesFetched: 61.2 * MB, bytesSaved: 3.1 * MB },
    }),
  }
}

function sizes(): string {
  const copy = layer('COPY --from=build-stage /app/dist /usr/share/nginx/html', 42, change(1.4, 0.9), change(2.9, 2.3))
  const row = (target: string, transfer: readonly [number, number], unpacked: readonly [number, number]) =>
    sizeRow(target, {
      ...{ id: 'web', transfer: change(...transfer), unpacked: change(...unpacked), layers: [copy] },
      paths: [{ path: 'usr/share/nginx/html/assets/inter.woff2', now: 0.6 * MB, before: 0 }],
    })
  const rows = [
    row('production-stage', [22.02, 21.52], [57.01, 56.41]),
    row('debug', [24.12, 23.62], [61.43, 60.83]),
    row('test', [142.6, 142.1], [449, 448.4]),
  ]
  return sizeReportSection(sizeReport(rows, { baseline: baseline({ url: undefined }) }), sizeContext({ title: 'web' }))
}
