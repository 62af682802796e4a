import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { BrowserContext } from 'playwright-core'
import { flowchart } from '../../src/report/flowchart.ts'
import { gantt } from '../../src/report/gantt.ts'
import { labelShows, mermaidBlock } from '../../src/report/mermaid-text.ts'
import { renderSummary } from '../../src/report/summary.ts'
import { HOSTILE_NAMES } from '../support/hostile-names.ts'
import { MERMAIDS, openBrowser, renderMarkdown } from '../support/render-markdown.ts'
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

/** Needs no container engine but a browser, which the unit tests must not. */

let browser: BrowserContext
let close: () => Promise<void>

beforeAll(async () => {
  ;({ context: browser, close } = await openBrowser())
})

afterAll(async () => {
  await close()
})

/** Labels are cut at different lengths; what is tested here is what they say, so these are short. */
const NAMES = HOSTILE_NAMES.filter((name) => name.length < 40)

describe.each(MERMAIDS)('in a browser with %s', (mermaid) => {
  test('a stage graph of hostile names shows each of them letter by letter', async () => {
    const graph = graphOf(HOSTILE_NAMES.map((name) => ({ name, from: image(`x ${name}`) })))
    const { source } = flowchart({
      ...{ graph, requested: graph.stages.map((stage) => stage.index), shared: [] },
      ...{ captions: new Map(HOSTILE_NAMES.map((name, i) => [i, name])), maxNodes: 400 },
    })
    const { page, mermaidErrors } = await renderMarkdown(browser, mermaidBlock(source), { mermaid })
    expect(mermaidErrors).toEqual([])
    const labels = await page.evaluate<string[]>(
      `[...document.querySelectorAll('.node .nodeLabel')].map((label) => label.textContent)`,
    )
    expect(labels).toHaveLength(2 * HOSTILE_NAMES.length)
    const squash = (text: string): string => text.replace(/\s+/g, ' ').trim()
    const shown = new Set(labels.map(squash))
    for (const name of NAMES) {
      expect(shown).toContain(squash(`${labelShows(name, 44)}, ${labelShows(name, 44)}`))
    }
    expect(await foreignElements(page)).toEqual([])
    await page.close()
  })

  test('a timeline of hostile names shows each of them letter by letter', async () => {
    const chart = gantt(
      HOSTILE_NAMES.map((name, i) => ({
        ...{ label: name, stage: name, target: undefined },
        ...{ startMs: i * 100, endMs: i * 100 + 5_000, cached: i % 2 === 0 },
      })),
      400,
    )
    const { page, mermaidErrors } = await renderMarkdown(browser, mermaidBlock(chart?.source ?? ''), { mermaid })
    expect(mermaidErrors).toEqual([])
    const labels = await page.evaluate<string[]>(
      `[...document.querySelectorAll('svg text[class*="taskText"]')].map((label) => label.textContent)`,
    )
    expect(labels).toHaveLength(HOSTILE_NAMES.length)
    const squash = (text: string): string => text.replace(/\s+/g, ' ').trim()
    const shown = labels.map((label) => squash(label.slice(1)))
    for (const name of NAMES) {
      expect(shown).toContain(squash(`${labelShows(name, 24)}: ${labelShows(name, 48)}`))
    }
    expect(await foreignElements(page)).toEqual([])
    await page.close()
  })

  test.each(Object.entries({ nodeToNginx, hrefCounter, helloworldThreeWays, oneFailed, fiftyStages }))(
    'the summary %s is drawn',
    async (_, example) => {
      const scheme = mermaid === 'mermaid-11' ? 'dark' : 'light'
      const { page, mermaidErrors } = await renderMarkdown(browser, renderSummary(example()), { mermaid, scheme })
      expect(mermaidErrors).toEqual([])
      const sizes = await page.evaluate<[number, number][]>(
        `[...document.querySelectorAll('.mermaid-drawn svg')].map((svg) => [svg.getBoundingClientRect().width, svg.getBoundingClientRect().height])`,
      )
      expect(sizes.length).toBeGreaterThan(0)
      for (const [width, height] of sizes) {
        expect(width).toBeGreaterThan(200)
        expect(height).toBeGreaterThan(80)
      }
      // No table needs scrolling at github.com's width.
      expect(
        await page.evaluate<number[]>(
          `[...document.querySelectorAll('table')].map((table) => table.scrollWidth).filter((width) => width > 964)`,
        ),
      ).toEqual([])
      expect(await coloursOf(page)).toBeGreaterThan(20)
      await page.close()
    },
  )
})

