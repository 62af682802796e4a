import { describe, expect, test } from '@jest/globals'
import type { BuildRequest, BuildTarget } from '../../src/build/build-request.ts'
import { bakeArgs } from '../../src/build/buildx.ts'
import { bakeIds, planBake } from '../../src/build/definition.ts'

const base: BuildRequest = { contextDir: '/w/app', dockerfile: '/w/app/Dockerfile', workspace: '/w', targets: [] }

function target(name: string, more: Partial<BuildTarget> = {}): BuildTarget {
  return { name, stage: name, tags: [], outputs: [], ...more }
}

function entry(request: Partial<BuildRequest>, targets: readonly BuildTarget[] = [target('prod')]): object | undefined {
  return Object.values(planBake({ ...base, targets, ...request }, '/private').definition.target)[0]
}

describe('the bake definition', () => {
  test('has an entry a target, the last stage by no name', () => {
    const plan = planBake({ ...base, targets: [target('prod'), target('default', { stage: undefined })] }, '/private')
    expect(plan.definition.target).toEqual({
      prod: { context: '/w/app', dockerfile: '/w/app/Dockerfile', target: 'prod', output: ['type=cacheonly'] },
      default: { context: '/w/app', dockerfile: '/w/app/Dockerfile', output: ['type=cacheonly'] },
    })
  })

  test('gives names that bake can take, and keeps them apart', () => {
    expect(bakeIds(['a.b', 'a_b', 'a-b', '', 'x/y', 'a.b'])).toEqual(['a_b', 'a_b_2', 'a-b', 'target', 'x_y', 'a_b_3'])
  })

  test('passes every "how" on', () => {
    expect(
      entry({
        platforms: ['linux/amd64', 'linux/arm64'],
        buildArgs: { A: '1' },
        buildContexts: [
          { key: 'docker.io/library/alpine:latest', value: 'docker-image://x' },
          { key: 'deps', value: 'vendor' },
        ],
        ociContexts: [{ key: 'docker.io/library/nginx:1.29', value: 'oci-layout:///x@sha256:1' }],
        ssh: ['default'],
        labels: [{ key: 'l', value: 'v' }],
        annotations: ['index:a=b'],
        provenance: 'mode=max',
        sbom: 'true',
        attests: ['type=sbom,generator=x'],
        pull: true,
        noCache: true,
        noCacheFilters: ['builder'],
        network: 'host',
        addHosts: ['a:1.2.3.4', 'b:[::1]', 'c=10.0.0.1', 'a:::2'],
        allow: ['security.insecure'],
        shmSize: '64m',
        ulimit: ['nofile=1:2'],
        cacheFrom: ['type=gha'],
        cacheTo: ['type=gha,mode=max'],
      }),
    ).toEqual({
      context: '/w/app',
      dockerfile: '/w/app/Dockerfile',
      target: 'prod',
      output: ['type=cacheonly'],
      platforms: ['linux/amd64', 'linux/arm64'],
      args: { A: '1' },
      contexts: { alpine: 'docker-image://x', deps: '/w/vendor', 'nginx:1.29': 'oci-layout:///x@sha256:1' },
      ssh: ['default'],
      labels: { l: 'v' },
      annotations: ['index:a=b'],
      attest: ['type=provenance,mode=max', 'type=sbom,disabled=false', 'type=sbom,generator=x'],
      pull: true,
      'no-cache': true,
      'no-cache-filter': ['builder'],
      network: 'host',
      'extra-hosts': { a: '1.2.3.4,::2', b: '[::1]', c: '10.0.0.1' },
      entitlements: ['security.insecure'],
      'shm-size': '64m',
      ulimits: ['nofile=1:2'],
      'cache-from': ['type=gha'],
      'cache-to': ['type=gha,mode=max'],
    })
  })

  test('adds a target’s own cache references to the common ones', () => {
    const own = target('prod', {
      cacheFrom: ['type=registry,ref=127.0.0.1:1/prod'],
      cacheTo: ['type=registry,ref=127.0.0.1:1/prod,mode=max'],
    })
    expect(entry({ cacheFrom: ['user/app:cache'] }, [own])).toMatchObject({
      'cache-from': ['user/app:cache', 'type=registry,ref=127.0.0.1:1/prod'],
      'cache-to': ['type=registry,ref=127.0.0.1:1/prod,mode=max'],
    })
  })

  test.each([
    ['true', 'type=provenance,disabled=false'],
    ['false', 'type=provenance,disabled=true'],
    ['mode=min,inline-only=true', 'type=provenance,mode=min,inline-only=true'],
  ])('reads `provenance: %s` as buildx does', (value, attest) => {
    expect(entry({ provenance: value })).toMatchObject({ attest: [attest] })
  })

  test('keeps templates of bake’s language out of every text', () => {
    expect(entry({ buildArgs: { A: '${X} %{if} $${Y} $ %' } })).toMatchObject({
      args: { A: '$${X} %%{if} $$${Y} $ %' },
    })
  })

  test('has no secret in it, nor has the command line', () => {
    const long = 'long-secret'.repeat(20_000)
    const plan = planBake(
      {
        ...base,
        targets: [target('prod')],
        secrets: [
          { kind: 'value', id: 'a', value: 'first-secret\nline two' },
          { kind: 'env', id: 'b', env: 'TOKEN' },
          { kind: 'file', id: 'c', path: 'a, b.txt' },
          { kind: 'value', id: 'd', value: long },
        ],
      },
      '/private',
    )
    expect(plan.definition.target['prod']?.secret).toEqual([
      'type=env,id=a,env=STAGE_BUILD_SECRET_0',
      'type=env,id=b,env=TOKEN',
      'type=file,id=c,"src=/w/a, b.txt"',
      'type=file,id=d,src=/private/secret-3',
    ])
    expect(plan.env).toEqual({ STAGE_BUILD_SECRET_0: 'first-secret\nline two' })
    expect(plan.files).toEqual([{ path: 'secret-3', content: long }])
    const args = bakeArgs({ file: 'f', metadataFile: 'm', builder: undefined, allow: plan.allow, targets: ['prod'] })
    expect(JSON.stringify([plan.definition, args])).not.toMatch(/first-secret|long-secret|line two/)
  })

  test('allows what it names, so that bake never asks', () => {
    const plan = planBake(
      { ...base, targets: [target('prod')], ssh: ['default'], network: 'host', allow: ['network.host'] },
      '/p',
    )
    expect(plan.allow).toEqual(['fs=*', 'ssh', 'network.host'])
  })

  test('says that bake has no cgroup-parent', () => {
    expect(planBake({ ...base, targets: [target('prod')], cgroupParent: 'x' }, '/p').warnings).toMatchObject([
      { input: 'cgroup-parent' },
    ])
  })
})

