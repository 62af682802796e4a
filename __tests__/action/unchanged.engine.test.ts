/** What did not change is not built: from run to run, with the directory cache and real registries. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { chmod, rm } from 'node:fs/promises'
import type { Plan } from '../../src/plan/plan.ts'
import { docker, manifestDigest, workspace, type Workspace } from '../support/engine.ts'
import { startRegistry, type TestRegistry } from '../support/registry.ts'
import { loseManifest } from '../support/small-image.ts'
import { builds, forgetImages, fresh, standInLines, step, type Step, type StepOptions } from '../support/step.ts'

let registry: TestRegistry
let other: TestRegistry
beforeAll(async () => {
  ;[registry, other] = await Promise.all([startRegistry(), startRegistry()])
})
afterAll(async () => {
  for (const one of [registry, other]) {
    await forgetImages(one.host)
    await one.stop()
  }
})

const DOCKERFILE = `ARG BASE=alpine:3.22
FROM alpine:3.22 AS deps
COPY deps.txt /deps
FROM deps AS build
ARG VERSION=1
COPY src /src
RUN cat /src/* /deps > /out && echo $VERSION > /version
FROM alpine:3.22 AS prod
COPY --from=build /out /version /
CMD ["cat", "/out"]
FROM deps AS debug
RUN echo debug > /debug
`
const FILES = { Dockerfile: DOCKERFILE, 'deps.txt': 'deps', 'src/a.txt': 'a', 'src/b.txt': 'b', 'README.md': 'read' }

/** A workspace whose runs share a cache. */
async function project(
  files: Readonly<Record<string, string>> = FILES,
): Promise<Workspace & { readonly run: Run; readonly name: string }> {
  const space = await workspace(files)
  const cache = `${space.tempRoot}/cache`
  const options = ({ inputs, env }: StepOptions): StepOptions => ({
    inputs: { targets: 'prod,debug', 'cache-dir': cache, ...inputs },
    env: { GITHUB_SHA: 'c'.repeat(40), ...env },
  })
  return { ...space, name: fresh(), run: async (given = {}) => await builds(space, options(given)) }
}
type Run = (options?: StepOptions) => Promise<Step>

/** By target: the reasons, as the log tells them; `unchanged`. */
function told({ stdout }: Step): Readonly<Record<string, string>> {
  const lines = [...stdout.matchAll(/^ {2}(\S+): (changed|unchanged)(?: \((.*)\))?; /gm)]
  return Object.fromEntries(lines.map(([, name = '', status = '', reasons]) => [name, reasons ?? status]))
}

/** Sizes as they are measured: the first run has nothing to compare with. */
function withoutBaseline(sizes: object | undefined): object {
  const text = JSON.stringify(sizes, (key, value: unknown) => (['baseline', 'delta'].includes(key) ? undefined : value))
  return JSON.parse(text) as object
}

