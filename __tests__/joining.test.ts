/** Several Dockerfiles as one graph: links, shared stages, names that are the same, what cannot be followed. */
import { afterAll, describe, expect, test } from '@jest/globals'
import type { StageGraph } from '../src/graph/stage-graph.ts'
import { ImageCatalog } from '../src/image-catalog.ts'
import { readInputs, type InputName } from '../src/inputs.ts'
import { linkProblems, variantsOf } from '../src/graph-variants.ts'
import { joinParts, contextEnvironment, linkOrder, linkTriggers, type ResolvedPart } from '../src/joining.ts'
import { withLinks } from '../src/link-reasons.ts'
import { runningAgain } from '../src/running-again.ts'
import { draftPart, resolvePart, type PartDraft } from '../src/part-planning.ts'
import { makePlan } from '../src/plan/plan.ts'
import { StagePrinter } from '../src/plan/stage-print.ts'
import type { TargetPrint } from '../src/plan/target-print.ts'
import type { RequestedTarget } from '../src/plan/targets.ts'
import { unite } from '../src/plan/unite.ts'
import type { Part } from '../src/project.ts'
import { RegistryClient } from '../src/images/registry-client.ts'

interface Case {
  readonly file: string
  readonly text: string
  readonly targets: Readonly<Record<string, string | undefined>>
  readonly inputs?: Partial<Record<InputName, string>>
  readonly links?: Readonly<Record<string, string>>
  /** Targets that nobody asks for. */
  readonly onlyLinked?: boolean
}

let place = 0
function part({ file, text, targets, inputs = {}, links = {}, onlyLinked = false }: Case): Part {
  const contexts = Object.keys(links).map((key) => `${key}=target:${links[key] ?? ''}`)
  const given: Partial<Record<InputName, string>> = { ...inputs, 'build-contexts': contexts.join('\n') }
  return {
    inputs: readInputs((name) => given[name] ?? '', {}).inputs,
    ...{ contextDir: '/w', dockerfilePath: `/w/${file}`, dockerfileText: text, dockerfileName: file },
    wanted: Object.entries(targets).map(([name, stage]) => ({
      ...{ name, stage, tags: [], place: onlyLinked ? undefined : place++ },
    })),
    links: new Map(Object.entries(links)),
  }
}

function drafts(...cases: readonly Case[]): readonly PartDraft[] {
  return cases.map((one) => draftPart(part(one), 'linux/amd64'))
}

const client = new RegistryClient({ env: {}, credentials: { find: () => Promise.resolve(undefined) } })
const NO_IMAGES = new ImageCatalog([], { client, workspace: '/w' })
const NOTHING_LOOKED_UP = {
  images: NO_IMAGES,
  contextImages: { of: () => undefined, isImage: () => true, unread: [] },
}
afterAll(() => {
  client.close()
})

/** As they are when what is linked is known. */
function resolvedParts(parts: readonly PartDraft[]): readonly ResolvedPart[] {
  const resolved = new Map<number, ReturnType<typeof resolvePart>>()
  const environmentOf = contextEnvironment(parts, resolved, NOTHING_LOOKED_UP)
  const triggersOf = linkTriggers(parts, resolved)
  for (const index of linkOrder(parts)) {
    const draft = parts[index]
    if (draft === undefined) continue
    const found = resolvePart(draft, {
      images: NO_IMAGES,
      environmentOf: (context, cell) => environmentOf(index, context, cell),
      triggersOf: (context, cell) => triggersOf(index, context, cell),
    })
    resolved.set(index, found)
  }
  return parts.flatMap((_, index) => resolved.get(index) ?? [])
}

/** Every target printed, each read's digest being what is read. */
function printed(graph: StageGraph, targets: readonly RequestedTarget[]): ReadonlyMap<string, TargetPrint> {
  const printer = new StagePrinter(graph, () => ({
    ...{ imageDigest: (image) => image, readDigest: (read) => read.paths.join(), contextDigest: (name) => name },
    ...{ options: [], runOptions: [] },
  }))
  return new Map(
    targets.map(({ name, stage }) => {
      const stages = printer.print(stage)
      const platforms = [{ platform: 'linux/amd64', stages }]
      return [name, { platforms, fields: [], fingerprint: stages.at(-1)?.fingerprint }]
    }),
  )
}

