/** Every example, through the bundled action: built, pushed, measured, run; the broken ones refused. */
import { describe, expect, test } from '@jest/globals'
import { REPOSITORY, runStep, type ActionResult } from './support/action.ts'
import { digestInRegistry, fetchFromImage, runImage } from './support/containers.ts'
import { exampleSite, readExamples, type Example } from './support/example.ts'

/** A fresh engine fetches the base images and compiles first. */
const PATIENCE_MS = 600_000

interface Size {
  readonly total: number
  readonly own: number
  readonly inherited: number
}

interface BuiltImage {
  readonly tags: readonly string[]
  readonly digest: string
  readonly sizes: Readonly<Record<string, { readonly transfer: Size; readonly unpacked: Size }>>
}

const site = exampleSite(process.env)
const examples = new Map((await readExamples(site)).map((example) => [example.name, example]))

function example(name: string): Example {
  const found = examples.get(name)
  if (found === undefined) throw new Error(`no example is called ${name}`)
  return found
}

/** Runs an example's steps one after the other; gives what each built, after checking what holds for every build. */
async function build(name: string): Promise<readonly Readonly<Record<string, BuiltImage>>[]> {
  const built: Readonly<Record<string, BuiltImage>>[] = []
  for (const step of example(name).steps) {
    const { main, post } = await runStep({ inputs: step.with, workspace: REPOSITORY })
    if (main.code !== 0) throw new Error(`${name} failed:\n${main.stdout}${main.stderr}`)
    expect(post).toMatchObject({ code: 0, leftovers: [], annotations: [] })
    expect(main.annotations.filter(({ level }) => level !== 'warning')).toEqual([])
    const images = JSON.parse(main.outputs['images'] ?? '') as Readonly<Record<string, BuiltImage>>
    await checkOutputs(main, images)
    built.push(images)
  }
  return built
}

async function checkOutputs(main: ActionResult, images: Readonly<Record<string, BuiltImage>>): Promise<void> {
  const targets = Object.keys(images)
  expect(targets).not.toEqual([])
  expect(JSON.parse(main.outputs['changed'] ?? '')).toEqual(targets)
  expect(Object.keys(JSON.parse(main.outputs['metadata'] ?? '') as object)).toEqual(expect.arrayContaining(targets))
  for (const [target, { tags, digest, sizes }] of Object.entries(images)) {
    expect(main.summary).toContain(target)
    if (targets.length === 1 && tags.length > 0) expect(main.outputs['digest']).toBe(digest)
    for (const tag of tags) expect(await digestInRegistry(tag)).toBe(digest)
    expect(Object.keys(sizes)).toHaveLength(1)
    for (const { transfer, unpacked } of Object.values(sizes)) {
      expect(transfer.own + transfer.inherited).toBe(transfer.total)
      expect(unpacked.own + unpacked.inherited).toBe(unpacked.total)
      expect(transfer.total).toBeLessThan(unpacked.total)
      expect(transfer.total).toBeGreaterThan(500_000)
    }
  }
}

/** The headline: the transfer size of a target's only platform. */
function transfer(images: Readonly<Record<string, BuiltImage>> | undefined, target: string): number {
  const [size] = Object.values(images?.[target]?.sizes ?? {})
  if (size === undefined) throw new Error(`no size of ${target} in ${JSON.stringify(images)}`)
  return size.transfer.total
}

const PAGE = '<a href="/about">about</a> <A CLASS=x HREF=\'https://example.org/\'>elsewhere</A> <a name="here">'
const HELLO = 'Hello world!'
const GREETING = 'Hello from the base stage'

