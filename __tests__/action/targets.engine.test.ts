/** Which stages become images, and under which names: through the bundled action, read back from a registry. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { readFile } from 'node:fs/promises'
import { workspace } from '../support/engine.ts'
import { published } from '../support/published.ts'
import { startRegistry, type TestRegistry } from '../support/registry.ts'
import { builds, forgetImages, fresh, step, type Step } from '../support/step.ts'

let registry: TestRegistry
beforeAll(async () => {
  registry = await startRegistry()
})
afterAll(async () => {
  await forgetImages(registry.host)
  await registry.stop()
})

const repository = (): string => `${registry.host}/${fresh()}`
const files = (text: string) => ({ Dockerfile: text, one: '1', two: '2' })

async function expectPublished(built: Step): Promise<void> {
  for (const { tags, digest, imageid } of Object.values(built.images)) {
    expect(tags).not.toEqual([])
    for (const tag of tags) {
      const found = await published(tag)
      expect(digest).toBe(found.digest)
      expect(imageid).toBe(found.manifests[0]?.configDigest)
    }
  }
}

describe('several targets in one step', () => {
  test('run a shared stage once; each has its tags, its output and its digest', async () => {
    const mark = fresh()
    await using space = await workspace(
      files(
        `FROM alpine:3.22 AS base\nRUN echo shared-${mark} | tee /s\n` +
          'FROM base AS prod\nCOPY one /\nFROM base AS debug\nCOPY two /\nFROM scratch AS files\nCOPY --from=debug /s /two /\n',
      ),
    )
    const repo = repository()
    const tags = `prod=${repo}/p:1,${repo}/p:2\n${repo}/{target}:all\nDEBUG=${repo}/d:1`
    const built = await builds(space, {
      inputs: { targets: 'prod\ndebug, files', tags, push: 'true', outputs: 'type=local,dest=out/{target}' },
    })
    expect(Object.keys(built.images)).toEqual(['prod', 'debug', 'files'])
    expect(built.images['prod']?.tags).toEqual([`${repo}/p:1`, `${repo}/p:2`, `${repo}/prod:all`])
    expect(built.images['debug']?.tags).toEqual([`${repo}/debug:all`, `${repo}/d:1`])
    await expectPublished(built)
    const runs = built.stdout.split('\n').filter((line) => line.endsWith(`] shared-${mark}`))
    expect(runs).toHaveLength(1)
    expect(JSON.parse(built.outputs['plan'] ?? '')).toMatchObject({ shared: [0, 2] })
    expect(await readFile(space.path('out/files/s'), 'utf8')).toBe(`shared-${mark}\n`)
    expect(await readFile(space.path('out/prod/one'), 'utf8')).toBe('1')
    expect(built.outputs).not.toHaveProperty('digest')
    expect(built.outputs).toMatchObject({ changed: '["prod","debug","files"]', unchanged: '[]', 'any-changed': 'true' })
    expect(built.warnings).toEqual([])
  })

  test('of `all`: every stage that no other needs, and the last', async () => {
    await using space = await workspace(
      files(
        'FROM scratch AS base\nCOPY one /\nFROM base AS a\nFROM scratch AS b\nCOPY --from=base / /\nFROM scratch\nCOPY two /\n',
      ),
    )
    const repo = repository()
    const built = await builds(space, { inputs: { targets: 'all', tags: `${repo}/{target}:1`, push: 'true' } })
    expect(Object.keys(built.images)).toEqual(['a', 'b', 'default'])
    await expectPublished(built)
  })
})

describe('one target', () => {
  test('is the last stage where none is named; unnamed it is called `default`, also by its user', async () => {
    await using space = await workspace(files('FROM scratch AS first\nCOPY one /\nFROM scratch\nCOPY two /\n'))
    const repo = repository()
    const bare = await builds(space, { inputs: { tags: `${repo}:bare`, push: 'true' } })
    const inputs = { targets: 'default', tags: `default=${repo}:named`, push: 'true' }
    const named = await builds(space, { inputs })
    for (const built of [bare, named]) {
      expect(Object.keys(built.images)).toEqual(['default'])
      await expectPublished(built)
      expect(built.outputs).toMatchObject({
        digest: built.images['default']?.digest,
        imageid: built.images['default']?.imageid,
        changed: '["default"]',
      })
      expect(Object.keys(JSON.parse(built.outputs['metadata'] ?? '') as object)).toEqual(['default'])
    }
    expect(named.outputs['imageid']).toBe(bare.outputs['imageid'])
  })

  test('may be named by `target`, in any letters; `id` names it across runs', async () => {
    await using space = await workspace(files('FROM scratch AS First\nCOPY one /\nFROM scratch\nCOPY two /\n'))
    const inputs = { target: 'FIRST', id: 'shop/front', outputs: 'type=local,dest=out' }
    const built = await builds(space, { inputs })
    expect(Object.keys(built.images)).toEqual(['FIRST'])
    expect(await readFile(space.path('out/one'), 'utf8')).toBe('1')
    expect(built.summary).toContain('shop/front')
    // Nothing was published, so there is no digest that anyone could pull.
    expect(built.outputs).toMatchObject({ digest: '', imageid: expect.stringMatching(/^sha256:/) })
  })

  test('that does not exist is one error with the name meant', async () => {
    await using space = await workspace(files('FROM scratch AS builder\nCOPY one /\nFROM scratch\nCOPY two /\n'))
    const { code, errors } = await step(space, { inputs: { targets: 'bulider', tags: 'a=x:1' } })
    expect(code).toBe(1)
    expect(errors).toContainEqual(expect.stringMatching(/`bulider`.*Did you mean `builder`\?/))
  })
})

test('the `matrix` output, leg by leg, builds what one step builds', async () => {
  await using space = await workspace(files('FROM scratch AS a\nCOPY one /\nFROM scratch AS b\nCOPY two /\n'))
  const inputs = { targets: 'a,b', platforms: 'linux/amd64,linux/arm64' }
  const planned = await builds(space, { inputs: { ...inputs, mode: 'plan' }, env: { DOCKER_HOST: 'unix:///none' } })
  const { include } = JSON.parse(planned.outputs['matrix'] ?? '') as {
    readonly include: readonly { readonly target: string; readonly platform: string }[]
  }
  expect(include).toEqual(['a', 'b'].map((target) => ({ target, platform: 'linux/amd64,linux/arm64' })))
  const repo = repository()
  const together = await builds(space, {
    inputs: { ...inputs, push: 'true', tags: `${repo}/{target}:1`, provenance: 'false' },
  })
  for (const { target, platform } of include) {
    const leg = {
      targets: target,
      platforms: platform,
      tags: `${repo}/{target}:leg`,
      push: 'true',
      provenance: 'false',
    }
    const { images, outputs } = await builds(space, { inputs: leg })
    expect(Object.keys(images)).toEqual([target])
    const [one, other] = await Promise.all([published(`${repo}/${target}:leg`), published(`${repo}/${target}:1`)])
    expect(outputs['digest']).toBe(one.digest)
    expect(together.images[target]?.digest).toBe(other.digest)
    expect(one.manifests.map((manifest) => manifest.platform)).toEqual(['linux/amd64', 'linux/arm64'])
    const layers = (image: typeof one) =>
      image.manifests.map((manifest) => manifest.layers.map((layer) => layer.digest))
    expect(layers(one)).toEqual(layers(other))
  }
})