test('a summary of hostile names brings no element and no script of theirs into the page', async () => {
  const small = platform('linux/amd64', { transfer: [1, 2], unpacked: [3, 4] })
  const data = summary({
    graph: graphOf(HOSTILE_NAMES.map((name, i) => ({ name, from: i === 0 ? image(name) : stageSource(i - 1) }))),
    targets: HOSTILE_NAMES.map((name, i) =>
      target(name, {
        ...{ stage: i, tags: [name, name], digest: name, platforms: [{ ...small, platform: name, digest: name }] },
        leftBehind: [
          { ...{ stage: 0, name, line: 1, baseImage: name, metric: 'unpacked', size: 1_000, approximate: true } },
        ],
      }),
    ),
    externalImages: HOSTILE_NAMES.map((name) => ({ image: name, digest: name, mapped: name })),
    timeline: HOSTILE_NAMES.map((name, i) => ({
      label: name,
      stage: name,
      target: name,
      startMs: i,
      endMs: i + 9,
      cached: true,
    })),
    notes: HOSTILE_NAMES,
    warnings: HOSTILE_NAMES.map((name) => ({ message: name, mend: name, file: name, line: 1 })),
    failures: HOSTILE_NAMES.map((name) => ({
      problem: { message: name, mend: name },
      target: name,
      lastLines: [name, name],
    })),
  })
  const { page, mermaidErrors } = await renderMarkdown(browser, renderSummary(data))
  expect(mermaidErrors).toEqual([])
  expect(await foreignElements(page)).toEqual([])
  expect(await page.evaluate<number>(`document.querySelectorAll('.mermaid-drawn svg').length`)).toBe(2)
  // Targets, their sizes' left-behind, external images, tags: as many tables, each with all its columns in every row.
  expect(
    await page.evaluate<number[]>(
      `[...document.querySelectorAll('table')].map((table) => new Set([...table.rows].map((row) => row.cells.length)).size)`,
    ),
  ).toEqual([1, 1, 1, 1])
  await page.close()
})

test('a page of nothing would be noticed', async () => {
  const { page } = await renderMarkdown(browser, '')
  expect(await coloursOf(page)).toBe(1)
  await page.close()
})

type Page = Awaited<ReturnType<typeof renderMarkdown>>['page']

/** Elements that no summary of ours has, and whether a script of theirs ran. */
async function foreignElements(page: Page): Promise<readonly string[]> {
  return await page.evaluate<string[]>(`(() => {
    const ours = 'p,strong,code,pre,sub,br,h4,ul,li,table,thead,tbody,tr,th,td,details,summary,.mermaid-drawn,.mermaid-drawn *'
    const foreign = [...document.querySelectorAll('article *')].filter((element) => !element.matches(ours))
    const inDrawing = [...document.querySelectorAll('.mermaid-drawn :is(a,img,script,b,i,em,strong,h1,iframe,input)')]
    return [...foreign, ...inDrawing].map((element) => element.outerHTML.slice(0, 200)).concat(window.hacked ? ['a script ran'] : [])
  })()`)
}

/** How many colours a screenshot has: a blank page has one. */
async function coloursOf(page: Page): Promise<number> {
  const png = (await page.screenshot({ fullPage: true })).toString('base64')
  return await page.evaluate<number>(`(async () => {
    const picture = await createImageBitmap(await (await fetch('data:image/png;base64,${png}')).blob())
    const canvas = new OffscreenCanvas(picture.width, picture.height).getContext('2d')
    canvas.drawImage(picture, 0, 0)
    return new Set(new Uint32Array(canvas.getImageData(0, 0, picture.width, picture.height).data.buffer)).size
  })()`)
}
