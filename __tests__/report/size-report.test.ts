import { describe, expect, test } from '@jest/globals'
import type { SizeReport, SizeRowComparison } from '../../src/measure/comparison.ts'
import { noiseFloor } from '../../src/measure/noise.ts'
import type { SizeReportContext } from '../../src/report/size-report-context.ts'
import { renderSizeReport, sizeReportSection } from '../../src/report/size-report.ts'
import {
  baseline,
  budget,
  change,
  comingsAndGoings,
  failedAndPartial,
  fiftyTargets,
  fromRegistry,
  layer,
  noBaseline,
  noChange,
  notComparable,
  olderBaseline,
  overBudget,
  sizeContext,
  sizeReport,
  sizeRow,
} from '../support/size-report-examples.ts'

const HOME = 'https://github.com/acme/shop'
const HEAD = sizeContext().headCommit ?? ''
const ofRows = (...rows: readonly SizeRowComparison[]): string => renderSizeReport(sizeReport(rows), sizeContext())
const render = (example: readonly [SizeReport, SizeReportContext]): string => renderSizeReport(...example)

describe('the table', () => {
  test('keeps the order of the comparison, with missing targets behind failed ones', () => {
    const rows = [
      sizeRow('broken', { status: 'failed' }),
      sizeRow('over', { transfer: change(4.5, 4), budgets: [budget('over=4MB', 4, 4.5, 'over')] }),
      sizeRow('allowed', { transfer: change(4.5, 4), budgets: [budget('allowed=4MB', 4, 4.5, 'waived')] }),
      sizeRow('more', { transfer: change(5, 4) }),
      sizeRow('new', { status: 'added', transfer: change(4, undefined) }),
      sizeRow('gone', { status: 'removed', transfer: change(undefined, 4) }),
    ]
    const text = renderSizeReport(sizeReport(rows, { missing: ['late'] }), sizeContext())
    expect([...text.matchAll(/^\| (\S*) ?\| \*\*`(\w+)`\*\*/gm)].map((match) => match.slice(1))).toEqual([
      ['💥', 'broken'],
      ['⏳', 'late'],
      ['❌', 'over'],
      ['⚠️', 'allowed'],
      ['', 'more'],
      ['🆕', 'new'],
      ['🗑️', 'gone'],
    ])
  })

  test('has the figures, what they gained and what of the budget they use', () => {
    const text = render(overBudget())
    expect(text).toContain('|  | Target | Transfer | Change | Unpacked | Change | Budget |')
    expect(text).toContain(
      '| ❌ | **`runtime`** | 187&nbsp;MB | **+38.4&nbsp;MB (+25.9&nbsp;%)** | 513&nbsp;MB | +122&nbsp;MB | 160&nbsp;MB · **117&nbsp;%** |',
    )
    expect(text).toContain(
      '|  | **`web`** | 21.3&nbsp;MB | **−600&nbsp;kB (−2.7&nbsp;%)** | 58.8&nbsp;MB | −1.90&nbsp;MB | 40.0&nbsp;MB · 53&nbsp;% |',
    )
  })

  test('folds unchanged targets away', () => {
    const text = render(noChange())
    expect(text).toContain(
      '<details><summary>4 unchanged targets</summary>\n\n| Target | Transfer | Unpacked | Budget |',
    )
    expect(text.match(/^\| /gm)).toHaveLength(6)
    expect(render(comingsAndGoings())).toContain('<details><summary>2 unchanged images</summary>')
  })

  test('has no column that would say nothing', () => {
    expect(render(noBaseline())).toContain('\n| Target | Transfer | Unpacked | Budget |\n')
    expect(render(comingsAndGoings())).toContain('\n|  | Target | Platform | Transfer | Change | Unpacked | Change |\n')
    expect(ofRows(sizeRow('a', { transfer: change(2, 1) }))).toContain('\n| Target | Transfer | Change |\n')
  })

  test('shows what a removed target weighed, and what a renamed one was called', () => {
    const text = render(comingsAndGoings())
    expect(text).toContain('| 🗑️ | **`legacy`** | `linux/amd64` | removed | was 98.2&nbsp;MB | – | was 250&nbsp;MB |')
    expect(text).toContain('| **`api`**<br><sub>was `server`</sub> | `linux/amd64` |')
  })

  test('has at most 25 open rows; the others are folded away', () => {
    const rows = Array.from({ length: 30 }, (_, i) => sizeRow(`t${i}`, { transfer: change(9, 8) }))
    const [open = '', folded = ''] = ofRows(...rows).split('<details><summary>5 more rows</summary>')
    expect(open.match(/^\| \*\*/gm)).toHaveLength(25)
    expect(folded.match(/^\| \*\*/gm)).toHaveLength(5)
  })

  test('says unknown, and never 0, an endless or a whole growth', () => {
    const text = ofRows(sizeRow('a', { unpacked: change(3, undefined), transfer: change(undefined, 2) }))
    expect(text).toContain('| **`a`** | unknown | – | 3.00&nbsp;MB | – |')
    for (const example of [noBaseline(), comingsAndGoings(), fromRegistry(), failedAndPartial()]) {
      expect(render(example)).not.toMatch(/\b0&nbsp;B|100(\.0)?&nbsp;%|∞|NaN|Infinity/)
    }
  })

  test('shows 100 % only where a budget is used up', () => {
    const row = (actual: number, verdict: 'held' | 'over') =>
      sizeRow('a', { transfer: change(actual, 9), budgets: [budget('a=10MB', 10, actual, verdict)] })
    expect(ofRows(row(9.999_999, 'held'))).toContain(' · 99&nbsp;% |')
    expect(ofRows(row(10, 'held'))).toContain(' · 100&nbsp;% |')
    expect(ofRows(row(10.000_001, 'over'))).toContain(' · **101&nbsp;%** |')
  })
})

