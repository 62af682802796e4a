import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, open, rm, symlink, link, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { LayerFormatError, readLayer, type LayerContent } from '../../src/measure/layer-reader.ts'
import type { TarEntry } from '../../src/measure/tar-walker.ts'
import { paxRecord, rawTar, type RawEntry } from '../support/raw-tar.ts'

const LONG = 'd'.repeat(90)
/** Longer than ustar's name and prefix together. */
const LONG_PATH = `${LONG}/${LONG}/${LONG}/${LONG}`

let directory = ''

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stage-build-tar-'))
  const root = join(directory, 'root')
  await mkdir(join(root, LONG_PATH), { recursive: true })
  await writeFile(join(root, 'a.txt'), 'a'.repeat(1_000))
  await writeFile(join(root, 'empty'), '')
  await writeFile(join(root, 'block'), 'b'.repeat(512))
  await writeFile(join(root, 'ümläut ☃'), 'snow')
  await writeFile(join(root, LONG_PATH, 'deep'), 'x'.repeat(77))
  await link(join(root, 'a.txt'), join(root, 'hard'))
  await symlink('a.txt', join(root, 'soft'))
  await symlink(`${LONG_PATH}/deep`, join(root, 'soft-long'))
  await writeFile(join(root, 'sparse'), 'start')
  await truncate(join(root, 'sparse'), 5_000_000)
})

afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
})

/** What is in `root`: Σ of what `find -type f` counts, each inode once. */
const UNPACKED = 1_000 + 512 + 4 + 77 + 5_000_000 + 0

/** An archive of `root` by the machine's tar. */
function tar(...options: readonly string[]): Buffer {
  return execFileSync('tar', [...options, '-C', join(directory, 'root'), '-cf', '-', '.'], {
    maxBuffer: 64 << 20,
    env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' },
  })
}

/** The bytes in pieces, so that headers fall on borders. */
async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size))
}

async function read(bytes: Buffer, size = 65_536): Promise<LayerContent & { readonly all: readonly TarEntry[] }> {
  const all: TarEntry[] = []
  const content = await readLayer(inPieces(bytes, size), {
    listener: { onEntry: (entry) => all.push(entry) },
    diffId: true,
  })
  return { ...content, all }
}

async function fault(bytes: Buffer): Promise<string> {
  const error: unknown = await readLayer(inPieces(bytes, 4096)).then(
    () => 'it was read',
    (reason: unknown) => reason,
  )
  if (!(error instanceof LayerFormatError)) throw new Error('no LayerFormatError', { cause: error })
  return error.fault
}

function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

const FORMATS = [['--format=gnu'], ['--format=pax'], ['--format=posix', '--pax-option=globexthdr.name=g,comment=hello']]

