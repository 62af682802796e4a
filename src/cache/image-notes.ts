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
}

const MAX_LAYERS = 20_000

/** Later notes win over earlier ones. */
export function mergeNotes(all: readonly ImageNotes[]): ImageNotes {
  return {
    unpacked: new Map(all.flatMap(({ unpacked }) => [...unpacked])),
    layers: new Map(all.flatMap(({ layers }) => [...layers])),
  }
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
  return { unpacked: new Map(unpacked), layers: new Map(layers) }
}

/** As JSON for the index. */
export function writeNotes({ unpacked, layers }: ImageNotes): Readonly<Record<string, unknown>> {
  return { unpacked: Object.fromEntries(unpacked), layers: Object.fromEntries(layers) }
}

function entriesOf(records: unknown, key: string): readonly (readonly [string, unknown])[] {
  if (typeof records !== 'object' || records === null) return []
  const value = (records as Readonly<Record<string, unknown>>)[key]
  return typeof value === 'object' && value !== null ? Object.entries(value).slice(0, MAX_LAYERS) : []
}
