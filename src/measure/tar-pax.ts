/**
 * The records of a PAX extended header (`LENGTH KEY=VALUE\n`, lengths in bytes). Owns that text form only.
 *
 * https://github.com/golang/go/blob/go1.24.0/src/archive/tar/strconv.go (parsePAXRecord)
 */
import { TarFormatError } from './tar-error.ts'
import { decodeName } from './tar-text.ts'

const SPACE = 0x20
const NEWLINE = 0x0a
const EQUALS = 0x3d

/**
 * Records in order; a later one of the same key wins.
 * @throws TarFormatError when a length does not fit its record, or a key is empty.
 */
export function parsePaxRecords(body: Buffer): ReadonlyMap<string, string> {
  const records = new Map<string, string>()
  let at = 0
  while (at < body.length) {
    const space = body.indexOf(SPACE, at)
    const lengthText = space === -1 ? '' : body.toString('latin1', at, space)
    const length = /^[0-9]{1,8}$/.test(lengthText) ? Number(lengthText) : 0
    const end = at + length
    const equals = space === -1 ? -1 : body.indexOf(EQUALS, space)
    if (end > body.length || end <= space + 1 || body[end - 1] !== NEWLINE || equals === -1 || equals >= end) {
      throw malformed()
    }
    const key = body.toString('utf8', space + 1, equals)
    const value = decodeName(body, equals + 1, end - 1)
    if (key === '' || (PATH_KEYS.has(key) && value.includes('\0'))) throw malformed()
    records.set(key, value)
    at = end
  }
  return records
}

/** Keys whose value may hold no NUL (validPAXRecord). */
const PATH_KEYS: ReadonlySet<string> = new Set(['path', 'linkpath', 'uname', 'gname'])

/**
 * A size in decimal.
 * @throws TarFormatError when it is none, or beyond 2^53.
 */
export function parsePaxSize(key: string, value: string): number {
  const size = /^[0-9]{1,16}$/.test(value) ? Number(value) : Number.NaN
  if (!Number.isSafeInteger(size))
    throw new TarFormatError('bad-number', `an extension header with an unreadable ${key}`)
  return size
}

function malformed(): TarFormatError {
  return new TarFormatError('bad-extension', 'a malformed extension header')
}