describe('archives of the real tar', () => {
  test.each(FORMATS)('%s: sizes, names and links are those of the file system', async (...options) => {
    const bytes = tar(...options)
    const { all, ...content } = await read(bytes)
    expect(content).toEqual({
      compression: 'none',
      compressed: bytes.length,
      tar: bytes.length,
      diffId: sha256(bytes),
      unpacked: UNPACKED,
      entries: 14,
    })
    const names = execFileSync('tar', ['-tf', '-', '--quoting-style=literal'], {
      input: bytes,
      env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' },
    })
    expect(all.map(({ path }) => path)).toEqual(names.toString().trimEnd().split('\n'))
    const deep = all.find(({ path }) => path.endsWith('/deep'))
    expect(deep).toEqual({ path: `./${LONG_PATH}/deep`, kind: 'file', size: 77, linkPath: '' })
    expect(all.find(({ path }) => path === './soft-long')?.linkPath).toBe(`${LONG_PATH}/deep`)
    // Of the two names of one file, tar writes the contents with the first that it meets.
    expect(
      all.filter(({ path }) => ['./a.txt', './hard'].includes(path)).map(({ kind, size }) => [kind, size]),
    ).toEqual([
      ['file', 1_000],
      ['hard-link', 0],
    ])
  })

  test.each([
    ['old GNU', ['--format=gnu']],
    ['PAX 0.0', ['--format=pax', '--sparse-version=0.0']],
    ['PAX 0.1', ['--format=pax', '--sparse-version=0.1']],
    ['PAX 1.0', ['--format=pax', '--sparse-version=1.0']],
  ])('a sparse file (%s) counts what it holds when read', async (_name, options) => {
    const bytes = tar('--sparse', ...options)
    expect(bytes.length).toBeLessThan(1_000_000)
    const { all, unpacked } = await read(bytes)
    expect(all.find(({ path }) => path === './sparse')).toMatchObject({ kind: 'file', size: 5_000_000 })
    expect(unpacked).toBe(UNPACKED)
  })

  test('a sparse map that needs blocks of its own is passed over', async () => {
    const path = join(directory, 'holes')
    const out = await open(path, 'w')
    for (let i = 0; i < 60; i++) await out.write('data', i * 1_000_000)
    await out.close()
    const bytes = execFileSync('tar', ['--sparse', '--format=gnu', '-C', directory, '-cf', '-', 'holes', 'root/a.txt'])
    const { all } = await read(bytes)
    expect(all).toMatchObject([
      { path: 'holes', size: 59_000_004 },
      { path: 'root/a.txt', size: 1_000 },
    ])
  })

  test('names up to 255 bytes in ustar and v7 archives', async () => {
    for (const format of ['ustar', 'v7']) {
      const bytes = execFileSync('tar', [
        `--format=${format}`,
        '-C',
        join(directory, 'root'),
        '-cf',
        '-',
        'a.txt',
        'empty',
      ])
      expect((await read(bytes)).all.map(({ path, size }) => [path, size])).toEqual([
        ['a.txt', 1_000],
        ['empty', 0],
      ])
    }
    const path = `${LONG}/${LONG}`
    const bytes = execFileSync('tar', [
      '--format=ustar',
      '--no-recursion',
      '-C',
      join(directory, 'root'),
      '-cf',
      '-',
      path,
    ])
    expect((await read(bytes)).all).toEqual([{ path: `${path}/`, kind: 'directory', size: 0, linkPath: '' }])
  })

  test.each([1, 7, 511, 512, 513, 100_000])('pieces of %i bytes make no difference', async (size) => {
    const bytes = tar('--format=gnu', '--sparse')
    const { diffId, unpacked, entries } = await read(bytes, size)
    expect({ diffId, unpacked, entries }).toEqual({ diffId: sha256(bytes), unpacked: UNPACKED, entries: 14 })
  })
})

describe('compression', () => {
  test.each([
    ['gzip', (bytes: Buffer) => gzipSync(bytes)],
    ['gzip', (bytes: Buffer) => Buffer.concat([gzipSync(bytes.subarray(0, 700)), gzipSync(bytes.subarray(700))])],
    ['zstd', (bytes: Buffer) => zstdCompressSync(bytes)],
    [
      'zstd',
      (bytes: Buffer) =>
        Buffer.concat([zstdCompressSync(bytes.subarray(0, 700)), zstdCompressSync(bytes.subarray(700))]),
    ],
    ['zstd', (bytes: Buffer) => Buffer.concat([skippable(5), zstdCompressSync(bytes), skippable(0), skippable(300)])],
  ])('%s (%#) reads as the tar within', async (compression, compress) => {
    const bytes = tar()
    for (const size of [1 << 20, 1_000, 3]) {
      const packed = compress(bytes)
      const { all, ...content } = await read(packed, size)
      expect(content).toEqual({
        compression,
        compressed: packed.length,
        tar: bytes.length,
        diffId: sha256(bytes),
        unpacked: UNPACKED,
        entries: all.length,
      })
    }
  })

  const zstd = ['/usr/bin/zstd', '/usr/local/bin/zstd'].find((path) => existsSync(path))
  ;(zstd === undefined ? test.skip : test)(
    'what the zstd program makes, with and without checksum and content size',
    async () => {
      const bytes = tar()
      for (const options of [
        ['-1'],
        ['-19', '--no-check'],
        ['--ultra', '-20', '--no-content-size'],
        ['-0', '-B1024', '-T2'],
      ]) {
        const packed = execFileSync(zstd ?? '', ['-q', '-c', ...options], { input: bytes })
        expect((await read(packed, 333)).diffId).toBe(sha256(bytes))
      }
    },
  )

  test('a layer without a byte, and one without an entry', async () => {
    expect(await read(Buffer.alloc(0))).toMatchObject({ compression: 'none', unpacked: 0, entries: 0 })
    expect(await read(gzipSync(Buffer.alloc(1024)))).toMatchObject({
      compression: 'gzip',
      tar: 1024,
      unpacked: 0,
      entries: 0,
    })
  })
})

