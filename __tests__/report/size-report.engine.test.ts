import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { BrowserContext } from 'playwright-core'
import { renderSizeReport } from '../../src/report/size-report.ts'
import { HOSTILE_NAMES } from '../support/hostile-names.ts'
import { MERMAIDS, openBrowser, renderMarkdown } from '../support/render-markdown.ts'
import { SIZE_REPORT_EXAMPLES, overBudget, saying } from '../support/size-report-examples.ts'

/** Needs no container engine but a browser, which the unit tests must not. */

/** Of a comment on github.com, with this page's padding. */
const WIDTH = 880
const PADDING = 48

let browser: BrowserContext
let close: () => Promise<void>

beforeAll(async () => {
  ;({ context: browser, close } = await openBrowser())
})

afterAll(async () => {
  await close()
})

test.each(Object.entries(SIZE_REPORT_EXAMPLES))('%s fits the width of a comment', async (_, example) => {
  const { page, mermaidErrors } = await renderMarkdown(browser, renderSizeReport(...example()), { width: WIDTH })
  expect(mermaidErrors).toEqual([])
  await page.evaluate(`for (const block of document.querySelectorAll('details')) block.open = true`)
  const widths = await page.evaluate<number[]>(
    `[...document.querySelectorAll('table')].map((table) => table.scrollWidth)`,
  )
  expect(widths.length).toBeGreaterThan(0)
  for (const width of widths) expect(width).toBeLessThanOrEqual(WIDTH - PADDING)
  // Rows of figures stay on one line, but for a former name, an id or a second budget beneath.
  const heights = await page.evaluate<number[]>(
    `[...document.querySelectorAll('article > table tr')].filter((row) => row.querySelector('br') === null).map((row) => row.offsetHeight)`,
  )
  for (const height of heights) expect(height).toBeLessThan(45)
  await page.close()
})

test.each(MERMAIDS)('the stage graph is drawn with %s', async (mermaid) => {
  const { page, mermaidErrors } = await renderMarkdown(browser, renderSizeReport(...overBudget()), { mermaid })
  expect(mermaidErrors).toEqual([])
  expect(
    await page.evaluate<string[]>(
      `[...document.querySelectorAll('.node .nodeLabel')].map((label) => label.textContent.replace(/\\s/g, ' ')).filter((text) => text.includes(', '))`,
    ),
  ).toEqual(['runtime, 187 MB, +38.4 MB', 'worker, 92.1 MB, +4.90 MB', 'web, 21.3 MB, −600 kB', 'migrate, 64.0 MB'])
  await page.close()
})

test('text of others brings no element, comment or script into the page, and takes none away', async () => {
  const shapeOf = async (name: string): Promise<readonly unknown[]> => {
    const { page, mermaidErrors } = await renderMarkdown(browser, renderSizeReport(...saying(name)), { width: WIDTH })
    expect(mermaidErrors).toEqual([])
    const shape = await page.evaluate<unknown[]>(`(() => {
      const ours = 'h3,p,strong,b,code,sub,br,ul,li,a,blockquote,table,thead,tbody,tr,th,td,details,summary,.mermaid-drawn,.mermaid-drawn *'
      const all = [...document.querySelectorAll('article *')]
      const walker = document.createTreeWalker(document.querySelector('article'), NodeFilter.SHOW_COMMENT)
      return [
        all.filter((element) => !element.matches(ours)).map((element) => element.outerHTML.slice(0, 200)),
        [...document.querySelectorAll('.mermaid-drawn :is(a,img,script,b,i,em,strong,h1,iframe,input)')].length,
        walker.nextNode() === null ? 'no comment' : 'a comment',
        window.hacked === undefined,
        [...document.querySelectorAll('article table')].map((table) => [...table.rows].map((row) => row.cells.length)),
        [...document.querySelectorAll('article details')].map((details) => details.children[0]?.tagName),
        document.querySelectorAll('article li').length,
        document.querySelectorAll('.mermaid-drawn .node').length,
      ]
    })()`)
    await page.close()
    return shape
  }
  const plain = await shapeOf('plain')
  expect(plain.slice(0, 4)).toEqual([[], 0, 'no comment', true])
  // The unit tests have all names; a page takes two seconds.
  const names = HOSTILE_NAMES.filter((name) => /[<`\n]|\]|"/.test(name) && name.length < 100)
  expect(names.length).toBeGreaterThan(10)
  for (const name of names) expect([name.slice(0, 50), await shapeOf(name)]).toEqual([name.slice(0, 50), plain])
})
