/** Names in tar headers: bytes of any encoding, as text that is alike only where the bytes are. */
import { isUtf8 } from 'node:buffer'

/** What stands for bytes that are no UTF-8. */
const REPLACEMENT = '\ufffd'

/**
 * The bytes as UTF-8; where they are none, a character for each byte, for `Buffer` would make different names alike.
 */
export function decodeName(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, end)
  return text.includes(REPLACEMENT) && !isUtf8(bytes.subarray(start, end)) ? bytes.toString('latin1', start, end) : text
}
