// Renders src/links.json into dist/index.html.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import escapeHtml from 'escape-html'

const links = JSON.parse(await readFile('src/links.json', 'utf8'))
const items = links.map(({ title, href }) => `<li><a href="${escapeHtml(href)}">${escapeHtml(title)}</a></li>`)
await mkdir('dist', { recursive: true })
await writeFile(
  'dist/index.html',
  `<!doctype html>\n<title>Built by stage-build</title>\n<h1>Built in one stage, served by another</h1>\n<ul>\n${items.join('\n')}\n</ul>\n`,
)
console.log(`dist/index.html: ${items.length} links`)
