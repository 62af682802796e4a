/** Layers as tar archives, and their file indexes. */
import { gzipSync } from 'node:zlib'
import { imageFiles, type ImageFiles } from '../../src/measure/image-files.ts'
import { LayerIndexer, type LayerIndex } from '../../src/measure/layer-index.ts'
import { readLayer } from '../../src/measure/layer-reader.ts'
import { rawTar, type RawEntry } from './raw-tar.ts'

/** A file of so many bytes. */
export function file(path: string, bytes: number | string): RawEntry {
  return { path, body: typeof bytes === 'number' ? 'x'.repeat(bytes) : bytes }
}

export function folder(path: string): RawEntry {
  return { path: `${path}/`, type: '5' }
}

export function symlink(path: string, linkPath: string): RawEntry {
  return { path, type: '2', linkPath }
}

export function hardLink(path: string, linkPath: string): RawEntry {
  return { path, type: '1', linkPath }
}

/** The index of an archive, read as a layer is, and the file bytes that the reader counted. */
export async function indexOf(tar: Buffer): Promise<{ readonly index: LayerIndex; readonly unpacked: number }> {
  const indexer = new LayerIndexer()
  const blob = gzipSync(tar, { level: 1 })
  const pieces = Array.from({ length: Math.ceil(blob.length / 1_000) }, (_, i) =>
    blob.subarray(i * 1_000, (i + 1) * 1_000),
  )
  const source = async function* (): AsyncGenerator<Buffer> {
    for (const piece of pieces) yield await Promise.resolve(piece)
  }
  const { unpacked } = await readLayer(source(), { listener: indexer })
  return { index: indexer.finish(), unpacked }
}

/** What layers come to, the lowest first; all are own ones unless `inherited` says how many are not. */
export async function filesOf(layers: readonly (readonly RawEntry[])[], inherited = 0): Promise<ImageFiles> {
  const indexes = await Promise.all(layers.map(async (entries) => (await indexOf(rawTar(entries))).index))
  return imageFiles(indexes.map((index, layer) => ({ own: layer >= inherited, index })))
}
