/** `bench/RESULTS.md`, a section for each part of the bench, so that a part can be measured alone. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const FILE = join(import.meta.dirname, 'RESULTS.md')
/** What a file without marks holds. */
const FIRST = 'layer-cache'

/** Writes a section in the place of its last version; the others stay as they are. */
export async function writeSection(name: string, markdown: string): Promise<void> {
  const before = await readFile(FILE, 'utf8').catch(() => '')
  await writeFile(FILE, withSection(before, { name, markdown }))
}

function withSection(text: string, { name, markdown }: { readonly name: string; readonly markdown: string }): string {
  const found = [...text.matchAll(/<!-- bench:([\w-]+) -->\n([^]*?)\n<!-- \/bench:\1 -->/g)]
  const sections = new Map(found.map(([, section = '', body = '']) => [section, body]))
  if (sections.size === 0 && text.trim() !== '') sections.set(FIRST, text.trim())
  sections.set(name, markdown.trim())
  const parts = [...sections].map(([section, body]) => `<!-- bench:${section} -->\n${body}\n<!-- /bench:${section} -->`)
  return `${parts.join('\n\n')}\n`
}
