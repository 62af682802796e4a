import { expect, test } from '@jest/globals'
import { compareFiles, findLeaks } from '../script/dist-check.ts'

const files = (entries: Readonly<Record<string, string>>): ReadonlyMap<string, Buffer> =>
  new Map(Object.entries(entries).map(([name, text]) => [name, Buffer.from(text)]))

test('says which file of dist is stale, missing or too many, and from which line on', () => {
  const built = files({ 'index.js': 'a\nb\nc\n', 'licenses.txt': 'x' })
  expect(compareFiles(built, files({ 'index.js': 'a\nb\nC\n', 'old.js': '' }), 'dist')).toEqual([
    'dist/index.js differs from line 3 on',
    'dist/licenses.txt is missing',
    'dist/old.js does not belong there',
  ])
  expect(compareFiles(built, built, 'dist')).toEqual([])
})

test('finds paths of this machine in the bundle', () => {
  const built = files({ 'index.js': "const a = '/home/me/repo/src/a.ts'", 'licenses.txt': 'MIT' })
  expect(findLeaks(built, ['/home/me/repo/', '/root/'])).toEqual([
    'the build writes the path /home/me/repo/ into index.js',
  ])
})