describe('what is no layer', () => {
  test('a JSON document', async () => {
    expect(await fault(Buffer.from('{"os":"linux"}'))).toBe('not-a-layer')
    expect(await fault(Buffer.from(` \n[${'1,'.repeat(1_000)}1]`))).toBe('not-a-layer')
  })

  test('a tar whose first file is called like JSON is a layer', async () => {
    expect((await read(rawTar([{ path: '{"a":1}', body: 'xyz' }]))).unpacked).toBe(3)
  })

  test('any other bytes', async () => {
    expect(await fault(Buffer.from('hello world'.repeat(100)))).toBe('corrupt')
    expect(await fault(Buffer.from('short'))).toBe('truncated')
    expect(await fault(gzipSync('hello world'.repeat(100)))).toBe('corrupt')
  })
})

describe('damage', () => {
  test('a tar cut anywhere but between entries is truncated', async () => {
    const bytes = rawTar([
      { path: 'a', body: 'x'.repeat(700) },
      { path: 'b', body: 'y' },
    ])
    const entryEnds = [0, 512 + 1024, 512 + 1024 + 1024]
    for (const at of [1, 100, 511, 512, 513, 1_211, 1_212, 1_535, 1_537, 2_047, 2_048, 2_049]) {
      expect([at, await fault(bytes.subarray(0, at))]).toEqual([at, 'truncated'])
    }
    // Without the closing blocks it is still whole, to Go as to us.
    for (const at of entryEnds) expect((await read(bytes.subarray(0, at))).entries).toBe(entryEnds.indexOf(at))
  })

  test.each(['gzip', 'zstd'])('a %s stream cut anywhere is truncated', async (kind) => {
    const packed = kind === 'gzip' ? gzipSync(tar()) : zstdCompressSync(tar())
    for (const part of [0.3, 0.9])
      expect(await fault(packed.subarray(0, Math.floor(packed.length * part)))).toBe('truncated')
    expect(await fault(packed.subarray(0, -1))).toBe('truncated')
  })

  test('a zstd stream that lost its second frame within one write is truncated, not small', async () => {
    const bytes = tar()
    const second = zstdCompressSync(bytes.subarray(700))
    const packed = Buffer.concat([zstdCompressSync(bytes.subarray(0, 700)), second.subarray(0, -3)])
    await expect(readLayer(inPieces(packed, packed.length))).rejects.toMatchObject({ fault: 'truncated' })
  })

  test.each(['gzip', 'zstd'])('a %s stream with a changed byte is corrupt', async (kind) => {
    const bytes = rawTar([{ path: 'a', body: createHash('sha512').update('noise').digest('base64').repeat(20) }])
    const packed = kind === 'gzip' ? gzipSync(bytes) : Buffer.from(execZstdWithChecksum(bytes))
    const middle = Math.floor(packed.length / 2)
    packed[middle] = (packed[middle] ?? 0) ^ 0x5a
    expect(await fault(packed)).toBe('corrupt')
  })

  test('bytes behind a zstd frame that are no frame are corrupt', async () => {
    expect(await fault(Buffer.concat([zstdCompressSync(tar()), Buffer.from('hello world')]))).toBe('corrupt')
  })

  test('a changed header is corrupt', async () => {
    const bytes = rawTar([{ path: 'a', body: 'x' }])
    bytes[0] = 0x62
    expect(await fault(bytes)).toBe('corrupt')
  })
})

