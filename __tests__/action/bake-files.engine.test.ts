/** Several Dockerfiles in one step: the monorepo example as it is changed, and what bake files say that is wrong. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { cp, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Plan } from '../../src/plan/plan.ts'
import { REPOSITORY } from '../support/action.ts'
import { digestInRegistry, runImage } from '../support/containers.ts'
import { docker, workspace, type Workspace } from '../support/engine.ts'
import { contentOf } from '../support/image-content.ts'
import { startRegistry, type TestRegistry } from '../support/registry.ts'
import { builds, forgetImages, fresh, step, type Step, type StepOptions } from '../support/step.ts'

let registry: TestRegistry
beforeAll(async () => {
  registry = await startRegistry()
})
afterAll(async () => {
  await forgetImages(registry.host)
  await registry.stop()
})

const SERVICES = ['api', 'auth', 'billing']
const WORKERS = ['mailer', 'reports', 'cleanup']
const SITES = ['www', 'docs', 'admin']
const TOOLS = ['backup', 'migrate', 'status']

interface Monorepo extends Workspace {
  /** Inputs and variables of a run, which share a cache. */
  readonly options: (given?: StepOptions) => StepOptions
  readonly run: (inputs?: Readonly<Record<string, string>>) => Promise<Step>
}

async function monorepo(): Promise<Monorepo> {
  const space = await workspace()
  await cp(join(REPOSITORY, 'examples/monorepo'), space.directory, { recursive: true })
  // Nothing that an earlier test has built.
  await space.write({
    'lib/log.sh': `#!/bin/sh\n# ${fresh()}\nlog() {\n  echo "$*"\n}\n`,
    'lib/page.html': `<!doctype html>\n<!-- ${fresh()} -->\n<title>TITLE</title>\n<main>TEXT</main>\n`,
  })
  const options = ({ inputs, env }: StepOptions = {}): StepOptions => ({
    inputs: { 'bake-files': 'docker-bake.hcl', 'cache-dir': `${space.tempRoot}/cache`, ...inputs },
    env: { ROOT: '.', REGISTRY: registry.host, GITHUB_SHA: 'c'.repeat(40), ...env },
  })
  return { ...space, options, run: async (inputs = {}) => await builds(space, options({ inputs })) }
}

/** By target: the reasons, as the log tells them; `unchanged`. */
function told({ stdout }: Step): Readonly<Record<string, string>> {
  const lines = [...stdout.matchAll(/^ {2}(\S+): (changed|unchanged)(?: \((.*)\))?; /gm)]
  return Object.fromEntries(lines.map(([, name = '', status = '', reasons]) => [name, reasons ?? status]))
}

function changed(step: Step): readonly string[] {
  return Object.entries(told(step)).flatMap(([name, why]) => (why === 'unchanged' ? [] : [name]))
}

/** Instructions that ran, as the log tells them. */
function ran({ stdout }: Step): readonly string[] {
  return [...stdout.matchAll(/^✓ \[[^\]]*\] ((?:RUN|COPY|WORKDIR) .*) [\d.]+s$/gm)].map(([, text = '']) => text)
}

