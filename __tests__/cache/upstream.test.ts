import { describe, expect, test } from '@jest/globals'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { ByteRange } from '../../src/cache/byte-range.ts'
import { Upstream, type UpstreamImage } from '../../src/cache/upstream.ts'
import { digest } from '../support/target-caches.ts'

/** An image whose layers are called by their own text. */
function image(contents: readonly string[], more: Partial<UpstreamImage> = {}): UpstreamImage {
  const known = new Map(contents.map((content) => [digest(content), content]))
  return {
    layers: contents.map((content) => ({ digest: digest(content), size: content.length })),
    open: (blob, range?: ByteRange) => {
      const content = known.get(blob) ?? ''
      return Promise.resolve(Readable.from([range === undefined ? content : content.slice(range.start, range.end + 1)]))
    },
    ...more,
  }
}

async function read(upstream: Upstream, content: string, range?: ByteRange): Promise<string | undefined> {
  const blob = await upstream.open(digest(content))
  if (blob === undefined) return undefined
  if ('redirect' in blob) return `to ${blob.redirect}`
  expect(blob.size).toBe(content.length)
  return await text(await blob.open(range))
}

describe('layers of base images', () => {
  test('are promised without a question, and streamed from their registry, whole or in part', async () => {
    const upstream = new Upstream()
    upstream.add(image(['one', 'three']))
    expect([upstream.has(digest('one')), upstream.has(digest('two'))]).toEqual([true, false])
    expect([await upstream.promised(digest('three')), await upstream.promised(digest('two'))]).toEqual([5, undefined])
    expect(upstream.bytesProxied).toBe(0)
    expect(await read(upstream, 'three')).toBe('three')
    expect(await read(upstream, 'three', { start: 1, end: 2 })).toBe('hr')
    expect(await read(upstream, 'two')).toBeUndefined()
    expect([upstream.bytesProxied, upstream.failed.size, upstream.redirected.size]).toEqual([7, 0, 0])
  })

  test('of two images come from the one that was named first', async () => {
    const upstream = new Upstream()
    upstream.add(image(['one']))
    upstream.add(image(['one', 'two'], { open: (blob) => Promise.resolve(Readable.from([`second ${blob.length}`])) }))
    expect(await read(upstream, 'one')).toBe('one')
    expect(await read(upstream, 'two')).toBe(`second ${digest('two').length}`)
  })

  test('with a digest that is none are not known', () => {
    const upstream = new Upstream()
    upstream.add({
      ...image([]),
      layers: [
        { digest: 'sha512:abc', size: 1 },
        { digest: '../x', size: 1 },
      ],
    })
    expect([upstream.has('sha512:abc'), upstream.has('../x')]).toEqual([false, false])
  })

  test('that their registry cannot give are told: from the start, or in the middle', async () => {
    const upstream = new Upstream()
    const broken = new Error('the registry is down')
    async function* half(): AsyncGenerator<string> {
      yield await Promise.resolve('on')
      throw broken
    }
    upstream.add(image(['one'], { open: () => Promise.resolve(Readable.from(half())) }))
    upstream.add(image(['two'], { open: () => Promise.reject(broken) }))
    expect(upstream.failed.size).toBe(0)
    await expect(read(upstream, 'one')).rejects.toThrow('the registry is down')
    expect([...upstream.failed]).toEqual([digest('one')])
    await expect(read(upstream, 'two')).rejects.toThrow('the registry is down')
    expect([...upstream.failed]).toEqual([digest('one'), digest('two')])
    expect(upstream.bytesProxied).toBe(3)
  })

  test('that anybody may fetch are fetched from there, and counted once', async () => {
    const upstream = new Upstream()
    const asked: string[] = []
    const publicUrl = (blob: string): Promise<string | undefined> => {
      asked.push(blob)
      return Promise.resolve(blob === digest('three') ? 'https://blobs.example/three' : undefined)
    }
    upstream.add(image(['one', 'three'], { publicUrl }))
    expect(await read(upstream, 'three')).toBe('to https://blobs.example/three')
    expect(await read(upstream, 'three')).toBe('to https://blobs.example/three')
    expect(await read(upstream, 'one')).toBe('one')
    expect([...upstream.redirected]).toEqual([digest('three')])
    expect([upstream.bytesProxied, asked]).toEqual([8, digestsOf('three', 'three', 'one')])
  })
})

test('where layers can be fetched that will be asked for is found out before, once', async () => {
  const upstream = new Upstream()
  const asked: string[] = []
  const publicUrl = (blob: string): Promise<string | undefined> => {
    asked.push(blob)
    if (blob === digest('two') && asked.length < 3) return Promise.reject(new Error('the registry is down'))
    return Promise.resolve(blob === digest('none') ? undefined : `https://blobs.example/${asked.length}`)
  }
  upstream.add(image(['one', 'two', 'none'], { publicUrl }))
  upstream.foresee(digestsOf('one', 'two', 'unknown', 'one'))
  expect(asked).toEqual(digestsOf('one', 'two'))
  expect(upstream.bytesProxied).toBe(0)
  expect(await read(upstream, 'one')).toBe('to https://blobs.example/1')
  expect(asked).toHaveLength(2)
  expect(await read(upstream, 'two')).toBe('to https://blobs.example/3')
  expect(await read(upstream, 'one')).toBe('to https://blobs.example/4')
})

function digestsOf(...contents: readonly string[]): readonly string[] {
  return contents.map(digest)
}
