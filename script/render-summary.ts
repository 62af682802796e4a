import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { openBrowser, renderMarkdown } from '../__tests__/support/render-markdown.ts'
import {
  fiftyStages,
  helloworldThreeWays,
  hrefCounter,
  nodeToNginx,
  oneFailed,
} from '../__tests__/support/summary-examples.ts'
import { renderSummary } from '../src/report/summary.ts'

/**
 * Draws example summaries as pictures: `node script/render-summary.ts [DIRECTORY]`. Without a directory it draws the
 * two that the documents show, into `docs/`; with one, all of them, to be looked at.
 */
const directory = process.argv[2]
const examples = { nodeToNginx, hrefCounter, helloworldThreeWays, oneFailed, fiftyStages }

const { context, close } = await openBrowser()
try {
  const pictures =
    directory === undefined
      ? [{ data: nodeToNginx(), path: 'docs/summary' }]
      : Object.entries(examples).map(([name, example]) => ({ data: example(), path: join(directory, name) }))
  mkdirSync(directory ?? 'docs', { recursive: true })
  for (const { data, path } of pictures) {
    for (const scheme of ['light', 'dark'] as const) {
      const { page, mermaidErrors } = await renderMarkdown(context, renderSummary(data), { scheme })
      for (const error of mermaidErrors) console.error(`${path}: ${error}`)
      await page.screenshot({ path: `${path}-${scheme}.png`, fullPage: true })
      await page.close()
      console.log(`${path}-${scheme}.png`)
    }
  }
} finally {
  await close()
}
