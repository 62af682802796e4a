import { describe, expect, test } from '@jest/globals'
import { covers } from '../../src/cache/cache-covers.ts'
import { blobsOf, parseTargetCache, pruneTargetCache, renderTargetCache } from '../../src/cache/cache-manifest.ts'
import { docker, rigRegistry, workspace } from '../support/engine.ts'

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json'

/** The manifest and config that the engine's own BuildKit exports to a real registry. */
async function exported(
  dockerfile: string,
  files: Readonly<Record<string, string>>,
): Promise<readonly [Buffer, Buffer]> {
  await using space = await workspace({ Dockerfile: dockerfile, ...files })
  const name = `cache-manifest/${Date.now().toString(36)}`
  const host = rigRegistry()
  const to = `type=registry,ref=${host}/${name}:cache,mode=max,image-manifest=true`
  await docker('buildx', 'build', '--quiet', '--cache-to', to, space.path())
  const answer = await fetch(`http://${host}/v2/${name}/manifests/cache`, { headers: { accept: MANIFEST_TYPE } })
  const manifest = Buffer.from(await answer.arrayBuffer())
  const { config } = JSON.parse(manifest.toString()) as { readonly config: { readonly digest: string } }
  const blob = await fetch(`http://${host}/v2/${name}/blobs/${config.digest}`)
  return [manifest, Buffer.from(await blob.arrayBuffer())]
}

const DOCKERFILE = (secret: number): string => `
FROM scratch AS base
COPY one /one
FROM scratch AS left
COPY --from=base /one /left/${secret}
COPY two /two
FROM scratch AS right
COPY --from=base /one /right
FROM scratch
COPY --from=left / /
COPY --from=right /right /
COPY --link two /three
`

describe('what BuildKit exports', () => {
  test('nothing of it is lost: it is rendered as BuildKit wrote it', async () => {
    const [manifest, config] = await exported(DOCKERFILE(1), { one: 'one', two: 'two' })
    const cache = parseTargetCache(manifest, config)
    if (cache === undefined) throw new Error('not read')
    expect(cache.config.records.length).toBeGreaterThan(5)
    const rendered = renderTargetCache(cache)
    expect(rendered.config.toString()).toBe(config.toString())
    expect(rendered.manifest.toString()).toBe(manifest.toString())
    const kept = pruneTargetCache(cache, () => true)
    expect(blobsOf(kept)).toEqual(blobsOf(cache))
    expect(covers(kept, cache)).toBe(true)
  })

  test('a build that was made before says nothing new; one with a change does', async () => {
    const files = { one: 'one', two: 'two' }
    const caches = []
    for (const more of [files, files, { ...files, two: 'changed' }]) {
      const [manifest, config] = await exported(DOCKERFILE(2), more)
      const cache = parseTargetCache(manifest, config)
      if (cache === undefined) throw new Error('not read')
      caches.push(cache)
    }
    const [first, second, third] = caches
    if (first === undefined || second === undefined || third === undefined) throw new Error('not built')
    expect(covers(first, second)).toBe(true)
    expect(covers(first, third)).toBe(false)
  })
})
