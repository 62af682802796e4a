import { describe, expect, test } from '@jest/globals'
import { targetsAsked, withoutCopies } from '../src/bake-asked.ts'
import { bakeTagProblems } from '../src/bake-tags.ts'
import { readBakeTargets } from '../src/build/bake-targets.ts'
import { readInputs, type InputName, type Inputs } from '../src/inputs.ts'
import { workspace } from './support/engine.ts'

type Given = Readonly<Partial<Record<InputName, string>>>
type Targets = Readonly<Record<string, object>>

const inputsOf = (given: Given = {}): Inputs =>
  readInputs((name) => ({ 'bake-files': 'docker-bake.hcl', ...given })[name] ?? '', {}).inputs
const read = (target: Targets) =>
  readBakeTargets({ group: { default: { targets: Object.keys(target) } }, target }, { env: {} })

describe('targets that are one image', () => {
  const image = { context: 'app', tags: ['r/app:1', 'r/app:2'] }

  test('are built once, as the first of them; what differs in anything is built for itself', () => {
    const { asked, targets, notes } = withoutCopies(
      read({
        ...{ web: image, worker: image, cron: image },
        ...{ other: { ...image, args: { A: '1' } }, bare: { context: 'app' }, again: { context: 'app' } },
      }),
      inputsOf(),
    )
    expect(asked).toEqual(['web', 'other', 'bare', 'again'])
    expect(targets.map(({ name }) => name)).toEqual(asked)
    expect(notes).toEqual(['worker and cron are web once more, with the same tags: built once, as web'])
  })

  test('stay where another target is built from them', () => {
    const { asked, targets } = withoutCopies(
      read({ web: image, worker: image, on: { contexts: { base: 'target:worker' } } }),
      inputsOf(),
    )
    expect([asked, targets.map(({ name }) => name)]).toEqual([
      ['web', 'on'],
      ['web', 'worker', 'on'],
    ])
  })

  test.each([['worker=r/w:1'], ['WEB=r/w:1'], ['r/{target}:1']])('are several where `tags` says %s', (tags) => {
    expect(withoutCopies(read({ web: image, worker: image }), inputsOf({ targets: 'all', tags })).asked).toHaveLength(2)
  })
})

describe('all targets', () => {
  const GIVEN = `target "docker-metadata-action" {}
target "platforms" { platforms = ["linux/amd64"] }
target "meta-helper" {}
target "app" { tags = ["r/app"] }
target "in-group" {}
target "staged" { target = "x" }
target "more" { inherits = ["app", "docker-metadata-action", "platforms", "meta-helper", "in-group", "staged"] }
target "alone" {}
`
  const targets = {
    ...{ 'docker-metadata-action': { tags: ['r/other'] }, platforms: { platforms: ['linux/amd64'] } },
    ...{
      'meta-helper': { tags: ['r/more'] },
      app: { tags: ['r/app'] },
      'in-group': {},
      staged: { target: 'x' },
      more: { tags: ['r/more'], target: 'y' },
      alone: {},
    },
  }
  const all = async (files: Readonly<Record<string, string>>) => {
    await using space = await workspace({ 'docker-bake.hcl': GIVEN, ...files })
    const inputs = inputsOf({ targets: 'all' })
    return await targetsAsked(read(targets), { inputs, workspace: space.directory, grouped: new Set(['in-group']) })
  }

  test('are those that are not only there to be inherited', async () => {
    const { asked, notes } = await all({ Dockerfile: 'FROM scratch\n' })
    expect(asked).toEqual(['app', 'in-group', 'staged', 'more', 'alone'])
    expect(notes).toEqual(['not built, as others only inherit them: docker-metadata-action, platforms and meta-helper'])
  })

  test('without a Dockerfile for it, nothing can be meant by one that says nothing', async () => {
    expect((await all({})).asked).toEqual(['in-group', 'staged', 'more', 'alone'])
  })

  test('are all where no other is left, and where they were not asked for as all', async () => {
    await using space = await workspace({ 'docker-bake.hcl': 'target "a" { inherits = ["a"] }\n' })
    const inputs = inputsOf({ targets: 'all' })
    const question = { inputs, workspace: space.directory }
    expect((await targetsAsked(read({ a: {} }), { ...question, grouped: new Set() })).asked).toEqual(['a'])
    expect((await targetsAsked(read(targets), { ...question, grouped: undefined })).asked).toHaveLength(8)
  })
})

describe('tags of bake files', () => {
  const told = (target: Targets, more: Given = {}) =>
    bakeTagProblems(read(target), inputsOf(more)).map(({ target: name, message }) => [name, message])

  test.each(['r/a:', 'Org/App', 'my app', ':', '/b:', `r/a@sha256:${'a'.repeat(64)}`])('%s is none', (tag) => {
    expect(told({ a: { tags: ['r/fine:1', tag] } })).toEqual([
      ['a', `The bake target \`a\`: its tag \`${tag}\` is not an image reference.`],
    ])
  })

  test('one of several images is told once, in whatever way it is written', () => {
    const clash = { a: { tags: ['app'] }, b: { tags: ['app:latest'] }, c: { tags: ['docker.io/library/app'] }, d: { tags: ['app:2'] } }
    expect(told(clash)).toEqual([
      ['a', 'The bake target `a`: its tag `app` is given to `b` and `c`, too, and those are built in another way.'],
    ])
    expect(told(clash, { targets: 'all', tags: 'x/{target}' })).toEqual([])
  }) // prettier-ignore

  test('count for a target that makes no image only where it is pushed or loaded', () => {
    const targets = { image: { tags: ['r/a:1'] }, check: { tags: ['r/a:1'], output: [{ type: 'cacheonly' }] } }
    expect(told(targets)).toEqual([])
    for (const input of ['push', 'load']) expect(told(targets, { [input]: 'true' })).toHaveLength(1)
    const written = { ...targets, check: { tags: ['r/a:1'], output: [{ type: 'oci', dest: 'x' }] } }
    expect(told(written)).toHaveLength(1)
  })
})
