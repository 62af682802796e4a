/** Images and named contexts in place of those that the Dockerfile names, through the bundled action. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { docker, rigRegistry, workspace, type Workspace } from '../support/engine.ts'
import { published } from '../support/published.ts'
import { startRegistry, type TestRegistry } from '../support/registry.ts'
import { builds, forgetImages, fresh, step } from '../support/step.ts'
import { startThrottledProxy } from '../support/throttled-registry.ts'

let registry: TestRegistry
/** An image whose only file says what it is. */
let stamped: { readonly ref: string; readonly stamp: string }
beforeAll(async () => {
  registry = await startRegistry()
  stamped = await stampedImage('from-registry')
})
afterAll(async () => {
  await forgetImages(registry.host)
  await registry.stop()
})

async function stampedImage(text: string): Promise<{ readonly ref: string; readonly stamp: string }> {
  const stamp = `${text} ${fresh()}`
  const ref = `${registry.host}/stamped/${text}:1`
  await using space = await workspace({ Dockerfile: 'FROM scratch\nCOPY stamp /stamp\n', stamp })
  await builds(space, { inputs: { tags: ref, push: 'true' } })
  return { ref, stamp }
}

/** Uses the image `tool:1` in every way that a Dockerfile can, beside a stage that bears its name. */
const EVERY_USE =
  'FROM scratch AS tool\nCOPY own /stamp\n' +
  'FROM alpine:3.22 AS run\nRUN --mount=from=tool:1,target=/t cat /t/stamp > /mounted\n' +
  'FROM tool:1 AS based\n' +
  'FROM scratch\nCOPY --from=tool:1 /stamp /copied\nCOPY --from=run /mounted /\n' +
  'COPY --from=based /stamp /based\nCOPY --from=tool /stamp /stage\n'

async function read(space: Workspace, ...names: readonly string[]): Promise<readonly string[]> {
  return await Promise.all(names.map(async (name) => await readFile(space.path('out', name), 'utf8')))
}

function alpine(): string {
  return `alpine:3.22=${rigRegistry()}/library/alpine:3.22\n`
}

