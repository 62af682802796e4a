/**
 * Builders of buildx's driver `remote`, which reach nothing on this machine's loopback: BuildKit keeps its cache in a
 * registry, sizes come from what was pushed, records are kept as ever, and the summary says what is missing.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { REPOSITORY } from '../support/action.ts'
import { rigRegistry, workspace, type Workspace } from '../support/engine.ts'
import { exampleSite, readExamples } from '../support/example.ts'
import { published } from '../support/published.ts'
import { startRegistry, type TestRegistry } from '../support/registry.ts'
import { startRemoteBuilder, type RemoteBuilder } from '../support/remote-builder.ts'
import { builds, fresh, step, type Step } from '../support/step.ts'

const asRoot = process.getuid?.() === 0 ? test : test.skip

let registry: TestRegistry
let memory: string
beforeAll(async () => {
  registry = await startRegistry()
  memory = await mkdtemp(join(tmpdir(), 'remote-builder-test-'))
})
afterAll(async () => {
  await registry.stop()
  await rm(memory, { recursive: true, force: true })
})

const DOCKERFILE = `FROM alpine:3.22 AS base
RUN --mount=type=cache,target=/root/.x head -c 300000 /dev/urandom > /blob
FROM base AS one
COPY one /
FROM base AS two
COPY two /
`
const TARGETS = { targets: 'one,two', network: 'none' }

function project(): Promise<Workspace & AsyncDisposable> {
  return workspace({ Dockerfile: DOCKERFILE, one: '1', two: '2' })
}

/** The inputs of `examples/remote-builder`, on this builder. */
async function exampleInputs(builder: string, tag: string): Promise<Record<string, string>> {
  const examples = await readExamples({ ...exampleSite(process.env), registry: registry.host })
  const { tags = '', ...inputs } = examples.find(({ name }) => name === 'remote-builder')?.steps[0]?.with ?? {}
  const own = { context: '.', network: 'none', tags: `${tags}-${tag}`, 'cache-dir': join(memory, 'records') }
  return { ...inputs, ...own, builder }
}

/** Rows of the section about what is missing: the first column. */
function missing(summary: string): readonly string[] {
  const [, section = ''] = /#### Not with this builder\n\n([^]*?)\n\n/.exec(summary) ?? []
  return section.split('\n').slice(2).map((row) => row.split(' | ')[0]?.replace('| ', '') ?? '') // prettier-ignore
}

asRoot(
  'the cache goes through a registry, from one builder to the next; what did not change is not built',
  async () => {
    await using space = await workspace()
    await cp(join(REPOSITORY, 'examples/remote-builder'), space.directory, { recursive: true })
    await using builders = new AsyncDisposableStack()
    const start = async (): Promise<RemoteBuilder> =>
      builders.use(await startRemoteBuilder([rigRegistry(), registry.host]))
    const run = async (builder: RemoteBuilder, tag: string, env = {}): Promise<Step> =>
      await builds(space, { inputs: await exampleInputs(builder.name, tag), env })
    const [builder, cold] = await Promise.all([start(), start()])
    const first = await run(builder, '1')
    expect([first.warnings, missing(first.summary)]).toEqual([
      [],
      ['Age and bytes of the cache that was used and saved'],
    ])
    expect(first.stdout).toContain(`– [app] no cache yet in ${registry.host}/examples/remote-builder-cache:app`)

    // Sizes are those of the manifests, and of the files in the layers.
    const image = (of: string): string => `${registry.host}/examples/remote-builder:${of}`
    const app = await published(image('app-1'))
    const { transfer, unpacked } = first.images['app']?.sizes['linux/amd64'] ?? {}
    expect(transfer?.total).toBe(app.manifests[0]?.layers.reduce((sum, { size }) => sum + size, 0))
    const numbers = Array.from({ length: 200_000 }, (_, at) => `${at + 1}\n`).join('')
    const script = await readFile(space.path('app.sh'), 'utf8')
    expect(unpacked?.own).toBe(numbers.length + script.length)
    expect(first.images['app']?.digest).toBe(app.digest)

    // Nothing has changed: the tags are set, with no engine on this machine.
    const again = await run(builder, '2', { DOCKER_HOST: 'unix:///nowhere' })
    expect([again.outputs['changed'], again.outputs['unchanged']]).toEqual(['[]', '["app","debug"]'])
    expect((await published(image('debug-2'))).digest).toBe(first.images['debug']?.digest)

    // The other builder has built nothing, and finds what is as it was in the registry.
    await space.write({ 'app.sh': `${script}# changed` })
    const changed = await run(cold, '3', { DOCKER_HOST: 'unix:///nowhere' })
    expect(changed.outputs['changed']).toBe('["app","debug"]')
    expect(changed.stdout).toMatch(/^No Docker engine, buildx \S+, builder remote-\S+ \(remote\)$/m)
    expect(changed.stdout).toMatch(/✓ \[numbers 2\/2\] RUN .* cached$/m)
    expect(changed.summary).toContain('1&nbsp;run,&nbsp;2&nbsp;cached')
    const sizes = JSON.parse(changed.outputs['sizes'] ?? '') as {
      readonly targets: Readonly<
        Record<string, Readonly<Record<string, { readonly delta: { readonly unpacked: number } }>>>
      >
    }
    expect(sizes.targets['app']?.['linux/amd64']?.delta.unpacked).toBe('# changed'.length)
  },
)