describe('why a target grew', () => {
  const text = render(overBudget())

  test('splits what is inherited from what is not', () => {
    expect(text).toContain(
      '<details open><summary><b>Why did <code>runtime</code> grow?</b> +38.4&nbsp;MB: +2.10&nbsp;MB inherited, +36.3&nbsp;MB yours</summary>',
    )
    expect(text).toContain('<details><summary><b>Why did <code>web</code> shrink?</b> −600&nbsp;kB</summary>')
  })

  test('leads to the line of the Dockerfile at the head commit', () => {
    expect(text).toContain(
      `| +34.9&nbsp;MB | +112&nbsp;MB | \`COPY --from=build /app/node_modules ./node_modules\` [\`Dockerfile:31\`](${HOME}/blob/${HEAD}/web/Dockerfile#L31) |`,
    )
    expect(text).toContain('| −900&nbsp;kB | −2.00&nbsp;MB | `RUN npm cache clean --force` <sub>gone</sub> |')
  })

  test('lists directories, packages, the base image and waste', () => {
    expect(text).toContain('| +88.1&nbsp;MB | `app/node_modules/@swc/` <sub>new</sub> | 88.1&nbsp;MB |')
    expect(text).toContain('| −2.00&nbsp;MB | `root/.npm/_cacache/` <sub>gone</sub> | – |')
    expect(text).toContain(
      '**Packages:** `@swc/core` `1.13.5` new +88.1&nbsp;MB · `typescript` `5.9.3` new +21.7&nbsp;MB · `openssl` `3.3.1-r0` → `3.3.2-r1` +100&nbsp;kB · `moment` gone −4.30&nbsp;MB',
    )
    expect(text).toMatch(
      /\*\*Base image:\*\* `docker\.io\/library\/node:22-alpine` `[0-9a-f]{12}` → `[0-9a-f]{12}`: \+2\.10&nbsp;MB to transfer, \+6\.40&nbsp;MB unpacked/,
    )
    expect(text).toContain('**Waste:** 14.2&nbsp;MB (+9.80&nbsp;MB) that a later layer overwrites or deletes')
  })

  test('is told once for all platforms of a target', () => {
    const both = render(comingsAndGoings())
    expect(both.match(/Why did/g)).toHaveLength(1)
    expect(both).toContain('This is `api` `linux/amd64`. Beside it: `linux/arm64` +2.10&nbsp;MB (+4.9&nbsp;%).')
  })

  test('is open for the first and for those over budget', () => {
    const layers = [layer('COPY a b', 1, change(2, 1), change(2, 1))]
    const over = [budget('x=1MB', 1, 3, 'over')]
    const rows = ['a', 'b', 'c', 'd'].map((name, i) =>
      sizeRow(name, { transfer: change(9 - i, 1), layers, budgets: i === 0 || i === 1 ? over : [] }),
    )
    expect(ofRows(...rows).match(/<details open>/g)).toHaveLength(2)
    expect(ofRows(...rows.slice(2)).match(/<details open>/g)).toHaveLength(1)
  })

  test('names another base image beside the former', () => {
    const base = { image: 'alpine:3.22', imageBefore: 'debian:13', digest: undefined, digestBefore: undefined }
    expect(ofRows(sizeRow('a', { transfer: change(2, 9), base }))).toContain(
      '**Base image:** `debian:13` → `alpine:3.22`',
    )
  })
})