const BASE = { file: 'base/Dockerfile', text: 'FROM alpine AS base\nENV WHERE=/srv\nCOPY base /\n' }
const APP = 'FROM base\nARG NAME\nCOPY ${NAME} ${WHERE}/\n'

test('a context that is a target is an edge to its stage in another file', () => {
  const parts = drafts(
    { ...BASE, targets: { base: undefined }, onlyLinked: true },
    { file: 'app/Dockerfile', text: APP, targets: { app: undefined }, links: { base: 'base' } },
  )
  const { graph, targets, linked, stages, partOf } = joinParts(parts)
  expect(graph.stages.map(({ index, file, from }) => [index, file, from])).toEqual([
    [0, 'base/Dockerfile', { kind: 'image', image: 'docker.io/library/alpine:latest' }],
    [1, 'app/Dockerfile', { kind: 'stage', stage: 0 }],
  ])
  expect([targets, linked, stages]).toEqual([
    [{ name: 'app', stage: 1, stageName: undefined }],
    [{ name: 'base', stage: 0, stageName: 'base' }],
    [[0], [1]],
  ])
  expect([partOf('base'), partOf('app')]).toEqual([0, 1])
})

test('a stage that a linked target replaces has that one for its base', () => {
  const parts = drafts(
    { ...BASE, targets: { runtime: 'base' } },
    {
      ...{ file: 'app/Dockerfile', text: 'FROM scratch AS deps\nRUN never\nFROM alpine\nCOPY --from=deps /x /\n' },
      ...{ targets: { app: undefined }, links: { deps: 'runtime' } },
    },
  )
  const { graph } = joinParts(parts)
  expect(graph.stages[1]).toMatchObject({ from: { kind: 'stage', stage: 0 }, replacedByContext: undefined, steps: [] })
})

test('the variables of a linked target are known where it is the base', () => {
  const parts = drafts(
    { file: 'app/Dockerfile', text: APP, targets: { app: undefined }, links: { base: 'base' }, inputs: { 'build-args': 'NAME=x' } },
    { ...BASE, text: `${BASE.text.replace('alpine', 'scratch')}ENV WHERE=/opt MORE=1\n`, targets: { base: undefined } },
  ) // prettier-ignore
  expect(linkOrder(parts)).toEqual([1, 0])
  const resolved = new Map(resolvedParts(parts).entries())
  const environmentOf = contextEnvironment(parts, resolved, NOTHING_LOOKED_UP)
  expect(environmentOf(0, 'base', { platform: 'linux/amd64', machine: 'linux/amd64' })).toEqual([
    'WHERE=/srv',
    'WHERE=/opt',
    'MORE=1',
  ])
  const copy = resolved.get(0)?.graph.stages[0]?.steps.find(({ keyword }) => keyword === 'COPY')
  expect(copy?.words).toContain('destination=/opt/')
})

test('stages of one Dockerfile are made one where they are the same, those of one name and other arguments are not', () => {
  const text =
    'FROM alpine AS common\nCOPY lib /\nFROM common AS app\nARG NAME\nCOPY ${NAME} /\nFROM alpine AS unused\n'
  const app = (name: string): Case => ({
    ...{ file: 'Dockerfile', text, targets: { [name]: 'app' }, inputs: { 'build-args': `NAME=${name}` } },
  })
  const joined = joinParts(drafts(app('a'), app('b'), app('c')))
  expect(joined.graph.stages).toHaveLength(9)
  const united = unite({ ...joined, prints: printed(joined.graph, joined.targets) })
  expect(united.graph.stages.map(({ name }) => name)).toEqual(['common', 'app', 'unused', 'app', 'app'])
  expect(united.stages).toEqual([[0, 1, 2], [0, 3, 2], [0, 4, 2]]) // prettier-ignore
  expect(united.targets.map(({ name, stage }) => [name, stage])).toEqual([['a', 1], ['b', 3], ['c', 4]]) // prettier-ignore
  expect(united.graph.stages[4]?.from).toEqual({ kind: 'stage', stage: 0 })
  const print = united.prints.get('c')?.platforms[0]?.stages
  expect(print?.map(({ index, base }) => [index, base.name])).toEqual([
    [0, 'docker.io/library/alpine:latest'],
    [4, '0'],
  ])
})

