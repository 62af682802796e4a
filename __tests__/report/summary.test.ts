import { describe, expect, test } from '@jest/globals'
import { renderSummary } from '../../src/report/summary.ts'
import type { SummaryData, TargetStatus } from '../../src/report/summary-data.ts'
import { HOSTILE_NAMES } from '../support/hostile-names.ts'
import {
  fiftyStages,
  graphOf,
  helloworldThreeWays,
  hrefCounter,
  image,
  nodeToNginx,
  oneFailed,
  platform,
  stageSource,
  summary,
  target,
} from '../support/summary-examples.ts'

const firstLine = (data: SummaryData): string => renderSummary(data).split('\n')[0] ?? ''
const small = platform('linux/amd64', { transfer: [1, 2], unpacked: [3, 4] })
const withStatus = (...statuses: readonly TargetStatus[]) =>
  statuses.map((status, i) => target(`t${i}`, { status, platforms: status === 'built' ? [small] : [] }))

describe('the first line', () => {
  test('says how many targets were built, how fast, and how large they are', () => {
    expect(firstLine(nodeToNginx())).toBe(
      '**3 targets built in 14.2 s** — `production-stage` 22.0 MB, `debug` 24.1 MB, `test` 143 MB to transfer',
    )
  })

  test('gives a range where platforms differ', () => {
    expect(firstLine(hrefCounter())).toBe('**1 target built in 9.4 s** — `stage 1` 5.50–5.70 MB to transfer')
  })

  test('counts targets past the sixth', () => {
    expect(firstLine(fiftyStages())).toMatch(/`service-e` 34\.2 MB, 10 more to transfer$/)
  })

  test('names the targets that failed', () => {
    expect(firstLine(oneFailed())).toBe('**1 of 3 targets failed after 12.6 s** — `test`; 1 built and 1 not built')
    expect(firstLine(summary({ targets: withStatus('failed') }))).toBe('**The target failed after 14.2 s** — `t0`')
  })

  test('says when nothing had to be built', () => {
    expect(firstLine(summary({ targets: withStatus('unchanged', 'unchanged') }))).toBe(
      '**Nothing to build: all 2 targets are unchanged**',
    )
    expect(firstLine(summary({ targets: withStatus('unchanged') }))).toBe(
      '**Nothing to build: the target is unchanged**',
    )
    expect(firstLine(summary({ targets: withStatus('built', 'unchanged') }))).toBe(
      '**1 target built, 1 unchanged in 14.2 s** — `t0` 3.00 MB to transfer',
    )
  })

  test('says when nothing was built for want of a good Dockerfile or engine', () => {
    const failures = [{ problem: { message: 'No engine.' }, lastLines: [] }]
    expect(firstLine(summary({ failures }))).toBe('**Nothing was built: 1 problem**')
    expect(firstLine(summary({ failures, targets: withStatus('skipped', 'skipped') }))).toBe(
      '**Nothing was built: 1 problem**',
    )
    expect(firstLine(summary())).toBe('**Nothing was built**')
  })

  test('leaves out what it does not know', () => {
    expect(firstLine(summary({ targets: [target('a')], durationMs: undefined }))).toBe('**1 target built**')
  })
})

describe('the table', () => {
  test('has a row per target and platform', () => {
    const text = renderSummary(hrefCounter())
    expect(text).toContain('| Target | Platform | Transfer | Own | Base | Unpacked | Time and steps | Image |')
    expect(text).toMatch(
      /\| \*\*`stage 1`\*\* \| `linux\/amd64` \| 5\.50&nbsp;MB \| 1\.90&nbsp;MB \| 3\.60&nbsp;MB \| 12\.3&nbsp;MB \| 8\.8&nbsp;s<br><sub>7&nbsp;run,&nbsp;0&nbsp;cached<\/sub> \| `alexellis2\/href-counter:latest`<br>`[0-9a-f]{12}` \|/,
    )
    expect(text).toMatch(/\|\s+\| `linux\/arm64` \| 5\.70&nbsp;MB \|/)
  })

  test('says unknown with the reason, and never 0', () => {
    const nothing = { total: undefined, own: undefined, inherited: undefined }
    const data = summary({
      targets: [
        target('a', {
          platforms: [
            {
              platform: 'linux/amd64',
              transfer: nothing,
              unpacked: nothing,
              unknownReason: 'The builder does not reach loopback.',
            },
          ],
        }),
        target('b', { platforms: [{ ...small, unpacked: { ...nothing }, unknownReason: 'A layer is gone.' }] }),
      ],
    })
    const text = renderSummary(data)
    expect(text).toContain('| `linux/amd64` | unknown | unknown | unknown | unknown |')
    expect(text).toContain('- `a` `linux/amd64`: its sizes are unknown: The builder does not reach loopback.')
    expect(text).toContain('- `b` `linux/amd64`: a part of its sizes is unknown: A layer is gone.')
    expect(text).not.toMatch(/\b0 B/)
  })

  test('tells failed, unchanged and unbuilt targets apart', () => {
    const text = renderSummary(summary({ targets: withStatus('failed', 'unchanged', 'skipped') }))
    expect(text).toContain('❌ **`t0`** failed |')
    expect(text).toContain('**`t1`** unchanged |')
    expect(text).toContain('**`t2`** not built |')
  })
})

