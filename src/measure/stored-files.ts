/**
 * The index of a layer as text that is remembered between runs: names and sizes of its files, without what packages are. A
 * later run that does not read the layer can still tell what of it others overwrite.
 */
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { LayerIndex, PackedLayer } from './layer-index.ts'

/** Raised when the packed form changes. */
const VERSION = '1:'
const MOST_PACKED_BYTES = 4 << 20
/** Characters of a layer; larger ones are not remembered, and what is wasted of them is not known. */
const MOST_CHARACTERS = 200_000

/** Empty where the layer has no index, or one that is too large. */
export function storeFiles({ files }: LayerIndex): string {
  if (files === undefined || files.entries.length > MOST_PACKED_BYTES) return ''
  const text = VERSION + zstdCompressSync(files.entries).toString('base64')
  return text.length > MOST_CHARACTERS ? '' : text
}

/** Undefined for what was not stored by this version; others may have written it. */
export function storedFiles(text: string | undefined): LayerIndex | undefined {
  if (text?.startsWith(VERSION) !== true || text.length > MOST_CHARACTERS) return undefined
  try {
    const bytes = Buffer.from(text.slice(VERSION.length), 'base64')
    const entries = zstdDecompressSync(bytes, { maxOutputLength: MOST_PACKED_BYTES })
    const files: PackedLayer = { entries, texts: new Map(), npm: new Map() }
    return { files }
  } catch {
    return undefined
  }
}
