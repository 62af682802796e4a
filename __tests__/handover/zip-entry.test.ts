import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { execFileSync } from 'node:child_process'
import { readArtifact } from '../../src/handover/zip-entry.ts'
import { rawZip } from '../support/raw-zip.ts'

const NAME = 'a.json'
const content = Buffer.from('{"text":"é and more"}'.repeat(20))
const read = (bytes: Buffer, most = 1_000): ReturnType<typeof readArtifact> => readArtifact(bytes, NAME, most)
const damaged = { kind: 'refused', reason: 'its zip is damaged' }

describe('a zip with the one file', () => {
  test.each([
    ['deflated', rawZip([{ name: NAME, content }])],
    ['stored', rawZip([{ name: NAME, content, method: 0 }])],
    ['with a comment', rawZip([{ name: NAME, content }], 1, 'PK\x05\x06 a comment')],
  ])('%s', (_, zip) => {
    expect(read(zip)).toEqual({ kind: 'read', text: content.toString() })
  })

  test('as another program reads it', () => {
    const script =
      'import sys,zipfile,io;sys.stdout.buffer.write(zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read())).read("a.json"))'
    expect(execFileSync('python3', ['-c', script], { input: rawZip([{ name: NAME, content }]) })).toEqual(content)
  })
})

describe('refused:', () => {
  test.each([
    ['an empty zip', rawZip([]), 'its zip holds 0 files instead of one'],
    [
      'too many to be counted',
      rawZip([{ name: NAME, content }], 0xffff),
      'its zip holds too many files instead of one',
    ],
    ['another file', rawZip([{ name: 'A.JSON', content }]), 'its zip holds another file than a.json'],
    ['encrypted', rawZip([{ name: NAME, content, flags: 1 }]), 'its zip is encrypted'],
    ['bzip2', rawZip([{ name: NAME, content, method: 12 }]), 'its zip is packed in a way of its own'],
    ['zip64', rawZip([{ name: NAME, content, size: 0xffffffff }]), 'it is larger than 1000 bytes'],
    ['more than it says', rawZip([{ name: NAME, content, size: 3 }]), 'its zip is damaged'],
    ['a wrong checksum', rawZip([{ name: NAME, content, checksum: 1 }]), 'its zip is damaged'],
    ['more than is allowed', rawZip([{ name: NAME, content: Buffer.alloc(1_001) }]), 'it is larger than 1000 bytes'],
    [
      'a lie of its size',
      rawZip([{ name: NAME, content: Buffer.alloc(1_001), size: 5 }]),
      'it is larger than 1000 bytes',
    ],
    ['a text that is too long', Buffer.alloc(1_001, 'x'), 'it is larger than 1000 bytes'],
    ['a text that is none', Buffer.from([0xc3, 0x28]), 'it is not text in UTF-8'],
  ])('%s', (_, bytes, reason) => {
    expect(read(bytes)).toEqual({ kind: 'refused', reason })
  })
})

test('cut short anywhere it is refused', () => {
  const zip = rawZip([{ name: NAME, content }])
  for (let at = 4; at < zip.length; at++) expect(read(zip.subarray(0, at)).kind).toBe('refused')
})

test('with any byte changed it is refused, or says what it said', () => {
  const zip = rawZip([{ name: NAME, content }])
  fc.assert(
    fc.property(fc.nat(zip.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = Buffer.from(zip)
      changed[at] = (changed[at] ?? 0) ^ change
      const result = read(changed)
      // Of the first bytes there may be no zip any more, which is a text that the reader of records refuses.
      if (result.kind === 'read' && at >= 4) expect(result.text).toBe(content.toString())
    }),
    { numRuns: 2_000 },
  )
})

test('offsets that lead nowhere', () => {
  const zip = rawZip([{ name: NAME, content }])
  const wild = (at: number): Buffer => {
    const changed = Buffer.from(zip)
    changed.writeUInt32LE(0xfffffff0, at)
    return changed
  }
  // Of the directory, and of the file in it.
  expect(read(wild(zip.length - 6))).toEqual(damaged)
  expect(read(wild(zip.length - 22 - NAME.length - 4))).toEqual(damaged)
})
