/** What the layer cache does for users of one branch, each run on a fresh runner; GitHub's service is a stand-in. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import {
  LAYOUTS,
  labBuild,
  labRun,
  layout,
  liveBlobs,
  storedBlobs,
  type Lab,
  type LabRun,
  type Layout,
} from '../support/cache-lab.ts'
import { startCacheService } from '../support/cache-service.ts'
import { openColdEngine } from '../support/cold-engine.ts'
import { runProcess } from '../../src/process.ts'
import { docker, rigRegistry, workspace, type Workspace } from '../support/engine.ts'
import { contentOf } from '../support/fault-lab.ts'
import { published } from '../support/published.ts'
import { startRegistry, type TestRegistry } from '../support/registry.ts'
import { standInLines } from '../support/step.ts'

let engine: Lab['engine']
let registry: TestRegistry
beforeAll(async () => {
  engine = await openColdEngine()
  registry = await startRegistry()
}, 600_000)
afterAll(async () => {
  await registry.stop()
  await engine[Symbol.asyncDispose]()
})

/** A service of its own for a test. */
async function openLab(): Promise<Lab & AsyncDisposable> {
  const service = await startCacheService()
  return { engine, service, [Symbol.asyncDispose]: async () => { await service[Symbol.asyncDispose]() } } // prettier-ignore
}

/** Draws lots: only a step that runs again gets another. */
const LOT = 'cat /proc/sys/kernel/random/uuid'

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

/** By target: steps that were not cached. */
function stepsRun({ cached }: LabRun): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(cached).map(([name, text]) => {
      const [some = 0, all = 0] = text.split(' of ').map(Number)
      return [name, all - some]
    }),
  )
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
    lab = await openLab()
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