describe('the examples build, are measured, and do what they say', () => {
  test(
    'href-counter: by index, and by name in either spelling',
    async () => {
      await build('href-counter')
      await build('href-counter-named')
      for (const tag of ['index', 'as', 'AS']) {
        const printed = await runImage(`${site.registry}/examples/href-counter:${tag}`, { input: PAGE })
        expect(JSON.parse(printed)).toEqual({ internal: 1, external: 1 })
      }
    },
    PATIENCE_MS,
  )

  test(
    'helloworld: three ways to one program, compared in one report',
    async () => {
      const [one, first, copied, multiStage, compared] = await build('helloworld')
      for (const tag of ['one', 'copied', 'multi-stage']) {
        expect(await runImage(`${site.registry}/examples/helloworld:${tag}`)).toBe(HELLO)
      }
      expect(transfer(copied, 'default')).toBeLessThan(transfer(one, 'default') / 5)
      expect(transfer(multiStage, 'default')).toBeLessThan(transfer(first, 'default') / 5)
      expect(Object.keys(compared ?? {})).toEqual(['everything-in-one', 'builder-pattern', 'multi-stage'])
      expect(transfer(compared, 'everything-in-one')).toBe(transfer(one, 'default'))
      expect(transfer(compared, 'builder-pattern')).toBe(transfer(copied, 'default'))
      expect(transfer(compared, 'multi-stage')).toBe(transfer(multiStage, 'default'))
    },
    PATIENCE_MS,
  )

  test(
    'base-builder-final: a stage built from another, by index and by name',
    async () => {
      await build('base-builder-final')
      for (const tag of ['index', 'name']) {
        expect(await runImage(`${site.registry}/examples/greeter:${tag}`)).toBe(GREETING)
      }
    },
    PATIENCE_MS,
  )

  test(
    'node-nginx: nginx serves what npm built, with its own configuration',
    async () => {
      await build('node-nginx')
      const image = `${site.registry}/examples/node-nginx:latest`
      const page = await fetchFromImage(image, '/no-such-file')
      expect(page).toContain('Tips &amp; tricks')
    },
    PATIENCE_MS,
  )

  test(
    'cache-mounts: a Go program and a package, through mounts of which nothing is in the image',
    async () => {
      await build('cache-mounts')
      const image = `${site.registry}/examples/cache-mounts:latest`
      expect(await runImage(image)).toBe('good morning, cache\nhello, world')
    },
    PATIENCE_MS,
  )

  test(
    'monorepo: the services of a bake file, and some of a compose file',
    async () => {
      const [all, some] = await build('monorepo')
      expect(Object.keys(all ?? {})).toHaveLength(12)
      expect(Object.keys(some ?? {})).toEqual(['api', 'backup', 'status'])
      const repository = `${site.registry}/examples/monorepo`
      expect(await runImage(`${repository}-reports:latest`)).toContain('reports is here')
      expect(await runImage(`${repository}-compose-status:latest`)).toBe('status is here')
      expect(transfer(some, 'backup')).toBe(transfer(all, 'backup'))
    },
    PATIENCE_MS,
  )

  test(
    'stop-at-a-stage: only the builder; then three targets in one step',
    async () => {
      const [builder, three] = await build('stop-at-a-stage')
      expect(Object.keys(builder ?? {})).toEqual(['builder'])
      expect(Object.keys(three ?? {})).toEqual(['debug', 'testing', 'production'])
      const quotes = `${site.registry}/examples/quotes`
      expect(await runImage(`${quotes}:debug`)).toBe('This is test data.')
      expect(await runImage(`${quotes}:testing`)).toBe('This is test data.')
      expect(await runImage(`${quotes}:production`)).toBe('This is production data.')
      expect(transfer(three, 'production')).toBeLessThan(transfer(builder, 'builder') / 5)
      expect(transfer(three, 'debug')).toBeGreaterThan(transfer(builder, 'builder'))
    },
    PATIENCE_MS,
  )

  test(
    'external-image: a file of nginx’s image in another',
    async () => {
      await build('external-image')
      expect(await runImage(`${site.registry}/examples/external-image:latest`)).toMatch(/^\s*http \{/m)
    },
    PATIENCE_MS,
  )
})

test('partial-success: one target fails on its line, the other is pushed and runs', async () => {
  const [step] = example('partial-success').steps
  const { main, post } = await runStep({ inputs: step?.with ?? {}, workspace: REPOSITORY })
  expect([main.code, post.code, main.outputs['built'], main.outputs['failed']]).toEqual([1, 0, '["app"]', '["check"]'])
  const errors = main.annotations.filter(({ level }) => level === 'error')
  expect(errors).toMatchObject([{ file: 'examples/partial-success/Dockerfile', line: step?.fails?.line }])
  expect(errors[0]?.message).toContain(step?.fails?.message)
  expect(await runImage(`${site.registry}/examples/partial-success:app`)).toBe('Hallo!')
})

test('platforms: one index of two, of which this machine runs its own', async () => {
  const [step] = example('platforms').steps
  const { main } = await runStep({ inputs: step?.with ?? {}, workspace: REPOSITORY })
  const images = JSON.parse(main.outputs['images'] ?? '{}') as Readonly<Record<string, BuiltImage>>
  expect([main.code, Object.keys(images['production']?.sizes ?? {})]).toEqual([0, ['linux/amd64', 'linux/arm64']])
  const machine = process.arch === 'arm64' ? 'arm64' : 'amd64'
  expect(await runImage(`${site.registry}/examples/platforms:latest`)).toBe(`Good morning, ${machine}.`)
})

test.each(example('broken').steps)(
  'broken: $with.file is refused on its line before an engine is asked',
  async ({ with: inputs, fails }) => {
    const { main, post } = await runStep({
      inputs,
      workspace: REPOSITORY,
      env: { DOCKER_HOST: 'unix:///nowhere/docker.sock' },
    })
    expect(main.code).toBe(1)
    const errors = main.annotations.filter(({ level }) => level === 'error')
    expect(errors).toHaveLength(1)
    expect(errors).toMatchObject([{ file: inputs['file'], line: fails?.line }])
    expect(errors[0]?.message).toContain(fails?.message)
    expect(`${main.stdout}${main.stderr}`).not.toContain('nowhere')
    expect(post).toMatchObject({ code: 0, leftovers: [] })
  },
)

test(
  'remote-builder: on a builder of this machine, with the cache in a registry',
  async () => {
    const [built] = await build('remote-builder')
    expect(Object.keys(built ?? {})).toEqual(['app', 'debug'])
    const repository = `${site.registry}/examples/remote-builder`
    expect(await runImage(`${repository}:app`)).toBe('200000')
    for (const target of ['app', 'debug']) expect(await digestInRegistry(`${repository}-cache:${target}`)).toBeDefined()
  },
  PATIENCE_MS,
)

test('every example is built by a test', () => {
  expect([...examples.keys()]).toEqual([
    'href-counter',
    'href-counter-named',
    'helloworld',
    'base-builder-final',
    'node-nginx',
    'stop-at-a-stage',
    'external-image',
    'partial-success',
    'cache-mounts',
    'monorepo',
    'remote-builder',
    'platforms',
    'broken',
  ])
})
