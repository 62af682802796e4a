/** What the layer cache does for users of one branch, each run on a fresh runner; GitHub's service is a stand-in. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { randomUUID } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import {
  LAYOUTS,
  LOT,
  openLab,
  stepsRun,
  labBuild,
  layout,
  liveBlobs,
  storedBlobs,
  unpackEntries,
  type Lab,
  type LabRun,
  type Layout,
} from '../support/cache-lab.ts'
import { openColdEngine, type ColdEngine } from '../support/cold-engine.ts'
import { runProcess } from '../../src/process.ts'
import { docker, rigRegistry, workspace, type Workspace } from '../support/engine.ts'
import { contentOf } from '../support/image-content.ts'
import { published, type Published } from '../support/published.ts'
import { startRegistry, type TestRegistry } from '../support/registry.ts'
import { standInLines } from '../support/step.ts'

let engine: ColdEngine
let registry: TestRegistry
beforeAll(async () => {
  engine = await openColdEngine()
  registry = await startRegistry()
}, 600_000)
afterAll(async () => {
  await registry.stop()
  await engine[Symbol.asyncDispose]()
})

/** What a file begins with. */
const ZSTD = 0xfd2fb528

async function layouts(space: Workspace, ...names: readonly string[]): Promise<readonly Layout[]> {
  return await Promise.all(names.map(async (name) => await layout(space.path('out', name))))
}

/** Places of the layers that are others now, for each image. */
function changedLayers(before: readonly Layout[], now: readonly Layout[]): readonly (readonly number[])[] {
  return before.map(({ layers }, image) =>
    layers.flatMap((digest, index) => (digest === now[image]?.layers[index] ? [] : [index])),
  )
}

function storedTwice(blobs: readonly string[]): readonly string[] {
  return blobs.filter((digest, index) => blobs.indexOf(digest) !== index)
}

/** Digests of the layers that a registry keeps for an image of this machine's platform. */
async function layersOf(reference: string): Promise<readonly string[]> {
  const { manifests } = await published(reference)
  return manifests.flatMap(({ layers }) => layers.map(({ digest }) => digest))
}

/** Two base images with layers of their own: one in a registry, with a trigger; one that is only in an OCI layout. */
async function makeBases(directory: string): Promise<{
  readonly ref: string
  readonly layers: readonly string[]
  readonly kept: Layout
}> {
  await using source = await workspace({
    Dockerfile:
      `FROM ${rigRegistry()}/library/alpine:3.22 AS alpine\nRUN ${LOT} > /base\n` +
      `FROM alpine AS onbuild\nONBUILD RUN ${LOT} > /triggered\nFROM alpine AS kept\nRUN ${LOT} > /kept\n`,
  })
  const ref = `${registry.host}/base/onbuild:1`
  const build = async (target: string, output: string): Promise<void> => {
    await docker('buildx', 'build', '--provenance=false', `--target=${target}`, `--output=${output}`, source.directory)
  }
  await build('onbuild', `type=registry,name=${ref}`)
  await build('kept', `type=oci,tar=false,dest=${directory}`)
  return { ref, layers: await layersOf(ref), kept: await layout(directory) }
}

/** All that a Dockerfile may be made of, in three targets that share stages. */
const EVERYTHING = `FROM alpine:3.22 AS deps
WORKDIR /deps/inner
COPY deps.txt .
RUN --mount=type=cache,target=/var/kept ${LOT} | tee /var/kept/lot > lot && head -c 2000000 /dev/urandom > bulk
FROM deps AS build
COPY src src
RUN <<END
  ${LOT} > /built
  cat src/* >> /built
END
FROM onbuild:1 AS api
COPY --from=build /built /api/
COPY <<NOTE /api/note
api
NOTE
ADD archive.tar /api/
FROM alpine:3.22 AS worker
COPY --link --from=build /built /worker/
COPY --from=deps /deps/inner/bulk /worker/
RUN ${LOT} > /worker/lot
ENV KIND=worker
FROM kept:1 AS tools
COPY --from=api /api/note /note
RUN ${LOT} > /tools
`

const SOURCES = { 'deps.txt': '1', 'src/a.txt': 'a', 'src/b.txt': 'b' }

