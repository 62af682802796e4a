import { describe, expect, test } from '@jest/globals'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { imageFiles } from '../../src/measure/image-files.ts'
import { BaseLayers } from '../../src/measure/base-layers.ts'
import { LayerMemory } from '../../src/measure/layer-memory.ts'
import { rawTar } from '../support/raw-tar.ts'

const digest = (n: number): string => `sha256:${n.toString(16).padStart(64, '0')}`
const layer = (body: string): Buffer => gzipSync(rawTar([{ path: 'a', body }]))

async function folder(): Promise<AsyncDisposable & { readonly path: string; readonly file: string }> {
  const path = await mkdtemp(join(tmpdir(), 'stage-build-memory-'))
  return {
    path,
    file: join(path, 'deep', 'base-layers.json'),
    [Symbol.asyncDispose]: async () => {
      await rm(path, { recursive: true, force: true })
    },
  }
}

describe('the memory', () => {
  test('what was counted is there in the next run, and no temporary file', async () => {
    await using at = await folder()
    const memory = await LayerMemory.open(at.file)
    memory.set(digest(1), 300)
    memory.set(digest(2), 0)
    await memory.save()
    const next = await LayerMemory.open(at.file)
    expect([next.get(digest(1)), next.get(digest(2)), next.get(digest(3))]).toEqual([300, 0, undefined])
    expect(await readdir(join(at.path, 'deep'))).toEqual(['base-layers.json'])
  })

  test.each([
    '',
    'garbage',
    'null',
    '[]',
    '{"version":2,"sizes":{"DIGEST":1}}',
    '{"version":1}',
    '{"version":1,"sizes":{"DIGEST":"1","x":1}}',
    '{"version":1,"sizes":{"DIGEST":-1}}',
    '{"version":1,"sizes":{"DIGEST":1.5}}',
  ])('a file of %j is no memory and no error, and is replaced', async (text) => {
    await using at = await folder()
    await mkdir(join(at.path, 'deep'))
    await writeFile(at.file, text.replace('DIGEST', digest(1)))
    const memory = await LayerMemory.open(at.file)
    expect(memory.get(digest(1))).toBeUndefined()
    memory.set(digest(1), 5)
    await memory.save()
    expect((await LayerMemory.open(at.file)).get(digest(1))).toBe(5)
  })

  test('several runs at once spoil nothing: the file is whole and what was there before stays', async () => {
    await using at = await folder()
    const first = await LayerMemory.open(at.file)
    first.set(digest(0), 1)
    await first.save()
    const runs = await Promise.all(Array.from({ length: 8 }, async () => await LayerMemory.open(at.file)))
    for (const [index, run] of runs.entries()) run.set(digest(index + 1), index)
    await Promise.all(
      runs.map(async (run) => {
        await run.save()
      }),
    )
    const after = await LayerMemory.open(at.file)
    expect(after.get(digest(0))).toBe(1)
    const kept = runs.filter((_, index) => after.get(digest(index + 1)) === index)
    expect(kept.length).toBeGreaterThanOrEqual(1)
    expect(await readdir(join(at.path, 'deep'))).toEqual(['base-layers.json'])
  })

  test('a run does not lose what another one wrote after it began', async () => {
    await using at = await folder()
    const [one, two] = [await LayerMemory.open(at.file), await LayerMemory.open(at.file)]
    one.set(digest(1), 1)
    await one.save()
    two.set(digest(2), 2)
    await two.save()
    const after = await LayerMemory.open(at.file)
    expect([after.get(digest(1)), after.get(digest(2))]).toEqual([1, 2])
  })

  test('it is bounded: what was written last stays', async () => {
    await using at = await folder()
    const memory = await LayerMemory.open(at.file)
    for (let i = 0; i < 10_050; i++) memory.set(digest(i), i)
    await memory.save()
    const after = await LayerMemory.open(at.file)
    expect([after.get(digest(49)), after.get(digest(50)), after.get(digest(10_049))]).toEqual([undefined, 50, 10_049])
  })

  test('a place that cannot be written to is no error', async () => {
    await using at = await folder()
    await writeFile(join(at.path, 'deep'), 'a file, no directory')
    const memory = await LayerMemory.open(at.file)
    memory.set(digest(1), 1)
    await memory.save()
    expect(memory.get(digest(1))).toBe(1)
  })

  test('without news nothing is written', async () => {
    await using at = await folder()
    await (await LayerMemory.open(at.file)).save()
    await expect(readFile(at.file)).rejects.toThrow('ENOENT')
  })
})

