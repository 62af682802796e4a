/** Entries come into their places side by side: a pull request reads the indexes of three branches at once. */
import { expect, test } from '@jest/globals'
import { access, readdir, readFile } from 'node:fs/promises'
import { moveInto } from '../../src/cache/entry-files.ts'
import { workspace } from '../support/engine.ts'

test('what comes into a place leaves what else is there', async () => {
  await using space = await workspace({
    'index/old.json': 'old',
    'index/same.json': 'old',
    'one/one.json': 'one',
    'two/two.json': 'two',
    'two/same.json': 'new',
  })
  await Promise.all(['one', 'two'].map((name) => moveInto(space.path(name), space.path('index'))))
  expect((await readdir(space.path('index'))).sort()).toEqual(['old.json', 'one.json', 'same.json', 'two.json'])
  expect(await readFile(space.path('index/same.json'), 'utf8')).toBe('new')
  await expect(access(space.path('two'))).rejects.toThrow('ENOENT')
  await moveInto(space.path('index'), space.path('packs/new'))
  expect(await readdir(space.path('packs/new'))).toHaveLength(4)
})
