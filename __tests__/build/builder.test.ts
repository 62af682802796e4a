import { describe, expect, test } from '@jest/globals'
import { decideBuilder, type BuilderNeeds, type BuilderQuestion } from '../../src/build/builder.ts'
import { bootstrapArgs, createArgs, removeArgs } from '../../src/build/buildx.ts'
import type { BuilderFacts, BuilderNode } from '../../src/build/docker-facts.ts'

function node(more: Partial<BuilderNode> = {}): BuilderNode {
  return {
    name: 'n0',
    endpoint: 'unix:///var/run/docker.sock',
    driverOpts: {},
    flags: [],
    config: undefined,
    platforms: [],
    buildkitVersion: undefined,
    error: undefined,
    ...more,
  }
}

function builder(name: string, driver: string, nodes: readonly BuilderNode[] = [node()], current = true): BuilderFacts {
  return { name, driver, current, nodes }
}

const NEEDS: BuilderNeeds = {
  multiPlatform: false,
  cacheExport: false,
  ociOutput: false,
  pushByDigest: false,
  loopback: true,
}
const DOCKER = builder('default', 'docker')

function ask(more: Partial<BuilderQuestion>): ReturnType<typeof decideBuilder> {
  return decideBuilder({
    named: undefined,
    builders: [DOCKER],
    containerdStore: true,
    engineIsLocal: true,
    needs: NEEDS,
    job: 'run-1',
    ...more,
  })
}

