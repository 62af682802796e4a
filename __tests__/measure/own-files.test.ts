import { describe, expect, test } from '@jest/globals'
import { Readable } from 'node:stream'
import type { FileTree } from '../../src/measure/file-tree.ts'
import { LayerIndexer, type LayerIndex } from '../../src/measure/layer-index.ts'
import { readLayer } from '../../src/measure/layer-reader.ts'
import { withFiles } from '../../src/measure/own-files.ts'
import { parsePlatforms, platformToJson } from '../../src/measure/sizes-json.ts'
import type { PlatformSizes } from '../../src/measure/sizes.ts'
import { rawTar } from '../support/raw-tar.ts'
import { digestOf, sizesOf } from '../support/size-records.ts'

async function indexOf(files: Readonly<Record<string, string>>): Promise<LayerIndex> {
  const indexer = new LayerIndexer()
  const entries = Object.entries(files).map(([path, body]) => ({ path, body }))
  await readLayer(Readable.from([rawTar(entries)]), { listener: indexer })
  return indexer.finish()
}

/** Paths with their bytes. */
function flat(tree: FileTree | undefined, path = ''): readonly (readonly [string, number])[] {
  if (tree === undefined) return []
  return [...(tree.children ?? [])].flatMap(([name, node]) =>
    node.children === undefined ? [[`${path}${name}`, node.bytes] as const] : flat(node, `${path}${name}/`),
  )
}

const BASE = { content: 'base', size: 5, unpacked: 5, inherited: true }
const [DEPS, APP] = [
  { content: 'deps', size: 3, unpacked: 3 },
  { content: 'app', size: 4, unpacked: 4 },
]
const NEXT = { content: 'next', size: 2, unpacked: 2 }
const image = (...layers: Parameters<typeof sizesOf>[0]['layers']): PlatformSizes => sizesOf({ layers })

describe('what is in the own layers', () => {
  test('is known of a layer that another run read, and merged with what this one reads', async () => {
    const indexes = new Map([
      [digestOf('gzip base'), await indexOf({ 'etc/x': '12345' })],
      [digestOf('gzip deps'), await indexOf({ 'lib/a': '123' })],
      [digestOf('gzip app'), await indexOf({ 'etc/x': '1', 'app/b': '123' })],
      [digestOf('gzip next'), await indexOf({ 'app/b': '12' })],
    ])
    const first = withFiles(
      { platforms: [image(BASE, DEPS, APP)] },
      { indexOf: (digest) => indexes.get(digest), storedIndexOf: () => undefined, remembered: [] },
    ).platforms[0]
    expect(flat(first?.files)).toEqual([
      ['app/b', 3],
      ['lib/a', 3],
      ['etc/x', 1],
    ])
    expect([first?.files?.bytes, first?.merged]).toEqual([7, 7])

    // Remembered as JSON; the next run reads the upper layer only, and has the base's as it was stored.
    const remembered = parsePlatforms(
      JSON.parse(JSON.stringify([first].flatMap((one) => (one === undefined ? [] : [platformToJson(one)])))),
    )
    const second = withFiles(
      { platforms: [image(BASE, DEPS, NEXT)] },
      {
        indexOf: (digest) => (digest === digestOf('gzip next') ? indexes.get(digest) : undefined),
        storedIndexOf: (digest) => indexes.get(digest),
        remembered: remembered ?? [],
      },
    ).platforms[0]
    expect(flat(second?.files)).toEqual([
      ['lib/a', 3],
      ['app/b', 2],
    ])
    expect(second?.merged).toBe(10)
  })

  test('is not known where a layer is not; an image of the same layers is as it was', async () => {
    const app = await indexOf({ 'app/b': '1234' })
    const indexOnly = (digest: string): LayerIndex | undefined => (digest === digestOf('gzip app') ? app : undefined)
    const unknown = { indexOf: indexOnly, storedIndexOf: () => undefined, remembered: [] }
    const [found] = withFiles({ platforms: [image(BASE, DEPS, APP)] }, unknown).platforms
    expect([found?.files, found?.merged]).toEqual([undefined, undefined])
    const known = { ...image(BASE, DEPS, APP), merged: 11 }
    const [same] = withFiles({ platforms: [image(BASE, DEPS, APP)] }, { ...unknown, remembered: [known] }).platforms
    expect(same?.merged).toBe(11)
  })
})