test('the stage that stands for others is one that is needed', () => {
  const text = 'ARG BASE\nFROM $BASE AS one\nFROM alpine AS two\n'
  const of = (name: string, stage: string, base: string): Case => ({
    ...{ file: 'Dockerfile', text, targets: { [name]: stage }, inputs: { 'build-args': `BASE=${base}` } },
  })
  const joined = joinParts(drafts(of('a', 'two', 'nothing-needs-it'), of('b', 'one', 'busybox')))
  const { graph, stages } = unite({ ...joined, prints: printed(joined.graph, joined.targets) })
  expect(graph.stages[stages[0]?.[0] ?? -1]?.from).toMatchObject({ image: 'docker.io/library/busybox:latest' })
})

test('the same stage of two Dockerfiles is shared, and told of with the lines of each', () => {
  const first = 'FROM alpine AS tools\nCOPY lib /\n'
  const joined = joinParts(
    drafts(
      { file: 'a/Dockerfile', text: `${first}FROM tools\nCOPY a /\n`, targets: { a: undefined } },
      { file: 'b/Dockerfile', text: `# b\n${first.replace('tools', 'other')}FROM other\nCOPY b /\n`, targets: { b: undefined } },
    ),
  ) // prettier-ignore
  const united = unite({ ...joined, prints: printed(joined.graph, joined.targets) })
  const plan = makePlan({
    ...{ id: 'x', file: 'x', platforms: [], graph: united.graph, targets: united.targets, prints: united.prints },
    ...{ tagsOf: () => [], pinOf: () => ({ digest: undefined, mapped: undefined }) },
    decisionOf: () => ({ status: 'changed', reasons: [] }),
  })
  expect(plan.stages.map(({ name, file, line, same }) => [name, file, line, same])).toEqual([
    ['tools', 'a/Dockerfile', 1, undefined],
    [null, 'a/Dockerfile', 3, undefined],
    ['other', 'b/Dockerfile', 2, 0],
    [null, 'b/Dockerfile', 4, undefined],
  ])
  expect(plan.shared).toEqual([0, 2])
})

test('a reason that is another target’s says through which it came', () => {
  const parts = drafts(
    { ...BASE, targets: { base: undefined } },
    { file: 'app/Dockerfile', text: APP, targets: { app: undefined }, links: { base: 'base' } },
  )
  const joined = joinParts(parts)
  const partOf = (name: string) => {
    const index = joined.partOf(name)
    return {
      part: { links: parts[index]?.part.links ?? new Map<string, string>() },
      stages: joined.stages[index] ?? [],
    }
  }
  const reasons = [
    { kind: 'file' as const, stage: 0, line: 3, text: 'base changed' },
    { kind: 'file' as const, stage: 1, line: 3, text: 'app changed' },
  ]
  const changed = { status: 'changed' as const, reasons }
  const told = withLinks(new Map([['app', changed], ['base', changed]]), { ...joined, partOf }) // prettier-ignore
  const texts = (name: string): unknown => {
    const decision = told.get(name)
    return decision?.status === 'changed' ? decision.reasons.map(({ text }) => text) : undefined
  }
  expect(texts('app')).toEqual(['base changed, through target base', 'app changed'])
  expect(texts('base')).toEqual(['base changed', 'app changed'])
})

