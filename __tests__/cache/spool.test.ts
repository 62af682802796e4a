import { createHash } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import { mkdir, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { BlobUploads } from '../../src/cache/blob-uploads.ts'
import { Spool } from '../../src/cache/spool.ts'
import { runProcess } from '../../src/process.ts'
import { cacheFolder } from '../support/cache-folder.ts'

interface Rig extends AsyncDisposable {
  readonly folder: string
  readonly spool: Spool
  /** What the spool told of, in order. */
  readonly told: readonly string[]
  /** Pushes a blob as BuildKit does, through an upload. */
  readonly push: (content: string | Buffer, digest?: string) => Promise<string>
  readonly errors: readonly unknown[]
  readonly uploads: BlobUploads
  readonly files: () => Promise<readonly string[]>
}

function digestOf(content: string | Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`
}

async function rig(given?: string): Promise<Rig> {
  const own = await cacheFolder()
  const folder = given ?? join(own.root, 'blobs')
  const told: string[] = []
  const errors: unknown[] = []
  const spool = new Spool({ folder, onBlob: (digest, size) => told.push(`${digest} ${size}`) })
  const uploads = new BlobUploads(
    () => (spool.fault === undefined ? [spool.openSink()] : []),
    (error) => errors.push(error),
  )
  return {
    ...{ folder, spool, told, errors, uploads },
    push: async (content, digest = digestOf(content)) => {
      const id = uploads.start('cache') ?? ''
      const bytes = Buffer.from(content)
      await uploads.append(id, inChunks(bytes, Math.max(1, Math.ceil(bytes.length / 3))))
      return (await uploads.finish(id, digest)).kind
    },
    files: async () => (await readdir(folder).catch(() => [])).sort(),
    [Symbol.asyncDispose]: () => own[Symbol.asyncDispose](),
  }
}

async function* inChunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size))
}

async function read(spool: Spool, digest: string, range?: { start: number; end: number }): Promise<string | undefined> {
  const blob = await spool.open(digest)
  return blob && 'open' in blob ? await text(await blob.open(range)) : undefined
}

/** Until the folder is as it should be: what is aborted goes by and by. */
async function settled(files: () => Promise<readonly string[]>, expected: readonly string[]): Promise<void> {
  const end = Date.now() + 5_000
  while (JSON.stringify(await files()) !== JSON.stringify(expected) && Date.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  expect(await files()).toEqual(expected)
}

describe('a blob that was pushed', () => {
  test('is a file, is told of, promised, and given whole or in part', async () => {
    await using blobs = await rig()
    const { spool, push, told, files } = blobs
    const digest = digestOf('hello, world')
    expect(await spool.promised(digest)).toBeUndefined()
    expect(await push('hello, world')).toBe('stored')
    expect(told).toEqual([`${digest} 12`])
    expect(spool.blobs).toEqual(new Map([[digest, 12]]))
    expect(await spool.promised(digest)).toBe(12)
    expect(await read(spool, digest)).toBe('hello, world')
    expect(await read(spool, digest, { start: 7, end: 8 })).toBe('wo')
    expect(await readFile(spool.pathOf(digest), 'utf8')).toBe('hello, world')
    expect(await files()).toEqual([digest.replace(':', '-')])
  })

  test('may be empty', async () => {
    await using blobs = await rig()
    expect(await blobs.push('')).toBe('stored')
    expect(blobs.spool.blobs).toEqual(new Map([[digestOf(''), 0]]))
    expect(await readFile(blobs.spool.pathOf(digestOf('')))).toHaveLength(0)
  })

  test('by several at once is kept once, and the first copy stays where it is', async () => {
    await using blobs = await rig()
    const content = Buffer.alloc(300_000, 'x')
    const kinds = await Promise.all(Array.from({ length: 8 }, () => blobs.push(content)))
    expect(new Set(kinds)).toEqual(new Set(['stored']))
    expect(blobs.told).toEqual([`${digestOf(content)} 300000`])
    expect(await blobs.files()).toEqual([digestOf(content).replace(':', '-')])
    // It may be on its way to the cache: another push must not put another file there.
    const path = blobs.spool.pathOf(digestOf(content))
    const { ino } = await stat(path)
    await blobs.push(content)
    expect((await stat(path)).ino).toBe(ino)
    expect((await readFile(path)).equals(content)).toBe(true)
    expect([(await blobs.files()).length, blobs.told.length]).toEqual([1, 1])
  })
})

describe('a blob that was not', () => {
  test('with the wrong digest leaves nothing', async () => {
    await using blobs = await rig()
    expect(await blobs.push('hello', digestOf('other'))).toBe('wrong-digest')
    await settled(blobs.files, [])
    expect([blobs.told, blobs.spool.blobs.size, blobs.spool.fault]).toEqual([[], 0, undefined])
    expect(await blobs.push('hello')).toBe('stored')
  })

  test('broken off leaves nothing', async () => {
    await using blobs = await rig()
    const { uploads, files, spool } = blobs
    const id = uploads.start('cache') ?? ''
    async function* broken(): AsyncGenerator<Buffer> {
      yield await Promise.resolve(Buffer.from('hel'))
      throw new Error('the client is gone')
    }
    await expect(uploads.append(id, broken())).rejects.toThrow('the client is gone')
    const other = uploads.start('cache') ?? ''
    await uploads.append(other, inChunks(Buffer.from('more'), 2))
    uploads.cancelAll()
    await settled(files, [])
    expect([spool.blobs.size, spool.fault]).toEqual([0, undefined])
  })

  test('given up before its first byte leaves nothing', async () => {
    await using blobs = await rig()
    blobs.uploads.cancel(blobs.uploads.start('cache') ?? '')
    expect(await blobs.files()).toEqual([])
  })
})

describe('a disk that takes no more', () => {
  const asRoot = process.getuid?.() === 0 ? test : test.skip
  asRoot('ends the spool, and no upload: what it has already can still be had', async () => {
    await using disk = await smallDisk(1 << 20)
    await using blobs = await rig(join(disk.path, 'blobs'))
    const { spool, push, told, errors } = blobs
    const small = Buffer.alloc(200_000, 'a')
    const large = Buffer.alloc(3 << 20, 'b')
    expect(await push(small)).toBe('stored')
    // Another upload is under way when the disk is full.
    const waiting = blobs.uploads.start('cache') ?? ''
    await blobs.uploads.append(waiting, inChunks(Buffer.from('begun'), 5))
    expect(await push(large)).toBe('stored')
    // Before the last of it is taken, which the build's own files need.
    expect(spool.fault).toEqual(new Error('the disk is almost full'))
    expect(errors).toEqual([spool.fault])

    await blobs.uploads.append(waiting, inChunks(Buffer.from('more'), 4))
    expect((await blobs.uploads.finish(waiting, digestOf('begunmore'))).kind).toBe('stored')
    expect(String(errors[1])).toContain('the disk took no more blobs')
    expect(await push('later')).toBe('stored')
    expect(told).toEqual([`${digestOf(small)} 200000`])
    expect([...spool.blobs.keys()]).toEqual([digestOf(small)])
    expect(await spool.open(digestOf(large))).toBeUndefined()
    expect(await read(spool, digestOf(small))).toBe(small.toString())
    // The room is given back.
    await settled(blobs.files, [digestOf(small).replace(':', '-')])
  })

  test('from the start is a fault, too', async () => {
    await using own = await cacheFolder()
    await own.write('blocked', { blobs: 'a file where the folder should be' })
    await using blobs = await rig(join(own.root, 'blocked', 'blobs'))
    expect(await blobs.push('hello')).toBe('stored')
    expect(blobs.spool.fault).toBeDefined()
    expect(blobs.spool.blobs.size).toBe(0)
    expect(await readFile(join(own.root, 'blocked', 'blobs'), 'utf8')).toMatch(/^a file/)
  })
})

/** A file system of this size. */
async function smallDisk(bytes: number): Promise<AsyncDisposable & { readonly path: string }> {
  const own = await cacheFolder()
  const path = join(own.root, 'disk')
  await mkdir(path)
  const { code, stderr } = await runProcess('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path])
  if (code !== 0) throw new Error(stderr)
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      await runProcess('umount', [path])
      await own[Symbol.asyncDispose]()
    },
  }
}
