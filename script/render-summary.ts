import { mkdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { openBrowser, renderMarkdown } from '../__tests__/support/render-markdown.ts'
import { reviewedNodeToNginx } from '../__tests__/support/reviewed-summary.ts'
import {
  fiftyStages,
  helloworldThreeWays,
  hrefCounter,
  nodeToNginx,
  oneFailed,
} from '../__tests__/support/summary-examples.ts'
import { renderSummary } from '../src/report/summary.ts'

/**
 * Draws summaries as pictures, light and dark: `node script/render-summary.ts [DIRECTORY [MARKDOWN-FILE…]]`. Without a
 * directory it draws the example that the documents show, into `docs/`; with one, all examples, to be looked at; with
 * files, what they hold (what a run wrote to GITHUB_STEP_SUMMARY, say).
 */
const [directory = 'docs', ...files] = process.argv.slice(2)
const examples = { reviewedNodeToNginx, nodeToNginx, hrefCounter, helloworldThreeWays, oneFailed, fiftyStages }

const pictures =
  files.length > 0
    ? files.map((file) => ({ markdown: readFileSync(file, 'utf8'), name: basename(file, '.md') }))
    : process.argv.length < 3
      ? [{ markdown: renderSummary(reviewedNodeToNginx()), name: 'summary' }]
      : Object.entries(examples).map(([name, example]) => ({ markdown: renderSummary(example()), name }))

mkdirSync(directory, { recursive: true })
const { context, close } = await openBrowser()
try {
  for (const { markdown, name } of pictures) {
    for (const scheme of ['light', 'dark'] as const) {
      const path = join(directory, `${name}-${scheme}.png`)
      const { page, mermaidErrors } = await renderMarkdown(context, markdown, { scheme })
      for (const error of mermaidErrors) {
        console.error(`${path}: ${error}`)
        process.exitCode = 1
      }
      await page.screenshot({ path, fullPage: true })
      await page.close()
      console.log(path)
    }
  }
} finally {
  await close()
}