describe('hostile archives', () => {
  const pax = (body: string, size?: string): RawEntry => ({
    path: 'pax',
    type: 'x',
    body,
    ...(size === undefined ? {} : { size }),
  })

  test.each<[string, readonly RawEntry[], string]>([
    ['a PAX header of 8 GiB', [{ path: 'p', type: 'x', size: '77777777777' }], 'corrupt'],
    ['a GNU name of 2 MiB', [{ path: 'n', type: 'L', body: 'a'.repeat(2 << 20) }], 'corrupt'],
    ['a size of 2^80', [{ path: 'a', size: Buffer.from([0x80, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]) }], 'corrupt'],
    ['a negative size', [{ path: 'a', size: Buffer.alloc(12, 0xff) }], 'corrupt'],
    ['a size in letters', [{ path: 'a', size: 'abcdefghijk' }], 'corrupt'],
    ['a PAX size beyond 2^53', [pax(paxRecord('size', '9999999999999999')), { path: 'a' }], 'corrupt'],
    ['a PAX size below 0', [pax(paxRecord('size', '-1')), { path: 'a' }], 'corrupt'],
    ['a PAX record longer than its header', [pax('99999 path=a\n'), { path: 'a' }], 'corrupt'],
    ['a PAX record of length 0', [pax('0 path=a\n'), { path: 'a' }], 'corrupt'],
    ['a PAX record without a key', [pax(paxRecord('', 'ab')), { path: 'a' }], 'corrupt'],
    ['a PAX path with NUL', [pax(paxRecord('path', 'a\0b')), { path: 'a' }], 'corrupt'],
    [
      'two files of 2^53 bytes by PAX',
      [
        pax(paxRecord('GNU.sparse.realsize', '9007199254740991')),
        { path: 'a' },
        pax(paxRecord('GNU.sparse.realsize', '9007199254740991')),
        { path: 'b' },
      ],
      'corrupt',
    ],
    ['an extension header and nothing behind', [pax(paxRecord('path', 'ab'))], 'truncated'],
    ['a file of 8 GiB and no byte of it', [{ path: 'a', size: '77777777777' }], 'truncated'],
  ])('%s ends in an error', async (_name, entries, expected) => {
    expect(await fault(rawTar(entries, { close: false }))).toBe(expected)
  })

  test('a header that says a link or a directory has contents has none', async () => {
    const bytes = rawTar([
      { path: 'link', type: '1', linkPath: 'a', size: '00000001000' },
      { path: 'dir/', type: '5', size: '00000001000' },
      { path: 'a', body: 'x' },
    ])
    expect((await read(bytes)).all.map(({ path, kind, size }) => [path, kind, size])).toEqual([
      ['link', 'hard-link', 0],
      ['dir/', 'directory', 0],
      ['a', 'file', 1],
    ])
  })

  test('PAX records override the header, the last of a kind wins, and they end with their entry', async () => {
    const bytes = rawTar([
      pax(paxRecord('path', 'xx') + paxRecord('path', 'über') + paxRecord('size', '3')),
      { path: 'short', size: '00000000000', body: 'abc', keepSize: true },
      { path: 'next', body: 'y' },
    ])
    expect((await read(bytes)).all.map(({ path, size }) => [path, size])).toEqual([
      ['über', 3],
      ['next', 1],
    ])
  })

  test.each([
    ['bytes', 0],
    ['signed characters', 256],
  ])('a header whose checksum counts %s, with every byte that may be at 255', async (_name, less) => {
    const bytes = rawTar([{ path: 'a', size: '00000000000' }])
    bytes.fill(0xff, 0, 124)
    bytes.fill(0xff, 136, 512)
    bytes.fill(0x20, 148, 156)
    const sum = bytes.subarray(0, 512).reduce((total, byte) => total + byte - (byte === 0xff ? less : 0), 0)
    bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
    expect((await read(bytes)).all).toMatchObject([{ path: 'ÿ'.repeat(100), kind: 'other', size: 0 }])
  })

  test('a base-256 size is read', async () => {
    const size = Buffer.alloc(12)
    size[0] = 0x80
    size.writeUInt32BE(5, 8)
    expect((await read(rawTar([{ path: 'a', size, body: 'hello', keepSize: true }]))).unpacked).toBe(5)
  })

  test('a million small extension headers take no memory', async () => {
    const one = rawTar([pax(paxRecord('path', 'ab'))], { close: false })
    async function* many(): AsyncGenerator<Buffer> {
      const chunk = Buffer.concat(Array<Buffer>(200).fill(one))
      for (let i = 0; i < 100; i++) yield await Promise.resolve(chunk)
    }
    await expect(readLayer(many())).rejects.toMatchObject({ fault: 'truncated' })
  })

  test('a bomb is counted, not unpacked', async () => {
    const before = process.memoryUsage().rss
    const head = rawTar([{ path: 'bomb', size: '00400000000' }], { close: false })
    const packed = gzipSync(Buffer.concat([head, Buffer.alloc(0o400000000)]), { level: 1 })
    const { unpacked } = await read(packed, 4_096)
    expect(unpacked).toBe(0o400000000)
    expect(process.memoryUsage().rss - before).toBeLessThan(0o400000000 + (100 << 20))
  })
})