test('what is based on a link carries out its ONBUILD instructions, and nothing that those of its own base were', () => {
  const lower = 'FROM scratch AS lower\nONBUILD COPY early /\nFROM lower\n'
  const parts = drafts(
    { file: 'base', text: `${lower}ENV WHERE=/srv\nONBUILD COPY conf \${WHERE}/\nONBUILD COPY --from=made /m /m\n`, targets: { base: undefined } },
    { file: 'app', text: 'FROM scratch AS made\nCOPY made /m\nFROM base\nCOPY app /\n', targets: { app: undefined }, links: { base: 'base' } },
  ) // prettier-ignore
  const { graph } = joinParts(resolvedParts(parts))
  const app = graph.stages.at(-1)
  expect(app?.steps.map(({ isTrigger, line, words }) => [isTrigger, line, words.at(-1)])).toEqual([
    [true, 3, 'destination=/srv/'],
    [true, 3, 'destination=/m'],
    [false, 4, 'destination=/'],
  ])
  expect(app?.needs).toEqual([{ via: 'onbuild-copy', source: { kind: 'stage', stage: 2 }, line: 3 }])
  expect(app?.reads.flatMap(({ paths }) => paths)).toEqual(['/conf', '/app'])
})

test('of several platforms each has a graph; a target that has fewer is there as it is', () => {
  const platforms = 'linux/amd64,linux/arm64'
  const parts = drafts(
    { ...BASE, targets: { base: undefined } },
    { file: 'a', text: APP, targets: { app: undefined }, links: { base: 'base' }, inputs: { platforms } },
  )
  const variants = variantsOf(parts, joinParts(parts).targets)
  expect(variants.map(({ platform, graph }) => [platform, graph.stages.map((stage) => stage.platform)])).toEqual([
    ['linux/amd64', ['linux/amd64', 'linux/amd64']],
    ['linux/arm64', ['linux/amd64', 'linux/arm64']],
  ])
})

test('each platform of a link is in a graph of its own; what needs two of them in one has no fingerprint', () => {
  const both = { platforms: 'linux/amd64,linux/arm64' }
  const base = { ...BASE, targets: { base: undefined }, inputs: both, onlyLinked: true }
  const amd64 = {
    ...{ file: 'mid', text: APP, targets: { mid: undefined }, links: { base: 'base' } },
    onlyLinked: true,
  }
  const app = (text: string, platforms: string): Case => ({
    ...{ file: 'app', text, targets: { app: undefined }, links: { mid: 'mid', base: 'base' }, inputs: { platforms } },
  })
  const of = (...cases: readonly Case[]): unknown => {
    const parts = drafts(...cases)
    return variantsOf(parts, joinParts(parts).targets).map(({ platform, graph, unknown }) => [
      ...[platform, graph.stages.map((stage) => stage.platform.slice(6)).join(), unknown !== undefined],
    ])
  }
  // Through another target that has only one platform.
  expect(of(base, amd64, { ...app('FROM mid', 'linux/arm64'), links: { mid: 'mid' } })).toEqual([
    ['linux/arm64', 'amd64,amd64,arm64', false],
  ])
  const two = 'FROM mid AS a\nFROM base\nCOPY --from=a /x /\n'
  expect(of(base, amd64, app(two, 'linux/arm64'))).toEqual([['linux/arm64', 'arm64,amd64,arm64,arm64', true]])
  // The other one is in the graph of the other platform.
  expect(of(base, amd64, app(two, 'linux/amd64,linux/arm64'))).toEqual([
    ['linux/amd64', 'amd64,amd64,amd64,amd64', false],
    ['linux/arm64', 'arm64,amd64,arm64,arm64', false],
  ])
  const built = 'FROM --platform=$BUILDPLATFORM base AS a\nFROM scratch\nCOPY --from=a /x /\n'
  expect(of(base, { ...app(built, 'linux/arm64'), links: { base: 'base' } })).toEqual([
    ['linux/arm64', 'amd64,amd64,arm64', false],
  ])
  const copied = built.replace('scratch', 'base')
  expect(of(base, { ...app(copied, 'linux/arm64'), links: { base: 'base' } })).toEqual([
    ['linux/arm64', 'amd64,amd64,arm64', true],
  ])
})

test('a link that has no image for a platform is told', () => {
  const parts = drafts(
    { ...BASE, targets: { base: undefined }, inputs: { platforms: 'linux/amd64,linux/s390x' } },
    { file: 'a', text: APP, targets: { app: undefined }, links: { base: 'base' }, inputs: { platforms: 'linux/arm64' } },
    { file: 'b', text: 'FROM scratch', targets: { bare: undefined }, links: { base: 'base' }, inputs: { platforms: 'linux/arm64' } },
  ) // prettier-ignore
  expect(linkProblems(parts).map(({ message, mend = '' }) => `${message} ${mend}`)).toEqual([
    'The bake target `app` is built for linux/arm64, and `base`, which it is built from, for linux/amd64, linux/s390x only. Add linux/arm64 to the `platforms` of `base`, or leave out all but one, whose image then serves every platform.',
  ])
})