describe('twelve services in four Dockerfiles', () => {
  test('a change builds what it must and nothing else', async () => {
    await using app = await monorepo()
    const first = await app.run({ push: 'true' })
    expect(Object.keys(first.images)).toEqual([...SERVICES, ...SITES, ...TOOLS, ...WORKERS].sort((a, b) => order(first, a) - order(first, b)))
    expect(Object.keys(first.images)).toHaveLength(12)
    // What several need is run once, also where several Dockerfiles say it.
    expect(ran(first).filter((text) => text.includes('/usr/local/lib/log.sh && mkdir'))).toHaveLength(1)
    expect(ran(first).filter((text) => text.includes('-n /render/render.sh'))).toHaveLength(1)
    expect(ran(first).filter((text) => text.startsWith('COPY services/'))).toHaveLength(12)
    const tag = `${registry.host}/monorepo/mailer:latest`
    expect(await digestInRegistry(tag)).toBe(first.images['mailer']?.digest)
    expect(await runImage(tag)).toContain('mailer is here')

    const second = await app.run({ push: 'true' })
    expect(new Set(Object.values(told(second)))).toEqual(new Set(['unchanged']))
    expect(second.images).toEqual(first.images)
    expect(second.stdout).not.toContain('✓')

    await app.write({ 'services/mailer/run.sh': '#!/bin/sh\necho another\n' })
    const mailer = await app.run({ push: 'true' })
    expect(changed(mailer)).toEqual(['mailer'])
    expect(told(mailer)['mailer']).toBe('services/mailer/run.sh changed')
    expect(mailer.outputs['matrix']).toBe('{"include":[{"target":"mailer","platform":"linux/amd64"}]}')
    expect(ran(mailer)).toEqual(['COPY services/mailer/ ./', 'RUN sh -n run.sh && chmod +x run.sh'])
    expect(await runImage(tag)).toContain('another')
    expect(mailer.images['api']).toEqual(first.images['api'])

    await app.write({ 'lib/log.sh': '#!/bin/sh\nlog() {\n  echo "- $*"\n}\n' })
    const base = await app.run({ push: 'true' })
    expect(changed(base).toSorted()).toEqual([...SERVICES, ...WORKERS, ...SITES].toSorted())
    expect(told(base)).toMatchObject({
      ...{ api: 'lib/log.sh changed', mailer: 'lib/log.sh changed, through target runtime', backup: 'unchanged' },
    })
    expect(base.summary).toContain('lib/log.sh changed, through target runtime <sub>`runtime` `docker/service.Dockerfile:3`</sub>')
    expect(base.images['runtime']).toBeUndefined()
    expect(ran(base).some((text) => text.includes('/tool'))).toBe(false)
  }, 240_000) // prettier-ignore

  test('`mode: plan` tells the shared stages of all Dockerfiles, and a leg builds its own target', async () => {
    await using app = await monorepo()
    const { outputs } = await app.run({ mode: 'plan' })
    const plan = JSON.parse(outputs['plan'] ?? '') as Plan
    expect(plan).toMatchObject({ version: 1, id: 'docker-bake.hcl', file: 'docker-bake.hcl', platforms: ['linux/amd64'] })
    const stages = plan.stages.filter(({ name }) => name === 'templates')
    expect(stages.map(({ file }) => file)).toEqual(['docker/site.Dockerfile', 'docker/tool.Dockerfile'])
    const [site, tool] = stages
    expect([tool?.same, tool?.fingerprint]).toEqual([site?.index, site?.fingerprint])
    const runtime = plan.stages.find(({ name }) => name === 'runtime')
    expect(plan.shared).toEqual(expect.arrayContaining([site?.index, tool?.index, runtime?.index]))
    const mailer = plan.targets.find(({ name }) => name === 'mailer')
    expect(mailer).toMatchObject({ file: 'docker/worker.Dockerfile', platforms: ['linux/amd64'] })
    expect(mailer?.stages).toEqual([runtime?.index, mailer?.stage])

    const leg = await app.run({ targets: 'mailer' })
    expect(Object.keys(leg.images)).toEqual(['mailer'])
    expect(leg.stdout).toContain('docker-bake.hcl: 3 stages, 1 target')
    const again = await app.run({ targets: 'mailer,backup' })
    expect(told(again)).toEqual({ mailer: 'unchanged', backup: 'no record of an earlier build' })

    const compose = await app.run({ 'bake-files': 'compose.yaml', targets: 'status' })
    expect(Object.keys(compose.images)).toEqual(['status'])
    expect(compose.images['status']?.tags).toEqual([`${registry.host}/monorepo/status:latest`])
  }, 240_000) // prettier-ignore

  test('a step that fails is told at its line of its own Dockerfile, for all targets that need it', async () => {
    await using app = await monorepo()
    const worker = 'FROM runtime\nARG SERVICE\n\nRUN echo ok\nRUN test "${SERVICE}" != mailer\n'
    const inline = "services:\n  seen:\n    build:\n      context: lib\n      dockerfile_inline: |\n        FROM alpine:3.22\n\n        RUN test -n '$$$$' && false\n"
    await app.write({ 'docker/worker.Dockerfile': worker, 'inline.yaml': inline })
    const files = { 'bake-files': 'docker-bake.hcl,inline.yaml', targets: 'mailer,reports,backup,seen' }
    const own = await step(app, app.options({ inputs: files }))
    expect(own.errors.toSorted()).toEqual([
      'docker/worker.Dockerfile:5: `RUN test "mailer" != mailer` failed with exit code 1. Needed by target `mailer`.',
      "inline.yaml:8: `RUN test -n '$$' && false` failed with exit code 1. Needed by target `seen`.",
    ])
    expect(JSON.parse(own.outputs['built'] ?? '')).toEqual(['reports', 'backup'].sort((a, b) => order(own, a) - order(own, b)))

    await app.write({ 'lib/log.sh': '(' })
    const shared = await step(app, app.options({ inputs: { targets: 'api,docs,backup' } }))
    const [error] = shared.errors
    expect(error).toMatch(/^docker\/service\.Dockerfile:4: `RUN sh -n .*` failed with exit code 2\. Needed by targets? /)
    for (const name of ['api', 'docs']) expect(error).toContain(`\`${name}\``)
    expect(shared.errors).toHaveLength(1)
    expect(JSON.parse(shared.outputs['failed'] ?? '')).toEqual(['api', 'docs'])
  }, 240_000) // prettier-ignore
})

