import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { openBrowser, renderMarkdown } from '../__tests__/support/render-markdown.ts'
import {
  comingsAndGoings,
  failedAndPartial,
  fromRegistry,
  noBaseline,
  noChange,
  notComparable,
  olderBaseline,
  overBudget,
} from '../__tests__/support/size-report-examples.ts'
import { renderSizeReport } from '../src/report/size-report.ts'

/**
 * Draws what a size report looks like in a comment, light and dark: `node script/render-report.ts [DIRECTORY]`, by
 * default into `docs/`.
 */
const directory = process.argv[2] ?? 'docs'
const pictures = {
  'over-budget': [overBudget],
  'no-change': [noChange, noBaseline],
  'older-baseline': [olderBaseline, fromRegistry],
  'not-comparable': [notComparable],
  partial: [failedAndPartial],
  'new-and-gone': [comingsAndGoings],
}
/** About what a comment on github.com has, with the padding of the page. */
const WIDTH = 880

/** What GitHub makes of `> [!NOTE]`, which the Markdown renderer here does not know. */
const ALERTS = `for (const quote of document.querySelectorAll('blockquote')) {
  const kind = /^\\s*\\[!(\\w+)\\]\\s*/.exec(quote.textContent)?.[1]
  if (kind === undefined) continue
  const box = document.createElement('div')
  const name = kind.toLowerCase()
  box.className = 'markdown-alert markdown-alert-' + name
  box.innerHTML = '<p class="markdown-alert-title">' + name[0].toUpperCase() + name.slice(1) + '</p>' +
    quote.innerHTML.replace(/\\[!\\w+\\]\\s*/, '').replace(/<p>\\s*<\\/p>/, '')
  quote.replaceWith(box)
}`

mkdirSync(directory, { recursive: true })
const { context, close } = await openBrowser()
try {
  for (const [name, examples] of Object.entries(pictures)) {
    const markdown = examples.map((example) => renderSizeReport(...example())).join('\n---\n\n')
    for (const scheme of ['light', 'dark'] as const) {
      const path = join(directory, `size-report-${name}-${scheme}.png`)
      const { page, mermaidErrors } = await renderMarkdown(context, markdown, { scheme, width: WIDTH })
      for (const error of mermaidErrors) {
        console.error(`${path}: ${error}`)
        process.exitCode = 1
      }
      await page.evaluate(ALERTS)
      await page.locator('article').screenshot({ path })
      console.log(path)
      const graph = page.locator('details:has(.mermaid-drawn)')
      if ((await graph.count()) > 0) {
        await graph.evaluate((block: { open: boolean }) => (block.open = true))
        const graphPath = join(directory, `size-report-graph-${scheme}.png`)
        await graph.screenshot({ path: graphPath })
        console.log(graphPath)
      }
      await page.close()
    }
  }
} finally {
  await close()
}
