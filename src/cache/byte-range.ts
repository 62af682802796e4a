/** The `Range` header of a blob's request: one range of bytes, as registries' clients ask for (RFC 9110 §14). */

/** Bytes `start` … `end`, both inclusive. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

export type RequestedRange =
  /** No range, or one that may be ignored (several ranges, another unit, nonsense). */
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly range: ByteRange }
  /** It lies outside of the blob: 416. */
  | { readonly kind: 'outside' }

/** What a `Range` header asks of a blob of `size` bytes. */
export function readRange(header: string | undefined, size: number): RequestedRange {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '')
  if (match === null) return { kind: 'whole' }
  const [, first = '', last = ''] = match
  // `-n` means the last n bytes.
  if (first === '' && last === '') return { kind: 'whole' }
  if (first !== '' && last !== '' && Number(last) < Number(first)) return { kind: 'whole' }
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1)
  return start > end ? { kind: 'outside' } : { kind: 'part', range: { start, end } }
}
