import { expect, test } from '@jest/globals'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'

const root = join(import.meta.dirname, '..')
const read = async (path: string): Promise<string> => await readFile(join(root, path), 'utf8')

/** Room → the rooms that it may import, as ARCHITECTURE.md's table says. */
function documented(markdown: string): Record<string, string[]> {
  const rows = [...markdown.matchAll(/^\| `(\w+)\/` \|.*\| ([^|]+) \|$/gm)]
  return Object.fromEntries(
    rows.map(([, room = '', imports = '']) => [room, imports === '–' ? [] : imports.split(', ')]),
  )
}

/** The same as lint enforces it; a JavaScript object of strings is YAML, too. */
function enforced(config: string): unknown {
  return parse(/^const rooms = (\{.*?^\})/ms.exec(config)?.[1] ?? '')
}

test('ARCHITECTURE.md says of each room what lint lets it import', async () => {
  const rooms = documented(await read('ARCHITECTURE.md'))
  expect(Object.keys(rooms).length).toBeGreaterThan(5)
  expect(rooms).toEqual(enforced(await read('eslint.config.js')))
})

test('ARCHITECTURE.md has every room of src', async () => {
  const folders = (await readdir(join(root, 'src'), { withFileTypes: true })).filter((entry) => entry.isDirectory())
  const rooms = Object.keys(documented(await read('ARCHITECTURE.md')))
  expect(rooms).toEqual(expect.arrayContaining(folders.map(({ name }) => name)))
})