describe('steps that run again whatever is cached', () => {
  const TEXT =
    'FROM alpine AS One\nRUN a\nFROM alpine AS two\nRUN b\nFROM scratch AS three\nCOPY --from=one /a /\nFROM two\nRUN c\n'

  /** By target, why it is built. */
  function again(...cases: readonly Case[]): Readonly<Record<string, string>> {
    const parts = drafts(...cases)
    const joined = joinParts(parts)
    const found = runningAgain({
      ...{ ...joined, given: { noCache: false, noCacheFilters: [] } },
      parts: parts.map(({ part: { inputs } }, at) => {
        const stages = joined.stages[at] ?? []
        return { inputs, stages, planned: stages }
      }),
    })
    return Object.fromEntries([...found].map(([name, { stage, text }]) => [name, `${stage ?? ''}: ${text}`]))
  }
  const ofFilters = (filters: string): Readonly<Record<string, string>> =>
    again({
      ...{ file: 'Dockerfile', text: TEXT, targets: { t1: 'one', t2: 'two', t3: 'three', last: undefined } },
      inputs: { 'no-cache-filters': filters },
    })

  test('are those of stages that a target needs, and that a filter names', () => {
    expect(ofFilters('none')).toEqual({})
    expect(ofFilters('ONE')).toEqual({
      t1: '0: `no-cache-filter` is set (one)',
      t3: '2: `no-cache-filter` is set (one)',
    })
    expect(ofFilters('none,two,three')).toEqual({
      t2: '1: `no-cache-filter` is set (two)',
      t3: '2: `no-cache-filter` is set (three)',
      last: '3: `no-cache-filter` is set (two)',
    })
  })

  test('are also those of what is linked, by what is said of that', () => {
    const app = { file: 'app/Dockerfile', text: 'FROM base AS two\nCOPY x /\n', targets: { app: undefined } }
    const base = { file: 'Dockerfile', text: TEXT, targets: { base: 'two' } }
    const links = { base: 'base' }
    const filters = (names: string) => ({ inputs: { 'no-cache-filters': names } })
    expect(again({ ...base, ...filters('two') }, { ...app, links })).toEqual({
      base: '1: `no-cache-filter` is set (two)',
      app: '1: `no-cache-filter` is set (two)',
    })
    expect(again({ ...base, ...filters('one') }, { ...app, links })).toEqual({})
    expect(again(base, { ...app, links, ...filters('two') })).toEqual({ app: '4: `no-cache-filter` is set (two)' })
    expect(again({ ...base, inputs: { 'no-cache': 'true' } }, { ...app, links })['app']).toBe('1: `no-cache` is set')
    expect(again(base, app)).toEqual({})
  })

  test('an empty filter stands for all, and among others for stages without a name', () => {
    const graph = joinParts(drafts({ file: 'Dockerfile', text: TEXT, targets: { last: undefined } })).graph
    const ofLast = (noCacheFilters: readonly string[], stage: number) =>
      runningAgain({
        ...{ graph, targets: [{ name: 't', stage, stageName: undefined }], partOf: () => 0 },
        parts: [{ inputs: { noCache: false, noCacheFilters }, stages: [0, 1, 2, 3], planned: [0, 1, 2, 3] }],
        given: { noCache: false, noCacheFilters },
      }).get('t')?.text
    expect([ofLast([''], 0), ofLast([''], 3)]).toEqual([
      '`no-cache-filters` is set (one)',
      '`no-cache-filters` is set (two)',
    ])
    expect([ofLast(['', 'x'], 0), ofLast(['', 'x'], 3)]).toEqual([undefined, '`no-cache-filters` is set'])
    expect(ofLast(['x,ONE'], 0)).toBe('`no-cache-filters` is set (one)')
  })
})
