/** What a plan asks of registries, each thing once. */
import { expect, test } from '@jest/globals'
import { createHash } from 'node:crypto'
import { ImageLookups } from '../../src/images/image-lookups.ts'
import { MEDIA_TYPES } from '../../src/images/manifest.ts'
import { RegistryClient } from '../../src/images/registry-client.ts'
import { answerJson, startWireServer, type WireServer } from '../support/wire-server.ts'

const CONFIG = '{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]}}'
const MANIFEST = JSON.stringify({
  schemaVersion: 2,
  mediaType: MEDIA_TYPES.ociManifest,
  config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: sha(CONFIG), size: CONFIG.length },
  layers: [],
})

function sha(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}

async function registry(): Promise<WireServer> {
  return await startWireServer(({ method, path }, response) => {
    const text = path.endsWith('/manifests/latest') ? MANIFEST : path.endsWith(sha(CONFIG)) ? CONFIG : undefined
    if (text === undefined) {
      answerJson(response, 404, { errors: [{ code: 'MANIFEST_UNKNOWN' }] })
      return
    }
    const type = text === MANIFEST ? MEDIA_TYPES.ociManifest : 'application/octet-stream'
    const head = { 'content-type': type, 'content-length': text.length, 'docker-content-digest': sha(text) }
    response.writeHead(200, head).end(method === 'HEAD' ? undefined : text)
  })
}

function told({ requests }: WireServer): readonly string[] {
  return requests.map(({ method, path }) => `${method} ${path.replace(/^\/v2\//, '')}`)
}

test('a name is asked for once, however it is written, and so is each platform of it', async () => {
  await using server = await registry()
  const client = new RegistryClient({ env: {}, credentials: { find: () => Promise.resolve(undefined) } })
  const lookups = new ImageLookups(client)
  const [bare, tagged] = [`${server.host}/app`, `${server.host}/app:latest`]
  expect(await Promise.all([bare, tagged, bare].map((name) => lookups.resolveDigest(name)))).toEqual(
    Array(3).fill(sha(MANIFEST)),
  )
  expect(told(server)).toEqual(['HEAD app/manifests/latest'])

  const on = async (platform: string): Promise<string> => (await lookups.resolveImage(bare, { platform })).configDigest
  await Promise.all([on('linux/amd64'), on('linux/amd64'), on('linux/arm64')])
  await Promise.all([lookups.fetchConfig(bare, sha(CONFIG)), lookups.fetchConfig(tagged, sha(CONFIG))])
  expect(told(server).slice(1)).toEqual([
    'GET app/manifests/latest',
    'GET app/manifests/latest',
    `GET app/blobs/${sha(CONFIG)}`,
  ])
  client.close()
})

test('what is known for a platform tells the digest; a failure is an answer', async () => {
  await using server = await registry()
  const client = new RegistryClient({ env: {}, credentials: { find: () => Promise.resolve(undefined) } })
  const lookups = new ImageLookups(client)
  await lookups.resolveImage(`${server.host}/app`, { platform: 'linux/amd64' })
  expect(await lookups.resolveDigest(`${server.host}/app`)).toBe(sha(MANIFEST))
  expect(told(server)).toEqual(['GET app/manifests/latest'])

  const missing = `${server.host}/app:none`
  const [first, second] = await Promise.allSettled([lookups.resolveDigest(missing), lookups.resolveDigest(missing)])
  expect([first.status, second]).toEqual(['rejected', first])
  await expect(lookups.resolveDigest(missing)).rejects.toThrow('none')
  expect(told(server).slice(1)).toEqual(['HEAD app/manifests/none'])
  client.close()
})