function stepsIn({ stdout }: Step): readonly string[] {
  return [...stdout.matchAll(/^✓ (\[.*)$/gm)].map(([, text = '']) => text)
}

describe('a second run', () => {
  test('builds nothing where nothing is pushed, and tells as much', async () => {
    await using app = await project()
    const first = await app.run()
    expect(told(first)).toEqual({ prod: 'no record of an earlier build', debug: 'no record of an earlier build' })
    const second = await app.run()
    expect(told(second)).toEqual({ prod: 'unchanged', debug: 'unchanged' })
    expect(stepsIn(second)).toEqual([])
    expect(second.stdout).toContain('prod is not built: nothing changed since the build of main at ccccccc')
    expect([second.outputs['changed'], second.outputs['unchanged'], second.outputs['any-changed']]).toEqual([
      '[]',
      '["prod","debug"]',
      'false',
    ])
    expect(second.outputs['matrix']).toBe('{"include":[]}')
    expect(second.images).toEqual(first.images)
    const [before, after] = [first, second].map(({ outputs }) => JSON.parse(outputs['sizes'] ?? '') as object)
    expect(after).toMatchObject(withoutBaseline(before))
    expect(second.stdout).toContain('Image sizes: no change in 2 targets')
    expect(second.summary).toMatch(/^\*\*Nothing to build: all 2 targets are unchanged\*\* — `prod` [\d.]+ MB/)
    expect(second.warnings).toEqual([])
  })

  test('needs no engine', async () => {
    await using app = await project()
    await app.run()
    const second = await app.run({ env: { DOCKER_HOST: 'unix:///nowhere.sock' } })
    expect(told(second)).toEqual({ prod: 'unchanged', debug: 'unchanged' })
  })

  test('builds only what changed, and says why: file, argument, instruction, option', async () => {
    await using app = await project()
    const one = { 'build-args': 'VERSION=1' }
    await app.run({ inputs: one })
    await app.write({ 'src/a.txt': 'a2', 'src/c.txt': 'c', 'README.md': 'other' })
    const files = await app.run({ inputs: one })
    expect(told(files)).toEqual({ prod: 'src/a.txt changed; src/c.txt added'.replace(';', ','), debug: 'unchanged' })
    expect(stepsIn(files).some((text) => text.startsWith('[debug'))).toBe(false)
    expect(files.summary).toMatch(/\| `prod` \| src\/a\.txt changed, src\/c\.txt added <sub>`build` line 6<\/sub> \|/)
    expect(files.summary).toMatch(/\| `debug` \| nothing changed since the build of main at ccccccc \|/)

    const argument = await app.run({ inputs: { 'build-args': 'VERSION=2' } })
    expect(told(argument)).toEqual({ prod: 'argument VERSION changed', debug: 'unchanged' })

    await app.write({ Dockerfile: DOCKERFILE.replace('echo debug >', 'echo more >') })
    const instruction = await app.run({ inputs: { 'build-args': 'VERSION=2' } })
    expect(told(instruction)).toEqual({ prod: 'unchanged', debug: 'RUN echo more > /debug changed' })
    expect((JSON.parse(instruction.outputs['plan'] ?? '') as Plan).targets[1]?.reasons).toEqual([
      { kind: 'instruction', stage: 3, line: 12, text: 'RUN echo more > /debug changed' },
    ])

    await chmod(app.path('deps.txt'), 0o600)
    const labels = await app.run({
      inputs: { 'build-args': 'VERSION=2', labels: 'a=b\norg.opencontainers.image.revision=1' },
    })
    expect(told(labels)).toEqual({
      prod: 'deps.txt changed; `labels` changed',
      debug: 'deps.txt changed; `labels` changed',
    })
    const volatile = await app.run({
      inputs: { 'build-args': 'VERSION=2', labels: 'a=b\norg.opencontainers.image.revision=2' },
    })
    expect(told(volatile)).toEqual({ prod: 'unchanged', debug: 'unchanged' })
  })

  test('names the base image that moved, with both digests', async () => {
    await using app = await project()
    const name = `${registry.host}/base:1`
    const alpine = /^alpine:3\.22=(\S+)$/m.exec(standInLines())?.[1] ?? ''
    const make = async (text: string): Promise<string> => {
      await using base = await workspace({ Dockerfile: `FROM alpine:3.22\nLABEL made=${text}\n` })
      const { images } = await builds(base, { inputs: { tags: name, push: 'true', provenance: 'false' } })
      return Object.values(images)[0]?.digest ?? ''
    }
    const before = await make(`one-${fresh()}`)
    const mapped = { 'external-images': `alpine:3.22=${name}` }
    expect(alpine).not.toBe('')
    await app.run({ inputs: mapped })
    const after = await make(`two-${fresh()}`)
    const moved = await app.run({ inputs: mapped })
    const short = (digest: string): string => digest.slice(0, 19)
    const reason = `docker.io/library/alpine:3.22: ${short(before)} → ${short(after)}`
    expect(told(moved)).toEqual({ prod: reason, debug: reason })
    expect(moved.summary).toContain('1 external image, 1 moved')
    expect(moved.summary).toContain(before)
  })

  test.each([
    ['is asked to: no-cache', { inputs: { 'no-cache': 'true' } }, '`no-cache` is set'],
    ['is asked to: skip-unchanged', { inputs: { 'skip-unchanged': 'false' } }, '`skip-unchanged` is false'],
    ['is of a tag', { env: { GITHUB_REF: 'refs/tags/v1' } }, 'tags and releases are always built'],
    ['has no cache', { inputs: { cache: 'off' } }, 'there is no cache to keep records of builds in'],
  ])('builds all where it %s', async (_, options, reason) => {
    await using app = await project()
    await app.run({ inputs: { targets: 'debug' } })
    expect(
      told(await app.run({ ...options, inputs: { targets: 'debug', ...('inputs' in options ? options.inputs : {}) } })),
    ).toEqual({ debug: reason })
  })

  test('builds what a failed build had not finished, and that alone', async () => {
    await using app = await project({ ...FILES, Dockerfile: `${DOCKERFILE}RUN exit 7\n` })
    const failed = await step(app, { inputs: { targets: 'prod,debug', 'cache-dir': `${app.tempRoot}/cache` } })
    expect(failed.code).toBe(1)
    await app.write({ Dockerfile: DOCKERFILE })
    expect(told(await app.run())).toEqual({
      prod: 'unchanged',
      debug: 'no record of an earlier build',
    })
  })

  test('builds from the cache what is loaded or written out', async () => {
    await using app = await project()
    await app.run()
    const loaded = await app.run({ inputs: { load: 'true', tags: `${registry.host}/{target}:${app.name}` } })
    expect(told(loaded)).toEqual({ prod: 'unchanged', debug: 'unchanged' })
    expect(await docker('run', '--rm', `${registry.host}/prod:${app.name}`)).toBe('abdeps')
  })
})

describe('with push', () => {
  test('an unchanged image gets the new tags, in every repository; the rest is pushed as built', async () => {
    await using app = await project()
    const [here, there] = [`${registry.host}/${app.name}`, `${other.host}/${app.name}`]
    const push = { push: 'true' }
    const first = await app.run({ inputs: { ...push, tags: `${here}-{target}:1` } })
    const digest = first.images['prod']?.digest ?? ''
    expect(await manifestDigest(`${here}-prod:1`)).toBe(digest)

    const second = await app.run({ inputs: { ...push, tags: `${here}-{target}:2\n${there}-{target}:2` } })
    expect(stepsIn(second)).toEqual([])
    expect(second.images['prod']).toEqual({ ...first.images['prod'], tags: [`${here}-prod:2`, `${there}-prod:2`] })
    for (const tag of [`${here}-prod:2`, `${there}-prod:2`]) expect(await manifestDigest(tag)).toBe(digest)
    expect(second.stdout).toContain(
      `prod is not built: nothing changed since the build of main at ccccccc; re-tagged ${digest.slice(0, 19)}`,
    )
    const again = await app.run({ inputs: { ...push, tags: `${here}-{target}:2` } })
    expect(again.stdout).toContain('its tag is there already')

    await app.write({ 'src/a.txt': 'a2' })
    const third = await app.run({ inputs: { ...push, tags: `${here}-{target}:3` } })
    expect(told(third)).toEqual({ prod: 'src/a.txt changed', debug: 'unchanged' })
    expect(await manifestDigest(`${here}-prod:3`)).toBe(third.images['prod']?.digest)
    expect(third.images['prod']?.digest).not.toBe(digest)
    expect(await manifestDigest(`${here}-debug:3`)).toBe(first.images['debug']?.digest)
  })

  test('an image that no registry has any more is built, from the cache', async () => {
    await using app = await project()
    const repository = `${registry.host}/${app.name}`
    const inputs = { push: 'true', targets: 'debug', tags: `${repository}:1` }
    const first = await app.run({ inputs })
    await loseManifest(registry, app.name, first.images['debug']?.digest ?? '')
    const second = await app.run({ inputs })
    expect(told(second)).toEqual({ debug: `its image is no longer in ${repository}` })
    expect(await manifestDigest(`${repository}:1`)).toBe(second.images['debug']?.digest)
    expect(told(await app.run({ inputs }))).toEqual({ debug: 'unchanged' })
  })

  test('what was built without push is built once more, and not forgotten by a run without', async () => {
    await using app = await project()
    const inputs = { targets: 'debug', tags: `${registry.host}/${app.name}:1` }
    await app.run({ inputs })
    expect(told(await app.run({ inputs: { ...inputs, push: 'true' } }))).toEqual({
      debug: 'its image has not been pushed yet',
    })
    expect(told(await app.run({ inputs: { ...inputs, 'no-cache': 'true' } }))).toEqual({
      debug: '`no-cache` is set',
    })
    expect(told(await app.run({ inputs: { ...inputs, push: 'true' } }))).toEqual({ debug: 'unchanged' })
  })
})

describe('whose records count', () => {
  const event = (ref: string, base = ''): StepOptions['env'] => ({ GITHUB_REF: ref, GITHUB_BASE_REF: base })

  test('of a pull request: its own and its base branch’s; of a branch: its own and the default branch’s', async () => {
    await using app = await project()
    await app.write({ 'event.json': JSON.stringify({ repository: { default_branch: 'main' } }) })
    const inputs = { targets: 'debug' }
    const run = async (env: StepOptions['env']): Promise<Step> =>
      await app.run({ inputs, env: { ...env, GITHUB_EVENT_PATH: app.path('event.json') } })
    await run(event('refs/heads/main'))
    expect(told(await run(event('refs/heads/topic')))).toEqual({ debug: 'unchanged' })
    expect(told(await run(event('refs/pull/1/merge', 'main')))).toEqual({ debug: 'unchanged' })
    // Its base is not the default branch, and has no record.
    expect(told(await run(event('refs/pull/2/merge', 'release')))).toEqual({ debug: 'no record of an earlier build' })
    expect(told(await run(event('refs/pull/2/merge', 'release')))).toEqual({ debug: 'unchanged' })
    expect(told(await run(event('refs/pull/3/merge', 'release')))).toEqual({ debug: 'no record of an earlier build' })
  })
})

describe('a matrix', () => {
  test('is of what changed; each leg leaves its own record; the report re-tags the rest', async () => {
    await using app = await project()
    const repository = `${registry.host}/${app.name}`
    const common = { tags: `${repository}-{target}:1`, push: 'true' }
    const plan = async (more: Readonly<Record<string, string>> = {}): Promise<Step> =>
      await app.run({ inputs: { ...common, ...more, mode: 'plan' }, env: { DOCKER_HOST: 'unix:///nowhere.sock' } })
    const legs = (planned: Step): readonly string[] =>
      (JSON.parse(planned.outputs['matrix'] ?? '') as { include: { target: string }[] }).include.map(
        ({ target }) => target,
      )
    expect(legs(await plan())).toEqual(['prod', 'debug'])
    for (const targets of ['prod', 'debug']) await app.run({ inputs: { ...common, targets } })
    expect(legs(await plan())).toEqual([])

    await app.write({ 'src/a.txt': 'a2' })
    const changed = await plan({ tags: `${repository}-{target}:2` })
    expect(legs(changed)).toEqual(['prod'])
    await app.run({ inputs: { ...common, tags: `${repository}-{target}:2`, targets: 'prod' } })
    await rm(app.path('Dockerfile'))
    const report = await builds(app, { inputs: { mode: 'report', plan: changed.outputs['plan'] ?? '', push: 'true' } })
    expect(report.summary).toContain('**1 of 2 targets to build, 1 unchanged, 1 re-tagged**')
    expect(await manifestDigest(`${repository}-debug:2`)).toBe(await manifestDigest(`${repository}-debug:1`))
    expect(report.images['debug']?.tags).toEqual([`${repository}-debug:2`])
  })

  test('a plan that is none is told, with what to do', async () => {
    await using app = await project()
    const report = async (plan: string): Promise<readonly string[]> =>
      (await step(app, { inputs: { mode: 'report', plan } })).errors
    expect(await report('')).toEqual([expect.stringContaining('`mode: report` needs `plan`, and it is empty.')])
    expect(await report('{"version":2}')).toEqual([
      expect.stringContaining('it is of version 2, and this is version 1'),
    ])
    expect(await report('nonsense')).toEqual([expect.stringContaining('`plan` cannot be used: it is no JSON.')])
    const forged = {
      version: 1,
      file: 'f',
      platforms: [],
      targets: [{ name: 'a', status: 'unchanged', tags: ['--config=/etc/x'] }],
    }
    expect(await report(JSON.stringify(forged))).toEqual([expect.stringContaining('is no image reference')])
  })
})
