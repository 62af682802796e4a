import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Marked } from 'marked'
import { type BrowserContext, type Page, chromium } from 'playwright-core'

/**
 * Markdown in a real browser, styled about as GitHub does it and with a real Mermaid, without any network. Unlike
 * GitHub it sanitises nothing: what our escaping lets through is there to be counted.
 */

/** GitHub doesn't say which Mermaid it runs; these are what diagrams must hold on. */
export const MERMAIDS = ['mermaid-11', '@mermaid-js/tiny'] as const

export interface RenderOptions {
  readonly scheme?: 'light' | 'dark'
  readonly mermaid?: (typeof MERMAIDS)[number]
  /** Width of the page in CSS pixels; a job summary on github.com has about 1,000. */
  readonly width?: number
}

export interface RenderedPage {
  readonly page: Page
  /** What Mermaid said against a diagram, in the order of the page. */
  readonly mermaidErrors: readonly string[]
}

const require = createRequire(import.meta.url)

/** A browser of its own profile. `close` removes the profile too. */
export async function openBrowser(): Promise<{
  readonly context: BrowserContext
  readonly close: () => Promise<void>
}> {
  const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
  const executablePath = execFileSync(join(root, 'script/chromium'), { encoding: 'utf8' }).trim()
  const profile = mkdtempSync(join(tmpdir(), 'stage-build-chromium-'))
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
  const close = async (): Promise<void> => {
    await context.close()
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  }
  return { context, close }
}

/** Opens a page that shows the Markdown with its diagrams drawn. The caller closes the page. */
export async function renderMarkdown(
  context: BrowserContext,
  markdown: string,
  options: RenderOptions = {},
): Promise<RenderedPage> {
  const { scheme = 'light', mermaid = '@mermaid-js/tiny', width = 1_012 } = options
  const page = await context.newPage()
  await page.setViewportSize({ width, height: 800 })
  const body = new Marked({ gfm: true, async: false }).parse(markdown, { async: false })
  await page.setContent(
    `<!doctype html><html lang="en"><meta charset="utf-8"><body><article class="markdown-body">${body}</article></body></html>`,
  )
  const css = join(dirname(require.resolve('github-markdown-css')), `github-markdown-${scheme}.css`)
  await page.addStyleTag({ path: css })
  await page.addStyleTag({
    content: `body { margin: 0; background: ${scheme === 'dark' ? '#0d1117' : '#ffffff'} }
      .markdown-body { padding: 24px; font-family: "Noto Sans", "Liberation Sans", sans-serif }
      .mermaid-drawn { text-align: center; margin-bottom: 16px }`,
  })
  await page.addScriptTag({ path: require.resolve(mermaid) })
  const mermaidErrors = await page.evaluate<string[]>(`(async () => {
    // As github.com is known to set it up; sizes and limits are Mermaid's defaults.
    mermaid.initialize({ startOnLoad: false, securityLevel: 'strict', theme: ${JSON.stringify(scheme === 'dark' ? 'dark' : 'default')} })
    const errors = []
    let n = 0
    for (const code of document.querySelectorAll('pre > code.language-mermaid')) {
      try {
        await mermaid.parse(code.textContent)
        const box = document.createElement('div')
        box.className = 'mermaid-drawn'
        code.parentElement.replaceWith(box)
        box.innerHTML = (await mermaid.render('drawn-' + n++, code.textContent, box)).svg
      } catch (error) {
        errors.push(String(error))
      }
    }
    return errors
  })()`)
  return { page, mermaidErrors }
}
