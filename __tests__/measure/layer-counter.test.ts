import { expect, test } from '@jest/globals'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { imageFiles } from '../../src/measure/image-files.ts'
import { LayerCounter } from '../../src/measure/layer-counter.ts'
import { rawTar } from '../support/raw-tar.ts'

const DIGEST = 'sha256:x'

async function count(chunks: readonly Buffer[]): Promise<LayerCounter> {
  const counter = new LayerCounter()
  const sink = counter.openSink()
  for (const chunk of chunks) await sink.write(chunk)
  await sink.finish(DIGEST, 0)
  return counter
}

test('a layer is counted as it passes', async () => {
  const packed = gzipSync(rawTar([{ path: 'a', body: 'hello' }]))
  const content = (await count([packed.subarray(0, 20), packed.subarray(20)])).get(DIGEST)
  expect(content).toMatchObject({ compression: 'gzip', compressed: packed.length, unpacked: 5, entries: 1 })
})

test('a layer larger than every buffer passes', async () => {
  const body = 'x'.repeat(8 << 20)
  const bytes = rawTar([{ path: 'a', body }])
  const chunks = Array.from({ length: Math.ceil(bytes.length / 65_536) }, (_, i) =>
    bytes.subarray(i << 16, (i + 1) << 16),
  )
  expect((await count(chunks)).get(DIGEST)?.unpacked).toBe(body.length)
})

test.each([
  ['a config', Buffer.from('{"os":"linux"}')],
  ['noise', Buffer.alloc(4 << 20, 'noise')],
  ['a damaged gzip stream', Buffer.concat([gzipSync('x').subarray(0, 12), Buffer.alloc(4 << 20, 7)])],
])('%s takes all of its bytes and counts as nothing', async (_name, bytes) => {
  const chunks = Array.from({ length: Math.ceil(bytes.length / 65_536) }, (_, i) =>
    bytes.subarray(i << 16, (i + 1) << 16),
  )
  expect((await count(chunks)).get(DIGEST)).toBeUndefined()
})

test('what is aborted counts as nothing', async () => {
  const counter = new LayerCounter()
  const sink = counter.openSink()
  await sink.write(rawTar([{ path: 'a', body: 'hello' }]))
  sink.abort()
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(counter.get(DIGEST)).toBeUndefined()
})

test('a layer that did not pass is read once, however often it is asked for', async () => {
  const counter = new LayerCounter()
  let opened = 0
  const open = async (): Promise<Readable> => {
    opened++
    return await Promise.resolve(Readable.from([gzipSync(rawTar([{ path: 'a', body: 'hello' }]))]))
  }
  const counts = await Promise.all([counter.count(DIGEST, open), counter.count(DIGEST, open)])
  expect(counts.map((content) => content?.unpacked)).toEqual([5, 5])
  expect(opened).toBe(1)
})

test('what cannot be read counts as nothing', async () => {
  const counter = new LayerCounter()
  expect(await counter.count('sha256:gone', () => Promise.resolve(undefined))).toBeUndefined()
  expect(await counter.count('sha256:noise', () => Promise.resolve(Readable.from([Buffer.from('{}')])))).toBeUndefined()
  expect(await counter.count('sha256:fails', () => Promise.reject(new Error('no such file')))).toBeUndefined()
})

test('the files of a layer are known, however it came', async () => {
  const bytes = gzipSync(rawTar([{ path: 'a', body: 'hello' }]))
  const pushed = (await count([bytes])).get(DIGEST)
  const read = await new LayerCounter().count(DIGEST, () => Promise.resolve(Readable.from([bytes])))
  for (const layer of [pushed, read]) {
    expect(imageFiles([{ own: true, index: layer?.index }])).toMatchObject({ merged: 5, tree: { files: 1 } })
  }
})

test('layers have files until the budget is used up; what is pushed twice or unreadable takes nothing of it', async () => {
  const counter = new LayerCounter({ entries: 3, bytes: 1_000 })
  const push = async (digest: string, bytes: Buffer): Promise<void> => {
    const sink = counter.openSink()
    await sink.write(bytes)
    await sink.finish(digest, bytes.length)
  }
  const two = rawTar([
    { path: 'a', body: 'hello' },
    { path: 'b', body: 'x' },
  ])
  await push('sha256:broken', two.subarray(0, 1_200))
  await push('sha256:a', two)
  expect(counter.get('sha256:a')?.index.files).toBeDefined()
  await push('sha256:b', two)
  expect(counter.get('sha256:b')).toMatchObject({ unpacked: 6, index: { reason: expect.stringContaining('too many') } })
  await push('sha256:c', rawTar([{ path: 'c' }]))
  expect(counter.get('sha256:c')?.index.files).toBeDefined()
})

test('a layer that is pushed twice at once takes of the budget once', async () => {
  const counter = new LayerCounter({ entries: 2, bytes: 1_000 })
  const bytes = rawTar([{ path: 'a', body: 'hello' }])
  const sinks = [counter.openSink(), counter.openSink()]
  for (const sink of sinks) await sink.write(bytes)
  for (const sink of sinks) await sink.finish('sha256:a', bytes.length)
  const sink = counter.openSink()
  await sink.write(bytes)
  await sink.finish('sha256:b', bytes.length)
  expect([counter.get('sha256:a'), counter.get('sha256:b')].map((layer) => layer?.index.files !== undefined)).toEqual([
    true,
    true,
  ])
})