describe('an external image', () => {
  test('replaces its name in FROM, COPY --from and mounts, pinned, and no stage of that name', async () => {
    await using space = await workspace({ Dockerfile: EVERY_USE, own: 'own' })
    const inputs = { 'external-images': `${alpine()}tool:1=${stamped.ref}`, outputs: 'type=local,dest=out' }
    const built = await builds(space, { inputs })
    const { stamp } = stamped
    expect(await read(space, 'copied', 'mounted', 'based', 'stage')).toEqual([stamp, stamp, stamp, 'own'])
    const { digest } = await published(stamped.ref)
    const plan = JSON.parse(built.outputs['plan'] ?? '') as { readonly stages: readonly { readonly from: unknown }[] }
    expect(plan.stages[2]?.from).toEqual({ image: 'docker.io/library/tool:1', digest, mapped: stamped.ref })
    expect(built.warnings).toEqual([])
  })

  test('whose name a stage bears, tag and all that it lacks, is the stage where the Dockerfile means it', async () => {
    await using space = await workspace({
      Dockerfile:
        'FROM tool AS tool\nFROM scratch\nCOPY --from=tool /stamp /first\nCOPY --from=tool:latest /stamp /second\n',
    })
    const inputs = { 'external-images': `tool=${stamped.ref}`, outputs: 'type=local,dest=out' }
    await builds(space, { inputs })
    expect(await read(space, 'first', 'second')).toEqual([stamped.stamp, stamped.stamp])
  })

  test('may be an OCI layout, whether or not a stage bears its name', async () => {
    await using space = await workspace({
      Dockerfile: EVERY_USE,
      own: 'own',
      'make/Dockerfile': 'FROM scratch\nCOPY stamp /stamp\n',
    })
    const stamp = `layout ${fresh()}`
    await space.write({ 'make/stamp': stamp })
    await builds(space, { inputs: { context: 'make', outputs: 'type=oci,dest=layout,tar=false' } })
    const out = { outputs: 'type=local,dest=out' }
    const sources = `${alpine()}tool:1=oci-layout://layout`
    await builds(space, { inputs: { 'external-images': sources, ...out } })
    expect(await read(space, 'copied', 'mounted', 'based', 'stage')).toEqual([stamp, stamp, stamp, 'own'])

    await space.write({
      Dockerfile:
        'FROM scratch AS tool\nCOPY own /stamp\nFROM tool:latest AS based\nFROM alpine:3.22 AS run\n' +
        'RUN --mount=from=tool:latest,target=/t cat /t/stamp > /mounted\n' +
        'FROM scratch\nCOPY --from=tool:latest /stamp /copied\nCOPY --from=run /mounted /\n' +
        'COPY --from=based /stamp /based\nCOPY --from=tool /stamp /stage\n',
    })
    const clashing = `${alpine()}tool=oci-layout://layout`
    const built = await builds(space, { inputs: { 'external-images': clashing, ...out } })
    expect(await read(space, 'copied', 'mounted', 'based', 'stage')).toEqual([stamp, stamp, stamp, 'own'])
    expect(built.warnings).toEqual([])
  })

  test('may be one that only the engine’s own store has', async () => {
    await using space = await workspace({ Dockerfile: 'FROM scratch\nCOPY stamp /stamp\n', stamp: 'local' })
    const name = `stage-build-test/local:${fresh()}`
    const loaded = await builds(space, { inputs: { tags: name, load: 'true' } })
    try {
      const inspected = await docker('image', 'inspect', '--format={{.Id}} {{json .RepoTags}}', name)
      expect(inspected).toBe(`${loaded.outputs['digest'] ?? ''} ["${name}"]`)
      await space.write({ Dockerfile: EVERY_USE, own: 'own' })
      const inputs = { 'external-images': `${alpine()}tool:1=${name}`, outputs: 'type=local,dest=out' }
      await builds(space, { inputs })
      expect(await read(space, 'copied', 'mounted', 'based', 'stage')).toEqual(['local', 'local', 'local', 'own'])
      const contexts = { ...inputs, 'external-images': alpine(), 'build-contexts': `tool:1=docker-image://${name}` }
      const { warnings } = await builds(space, { inputs: contexts })
      expect(warnings).toEqual([])
      expect(await read(space, 'copied', 'mounted', 'based')).toEqual(['local', 'local', 'local'])
    } finally {
      await docker('image', 'rm', name)
    }
  })

  test('whose mapping names another tag than the Dockerfile is a warning', async () => {
    await using space = await workspace({ Dockerfile: 'FROM tool:1\nCOPY --from=other /x /\n' })
    const inputs = { 'external-images': `tool=${stamped.ref}\nother=${stamped.ref}\nunused=x`, mode: 'plan' }
    const { warnings } = await builds(space, { inputs })
    expect(warnings[0]).toBe(
      'Input external-images: `external-images` maps `tool:latest`, but line 1 of the Dockerfile names `tool:1`. Write `tool:1=…`, or remove the mapping.',
    )
    // The other one: Docker Hub has no such image, or cannot be reached.
    expect(warnings).toHaveLength(2)
  })

  test('that is nowhere is one error at the line that names it', async () => {
    await using space = await workspace({ Dockerfile: 'FROM tool:1\nCOPY own /\n', own: 'own' })
    const inputs = { 'external-images': `tool:1=${registry.host}/nothing:1` }
    const { code, errors } = await step(space, { inputs })
    expect(code).toBe(1)
    expect(errors).toHaveLength(1)
    expect(errors[0]).toMatch(new RegExp(`^Dockerfile:1: .*${registry.host}/nothing:1`))
  })
})