/** The place of a target among those of the plan. */
function order({ stdout }: Step, name: string): number {
  return stdout.indexOf(`  ${name}: `)
}

test('ONBUILD of a target is carried out in what is based on it, as bake does it, and what it reads is seen', async () => {
  const target = (name: string, more: string): string => `target "${name}" {\n  context = "${name}"\n${more}\n}\n`
  await using space = await workspace({
    'docker-bake.hcl': [
      target('base', ''),
      target('app', '  contexts = { base = "target:base" }\n  args = { NAME = "given" }'),
      target('stood', '  contexts = { kept = "target:base" }'),
      'group "default" {\n  targets = ["app", "stood"]\n}\n',
    ].join(''),
    'base/Dockerfile':
      'FROM scratch AS lower\nONBUILD COPY early /early\nFROM lower\nENV WHERE=/srv\nONBUILD ARG NAME=named\nONBUILD COPY conf ${WHERE}/${NAME}\nONBUILD COPY --from=made /x /y\nONBUILD ENV LAST=${NAME}\n',
    'base/early': fresh(),
    'app/Dockerfile': 'FROM scratch AS made\nCOPY x /x\nFROM base\nCOPY app /app-${LAST}\n',
    ...{ 'app/x': 'x', 'app/app': 'app', 'app/conf': 'a setting' },
    // Where it stands for a stage, BuildKit carries out nothing.
    'stood/Dockerfile': 'FROM scratch AS made\nCOPY z /x\nFROM scratch AS kept\nFROM kept\nCOPY z /z\n',
    'stood/z': 'z',
  })
  const names = ['app', 'stood']
  const inputs = { 'bake-files': 'docker-bake.hcl', 'cache-dir': `${space.tempRoot}/cache`, provenance: 'false' }
  const built = await builds(space, { inputs: { ...inputs, outputs: 'type=oci,tar=false,dest=out/{target}' } })
  const plain = names.flatMap((name) => [
    '--set',
    `${name}.output=type=oci,tar=false,dest=${space.path('plain', name)}`,
  ])
  const file = space.path('docker-bake.hcl')
  const root = ['--set', `*.attest=type=provenance,disabled=true`, '--no-cache', '--allow', 'fs=*', ...plain]
  const contexts = ['base', ...names].flatMap((name) => ['--set', `${name}.context=${space.path(name)}`])
  await docker('buildx', 'bake', '--file', file, ...root, ...contexts, ...names)
  for (const name of names)
    expect(await contentOf(space.path('out', name))).toBe(await contentOf(space.path('plain', name)))
  expect(built.errors).toEqual([])
  // What has no name is told by its Dockerfile.
  expect(built.stdout).toMatch(/^ {2}app: changed .*; made → lower → base\/Dockerfile:3 → app\/Dockerfile:3$/m)

  const run = async (): Promise<Readonly<Record<string, string>>> => told(await builds(space, { inputs }))
  await run()
  expect(await run()).toEqual({ app: 'unchanged', stood: 'unchanged' })
  await space.write({ 'app/conf': 'another setting' })
  expect(await run()).toEqual({ app: 'conf changed', stood: 'unchanged' })
  await space.write({ 'app/x': 'y' })
  expect(await run()).toEqual({ app: 'x changed', stood: 'unchanged' })
}, 240_000)

