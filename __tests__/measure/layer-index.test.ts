import { describe, expect, test } from '@jest/globals'
import { FilesBudget } from '../../src/measure/files-budget.ts'
import { imageFiles } from '../../src/measure/image-files.ts'
import { LAYER_LIMITS, LayerIndexer, type LayerIndex } from '../../src/measure/layer-index.ts'
import { readLayer } from '../../src/measure/layer-reader.ts'
import { EntryPacker, visitEntries } from '../../src/measure/packed-entries.ts'
import type { TarEntry } from '../../src/measure/tar-walker.ts'
import { file, folder, hardLink, indexOf, symlink } from '../support/layers.ts'
import { Random } from '../support/random.ts'
import { paxRecord, rawTar, type RawEntry } from '../support/raw-tar.ts'

/** A file with a name that no ustar header could hold. */
function named(path: string, body = 'abc'): readonly RawEntry[] {
  return [
    { path: 'pax', type: 'x', body: paxRecord('path', path) },
    { path: 'short', body },
  ]
}

describe('archives that no engine could unpack, or nobody should', () => {
  test.each<[string, readonly RawEntry[], string]>([
    ['a path that leads upwards', [file('../../etc/passwd', 3)], 'a path leads upwards'],
    ['one that does in the middle', [file('a/../../b', 3)], 'a path leads upwards'],
    ['one that does at its end', [folder('a'), file('a/..', 3)], 'a path leads upwards'],
    ['a hard link upwards', [hardLink('a', '../../etc/passwd'), file('b', 3)], 'a path leads upwards'],
    ['a whiteout without a name', [file('a/.wh.', 0), file('b', 3)], 'a whiteout has no name'],
    ['a path through a file', [file('a', 1), file('a/b', 2)], 'a path leads through something that is no directory'],
    [
      'a path through a link',
      [symlink('a', '/etc'), file('a/b', 3)],
      'a path leads through something that is no directory',
    ],
    ['a path of 60,000 characters', named(`${'n/'.repeat(30_000)}x`), 'a path is longer than Linux allows'],
    ['a name of 60,000 characters', named('n'.repeat(60_000)), 'a path is longer than Linux allows'],
    ['a name of 256 bytes', named('ü'.repeat(128)), 'a name is longer than Linux allows'],
  ])('%s: no files, but a reason and the right size', async (_name, entries, reason) => {
    const { index, unpacked } = await indexOf(rawTar(entries))
    expect(unpacked).toBe(3)
    expect(imageFiles([{ own: true, index }])).toEqual({
      ...{ tree: undefined, merged: undefined, packages: undefined },
      reason: `The files of a layer are not known: ${reason}.`,
    })
  })

  test('names of 255 bytes and paths of 4,096 are names and paths', async () => {
    const { index } = await indexOf(rawTar([...named('ü'.repeat(127)), ...named(`${'n/'.repeat(2_047)}nn`)]))
    expect(imageFiles([{ own: true, index }])).toMatchObject({ merged: 6, tree: { bytes: 6, files: 2 } })
  })

  test('names that differ in bytes that are no UTF-8 are two', async () => {
    const tar = rawTar([file('caf_', 5), file('caf#', 7)])
    for (const [mark, byte] of [
      ['_', 0xe9],
      ['#', 0xe8],
    ] as const) {
      const at = tar.indexOf(`caf${mark}`)
      const sum = Number.parseInt(tar.toString('latin1', at + 148, at + 154), 8) - mark.charCodeAt(0) + byte
      tar[at + 3] = byte
      tar.write(sum.toString(8).padStart(6, '0'), at + 148)
    }
    const { index } = await indexOf(tar)
    expect(imageFiles([{ own: true, index }])).toMatchObject({ merged: 12, tree: { files: 2 } })
  })

  test('names that mean something to JavaScript are names, and leave it as it was', async () => {
    const { index } = await indexOf(rawTar([file('__proto__/polluted', 5), file('constructor/prototype/polluted', 7)]))
    expect(imageFiles([{ own: true, index }]).merged).toBe(12)
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })
})

/** An archive of so many entries, as it streams by. */
async function* stream(count: number, entryAt: (index: number) => RawEntry): AsyncGenerator<Buffer> {
  for (let at = 0; at < count; at += 1_000) {
    const entries = Array.from({ length: Math.min(1_000, count - at) }, (_, i) => entryAt(at + i))
    yield await Promise.resolve(rawTar(entries, { close: at + 1_000 >= count }))
  }
}