describe('all that a Dockerfile may be made of, in three targets', () => {
  const NAMES = ['api', 'worker', 'tools'] as const
  let lab: Lab & AsyncDisposable
  let space: Workspace
  let bases: Awaited<ReturnType<typeof makeBases>>
  let inputs: Readonly<Record<string, string>>
  let cold: LabRun
  let first: readonly Layout[]
  beforeAll(async () => {
    lab = await openLab(engine)
    space = await workspace({ ...SOURCES, Dockerfile: EVERYTHING, '.dockerignore': 'out\n', packed: 'packed' })
    await runProcess('tar', ['-cf', space.path('archive.tar'), '-C', space.directory, 'packed'])
    const layoutFolder = space.path('..', 'kept')
    bases = await makeBases(layoutFolder)
    const images = `${standInLines()}\nonbuild:1=${bases.ref}\nkept:1=oci-layout://${layoutFolder}`
    inputs = { ...LAYOUTS, targets: NAMES.join(','), 'external-images': images }
    cold = await labBuild(lab, space, { inputs })
    first = await layouts(space, ...NAMES)
  })
  afterAll(async () => {
    await lab[Symbol.asyncDispose]()
    await space[Symbol.asyncDispose]()
  })

  test('cold: few entries, each blob once, none that a registry keeps, but those of the OCI layout', async () => {
    expect(Object.values(cold.cached).map((text) => text.replace(/ of .*/, ''))).toEqual(['0', '0', '0'])
    expect(cold.stats.calls.create).toBeLessThanOrEqual(4)
    const blobs = await storedBlobs(lab.service)
    expect(storedTwice(blobs)).toEqual([])
    const inRegistries = new Set([...bases.layers, ...(await layersOf(`${rigRegistry()}/library/alpine:3.22`))])
    for (const { layers } of [...first, bases.kept]) {
      for (const digest of layers) expect([digest, blobs.includes(digest)]).toEqual([digest, !inRegistries.has(digest)])
    }
    expect(first[2]?.layers.slice(0, bases.kept.layers.length)).toEqual(bases.kept.layers)
    expect(blobs.filter((digest) => inRegistries.has(digest))).toEqual([])
  })

  test('nothing changed, twice: all steps cached, the same images, nothing uploaded', async () => {
    for (const time of [1, 2]) {
      const again = await labBuild(lab, space, { inputs })
      expect([time, stepsRun(again)]).toEqual([time, { api: 0, worker: 0, tools: 0 }])
      expect(await layouts(space, ...NAMES)).toEqual(first)
      expect(again.stats.calls).toMatchObject({ create: 0, finalize: 0, put: 0 })
      const packs = again.stats.entries.filter(({ key }) => key.startsWith('sb1-pack-')).length
      expect(again.stats.calls.lookup).toBeLessThanOrEqual(3 + packs)
      expect(again.log).not.toContain('saved')
    }
  })

  test('a source file, a dependency file, a new target: what rests on them runs again, once', async () => {
    await space.write({ 'src/b.txt': 'changed' })
    const source = await labBuild(lab, space, { inputs })
    // build's COPY and RUN, and what comes after in api and worker; tools copies a file of api that is the same.
    expect(stepsRun(source)).toEqual({ api: 5, worker: 6, tools: 5 })
    const second = await layouts(space, ...NAMES)
    const [api = [], worker = [], tools = []] = changedLayers(first, second)
    expect([Math.min(...api), Math.min(...worker), tools]).toEqual([bases.layers.length + 1, 1, []])
    expect(source.stats.calls.create).toBeLessThanOrEqual(4)
    // A pack that was mostly garbage may have been written anew.
    expect(storedTwice(await liveBlobs(lab.service))).toEqual([])

    await space.write({ Dockerfile: `${EVERYTHING}FROM build AS extra\nRUN ${LOT} > /extra\n` })
    const more = { ...inputs, targets: 'api,worker,tools,extra' }
    const added = await labBuild(lab, space, { inputs: more })
    expect(stepsRun(added)).toEqual({ api: 0, worker: 0, tools: 0, extra: 1 })
    expect(await layouts(space, ...NAMES)).toEqual(second)

    await space.write({ 'deps.txt': '2' })
    const deps = await labBuild(lab, space, { inputs: more })
    expect(stepsRun(deps)).toEqual({ api: 7, worker: 8, tools: 7, extra: 5 })
    expect((await layouts(space, 'tools'))[0]).toEqual(first[2])
    expect(deps.stats.calls.create).toBeLessThanOrEqual(4)
  })
})

