import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Readable } from 'node:stream'
import { imageFiles } from '../../src/measure/image-files.ts'
import { LayerIndexer, type LayerIndex } from '../../src/measure/layer-index.ts'
import { readLayer } from '../../src/measure/layer-reader.ts'
import { storedFiles, storeFiles } from '../../src/measure/stored-files.ts'
import { rawTar, type RawEntry } from '../support/raw-tar.ts'

async function indexOf(entries: readonly RawEntry[]): Promise<LayerIndex> {
  const indexer = new LayerIndexer()
  await readLayer(Readable.from([rawTar(entries)]), { listener: indexer })
  return indexer.finish()
}

describe('the index of a layer as text', () => {
  test('tells what others overwrite, as the index itself does', async () => {
    const base = await indexOf([
      { path: 'etc/a', body: 'hello' },
      { path: 'etc/b', body: 'you' },
    ])
    const own = await indexOf([{ path: 'etc/.wh.a' }, { path: 'etc/b', body: 'them' }])
    const stored = storedFiles(storeFiles(base))
    expect(
      imageFiles([
        { own: false, index: stored },
        { own: true, index: own },
      ]).merged,
    ).toBe(4)
    expect(imageFiles([{ own: false, index: stored }]).merged).toBe(8)
  })

  test('is empty for a layer without one, or with too many files, and that reads as none', async () => {
    expect(storeFiles({ reason: 'x' })).toBe('')
    const many = Array.from({ length: 40_000 }, (_, i) => ({ path: `${(i * 7919) % 99_991}-${i ** 2}`, body: '' }))
    expect(storeFiles(await indexOf(many))).toBe('')
    expect(storedFiles('')).toBeUndefined()
  })

  test('whatever it is, reading it does not throw', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.base64String().map((text) => `1:${text}`),
        ),
        (text) => {
          const index = storedFiles(text)
          expect(() => imageFiles([{ own: true, index }])).not.toThrow()
        },
      ),
    )
    const bytes = fc.uint8Array({ maxLength: 200 }).map((entries) => ({
      files: { entries: Buffer.from(entries), texts: new Map(), npm: new Map() },
    }))
    fc.assert(
      fc.property(bytes, (index) => {
        expect(() => imageFiles([{ own: true, index: storedFiles(storeFiles(index)) }])).not.toThrow()
      }),
    )
  })
})