describe('budgets', () => {
  test('that are broken name the figure, the limit and what to do', () => {
    const text = render(overBudget())
    expect(text).toContain('❌ `runtime` is 186.5 MB, 26.5 MB over its budget of 160 MB (transfer).')
    expect(text).toContain(
      'put the label `stage-build: allow-size-increase` on the pull request and run the job again.',
    )
    expect(render(notComparable())).toContain('❌ `runtime` is 512.9 MB, 62.9 MB over its budget of 450 MB (unpacked).')
  })

  test('that were broken before, or are waived, warn', () => {
    const text = render(olderBaseline())
    expect(text).toContain('- ⚠️ `runtime` is 186.5 MB')
    expect(text).toContain('(transfer), which a label allows: `stage-build: allow-size-increase`.')
    expect(text).toContain(', as it was before. It did not get worse, so this is only a warning.')
    expect(text).not.toContain('put the label')
  })

  test('that could not be checked are named', () => {
    expect(render(noBaseline())).toContain('Budgets not checked, since there is nothing to compare with: <code>')
    expect(render(notComparable())).toContain(
      'Budgets not checked, since the baseline is compressed differently: <code>',
    )
  })
})

describe('what limits the figures', () => {
  test('no baseline: how to get one', () => {
    expect(render(noBaseline())).toContain('Run this workflow on `push` to `main` too:')
    expect(render(noBaseline())).not.toContain('Compared with')
  })

  test('an older baseline: how much older', () => {
    expect(render(olderBaseline())).toMatch(/> Compared with \[`41d0e77`\]\(.*\), 6 commits before the base commit \[/)
  })

  test('sizes that are not comparable, failed builds, missing targets, an image of a registry', () => {
    expect(render(notComparable())).toContain(
      '> `runtime` and `web`: The baseline’s layers are compressed by gzip and these are compressed by zstd',
    )
    expect(render(failedAndPartial())).toContain('> - No sizes were handed over for `web` and `migrate`. Their jobs')
    expect(render(failedAndPartial())).toContain(
      `> - \`runtime\`: \`RUN npm ci\` (line 12) ended with exit code 1. [See the run](${HOME}/actions/runs/1850).`,
    )
    expect(render(failedAndPartial())).toContain('| ⏳ | **`web`** | no sizes yet | – |')
    expect(render(fromRegistry())).toContain(
      '> Compared with the image in the registry, which tells transfer sizes only',
    )
  })

  test('an unknown size: why', () => {
    const [report, context] = fromRegistry()
    const [row] = report.rows
    if (row?.current === undefined) throw new Error('no row')
    const reason = 'A layer could not be read, so its unpacked size is not known.'
    const rows = [{ ...row, current: { ...row.current, unknownReason: reason } }]
    expect(renderSizeReport({ ...report, rows }, context)).toContain(`> - \`prod\`: ${reason}`)
  })

  test('is at the end named with both commits', () => {
    expect(render(overBudget())).toMatch(
      /<sub>Compared with \[`9f3c1ab`\]\(.*\/commit\/9f3c1ab[0-9a-f]{33}\), the base commit on `main` \(\[its run\]\(.*\/actions\/runs\/1843\)\) · head \[`c0ffee1`\]\(.*\) · `linux\/amd64` · gzip · less than 10 kB or 0\.05 % is no change<br>/,
    )
    expect(noiseFloor(0)).toBe(10_000)
    expect(noiseFloor(1e9)).toBe(0.05 * 1e7)
  })

  test.each([
    [{ source: 'input' }, 'Compared with [`9f3c1ab`]'],
    [{ source: 'input', commit: undefined }, 'Compared with what the input `baseline` names'],
    [{ source: 'exact', commit: undefined }, 'Compared with the base commit on `main`'],
    [{ source: 'ancestor', distance: undefined }, 'Compared with [`9f3c1ab`]'],
    [{ source: 'registry', commit: undefined }, 'Compared with the image in the registry (['],
  ] as const)('names a baseline %j', (over, sentence) => {
    const row = sizeRow('a', { transfer: change(2, 1) })
    expect(renderSizeReport(sizeReport([row], { baseline: baseline(over) }), sizeContext())).toContain(
      `<sub>${sentence}`,
    )
  })
})

describe('links', () => {
  const of = (file: string, context: Partial<SizeReportContext> = {}): readonly string[] => {
    const layers = [{ ...layer('COPY a b', 3, change(2, 1), change(2, 1)), file }]
    const report = sizeReport([sizeRow('a', { transfer: change(2, 1), layers })])
    const text = renderSizeReport(report, sizeContext(context))
    return [...text.matchAll(/\]\(([^)]*#L3)\)/g)].map((match) => match[1] ?? '')
  }

  test('are encoded', () => {
    expect(of("a b/(c)#d?e/f'g|h`i%2e/ü.Dockerfile")).toEqual([
      `${HOME}/blob/${HEAD}/a%20b/%28c%29%23d%3Fe/f%27g%7Ch%60i%252e/%C3%BC.Dockerfile#L3`,
    ])
  })

  test.each(['../x', 'a/../../x', '/etc/passwd', 'a//b', './a', '', 'a/..', 'a'.repeat(2_000), '\ud800'])(
    'do not lead out of the repository: %j',
    (file) => {
      expect(of(file)).toEqual([])
    },
  )

  test('are left out where the head commit is not known, and follow the server', () => {
    expect(of('Dockerfile', { headCommit: undefined })).toEqual([])
    expect(of('Dockerfile', { serverUrl: 'https://ghe.example.com:8443' })).toEqual([
      `https://ghe.example.com:8443/acme/shop/blob/${HEAD}/Dockerfile#L3`,
    ])
  })

  test.each(['https://evil.example/x', 'javascript:alert(1)', `${HOME}.evil/x`, `${HOME}/../../evil`, 'no address'])(
    'to a run are of this repository only: %s',
    (url) => {
      const report = sizeReport([sizeRow('a', { transfer: change(2, 1) })], { baseline: baseline({ url }) })
      expect(renderSizeReport(report, sizeContext())).not.toMatch(/its run|evil|javascript/)
    },
  )

  test('to commits need a commit', () => {
    const odd = baseline({ commit: 'main](https://evil.example)', wanted: 'HEAD', source: 'ancestor' })
    const report = sizeReport([sizeRow('a', { transfer: change(2, 1) })], { baseline: odd })
    expect(renderSizeReport(report, sizeContext())).not.toContain('evil')
  })
})

describe('the stage graph', () => {
  test('is there only when it changed, with what each target weighs', () => {
    const text = render(overBudget())
    expect(text).toContain('<details><summary>The stage graph changed (6 stages, 1 new, 1 gone)</summary>')
    expect(text).toContain('s2(["runtime, 187\u00a0MB,\u00a0+38.4\u00a0MB"])')
    expect(text).toContain('New: `worker`. Gone: `jobs`.')
    expect(render(olderBaseline())).not.toContain('mermaid')
  })

  test('is not drawn again in the job summary', () => {
    const section = sizeReportSection(...overBudget())
    expect(section).toMatch(/^#### Image sizes: 1 of 4/)
    expect(section).not.toContain('mermaid')
  })
})

describe('room', () => {
  test('suffices for fifty targets, by leaving out in a stated order', () => {
    const example = fiftyTargets()
    const whole = renderSizeReport(...example, { limit: 10_000_000 })
    expect(whole).not.toContain('Left out')
    const order = [
      ['the stage graph', 'mermaid'],
      ['packages', '**Packages:**'],
      ['all but five paths each', '`srv/7/'],
      ['all but five layers each', '/srv/7`'],
      ['unchanged targets', '<summary>1 unchanged target'],
      ['everything but the table', 'Why did'],
    ] as const
    const seen = new Set<string>()
    for (let limit = whole.length; limit > 1_000; limit = Math.floor(limit * 0.85)) {
      const text = renderSizeReport(...example, { limit, maxBytes: limit + 2_000 })
      expect(text.length).toBeLessThanOrEqual(limit)
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(limit + 2_000)
      expect(text).toMatch(/^### Image sizes: 1 of 51 targets over budget/)
      const dropped = order.map(([, mark]) => !text.includes(mark))
      expect(dropped).toEqual(dropped.toSorted((a, b) => Number(b) - Number(a)))
      if (!text.includes('everything')) {
        for (const [name, mark] of order) expect(text.includes(name)).toBe(!text.includes(mark))
      }
      for (const [name] of order) if (text.includes(name)) seen.add(name)
      expect(text === whole || text.includes(`[the run's summary](${HOME}/actions/runs/1850)`)).toBe(true)
    }
    expect([...seen].toSorted()).toEqual(order.map(([name]) => name).toSorted())
  })

  test('counts characters and bytes each for itself', () => {
    const [report, context] = fiftyTargets()
    const rows = report.rows.map((row, i) => ({ ...row, target: '日本語'.repeat(15) + String(i) }))
    const wide = { ...report, rows }
    const text = renderSizeReport(wide, context, { limit: 10_000_000, maxBytes: 30_000 })
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(30_000)
    expect(Buffer.byteLength(renderSizeReport(wide, context))).toBeLessThanOrEqual(65_000)
  })

  test('has a compact form: the verdict, what limits it and the table', () => {
    const text = renderSizeReport(...fiftyTargets(), { compact: true })
    expect(text).toContain('| ❌ | **`service-0`** | 187&nbsp;MB |')
    expect(text).not.toMatch(/Why did|<details|Unpacked \|/)
    expect(text).toContain('25 more rows are left out.')
    expect(text.length).toBeLessThan(6_000)
  })

  test('at last leaves the verdict and where to read on', () => {
    const text = renderSizeReport(...fiftyTargets(), { limit: 700 })
    expect(text.split('\n\n')).toEqual([
      expect.stringMatching(/^### Image sizes: 1 of 51/),
      expect.stringMatching(/^<sub>Left out for want of room: everything else\. The whole report is in \[/),
    ])
  })

  test('for fifty targets is found in a second', () => {
    const example = fiftyTargets()
    const start = performance.now()
    renderSizeReport(...example)
    sizeReportSection(...example)
    expect(performance.now() - start).toBeLessThan(1_000)
  })
})
