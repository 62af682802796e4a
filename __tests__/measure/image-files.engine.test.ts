import { expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { LayerRegistry } from '../../src/cache/layer-registry.ts'
import { Upstream } from '../../src/cache/upstream.ts'
import { parseManifest, type Manifest } from '../../src/images/manifest.ts'
import { imageFiles } from '../../src/measure/image-files.ts'
import { LayerCounter } from '../../src/measure/layer-counter.ts'
import { docker, rigRegistry, workspace } from '../support/engine.ts'

const REPOSITORY = 'library/alpine'

const DOCKERFILE = `
FROM ${rigRegistry()}/${REPOSITORY}:3.22 AS base
FROM base AS builder
RUN mkdir -p /out/deep/er && head -c 3000000 /dev/urandom > /out/app && ln /out/app /out/deep/hard \\
 && head -c 70000 /dev/urandom > /out/deep/er/x && ln -s deep /out/soft
FROM base
RUN rm -rf /usr/sbin /etc/ssl && mkdir /usr/sbin && echo new > /usr/sbin/apk
RUN chown -R 1000:1000 /bin && mkdir -p /lib/apk/db && printf 'P:busybox\\nV:1.37.0\\nF:bin\\nR:busybox\\n' > /lib/apk/db/installed
COPY --from=builder /out /srv/one
COPY --from=builder --link /out /srv/two
RUN rm /srv/one/app && head -c 1000 /dev/urandom > /srv/two/app
RUN rm -rf /srv/one/deep/er && echo file > /srv/one/deep/er && rm /srv/two/soft && mkdir /srv/two/soft && echo y > /srv/two/soft/y
RUN mkdir -p /app/node_modules/a && printf '{"name":"a","version":"1.2.3"}' > /app/node_modules/a/package.json \\
 && head -c 5000 /dev/urandom > /app/node_modules/a/x.js && truncate -s 9000000 /app/sparse
`

test.each(['gzip', 'zstd'])(
  '%s layers of an image come to what its exported root file system holds',
  async (compression) => {
    await using space = await workspace({ Dockerfile: DOCKERFILE })
    const counter = new LayerCounter()
    const upstream = new Upstream()
    const base = await layersOf('3.22')
    upstream.add({ layers: base, open: () => Promise.reject(new Error('nobody asks')) })
    const registry = await LayerRegistry.start({
      openSinks: () => [counter.openSink()],
      sources: [upstream],
      debug: () => undefined,
    })
    try {
      const name = `${registry.host}/${registry.repository('x')}`
      await docker(
        ...['buildx', 'build', '--builder', 'default', '--progress', 'plain', '--provenance=false'],
        ...['--output', `type=image,name=${name},push=true,store=false,compression=${compression},oci-mediatypes=true`],
        ...['--output', `type=tar,dest=${space.path('root.tar')}`, space.directory],
      )
      const stored = registry.manifest('x', 'latest')
      if (stored === undefined) throw new Error('nothing was pushed')
      const manifest = parseManifest(stored.bytes, stored.mediaType)
      if (manifest.kind !== 'image') throw new Error('an index was pushed')

      const layers = await Promise.all(
        manifest.layers.map(async ({ digest }) => {
          const own = base.every((layer) => layer.digest !== digest)
          const counted = own ? counter.get(digest) : await counter.count(digest, async () => await blob(digest))
          return { own, index: counted?.index, unpacked: counted?.unpacked ?? NaN }
        }),
      )
      expect(layers.filter(({ own }) => own)).toHaveLength(7)
      const image = imageFiles(layers)

      const root = space.path('root')
      await mkdir(root)
      execFileSync('tar', ['-xf', space.path('root.tar'), '-C', root])
      const files = [...inodesOf(root).values()]
      expect(files.length).toBeGreaterThan(12)
      expect(image.merged).toBe(files.reduce((sum, { bytes }) => sum + bytes, 0))
      const content = (own: boolean): number =>
        layers.filter((layer) => layer.own === own).reduce((sum, { unpacked }) => sum + unpacked, 0)
      expect(image.tree?.bytes).toBe(content(true))
      const busybox = files.find(({ path }) => path === 'bin/busybox')?.bytes ?? NaN
      // What was written over or removed is in layers, and in the image no more.
      expect(content(true) + content(false) - (image.merged ?? NaN)).toBeGreaterThan(busybox + 70_000)
      const npm = files
        .filter(({ path }) => path.startsWith('app/node_modules/a/'))
        .reduce((sum, { bytes }) => sum + bytes, 0)
      expect(image.packages?.map(({ manager, name: called, bytes }) => [manager, called, bytes])).toEqual(
        expect.arrayContaining([
          ['apk', 'busybox', busybox],
          ['npm', 'a', npm],
        ]),
      )
      expect(image.tree?.children?.get('app')?.children?.get('sparse')).toEqual({ bytes: 9_000_000, files: 1 })
    } finally {
      await registry.close()
    }
  },
  120_000,
)

/** Each file of a directory once, whatever names it has. */
function inodesOf(root: string): ReadonlyMap<string, { readonly path: string; readonly bytes: number }> {
  const listed = execFileSync('find', [root, '-type', 'f', '-printf', '%i %s %P\n'], { encoding: 'utf8' })
  return new Map(
    listed
      .trimEnd()
      .split('\n')
      .map((line) => {
        const [, inode = '', bytes = '', path = ''] = /^(\d+) (\d+) (.*)$/.exec(line) ?? []
        return [inode, { path, bytes: Number(bytes) }]
      }),
  )
}

async function layersOf(reference: string): Promise<readonly { readonly digest: string; readonly size: number }[]> {
  const manifest = await published(reference)
  if (manifest.kind === 'image') return manifest.layers
  const entry = manifest.manifests.find(({ platform }) => platform?.architecture === 'amd64')
  return await layersOf(entry?.digest ?? '')
}

async function published(reference: string): Promise<Manifest> {
  const response = await fetch(`http://${rigRegistry()}/v2/${REPOSITORY}/manifests/${reference}`, {
    headers: { accept: ['index', 'manifest'].map((kind) => `application/vnd.oci.image.${kind}.v1+json`).join(', ') },
  })
  return parseManifest(Buffer.from(await response.arrayBuffer()), response.headers.get('content-type') ?? undefined)
}

async function blob(digest: string): Promise<Readable> {
  const { body } = await fetch(`http://${rigRegistry()}/v2/${REPOSITORY}/blobs/${digest}`)
  if (body === null) throw new Error('no body')
  return Readable.fromWeb(body)
}