describe('with the cache on', () => {
  test('secrets, an SSH key, push, zstd and full provenance: warm as cold, and no secret anywhere', async () => {
    await using lab = await openLab(engine)
    await using space = await workspace({
      Dockerfile:
        `FROM alpine:3.22 AS build\n` +
        `RUN --mount=type=secret,id=token,required=true --mount=type=ssh,required=true test -S "$SSH_AUTH_SOCK" && ` +
        `md5sum < /run/secrets/token > /sum && ${LOT} > /lot\n` +
        'FROM alpine:3.22\nCOPY --from=build /sum /lot /\nRUN cat /sum /lot > /both\n',
    })
    const key = space.path('..', 'key')
    await runProcess('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key])
    const secret = `hush-${randomUUID()}`
    const repository = `${registry.host}/all/${randomUUID()}`
    const inputs = {
      ...{ secrets: `token=${secret}`, ssh: `default=${key}` },
      ...{ push: 'true', compression: 'zstd', provenance: 'mode=max' },
    }
    const seen: Buffer[] = []
    const between = async (folder: string): Promise<void> => {
      for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
        if (entry.isFile()) seen.push(await readFile(join(entry.parentPath, entry.name)))
    }
    const image = async (name: string): Promise<{ readonly run: LabRun; readonly image: Published }> => {
      const tags = `${repository}/${name}:1`
      const run = await labBuild(lab, space, { inputs: { ...inputs, tags }, between })
      return { run, image: await published(tags) }
    }
    const [cold, warm] = [await image('cold'), await image('warm')]
    const [before, now] = [cold.image.manifests[0], warm.image.manifests[0]]
    expect(stepsRun(warm.run)).toEqual({ default: 0 })
    // Its image has another name and, of its provenance, another digest, which is remembered; no layer is new.
    const kept = warm.run.stats.entries.map(({ key }) => key.replace(/-[0-9a-f]{16}-.*/, ''))
    // Such small layers travel with the index.
    expect(kept).toEqual(['sb1-index', 'sb1-index'])
    expect(storedTwice(await storedBlobs(lab.service))).toEqual([])
    expect([now?.configDigest, now?.layers]).toEqual([before?.configDigest, before?.layers])
    const own = now?.layers.slice(1).map(({ mediaType }) => mediaType)
    expect(own).toEqual(Array(2).fill('application/vnd.oci.image.layer.v1.tar+zstd'))
    for (const { image } of [cold, warm]) expect(image.attestations).toHaveLength(1)

    for (const [, files] of await unpackEntries(lab.service)) seen.push(...files.values())
    for (const { main, post } of [cold.run, warm.run]) {
      const log = `${main.stdout}${post.stdout}`.replaceAll(`::add-mask::${secret}\n`, '')
      seen.push(Buffer.from(`${log}${main.summary}${JSON.stringify([main.outputs, main.state])}`))
    }
    // What was saved, what was said, and what lay between the steps, if anything did.
    expect(seen.length).toBeGreaterThan(4)
    const plain = seen.map((bytes) => (bytes.readUInt32LE(0) === ZSTD ? zstdDecompressSync(bytes) : bytes))
    expect(plain.filter((bytes) => bytes.includes('lot')).length).toBeGreaterThan(0)
    expect(plain.filter((bytes) => bytes.includes(secret))).toEqual([])
  })

  test('load and type=local: the same files, and an image that runs', async () => {
    await using lab = await openLab(engine)
    await using space = await workspace({
      Dockerfile: `FROM alpine:3.22\nRUN ${LOT} > /lot\nCOPY a /a\nCMD ["cat", "/a", "/lot"]\n`,
      a: 'copied ',
    })
    const tag = `stage-build-lab/${randomUUID()}:1`
    const inputs = { load: 'true', tags: tag, outputs: 'type=local,dest=out' }
    const drawn: string[] = []
    const ids: (string | null | undefined)[] = []
    for (const [time, steps] of [2, 0].entries()) {
      const run = await labBuild(lab, space, { inputs })
      expect([time, stepsRun(run)]).toEqual([time, { default: steps }])
      drawn.push(await docker('run', '--rm', '--network=none', tag))
      expect(`copied ${await readFile(space.path('out/lot'), 'utf8')}`.trim()).toBe(drawn[time])
      ids.push(run.main.outputs['imageid'])
    }
    expect([drawn[1], ids[1]]).toEqual([drawn[0], ids[0]])
    expect(ids[0]).toMatch(/^sha256:/)
    await docker('image', 'rm', '--force', tag)
  })

  test('two platforms: each cached, the index pushed whole', async () => {
    await using lab = await openLab(engine)
    await using space = await workspace({
      Dockerfile:
        `FROM --platform=$BUILDPLATFORM alpine:3.22 AS build\nARG TARGETARCH\nRUN ${LOT} > /$TARGETARCH\n` +
        'FROM scratch\nARG TARGETARCH\nCOPY --from=build /$TARGETARCH /lot\nCOPY $TARGETARCH /a\n',
      // BuildKit remembers one time for each blob, so one blob in both images would have one history.
      ...{ amd64: 'a', arm64: 'b' },
    })
    const repository = `${registry.host}/platforms/${randomUUID()}`
    const inputs = { platforms: 'linux/amd64,linux/arm64', push: 'true' }
    const images: Published[] = []
    for (const [time, steps] of [6, 0].entries()) {
      const tags = `${repository}/${time}:1`
      const run = await labBuild(lab, space, { inputs: { ...inputs, tags } })
      expect([time, stepsRun(run)]).toEqual([time, { default: steps }])
      images.push(await published(tags))
    }
    const parts = images.map(({ manifests }) => manifests.map(({ platform, configDigest, layers }) => [platform, configDigest, layers])) // prettier-ignore
    expect(parts[0]).toHaveLength(2)
    expect(parts[1]).toEqual(parts[0])
  })

  test('no-cache and no-cache-filters: steps run again, and the next run has the new result', async () => {
    await using lab = await openLab(engine)
    await using space = await workspace({
      Dockerfile:
        `FROM alpine:3.22 AS one\nRUN ${LOT} > /one\nFROM alpine:3.22 AS two\nRUN ${LOT} > /two\n` +
        'FROM scratch\nCOPY --from=one /one /\nCOPY --from=two /two /\n',
    })
    const lots = async (more: Readonly<Record<string, string>> = {}): Promise<readonly string[]> => {
      await labBuild(lab, space, { inputs: { outputs: 'type=local,dest=out', ...more } })
      return await Promise.all(['out/one', 'out/two'].map(async (path) => await readFile(space.path(path), 'utf8')))
    }
    const first = await lots()
    const again = await lots({ 'no-cache': 'true' })
    expect(again.filter((lot) => first.includes(lot))).toEqual([])
    expect(await lots()).toEqual(again)
    const [one, two] = await lots({ 'no-cache-filters': 'two' })
    expect([one === again[0], two === again[1]]).toEqual([true, false])
    expect(await lots()).toEqual([one, two])
  })

  test('an image is the one that a build without a cache makes, also where only its end changed', async () => {
    await using lab = await openLab(engine)
    await using space = await workspace({
      Dockerfile:
        'FROM alpine:3.22 AS build\nCOPY a /a\nRUN mkdir -p /out/deep && cp /a /out/deep/a && ln -s a /out/deep/b && chown 7:8 /out/deep/a\n' +
        'FROM alpine:3.22\nCOPY --from=build --chown=9 /out /app\nWORKDIR /app\nRUN cat deep/b > sum && rm /etc/os-release\nCOPY b /b\nENV A=1\n',
      a: 'a',
      b: 'b',
    })
    await labBuild(lab, space, { inputs: LAYOUTS })
    await space.write({ b: 'changed' })
    const changed = await labBuild(lab, space, { inputs: LAYOUTS })
    expect(stepsRun(changed)).toEqual({ default: 1 })
    const content = await contentOf(space.path('out/default'))
    await labBuild(lab, space, { inputs: { ...LAYOUTS, cache: 'off', 'no-cache': 'true' }, warm: true })
    expect(content).toBe(await contentOf(space.path('out/default')))
  })
})