asRoot('targets of a bake file, each of platforms of its own, are remembered as any others', async () => {
  await using space = await workspace({
    Dockerfile: 'FROM scratch\nCOPY one /\n',
    'docker-bake.hcl': ['["linux/amd64", "linux/arm64"]', '["linux/arm64"]'].map((platforms, at) => `target "t${at}" {\n  platforms = ${platforms}\n}\n`).join(''),
    one: fresh(),
  })
  await using builder = await startRemoteBuilder([registry.host])
  const inputs = { 'bake-files': 'docker-bake.hcl', targets: 'all', tags: `${registry.host}/bake/{target}`, push: 'true', 'cache-dir': space.path('..', 'records'), 'cache-to': `type=registry,ref=${registry.host}/bake-cache:{target},mode=max` }
  const run = async (): Promise<Step> => await builds(space, { inputs: { ...inputs, builder: builder.name } })
  const [first, second] = [await run(), await run()]
  expect([first.warnings, first.outputs['built']]).toEqual([[], '["t0","t1"]'])
  expect([second.warnings, second.outputs['unchanged']]).toEqual([[], '["t0","t1"]'])
  // Where nothing is known of sizes, there is a row for each that it would be known of.
  const unpushed = { ...inputs, push: 'false', 'skip-unchanged': 'false', builder: builder.name }
  const { summary } = await step(space, { inputs: unpushed })
  expect(summary.match(/^- `t\d` `linux\/\w+`(?=: its sizes are unknown)/gm)).toEqual([
    ...['- `t0` `linux/amd64`', '- `t0` `linux/arm64`', '- `t1` `linux/arm64`'],
  ])
}) // prettier-ignore

asRoot(
  'without a registry for the cache, and without a push: built all the same, and said why nothing is known',
  async () => {
    await using space = await project()
    await using builder = await startRemoteBuilder([rigRegistry()])
    const inputs = { ...TARGETS, builder: builder.name, outputs: `type=local,dest=${space.path('out/{target}')}` }
    const run = await builds(space, { inputs })
    expect(run.warnings).toEqual([
      expect.stringMatching(
        /there is no layer cache in this run.* Name a registry for the cache: `cache-to: type=registry/,
      ),
    ])
    expect(missing(run.summary)).toEqual([
      'The layer cache',
      'Sizes of `one` and `two`',
      'Cache mounts of earlier runs',
    ])
    expect(run.summary).toContain('`push: true` with `tags`')

    const refused = await step(space, { inputs: { ...inputs, 'cache-to': `type=registry,ref=${registry.host}/c` } })
    expect(refused.errors).toEqual([
      `Input cache-to: \`cache-to\`: 2 targets would each write their cache to \`${registry.host}/c\`, one over the other. Put \`{target}\` into it: \`ref=${registry.host}/c:{target}\`.`,
    ])
  },
)