describe('a named context', () => {
  const Dockerfile =
    'FROM scratch AS own\nCOPY stamp /stamp\nFROM scratch\nCOPY --from=own /stamp /own\nCOPY --from=other /stamp /other\n'

  test.each([
    ['a directory', (): string => 'dir', 'dir'],
    ['an image', (): string => `docker-image://${stamped.ref}`, undefined],
    ['an OCI layout', (): string => 'oci-layout://./layout', 'dir'],
  ])('may be %s; it replaces a stage of its name', async (_name, source, expected) => {
    await using space = await workspace({
      Dockerfile,
      stamp: 'own',
      'dir/stamp': 'dir',
      'make/Dockerfile': 'FROM scratch\nCOPY stamp /\n',
      'make/stamp': 'dir',
    })
    if (source().startsWith('oci-layout')) {
      await builds(space, { inputs: { context: 'make', outputs: 'type=oci,dest=layout,tar=false' } })
    }
    const inputs = { 'build-contexts': `own=${source()}\nother=${source()}`, outputs: 'type=local,dest=out' }
    const built = await builds(space, { inputs })
    const wanted = expected ?? stamped.stamp
    expect(await read(space, 'own', 'other')).toEqual([wanted, wanted])
    expect(JSON.parse(built.outputs['plan'] ?? '')).toMatchObject({
      stages: [{}, { needs: [expect.anything(), { via: 'copy', context: 'other' }] }],
    })
  })

  test.each([['docker-image://'], ['oci-layout://./layout']])(
    'that is an image brings its variables and ONBUILD instructions, and what these read is seen: %s',
    async (scheme) => {
      const base = 'FROM scratch\nCOPY stamp /\nENV PLACE=/in\nONBUILD COPY ${PLACE}/read /triggered\n'
      await using space = await workspace({
        ...{ Dockerfile: 'FROM given\nCOPY ${PLACE}/own /own\n', 'in/read': 'one', 'in/own': fresh(), 'in/other': 'x' },
        ...{ 'make/Dockerfile': base, 'make/stamp': fresh() },
      })
      const ref = `${registry.host}/triggering/image:1`
      const isImage = scheme === 'docker-image://'
      const made = isImage ? { tags: ref, push: 'true' } : { outputs: 'type=oci,dest=layout,tar=false' }
      await builds(space, { inputs: { context: 'make', ...made } })
      const inputs = {
        'build-contexts': `given=${scheme}${isImage ? ref : ''}`,
        'cache-dir': `${space.tempRoot}/cache`,
      }
      const statuses = async (): Promise<string | undefined> => {
        const { stdout } = await builds(space, { inputs })
        return /^ {2}default: (changed|unchanged)/m.exec(stdout)?.[1]
      }
      expect([await statuses(), await statuses()]).toEqual(['changed', 'unchanged'])
      await space.write({ 'in/read': 'two' })
      expect(await statuses()).toBe('changed')
      await space.write({ 'in/own': 'another' })
      expect(await statuses()).toBe('changed')
      await space.write({ 'in/other': 'y' })
      expect(await statuses()).toBe('unchanged')
    },
  )

  test('may be the empty image, of which all is known', async () => {
    const text = 'FROM nothing AS own\nCOPY stamp /stamp\nFROM scratch\nCOPY --from=own / /\nCOPY --from=nothing / /\n'
    await using space = await workspace({ Dockerfile: text, stamp: fresh() })
    const inputs = { 'build-contexts': 'nothing=docker-image://scratch', 'cache-dir': `${space.tempRoot}/cache` }
    const statuses: (string | undefined)[] = []
    for (let run = 0; run < 2; run++) {
      const { stdout, warnings } = await builds(space, { inputs })
      expect(warnings).toEqual([])
      statuses.push(/^ {2}default: (changed|unchanged)/m.exec(stdout)?.[1])
    }
    expect(statuses).toEqual(['changed', 'unchanged'])
  })

  test('may replace the target itself', async () => {
    await using space = await workspace({ Dockerfile, stamp: 'own', 'dir/stamp': 'dir' })
    const inputs = {
      targets: 'own',
      'build-contexts': `own=docker-image://${stamped.ref}`,
      outputs: 'type=local,dest=out',
    }
    const built = await builds(space, { inputs })
    expect(await read(space, 'stamp')).toEqual([stamped.stamp])
    expect(built.images['own']?.sizes['linux/amd64']?.unpacked.total).toBe(stamped.stamp.length)
  })
})

/** The way to registries elsewhere, which leads nowhere: it counts who wants to go where. */
async function noWayOut(): Promise<AsyncDisposable & { readonly url: string; readonly asked: readonly string[] }> {
  const asked: string[] = []
  const server = createServer().on('connect', ({ url = '' }, socket) => {
    asked.push(url)
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  return {
    ...{ url: `http://127.0.0.1:${address.port}`, asked },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

test('of several bake targets are asked for once, as named contexts and the frontend are', async () => {
  await using images = await startThrottledProxy({ target: registry.host })
  await using out = await noWayOut()
  const name = stamped.ref.replace(registry.host, images.host)
  await using space = await workspace({
    Dockerfile: `# syntax=docker/dockerfile:1\nFROM ${name}\nARG N\nCOPY --from=tool /stamp /$N\n`,
    'docker-bake.hcl': `target "default" {
  name = "t\${n}"
  matrix = { n = ["1", "2", "3", "4"] }
  args = { N = n }
  contexts = { tool = "docker-image://${name}" }
}
`,
  })
  const inputs = { 'bake-files': 'docker-bake.hcl', mode: 'plan', retries: '0', cache: 'off' }
  const planned = await builds(space, { inputs, env: { HTTPS_PROXY: out.url, https_proxy: out.url } })
  expect(JSON.parse(planned.outputs['changed'] ?? '')).toHaveLength(4)
  expect(out.asked).toEqual(['registry-1.docker.io:443'])
  // The index, the manifest for the platform and its configuration.
  expect(images.stats().requests).toMatchObject({ manifest: 2, blob: 1 })
})