describe('the choice of builder', () => {
  test('is the current one where it can do all: docker with the containerd image store', () => {
    const needs = { multiPlatform: true, cacheExport: true, ociOutput: true, pushByDigest: false, loopback: true }
    expect(ask({ needs })).toEqual({ kind: 'use', name: 'default', driver: 'docker', loopback: true, warnings: [] })
  })

  test('is the current one where docker’s old store is enough', () => {
    expect(ask({ containerdStore: false, needs: { ...NEEDS, loopback: false } })).toMatchObject({
      kind: 'use',
      loopback: false,
      warnings: [],
    })
  })

  test('is one of our own beside docker’s old image store, with the current one as second choice', () => {
    expect(ask({ containerdStore: false })).toMatchObject({
      kind: 'create',
      spec: { driverOpts: { network: 'host' }, flags: [], endpoint: undefined },
      why: 'the current builder (`default` (driver docker)) cannot reach a registry on this machine',
      otherwise: {
        kind: 'use',
        name: 'default',
        loopback: false,
        warnings: [{ message: expect.stringContaining('no layer cache') as unknown }],
      },
    })
  })

  test.each(['multiPlatform', 'cacheExport', 'ociOutput'] as const)(
    'has no second choice where the build cannot do without (%s)',
    (need) => {
      const decision = ask({ containerdStore: false, needs: { ...NEEDS, [need]: true } })
      expect(decision).toMatchObject({ kind: 'create', otherwise: undefined })
    },
  )

  test('is one of its own where a push has no tags, which buildx refuses the engine', () => {
    const needs = { ...NEEDS, pushByDigest: true }
    expect(ask({ needs })).toMatchObject({
      ...{ kind: 'create', otherwise: undefined },
      why: 'the current builder (`default` (driver docker)) cannot push by digest',
    })
    const current = builder('mine', 'docker-container', [node({ driverOpts: { network: 'host' } })])
    expect(ask({ needs, builders: [current] })).toMatchObject({ kind: 'use', name: 'mine' })
  })

  test('takes over image, options, flags and configuration of a builder without the host’s network', () => {
    const current = builder('builder-x', 'docker-container', [
      node({ driverOpts: { image: 'mirror/buildkit:v0.25', 'env.A': 'b,c' }, flags: ['--debug'], config: '[worker]' }),
    ])
    expect(ask({ builders: [DOCKER, current].map((each) => ({ ...each, current: each === current })) })).toMatchObject({
      kind: 'create',
      spec: {
        driverOpts: { image: 'mirror/buildkit:v0.25', 'env.A': 'b,c', network: 'host' },
        flags: ['--debug'],
        endpoint: 'unix:///var/run/docker.sock',
      },
      config: '[worker]',
    })
  })

  test('is the current docker-container builder where it has the host’s network', () => {
    const current = builder('mine', 'docker-container', [node({ driverOpts: { network: 'host' } })])
    expect(ask({ builders: [current], containerdStore: false })).toMatchObject({
      kind: 'use',
      name: 'mine',
      loopback: true,
    })
  })

  test('finds the builder that an earlier step of the job made, and not one of another job or kind', () => {
    const first = ask({ containerdStore: false })
    if (first.kind !== 'create') throw new Error('expected to create')
    const ours = builder(first.spec.name, 'docker-container', [node({ driverOpts: { network: 'host' } })], false)
    expect(ask({ containerdStore: false, builders: [DOCKER, ours] })).toEqual({
      kind: 'use',
      name: first.spec.name,
      driver: 'docker-container',
      loopback: true,
      warnings: [],
    })
    expect(ask({ containerdStore: false, builders: [DOCKER, ours], job: 'run-2' }).kind).toBe('create')
    const current = builder('x', 'docker-container', [node({ driverOpts: { image: 'other' } })])
    expect(ask({ builders: [current, ours] }).kind).toBe('create')
  })

  test.each(['remote', 'kubernetes', 'cloud'])('leaves a %s builder as it is and says what is lost', (driver) => {
    expect(ask({ builders: [builder('far', driver)] })).toMatchObject({
      kind: 'use',
      name: 'far',
      loopback: false,
      warnings: [{}],
    })
  })

  test('leaves several nodes, and an engine elsewhere, as they are', () => {
    expect(ask({ builders: [builder('two', 'docker-container', [node(), node({ name: 'n1' })])] })).toMatchObject({
      kind: 'use',
      loopback: false,
    })
    expect(ask({ engineIsLocal: false })).toMatchObject({ kind: 'use', loopback: false, warnings: [{}] })
  })

  describe.each(['remote', 'kubernetes'])('of the driver %s', (driver) => {
    const there = builder('there', driver, [node({ endpoint: 'tcp://buildkit:1234' })], false)
    const builders = [DOCKER, there]

    test('it is obeyed, and the warning names the way to a cache', () => {
      const decision = ask({ named: 'there', builders })
      expect(decision).toMatchObject({ kind: 'use', name: 'there', driver, loopback: false })
      expect('warnings' in decision && decision.warnings).toEqual([
        {
          input: 'builder',
          message: `The builder \`there\` (driver ${driver}) cannot reach a registry on this machine: there is no layer cache in this run, and sizes come from what is pushed.`,
          mend: 'Name a registry for the cache: `cache-to: type=registry,ref=…,mode=max`.',
        },
      ])
    })

    test('with a registry for the cache there is nothing to warn of', () => {
      const needs = { multiPlatform: true, cacheExport: true, ociOutput: true, pushByDigest: false, loopback: true }
      expect(ask({ named: 'there', builders, needs, hasRegistryCache: true })).toMatchObject({ warnings: [] })
    })

    test('no builder of our own is made in its place where it is the current one', () => {
      const current = { ...there, current: true }
      expect(ask({ builders: [{ ...DOCKER, current: false }, current] })).toMatchObject({ kind: 'use', name: 'there' })
    })
  })

  test('a local builder without the host’s network keeps its warning beside a registry for the cache', () => {
    const named = builder('named', 'docker-container', [node()], false)
    expect(ask({ named: 'named', builders: [DOCKER, named], hasRegistryCache: true })).toMatchObject({
      warnings: [
        {
          message: expect.stringMatching(/on this machine: sizes come from what is pushed\.$/) as unknown,
          mend: 'Create it with `driver-opts: network=host`, or let stage-build choose the builder.',
        },
      ],
    })
  })

  test('obeys a named builder, and warns of what it cannot do', () => {
    const named = builder('named', 'docker-container', [node()], false)
    expect(ask({ named: 'named', builders: [DOCKER, named] })).toMatchObject({
      kind: 'use',
      name: 'named',
      loopback: false,
      warnings: [{ input: 'builder', mend: expect.stringContaining('network=host') as unknown }],
    })
  })

  test('refuses a builder that is not there, and guesses', () => {
    expect(() =>
      ask({ named: 'bilder', builders: [DOCKER, builder('builder', 'docker-container', [node()], false)] }),
    ).toThrow('`builder`: there is no builder named `bilder`. Did you mean `builder`?')
    expect(() => ask({ named: 'zzzzzz' })).toThrow(/docker\/setup-buildx-action/)
  })
})

describe('command lines for builders', () => {
  test.each([
    [
      { name: 'b', driverOpts: { network: 'host' }, flags: [] },
      ['buildx', 'create', '--name', 'b', '--driver', 'docker-container', '--driver-opt', 'network=host'],
    ],
    [
      {
        name: 'b',
        driverOpts: { 'env.A': 'b,c"d"', network: 'host' },
        flags: ['--allow-insecure-entitlement', 'network.host', "it's"],
        configFile: '/t/buildkitd.toml',
        endpoint: 'unix:///x',
      },
      [
        'buildx', 'create', '--name', 'b', '--driver', 'docker-container',
        '--driver-opt', '"env.A=b,c""d"""', '--driver-opt', 'network=host',
        '--buildkitd-flags', `--allow-insecure-entitlement network.host 'it'\\''s'`,
        '--buildkitd-config', '/t/buildkitd.toml', 'unix:///x',
      ], // prettier-ignore
    ],
  ])('create %j', (spec, args) => {
    expect(createArgs(spec)).toEqual(args)
  })

  test('start and remove', () => {
    expect(bootstrapArgs('b')).toEqual(['buildx', 'inspect', '--bootstrap', 'b'])
    expect(removeArgs('b')).toEqual(['buildx', 'rm', '--force', 'b'])
  })
})