test('services that run one image in several ways are built once; a `dockerfile` will do; what is called `all` is that', async () => {
  await using space = await workspace({
    'app/dockerfile': `FROM alpine:3.22\nRUN echo ${fresh()}\n`,
    'compose.yaml': 'services:\n  web: &web\n    image: r/app\n    build: app\n  worker:\n    <<: *web\n    command: work\n',
    'docker-bake.hcl': 'group "all" { targets = ["one"] }\ntarget "one" { context = "app" }\ntarget "two" { context = "gone" }\n',
  })
  const services = await builds(space, { inputs: { 'bake-files': 'compose.yaml' } })
  expect(services.outputs['built']).toBe('["web"]')
  expect(services.stdout).toContain('worker is web once more, with the same tag: built once, as web\n')
  const named = await builds(space, { inputs: { 'bake-files': 'docker-bake.hcl', targets: 'all' } })
  expect(named.outputs['built']).toBe('["one"]')
}) // prettier-ignore

test('bake is run in `context`: relative paths and the variables of `.env` are those of a compose file in a folder', async () => {
  await using space = await workspace({
    'docker/compose.yaml': 'services:\n  app:\n    image: r/app:${V}\n    build:\n      context: ..\n      dockerfile: docker/app.Dockerfile\n      additional_contexts: { lib: lib }\n      secrets: [token]\nsecrets:\n  token: { file: token }\n',
    'docker/more.hcl': 'target "app" {\n  output = ["type=local,dest=out"]\n}\n',
    ...{ 'docker/.env': 'V=1\n', 'docker/token': 'x', 'docker/lib/in-lib': 'lib', 'root.txt': 'root' },
    'docker/app.Dockerfile': `FROM alpine:3.22 AS check\nRUN --mount=type=secret,id=token test "$(cat /run/secrets/token)" = x && echo ${fresh()} > /ran\nFROM scratch\nCOPY --from=check /ran /\nCOPY --from=lib in-lib /\nCOPY root.txt /\n`,
  })
  const inputs = { 'bake-files': 'docker/compose.yaml, docker/more.hcl', context: 'docker', 'cache-dir': space.path('..', 'cache') }
  const first = await builds(space, { inputs })
  expect([first.outputs['built'], first.warnings]).toEqual(['["app"]', []])
  const plan = JSON.parse((await builds(space, { inputs: { ...inputs, mode: 'plan' } })).outputs['plan'] ?? '') as Plan
  expect(plan.targets.map(({ name, tags, status }) => [name, tags, status])).toEqual([['app', ['r/app:1'], 'unchanged']])
  expect(plan.stages.map(({ file }) => file)).toEqual(['docker/app.Dockerfile', 'docker/app.Dockerfile'])
  expect((await readdir(space.path('docker/out'))).sort()).toEqual(['in-lib', 'ran', 'root.txt'])
  await space.write({ 'docker/lib/in-lib': 'other' })
  const again = await builds(space, { inputs })
  expect(told(again)).toEqual({ app: 'in-lib changed (context lib)' })
}) // prettier-ignore