describe('what multi-stage left behind', () => {
  test('stands beside what is shipped', () => {
    expect(renderSummary(helloworldThreeWays())).toContain(
      '| `builder` <sub>line 1</sub> | `golang:1.24` | 295 MB | → | `multi` | 6.47 MB | **−97.8 %** |',
    )
  })

  test('marks estimates and unnamed stages', () => {
    expect(renderSummary(nodeToNginx())).toContain('| ≈ 412 MB |')
    expect(renderSummary(hrefCounter())).toContain('| `stage 0` <sub>line 1</sub> | `golang:1.24-alpine` | 328 MB |')
  })

  test('claims no saving where there is none, and no size where it is unknown', () => {
    const stage = {
      stage: 0,
      name: 'certs',
      line: 1,
      baseImage: undefined,
      metric: 'unpacked',
      approximate: false,
    } as const
    const of = (size: number | undefined) =>
      renderSummary(summary({ targets: [target('a', { platforms: [small], leftBehind: [{ ...stage, size }] })] }))
    expect(of(1_000_000)).toContain('| 1.00 MB | → | `a` | 7.00 MB |  |')
    expect(of(undefined)).toContain('| unknown | → | `a` | 7.00 MB |  |')
  })

  test('is not a section where no stage was', () => {
    expect(renderSummary(summary({ targets: withStatus('built') }))).not.toContain('left behind')
  })
})

describe('the other sections', () => {
  test('say what the pictures leave out', () => {
    const text = renderSummary(nodeToNginx())
    expect(text).toContain('Left out, since no target needs it: `docs`.')
    expect(text).toContain('5 stages · blue: targets · gold edge: shared by several targets · cylinder: external image')
    expect(renderSummary(fiftyStages())).toContain('20 shorter steps took 1.8 s together.')
  })

  test('name each external image, what stands in for it and its digest', () => {
    const text = renderSummary(nodeToNginx())
    expect(text).toContain('<details><summary>3 external images</summary>')
    expect(text).toMatch(
      /\| `docker\.io\/library\/node:22-alpine`<br>taken from `ghcr\.io\/org\/mirror\/node:22-alpine` \| `sha256:[0-9a-f]{64}` \|/,
    )
    expect(renderSummary(helloworldThreeWays())).toContain(
      '| `docker.io/library/golang:1.24-alpine` | could not be resolved |',
    )
  })

  test('show a failure with its place, its mend and its last lines', () => {
    const text = renderSummary(oneFailed())
    expect(text).toContain(
      '❌ `test`: `web/Dockerfile:24` `RUN npm test` ended with exit code 1. Its last lines are below.',
    )
    expect(text).toContain('```\nFAIL src/cart.test.ts\n  ✕ adds up (4 ms)\n    Expected: 42\n    Received: 41\n')
  })

  test('count notes and warnings past the fiftieth', () => {
    const text = renderSummary(summary({ notes: Array.from({ length: 60 }, (_, i) => `Note ${i}.`) }))
    expect(text).toContain('- Note 49.\n- 10 more notes in the step')
  })
})

describe('room', () => {
  test('is made by dropping sections in a stated order, and said', () => {
    const data = fiftyStages()
    const full = Buffer.byteLength(renderSummary(data))
    const without = renderSummary(data, full - 1)
    expect(without).not.toContain('#### Timeline')
    expect(without).toContain('Left out, since GitHub takes 1 MiB of summary per step: the timeline.</sub>')
    const order = [
      'the timeline',
      'the stage graph',
      'tags and digests',
      'the sizes side by side',
      'what multi-stage left behind',
    ]
    let seen = 0
    for (let max = full; max > 300; max = Math.floor(max * 0.9)) {
      const text = renderSummary(data, max)
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(max)
      expect(text).toMatch(/^\*\*15 targets built/)
      const said = /per step: (.*)\.<\/sub>/.exec(text)?.[1] ?? ''
      const dropped = order.filter((name) => said.includes(name))
      expect(dropped).toEqual(order.slice(0, dropped.length))
      seen = Math.max(seen, dropped.length)
    }
    expect(seen).toBe(order.length)
  })

  test('suffices for a hostile megabyte', () => {
    const long = '<b>|`'.repeat(20_000)
    const many = Array.from({ length: 400 }, () => long)
    const data = summary({
      ...{ title: long, file: long, context: long },
      targets: many.map(() => target(long, { tags: many.slice(0, 20), platforms: [{ ...small, platform: long }] })),
      graph: graphOf(many.map(() => ({ name: long, from: image(long) }))),
      externalImages: many.map(() => ({ image: long, digest: long, mapped: long })),
      timeline: many.map((_, i) => ({
        label: long,
        stage: long,
        target: long,
        startMs: i,
        endMs: 2 * i,
        cached: false,
      })),
      ...{ notes: many, warnings: many.map((message) => ({ message })) },
      failures: many.map((message) => ({ problem: { message }, lastLines: many })),
    })
    expect(Buffer.byteLength(renderSummary(data))).toBeLessThanOrEqual(1_000_000)
  })
})

test('no hostile name brings HTML, a link or a broken fence into the source', () => {
  for (const name of HOSTILE_NAMES) {
    const text = renderSummary(
      summary({
        ...{
          title: name,
          file: name,
          context: name,
          notes: [name],
          warnings: [{ message: name, mend: name, file: name }],
        },
        graph: graphOf([
          { name, from: image(name) },
          { name, needs: [['copy', stageSource(0)]] },
        ]),
        targets: [
          target(name, {
            stage: 1,
            tags: [name],
            digest: name,
            platforms: [{ ...small, platform: name, digest: name }],
          }),
        ],
        externalImages: [{ image: name, digest: name, mapped: name }],
        timeline: [{ label: name, stage: name, target: name, startMs: 0, endMs: 10, cached: true }],
        failures: [{ problem: { message: name }, target: name, lastLines: [name] }],
      }),
    )
    const outside = text.replace(/^(`{3,})[^`\n]*\n[\s\S]*?\n\1$/gm, '').replace(/`[^`\n]*`/g, '')
    expect(outside).not.toMatch(/<(?!\/?(?:code|sub|br|details|summary)>)|\]\(|https?:\/\/|@\w/)
  }
})
