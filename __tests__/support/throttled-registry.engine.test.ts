/** The throttled proxy before the real registry, used by docker. */
import { expect, test } from '@jest/globals'
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { docker, manifestDigest, workspace } from './engine.ts'
import { basicAuth, pushBlob, startRegistry } from './registry.ts'
import { startThrottledProxy, type ThrottledProxy } from './throttled-registry.ts'

/** An image that the engine has forgotten. */
async function pushed(proxy: ThrottledProxy): Promise<string> {
  const mark = `mark${randomUUID().slice(0, 8)}`
  const bytes = randomBytes(1_500_000).toString('base64')
  await using files = await workspace({ Dockerfile: `FROM scratch\nCOPY ${mark} /\n`, [mark]: bytes })
  const ref = `${proxy.host}/${mark}:one`
  const output = `type=image,name=${ref},push=true,store=false`
  await docker('buildx', 'build', '--provenance=false', '--output', output, files.directory)
  await docker('buildx', 'prune', '--all', '--force', '--filter', `description~=${mark}`)
  return ref
}

test('docker pushes and pulls through it; both are counted', async () => {
  await using registry = await startRegistry()
  await using proxy = await startThrottledProxy({ target: registry.host })
  const ref = await pushed(proxy)
  expect(await manifestDigest(ref)).toBe(await manifestDigest(ref.replace(proxy.host, registry.host)))
  const { bytesUp, requests } = proxy.stats()
  expect(bytesUp).toBeGreaterThan(1_500_000)
  expect(requests.upload).toBeGreaterThan(3)
  proxy.reset()
  await docker('pull', ref)
  await docker('image', 'rm', ref)
  expect(proxy.stats().bytesDown).toBeGreaterThan(1_500_000)
  expect(proxy.stats().requests.blob).toBeGreaterThan(0)
  expect(proxy.stats().requests.upload).toBe(0)
})

test('it is slow, and fails for a digest as it is told', async () => {
  await using registry = await startRegistry({ auth: true })
  await using proxy = await startThrottledProxy({ target: registry.host, bytesPerSecond: 1e6, latencyMs: 50 })
  const bytes = randomBytes(500_000)
  // The address that the upload goes to is the proxy's.
  const digest = await pushBlob({ ...registry, host: proxy.host }, 'org/app', bytes)
  const other = await pushBlob(registry, 'org/app', Buffer.from('other'))
  expect(proxy.stats()).toMatchObject({ bytesUp: 500_000, requests: { upload: 2 } })
  const get = async (which: string): Promise<Response> =>
    await fetch(`http://${proxy.host}/v2/org/app/blobs/${which}`, { headers: { authorization: basicAuth(registry) } })
  const started = performance.now()
  expect(Buffer.from(await (await get(digest)).arrayBuffer())).toEqual(bytes)
  expect(performance.now() - started).toBeGreaterThan(500)
  expect((await fetch(`http://${proxy.host}/v2/`)).headers.get('www-authenticate')).toMatch(/^Basic /)

  const once = { operation: 'blob', key: digest, times: 1 } as const
  proxy.fail({ ...once, effect: { kind: 'status', status: 503, retryAfter: 3 } })
  expect((await get(other)).status).toBe(200)
  const busy = await get(digest)
  expect([busy.status, busy.headers.get('retry-after')]).toEqual([503, '3'])
  proxy.fail({ ...once, effect: { kind: 'reset' } })
  await expect(get(digest)).rejects.toThrow('fetch failed')
  proxy.fail({ ...once, effect: { kind: 'truncate' } })
  await expect((await get(digest)).arrayBuffer()).rejects.toThrow('terminated')
  proxy.fail({ ...once, effect: { kind: 'flip' } })
  const wrong = Buffer.from(await (await get(digest)).arrayBuffer())
  expect(wrong).toHaveLength(bytes.length)
  expect(`sha256:${createHash('sha256').update(wrong).digest('hex')}`).not.toBe(digest)
  expect((await get(digest)).status).toBe(200)
  proxy.fail({ effect: { kind: 'status', status: 500 } })
  expect((await get(digest)).status).toBe(500)
  proxy.heal()
  expect((await get(digest)).status).toBe(200)
})