describe('what bake files say that is wrong', () => {
  const file = (...targets: readonly string[]): string => targets.map((text) => `target ${text}\n`).join('')

  test('is told all at once, with file, target and mend', async () => {
    await using space = await workspace({
      'app/Dockerfile': 'FROM alpine:3.22 AS a\n',
      'docker-bake.hcl': file(
        '"inline" {\n  dockerfile-inline = "FROM scratch AS"\n}',
        '"remote" {\n  context = "https://example.org/a.git"\n}',
        '"nofile" {\n  context = "app"\n  dockerfile = "Dockerfil"\n}',
        '"call" {\n  context = "app"\n  call = "check"\n}',
        '"secret" {\n  context = "app"\n  secret = ["id=x,env=NOT_SET"]\n}',
        '"lib" {\n  context = "app"\n  contexts = { lib = "./gone", same = "cwd://app", laid = "oci-layout://app:1" }\n}',
      ),
    })
    const { errors, code } = await step(space, { inputs: { 'bake-files': 'docker-bake.hcl', targets: 'all' } })
    expect(code).toBe(1)
    expect(errors).toEqual([
      'docker-bake.hcl:11: The bake target `call` has `call = "check"`, and stage-build builds. Remove `call`; to check a Dockerfile without building it use `mode: plan`.',
      'docker-bake.hcl:4: The bake target `remote` has the context `https://example.org/a.git`, which is no directory. Add `actions/checkout` for it, and give its directory as `context`.',
      expect.stringMatching(
        /^docker-bake\.hcl:19: The bake target `lib`: its context `laid=oci-layout:\/\/app:1`: the directory is no OCI layout/,
      ),
      expect.stringMatching(
        /^docker-bake\.hcl:19: The bake target `lib`: its context `lib=\.\/gone`: there is no such directory\. Give a directory/,
      ),
      'docker-bake.hcl:7: The bake target `nofile`: there is no Dockerfile `app/Dockerfil`. Did you mean `Dockerfile`? `dockerfile` is relative to `context`.',
      'docker-bake.hcl:15: The bake target `secret`: its secret `x` is the variable `NOT_SET`, which is not set. Set it in the step’s `env:`.',
    ])
  })

  test.each(['plan', 'build'])('a context that is fetched by SSH is refused without an agent, too: mode %s', async (mode) => {
    await using space = await workspace({
      'docker-bake.hcl': 'target "default" {\n  context = "ssh://git@example.org/a.git"\n}\n',
      'compose.yaml': 'services:\n  web:\n    image: web\n    build: git@example.org:a.git\n',
      'agent.hcl': 'target "default" {\n  ssh = ["default"]\n}\n',
    })
    const errors = async (files: string): Promise<readonly string[]> =>
      (await step(space, { inputs: { 'bake-files': files, mode }, env: { SSH_AUTH_SOCK: undefined } })).errors
    expect(await errors('docker-bake.hcl')).toEqual([
      'docker-bake.hcl:1: The bake target `default` has the context `ssh://git@example.org/a.git`, which is no directory. Add `actions/checkout` for it, and give its directory as `context`.',
    ])
    expect(await errors('compose.yaml')).toEqual([
      expect.stringMatching(/^compose\.yaml:2: The bake target `web` has the context `git@example\.org:a\.git`, which is/),
    ])
    const told = mode === 'build' ? /invalid empty ssh agent socket/ : /there is no Dockerfile/
    expect(await errors('agent.hcl')).toEqual([expect.stringMatching(told)])
  }) // prettier-ignore

  test('of compose files is told line by line; a variable that is not set is told in the log, also beside what comes of it', async () => {
    await using space = await workspace({
      Dockerfile: 'FROM scratch\nCOPY Dockerfile /\n',
      'wrong.yaml': 'services:\n  a:\n    build:\n      context: .\n      shm_size: 1zb\n      extra_hosts: ["bad"]\n',
      'compose.yaml': 'services:\n  a:\n    image: a\n    build:\n      context: .\n      args:\n        V: x${V}\n',
      'tag.yaml': 'services:\n  a:\n    image: a:${V}\n    build: .\n',
      'stage.yaml': 'services:\n  a:\n    image: a\n    build:\n      context: .\n      target: app${V}\n',
    })
    const plan = async (files: string): Promise<Step> =>
      await step(space, { inputs: { 'bake-files': files, mode: 'plan' }, env: { V: undefined } })
    expect((await plan('wrong.yaml')).errors).toEqual([
      expect.stringMatching(/^wrong\.yaml:: `bake-files`: 'services\[a\]\.build\.extra_hosts' invalid additional host, missing IP: bad\. Mend it/),
      expect.stringMatching(/^wrong\.yaml:: `bake-files`: 'services\[a\]\.build\.shm_size' invalid suffix: 'zb'\. Mend it/),
    ])
    const unset = (file: string): string => `variables of ${file} that are not set, and so are empty: V`
    const { code, warnings, stdout } = await plan('compose.yaml')
    expect([code, warnings]).toEqual([0, []])
    expect(stdout).toContain(`${unset('compose.yaml')}\n`)
    const failed = await plan('stage.yaml')
    expect(failed.stdout).toContain(`${unset('stage.yaml')}\n`)
    expect(failed.errors).toEqual([expect.stringContaining('its `target` is `app`, and Dockerfile has no stage of that name')])
    const early = await plan('tag.yaml')
    expect(early.warnings).toEqual([`stage-build: ${unset('tag.yaml')}.`])
    expect(early.errors).toEqual([expect.stringContaining('its tag `a:` is not an image reference')])
  }) // prettier-ignore

  test.each<[string, Record<string, string>, RegExp]>([
    ['an unknown target', { targets: 'cop' }, /^docker-bake\.hcl:: `targets`: docker-bake\.hcl has no target or group `cop`\. There are `same`, `stage`; `all` means all of them\./],
    ['a target that is nearly there', { targets: 'stag,same' }, /has no target or group `stag`\. Did you mean `stage`\?/],
    ['a tag twice', { targets: 'same,tagged', 'bake-files': 'tags.hcl' }, /^tags\.hcl:1: The bake target `same`: its tag `x\/y:1` is given to `tagged`, too, and that is built in another way\. Give each image a tag of its own in its file/],
    ['a tag that a variable left empty', { 'bake-files': 'tags.hcl', targets: 'empty' }, /^tags\.hcl:10: The bake target `empty`: its tag `x\/y:` is not an image reference\./],
    ['a group without targets', { 'bake-files': 'tags.hcl', targets: 'none' }, /^tags\.hcl:: `targets`: the group `none` of tags\.hcl is empty, so there is nothing to build\. Name other/],
    ['services that are pulled', { 'bake-files': 'pulled.yaml' }, /^pulled\.yaml:: `bake-files`: no service of pulled\.yaml has `build`, so there is nothing to build\. Add `build`/],
    ['the same for a plan', { 'bake-files': 'pulled.yaml', mode: 'plan' }, /^pulled\.yaml:: `bake-files`: no service of pulled\.yaml has `build`, so there is nothing to build\. Add `build`/],
    ['an `env_file` that only machines of developers have', { 'bake-files': 'env.yaml' }, /^env\.yaml:: `bake-files`: the `env_file` `\.env` is not there\. It is for containers, and bake wants it/],
    ['targets in a circle', { 'bake-files': 'circle.hcl', targets: 'a' }, /the targets `a` and `b` are built from each other\. Remove `target:a` from the `contexts` of `b`/],
    ['a mistake in an inline Dockerfile', { 'bake-files': 'inline.yaml' }, /^inline\.yaml:7: unknown instruction: RUNN \(did you mean RUN\?\)/],
    ['one in JSON', { 'bake-files': 'inline.json', targets: 'a' }, /^inline\.json:3: unknown instruction: RUNN \(did you mean RUN\?\) \(line 2 of the inline Dockerfile of `a`\)\./],
    ['nothing by default', {}, /^docker-bake\.hcl:: `bake-files`: docker-bake\.hcl has no group `default`, and `targets` names nothing\./],
    ['a stage that is not there', { targets: 'stage' }, /^docker-bake\.hcl:1: The bake target `stage`: its `target` is `b`, and app\/Dockerfile has no stage of that name\. Did you mean `a`\?/],
    ['a path as `docker compose` reads it', { 'bake-files': 'app/compose.yaml' }, /^app\/compose\.yaml:2: The bake target `own`: there is no Dockerfile `Dockerfile`\. There is `app\/Dockerfile`: .* Set the input `context: app`, and/],
    ['a place to run bake that is not there', { context: 'ap' }, /: `context`: `ap` is no directory of the checkout\. Give the directory where the relative paths of the bake files begin/],
    ['a mistake, at its line, of a file elsewhere', { 'bake-files': 'bad.hcl', context: 'app' }, /^bad\.hcl:2: `bake-files`: Unknown variable; There is no variable named "FOO"/],
    ['what a Dockerfile has in several targets', { 'bake-files': 'matrix.hcl', targets: 'all' }, /^app\/bad\.Dockerfile:3: \/gone is not in the build context/],
    ['a file of another kind', { 'bake-files': 'app/Dockerfile' }, /`bake-files`: .*Mend it so that `docker buildx bake --print` accepts it/],
    ['what docker/metadata-action writes', { 'bake-files': 'cwd:///tmp/docker-metadata-action-bake.json' }, /`bake-files`: `cwd:.*` is not there\. Leave it out, and give the outputs of docker\/metadata-action to `tags`/],
    ['a file that is not there', { 'bake-files': 'bake.hcl' }, /`bake-files`: `bake\.hcl` is not there\./],
    ['a mistake, at its line', { 'bake-files': 'bad.hcl' }, /^bad\.hcl:2: `bake-files`: Unknown variable; There is no variable named "FOO"/],
    ['other inputs beside', { targets: 'stage', file: 'app/Dockerfile' }, /`file` \(`app\/Dockerfile`\) is given beside `bake-files`\. Remove it, and say `dockerfile` in the bake file/],
  ])('%s', async (_name, inputs, message) => {
    await using space = await workspace({
      'app/Dockerfile': 'FROM alpine:3.22 AS a\n',
      'docker-bake.hcl': file('"stage" {\n  context = "app"\n  target = "b"\n}', '"same" {}'),
      'tags.hcl': file('"same" {\n  context = "app"\n  tags = ["x/y:1"]\n}', '"tagged" {\n  context = "app"\n  tags = ["x/y:1"]\n  args = { A = "" }\n}', '"empty" {\n  context = "app"\n  tags = ["x/y:${V}"]\n}') + 'variable "V" { default = "" }\ngroup "none" { targets = [] }\n',
      'env.yaml': 'services:\n  a:\n    build: app\n    env_file: .env\n',
      'pulled.yaml': 'services:\n  db:\n    image: postgres\n',
      'circle.hcl': file('"a" {\n  context = "app"\n  contexts = { x = "target:b" }\n}', '"b" {\n  context = "app"\n  contexts = { x = "target:a" }\n}'),
      'inline.json': JSON.stringify({ target: { a: { context: 'app', 'dockerfile-inline': 'FROM alpine:3.22\nRUNN a\n' } } }, undefined, 1),
      'inline.yaml': 'services:\n  a:\n    build:\n      context: app\n      dockerfile_inline: |\n        FROM alpine:3.22\n        RUNN a\n',
      'app/compose.yaml': 'services:\n  own:\n    build: .\n',
      'app/bad.Dockerfile': 'FROM scratch\nARG V\nCOPY gone /\n',
      'matrix.hcl': file('"v" {\n  name = "v-${v}"\n  matrix = { v = ["1", "2"] }\n  args = { V = v }\n  context = "app"\n  dockerfile = "bad.Dockerfile"\n}'),
      'bad.hcl': file('"a" {\n  context = FOO\n}'),
    })
    const { errors } = await step(space, { inputs: { 'bake-files': 'docker-bake.hcl', ...inputs } })
    expect(errors).toEqual([expect.stringMatching(message)])
  }) // prettier-ignore
})