describe('counting', () => {
  async function counting(): Promise<{
    readonly layers: BaseLayers
    readonly abort: AbortController
    readonly memory: LayerMemory
  }> {
    const abort = new AbortController()
    const memory = await LayerMemory.open('/nowhere/never-saved.json')
    return { layers: new BaseLayers({ memory, signal: abort.signal }), abort, memory }
  }

  test('a layer is read once, however often it is asked for', async () => {
    const { layers, memory } = await counting()
    let opened = 0
    const open = (): Promise<Readable> => {
      opened++
      return Promise.resolve(Readable.from([layer('hello')]))
    }
    const counts = await Promise.all(
      [1, 2, 3].map(async () => await layers.count(digest(1), { open, isWanted: false })),
    )
    expect([...counts, await layers.count(digest(1), { open, isWanted: false })]).toEqual([5, 5, 5, 5])
    expect([opened, memory.get(digest(1))]).toEqual([1, 5])
  })

  test('a layer of which the size is remembered is read for what is in it, where that is wanted', async () => {
    const { layers, memory } = await counting()
    memory.set(digest(1), 5)
    const open = (): Promise<Readable> => Promise.resolve(Readable.from([layer('hello')]))
    expect(await layers.count(digest(1), { open, isWanted: false })).toBe(5)
    expect(layers.indexOf(digest(1))).toBeUndefined()
    const broken = (): Promise<Readable> => Promise.reject(new Error('unauthorized'))
    expect(await layers.count(digest(1), { open: broken, isWanted: true })).toBe(5)
    const { layers: next } = await counting()
    expect(await next.count(digest(1), { open, isWanted: true })).toBe(5)
    expect(imageFiles([{ own: true, index: next.indexOf(digest(1)) }]).merged).toBe(5)
  })

  test('at most two are read at once', async () => {
    const { layers } = await counting()
    let reading = 0
    let most = 0
    const open = async (): Promise<Readable> => {
      most = Math.max(most, ++reading)
      await new Promise((resolve) => setTimeout(resolve, 10))
      return Readable.from([layer('x')]).on('close', () => {
        reading--
      })
    }
    const counts = await Promise.all(
      Array.from({ length: 6 }, async (_, i) => await layers.count(digest(i), { open, isWanted: false })),
    )
    expect(counts).toEqual(Array(6).fill(1))
    expect(most).toBe(2)
  })

  test.each<[string, () => Promise<Readable>]>([
    ['cannot be opened', () => Promise.reject(new Error('unauthorized'))],
    ['breaks off', () => Promise.resolve(Readable.from([layer('hello').subarray(0, -9)]))],
    ['is no layer', () => Promise.resolve(Readable.from([Buffer.from('<html>')]))],
  ])('a layer that %s is unknown, and is not remembered', async (_how, open) => {
    const { layers, memory } = await counting()
    expect(await layers.count(digest(1), { open, isWanted: false })).toBeUndefined()
    expect(memory.get(digest(1))).toBeUndefined()
  })

  test('an abort ends what is being read and what waits', async () => {
    const { layers, abort } = await counting()
    let opened = 0
    const open = (): Promise<Readable> => {
      opened++
      return Promise.resolve(new Readable({ read: () => undefined }))
    }
    const counts = Promise.all([1, 2, 3].map(async (n) => await layers.count(digest(n), { open, isWanted: false })))
    await new Promise((resolve) => setTimeout(resolve, 20))
    abort.abort()
    expect(await counts).toEqual([undefined, undefined, undefined])
    expect(opened).toBe(2)
  })
})