describe('outputs', () => {
  const measure = { host: '127.0.0.1:5000', repository: (of: BuildTarget) => `secret/${of.name}` }
  const tagged = (more: Partial<BuildTarget> = {}): readonly BuildTarget[] => [
    target('prod', { tags: ['r/a:1', 'r/a:2'], ...more }),
  ]

  test.each<[string, Partial<BuildRequest>, readonly BuildTarget[], readonly string[]]>([
    ['nothing asked for', {}, [target('prod')], ['type=cacheonly']],
    ['measured only', { measure }, tagged(), ['type=image,push=true,store=false,name=127.0.0.1:5000/secret/prod']],
    [
      'the push comes last, all tags in one output, and only the load stores the image',
      { measure, push: true, load: true },
      tagged(),
      [
        'type=image,push=true,store=false,name=127.0.0.1:5000/secret/prod',
        'type=docker,"name=r/a:1,r/a:2"',
        'type=image,push=true,"name=r/a:1,r/a:2",store=false',
      ],
    ],
    [
      'push joins an image output of the user’s; what does not push goes before it',
      { push: true },
      tagged({ outputs: ['type=image,annotation.x=y', 'out', 'type=oci,dest=a.tar'] }),
      [
        'type=local,dest=/w/out',
        'type=oci,dest=/w/a.tar,"name=r/a:1,r/a:2"',
        'type=image,annotation.x=y,push=true,"name=r/a:1,r/a:2"',
      ],
    ],
    [
      'registry is an image that is pushed',
      {},
      tagged({ tags: [], outputs: ['type=registry,"name=x:1,y:2"'] }),
      ['type=image,"name=x:1,y:2",push=true'],
    ],
    [
      'load joins a docker output',
      { load: true },
      tagged({ tags: ['t:1'], outputs: ['type=docker'] }),
      ['type=docker,name=t:1'],
    ],
    [
      'load beside a docker archive',
      { load: true },
      [target('prod', { outputs: ['type=docker,dest=x.tar'] })],
      ['type=docker', 'type=docker,dest=/w/x.tar'],
    ],
    [
      'all images have one compression',
      { measure, push: true, compression: 'zstd' },
      tagged({ tags: ['t:1'], outputs: ['type=local,dest=o'] }),
      [
        'type=image,push=true,store=false,name=127.0.0.1:5000/secret/prod,compression=zstd',
        'type=local,dest=/w/o',
        'type=image,push=true,name=t:1,compression=zstd',
      ],
    ],
    [
      'an output’s own compression holds for the measured copy, too',
      { measure, compression: 'gzip' },
      [target('prod', { outputs: ['type=image,name=t:1,push=true,compression=zstd,compression-level=9'] })],
      [
        'type=image,push=true,store=false,name=127.0.0.1:5000/secret/prod,compression=zstd,compression-level=9',
        'type=image,name=t:1,push=true,compression=zstd,compression-level=9',
      ],
    ],
  ])('%s', (_name, request, targets, lines) => {
    expect(entry(request, targets)).toMatchObject({ output: lines })
  })

  test('name the directories that must be there', () => {
    const targets = [target('prod', { outputs: ['type=tar,dest=deep/x.tar', 'type=local,dest=o'] })]
    expect(planBake({ ...base, targets }, '/p').directories).toEqual(['/w/deep'])
  })

  test.each(['-', 'dest=x,y', 'type=local,"dest=x', ''])('refuses the line %j with a mend', (line) => {
    expect(() => entry({}, [target('prod', { outputs: [line] })])).toThrow(/^`outputs`: .* Write lines such as/)
  })
})