test('an abort ends the reading', async () => {
  const reason = new Error('enough')
  const abort = new AbortController()
  async function* endless(): AsyncGenerator<Buffer> {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 1))
      yield Buffer.alloc(512, 0)
      abort.abort(reason)
    }
  }
  await expect(readLayer(endless(), { signal: abort.signal })).rejects.toThrow()
})

test('an abort ends the reading of a source that has gone silent', async () => {
  const silent = new Readable({ read: () => undefined })
  const abort = new AbortController()
  const reading = readLayer(silent, { signal: abort.signal })
  abort.abort()
  await expect(reading).rejects.toThrow()
  expect(silent.destroyed).toBe(true)
})

test('an unreadable layer lets go of its source', async () => {
  const source = Readable.from([Buffer.alloc(70_000, 'noise'), Buffer.alloc(70_000, 'noise')])
  await expect(readLayer(source)).rejects.toMatchObject({ fault: 'corrupt' })
  expect(source.destroyed).toBe(true)
})

test('a source that fails ends the reading with its error', async () => {
  async function* broken(): AsyncGenerator<Buffer> {
    yield await Promise.resolve(tar().subarray(0, 700))
    throw new Error('connection reset')
  }
  await expect(readLayer(broken())).rejects.toThrow('connection reset')
})

test('this repository’s sources read as tar reads them', async () => {
  const bytes = execFileSync('tar', ['-cf', '-', 'src'], { maxBuffer: 64 << 20 })
  const verbose = execFileSync('tar', ['-tvf', '-'], { input: bytes, maxBuffer: 64 << 20 })
    .toString()
    .trimEnd()
    .split('\n')
  const sizes = verbose.filter((line) => line.startsWith('-')).map((line) => Number(line.split(/\s+/)[2]))
  const { unpacked, entries } = await read(bytes)
  expect({ unpacked, entries }).toEqual({
    unpacked: sizes.reduce((sum, size) => sum + size, 0),
    entries: verbose.length,
  })
})

function skippable(length: number): Buffer {
  const frame = Buffer.alloc(8 + length, 0x28)
  frame.writeUInt32LE(0x184d2a53, 0)
  frame.writeUInt32LE(length, 4)
  return frame
}

function execZstdWithChecksum(bytes: Buffer): Buffer {
  return zstdCompressSync(bytes, { params: { 201: 1 } })
}

test.each([
  ['gzip', Infinity],
  ['zstd', Infinity],
  // Several frames to a piece of input, and some that span pieces.
  ['zstd', 300_000],
])('a %s layer of many output buffers is read byte for byte (frames of %d bytes)', async (compression, frame) => {
  // Half of it noise, so that pieces of input and of output end at different places.
  const noise = Buffer.concat(Array.from({ length: 20_000 }, (_, i) => createHash('sha512').update(String(i)).digest()))
  const files = Array.from({ length: 9 }, (_, i) => ({
    path: `f${i}`,
    body: i % 2 === 0 ? noise : Buffer.alloc(1_000_000 + i, 'x'),
  }))
  const bytes = rawTar(files)
  const frames = Array.from({ length: Number.isFinite(frame) ? Math.ceil(bytes.length / frame) : 1 }, (_, i) =>
    zstdCompressSync(Number.isFinite(frame) ? bytes.subarray(i * frame, (i + 1) * frame) : bytes),
  )
  const packed = compression === 'gzip' ? gzipSync(bytes) : Buffer.concat(frames)
  expect(packed.length).toBeGreaterThan(2 << 20)
  const before = sha256(packed)
  for (const size of [1_000, 65_536, 3 << 20, packed.length]) {
    const { diffId, tar, compressed, entries } = await read(packed, size)
    expect({ diffId, tar, compressed, entries }).toEqual({
      ...{ diffId: sha256(bytes), tar: bytes.length, compressed: packed.length, entries: 9 },
    })
  }
  // Who brought the bytes still has them.
  expect(sha256(packed)).toBe(before)
})
