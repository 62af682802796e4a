/**
 * What a run learned of the layers that it saw, kept with the index: a layer that is not pushed again in a later run can
 * be measured there all the same. Untrusted when it is read.
 */
import { isDigest } from './registry-route.ts'

export interface ImageNotes {
  /** Digest of a layer → bytes of the files in it. */
  readonly unpacked: ReadonlyMap<string, number>
  /** Target → digests of its image's layers. */
  readonly layers: ReadonlyMap<string, readonly string[]>
  /** Digest of a layer → what is in it (`measure/stored-files.ts`); empty where that is too much. */
  readonly files: ReadonlyMap<string, string>
}

const MAX_LAYERS = 20_000
/** Characters of all `files`: they are fetched with every index. */
const MAX_FILES = 2_000_000

/** Later notes win over earlier ones, and push them out where there is no room for all. */
export function mergeNotes(all: readonly ImageNotes[]): ImageNotes {
  return {
    unpacked: new Map(all.flatMap(({ unpacked }) => [...unpacked])),
    layers: new Map(all.flatMap(({ layers }) => [...layers])),
    files: latest(all.map(({ files }) => files)),
  }
}

function latest(all: readonly ReadonlyMap<string, string>[]): ReadonlyMap<string, string> {
  const kept = new Map<string, string>()
  let room = MAX_FILES
  for (const files of all.toReversed()) {
    for (const [digest, text] of files) {
      if (kept.has(digest) || text.length > room) continue
      room -= text.length
      kept.set(digest, text)
    }
  }
  return kept
}

export function readNotes(records: unknown): ImageNotes {
  const unpacked = entriesOf(records, 'unpacked').flatMap(([digest, bytes]) =>
    isDigest(digest) && typeof bytes === 'number' && Number.isSafeInteger(bytes) && bytes >= 0
      ? [[digest, bytes] as const]
      : [],
  )
  const layers = entriesOf(records, 'layers').flatMap(([target, digests]) =>
    Array.isArray(digests) && digests.every((digest) => typeof digest === 'string' && isDigest(digest))
      ? [[target, digests as readonly string[]] as const]
      : [],
  )
  const files = entriesOf(records, 'files').flatMap(([digest, text]) =>
    isDigest(digest) && typeof text === 'string' ? [[digest, text] as const] : [],
  )
  return { unpacked: new Map(unpacked), layers: new Map(layers), files: latest([new Map(files)]) }
}

/** As JSON for the index. */
export function writeNotes({ unpacked, layers, files }: ImageNotes): Readonly<Record<string, unknown>> {
  return {
    unpacked: Object.fromEntries(unpacked),
    layers: Object.fromEntries(layers),
    files: Object.fromEntries(files),
  }
}

function entriesOf(records: unknown, key: string): readonly (readonly [string, unknown])[] {
  if (typeof records !== 'object' || records === null) return []
  const value = (records as Readonly<Record<string, unknown>>)[key]
  return typeof value === 'object' && value !== null ? Object.entries(value).slice(0, MAX_LAYERS) : []
}