describe('targets with options of their own', () => {
  const own = { contextDir: '/w/b', dockerfile: '/w/b/Dockerfile' }
  const linked = target('run.time', { own, stage: 'runtime' })
  const links = new Map([['base', 'run.time']])
  const buildContexts = [{ key: 'base', value: 'target:run.time' }]

  test('have these in place of the request’s; what they are built from is there under bake’s name, with their cache', () => {
    const plan = planBake(
      {
        ...{ ...base, network: 'host', buildArgs: { A: '1' }, linked: [linked, target('unused')] },
        targets: [target('a', { own: { ...own, buildArgs: { B: '2' }, buildContexts }, links, cacheFrom: ['x'], cacheTo: ['y'] })],
      },
      '/p',
    ) // prettier-ignore
    expect(plan.definition.target).toEqual({
      a: {
        ...{ context: '/w/b', dockerfile: '/w/b/Dockerfile', target: 'a', args: { B: '2' }, network: 'host' },
        ...{
          contexts: { base: 'target:run_time' },
          output: ['type=cacheonly'],
          'cache-from': ['x'],
          'cache-to': ['y'],
        },
      },
      run_time: {
        ...{ context: '/w/b', dockerfile: '/w/b/Dockerfile', target: 'runtime', args: { A: '1' }, network: 'host' },
        ...{ output: ['type=cacheonly'], 'cache-from': ['x'] },
      },
    })
    expect([plan.targets, plan.linked]).toEqual([[{ id: 'a', name: 'a' }], [{ id: 'run_time', name: 'run.time' }]])
  })

  test('one that is asked for and used is there once; links go on over several', () => {
    const middle = target('middle', { own: { ...own, buildContexts }, links })
    const top = target('top', { links: new Map([['m', 'middle']]) })
    const names = (targets: readonly BuildTarget[]): readonly string[] =>
      Object.keys(planBake({ ...base, targets, linked: [linked, middle] }, '/p').definition.target)
    expect(names([middle, linked])).toEqual(['middle', 'run_time'])
    expect(names([top])).toEqual(['top', 'run_time', 'middle'])
  })

  test('may have their Dockerfile inline, but for a run that has another one', () => {
    const inline = { ...own, dockerfile: undefined, dockerfileInline: 'FROM ${X}' }
    expect(entry({}, [target('a', { own: inline })])).toEqual({
      ...{ context: '/w/b', 'dockerfile-inline': 'FROM $${X}', target: 'a', output: ['type=cacheonly'] },
    })
    expect(entry({}, [target('a', { own: inline, dockerfile: '/p/0' })])).toEqual({
      ...{ context: '/w/b', dockerfile: '/p/0', target: 'a', output: ['type=cacheonly'] },
    })
  })

  test('have secrets that do not meet: each value goes by a variable of its own', () => {
    const secret = (value: string): BuildTarget =>
      target(value, { own: { ...own, secrets: [{ kind: 'value', id: 's', value }] } })
    const { env, definition } = planBake({ ...base, targets: [secret('one'), secret('two')] }, '/p')
    expect(env).toEqual({ STAGE_BUILD_SECRET_0: 'one', STAGE_BUILD_SECRET_1: 'two' })
    expect(Object.values(definition.target).map((entry) => entry.secret)).toEqual([
      ['type=env,id=s,env=STAGE_BUILD_SECRET_0'],
      ['type=env,id=s,env=STAGE_BUILD_SECRET_1'],
    ])
  })
})
