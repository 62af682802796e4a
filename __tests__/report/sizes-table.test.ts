import { describe, expect, test } from '@jest/globals'
import { logText, shortDigest, sizesTable } from '../../src/report/sizes-table.ts'

const row = (name: string, transfer: number | undefined, unpacked: number | undefined) => ({
  name,
  platform: 'linux/amd64',
  digest: `sha256:${'0123456789abcdef'.repeat(4)}`,
  transfer,
  unpacked,
  unpackedOwn: unpacked === undefined ? undefined : unpacked / 2,
  unpackedInherited: unpacked === undefined ? undefined : unpacked / 2,
})

describe('the table of sizes', () => {
  test('is aligned, and compares with bars', () => {
    expect(sizesTable([row('builder', 109e6, 295e6), row('prod', 3.08e6, 6.47e6)])).toBe(
      [
        'TARGET   PLATFORM     DIGEST        TRANSFER  UNPACKED      OWN     BASE',
        'builder  linux/amd64  0123456789ab    109 MB    295 MB   148 MB   148 MB  ████████████████████',
        'prod     linux/amd64  0123456789ab   3.08 MB   6.47 MB  3.23 MB  3.23 MB  ▌',
      ].join('\n'),
    )
  })

  test('says unknown where a size is, and never 0', () => {
    const text = sizesTable([row('a', undefined, undefined), row('b', 1e6, undefined)])
    expect(text).not.toMatch(/\b0 B/)
    expect(text.split('\n')[1]).toMatch(/ unknown +unknown +unknown +unknown +\?$/)
    expect(text.split('\n')[2]).toMatch(/1\.00 MB +unknown .*█$/)
  })

  test('has no bars where there is nothing to compare', () => {
    expect(sizesTable([row('a', 1e6, 2e6)])).not.toMatch(/[█▏▌]/)
  })

  test('can name another first column', () => {
    expect(sizesTable([row('a', 1, 1)], { nameTitle: 'IMAGE' })).toMatch(/^IMAGE /)
  })

  test('gives no workflow command to the log', () => {
    expect(sizesTable([row('::error::x', 1, 1), row('##[error]x', 1, 1)])).not.toMatch(/^\s*::|##\[/m)
    expect(logText('  ::set-output')).toBe('  : :set-output')
    expect(logText('a ::b')).toBe('a ::b')
  })
})

test('a short digest is what Docker shows as an id', () => {
  expect(shortDigest(`sha256:${'ab'.repeat(32)}`)).toBe('abababababab')
  expect(shortDigest('sha256:<b>')).toBeUndefined()
  expect(shortDigest(undefined)).toBeUndefined()
})