async function indexed(source: AsyncIterable<Buffer>, budget?: FilesBudget): Promise<LayerIndex> {
  const indexer = new LayerIndexer(budget)
  await readLayer(source, { listener: indexer })
  return indexer.finish()
}

describe('bounds', () => {
  test('a layer of more entries than are kept has none, and gives its share back', async () => {
    const budget = new FilesBudget({ entries: LAYER_LIMITS.entries + 1, bytes: 64 << 20 })
    const index = await indexed(
      stream(LAYER_LIMITS.entries + 1, (i) => file(`${i % 7}/${i}`, 0)),
      budget,
    )
    expect(index).toEqual({ reason: 'The files of a layer are not known: there are too many.' })
    expect(budget.take({ entries: LAYER_LIMITS.entries + 1, bytes: 64 << 20 })).toBe(true)
  }, 60_000)

  test('paths that begin with ever other directories make no more than are kept', async () => {
    const index = await indexed(stream(30_000, (i) => file(`${i}/${'d/'.repeat(30)}x`, 0)))
    expect(imageFiles([{ own: true, index }]).reason).toBe('The files of a layer are not known: there are too many.')
  }, 60_000)

  test('what the budget of all layers does not allow has no index', async () => {
    const budget = new FilesBudget({ entries: 10, bytes: 1_000 })
    const entries = (count: number): AsyncIterable<Buffer> => stream(count, (i) => file(String(i), 0))
    expect((await indexed(entries(6), budget)).reason).toBeUndefined()
    expect((await indexed(entries(5), budget)).reason).toContain('too many')
    expect((await indexed(entries(4), budget)).reason).toBeUndefined()
    expect((await indexed(entries(1), budget)).reason).toContain('too many')
  })

  test('the text of a database that is too large for the budget is not kept; the files are', async () => {
    const database = file('lib/apk/db/installed', `P:a\nV:1\nR:x\n${' '.repeat(5_000)}`)
    const index = await indexed(
      stream(2, (i) => (i === 0 ? database : file('x', 5))),
      new FilesBudget({ entries: 9, bytes: 4_000 }),
    )
    expect(index.files?.texts.size).toBe(0)
    expect(imageFiles([{ own: true, index }])).toMatchObject({ packages: [], tree: { files: 2 } })
  })
})

test('an archive that stops inside a database has no half of it', async () => {
  const whole = rawTar([file('lib/apk/db/installed', 'P:a\nV:1\n'.repeat(500))])
  const indexer = new LayerIndexer()
  await expect(readLayer([whole.subarray(0, 2_000)] as never, { listener: indexer })).rejects.toThrow()
  expect(indexer.finish().files?.texts.size).toBe(0)
})

test.each(Array.from({ length: 20 }, (_, seed) => [seed]))(
  'seed %i: packed entries are those that were packed',
  (seed) => {
    const random = new Random(seed)
    const names = ['a', 'bb', 'ü☃', '', '.', 'd'.repeat(random.below(300)), '.wh.x']
    const kinds = ['file', 'hard-link', 'symlink', 'directory', 'other'] as const
    const entries = Array.from({ length: 200 }, (): TarEntry => {
      const path = Array.from({ length: 1 + random.below(4) }, () => random.pick(names) ?? '').join('/')
      const kind = random.pick(kinds) ?? 'file'
      const size = kind === 'file' ? Math.floor(2 ** random.below(53)) - random.below(2) : 0
      return { path, kind, size, linkPath: kind === 'hard-link' ? (random.pick(names) ?? '') : '' }
    })
    const packer = new EntryPacker()
    for (const entry of entries) packer.add(entry)
    let directory = ''
    const unpacked: TarEntry[] = []
    visitEntries(packer.finish(), ({ isBeside, path: told, ...entry }) => {
      const path = isBeside ? directory + told : told
      directory = path.slice(0, path.lastIndexOf('/') + 1)
      unpacked.push({ path, ...entry })
    })
    // As a path is written from the root.
    const trimmed = (path: string): string =>
      path
        .replace(/^(?:\/|\.\/)*/, '')
        .replace(/\/*$/, '')
        .replace(/^\.$/, '')
    expect(unpacked).toEqual(entries.map(({ path, ...entry }) => ({ path: trimmed(path), ...entry })))
  },
)
