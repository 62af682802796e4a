import { expect, test } from '@jest/globals'
import { readBakeTargets } from '../../src/build/bake-targets.ts'

const read = (definition: object, env: NodeJS.ProcessEnv = {}) => readBakeTargets(definition, { env })

test('every option, in the words of the inputs', () => {
  const { targets, asked, refused } = read(
    {
      group: { default: { targets: ['a', 'g'] }, g: { targets: ['a', 'b'] } },
      target: {
        a: {
          ...{ context: 'app', dockerfile: 'Dockerfile.x', target: 'prod', description: 'words' },
          args: { A: '1', T: '$${HOME} %%{if}' },
          contexts: { base: 'target:b' },
          ...{ platforms: ['linux/amd64'], tags: ['r/a:1'], labels: { l: 'v' }, annotations: ['index:a=b'] },
          secret: [{ id: 'x', env: 'TOKEN' }, { id: 'y', src: 'file' }, { id: 'SET' }, { id: 'bare' }],
          ssh: [{ id: 'default' }, { id: 'k', paths: ['/a', '/b'] }],
          output: [{ dest: 'a,b', type: 'local' }, { type: 'registry' }],
          'cache-from': [{ scope: 's', type: 'gha' }],
          'cache-to': [{ type: 'inline' }],
          attest: [{ mode: 'max', type: 'provenance' }],
          ...{ pull: true, 'no-cache': true, 'no-cache-filter': ['prod'], network: 'host', 'shm-size': '64m' },
          ...{ 'extra-hosts': { h: '::1' }, ulimits: ['nofile=1:2'], entitlements: ['network.host'], call: 'build' },
        },
        b: { output: [{ type: 'cacheonly' }] },
      },
    },
    { SET: '1' },
  )
  expect(refused.size).toBe(0)
  expect(asked).toEqual(['a', 'b'])
  expect(targets[0]).toEqual({
    ...{ name: 'a', context: 'app', dockerfile: 'Dockerfile.x', inline: undefined, stage: 'prod' },
    args: { A: '1', T: '${HOME} %{if}' },
    contexts: [{ key: 'base', value: 'target:b' }],
    ...{ platforms: ['linux/amd64'], tags: ['r/a:1'], labels: [{ key: 'l', value: 'v' }], annotations: ['index:a=b'] },
    secrets: [
      { kind: 'env', id: 'x', env: 'TOKEN' },
      { kind: 'file', id: 'y', path: 'file' },
      { kind: 'env', id: 'SET', env: 'SET' },
      { kind: 'file', id: 'bare', path: 'bare' },
    ],
    ssh: ['default', 'k=/a,/b'],
    outputs: ['type=local,"dest=a,b"', 'type=registry'],
    ...{ cacheFrom: ['type=gha,scope=s'], cacheTo: ['type=inline'], attests: ['type=provenance,mode=max'] },
    ...{ pull: true, noCache: true, noCacheFilters: ['prod'], network: 'host', shmSize: '64m' },
    ...{ addHosts: ['h=::1'], ulimits: ['nofile=1:2'], entitlements: ['network.host'] },
  })
  expect(targets[1]).toMatchObject({ context: '.', dockerfile: 'Dockerfile', stage: undefined, args: {}, pull: false })
})

test('a group and a target of one name; nothing; a circle of groups', () => {
  const group = { default: { targets: ['a', 'h'] }, a: { targets: ['a', 'b'] }, h: { targets: ['a', 'h'] } }
  expect(read({ group, target: { a: {}, b: {}, c: {} } }).asked).toEqual(['a', 'b'])
  expect(read({ group: { default: { targets: ['default'] } }, target: { default: {} } }).asked).toEqual(['default'])
  expect(read([]).asked).toEqual([])
})

test('what cannot be kept is told by target, with a mend', () => {
  const { refused } = read({
    target: {
      fine: {},
      remote: { context: 'git@example.org:a.git' },
      linked: { context: 'target:fine' },
      fetched: { dockerfile: 'https://example.org/Dockerfile' },
      call: { call: 'outline' },
      policy: { policy: [{ filename: 'x' }] },
      new: { 'from-tomorrow': 1 },
    },
  })
  expect([...refused.keys()]).toEqual(['remote', 'linked', 'fetched', 'call', 'policy', 'new'])
  for (const [name, [problem]] of refused) {
    expect(problem?.message).toMatch(new RegExp(`^The bake target \`${name}\` has `))
    expect(problem).toMatchObject({ input: 'bake-files', target: name, mend: expect.stringMatching(/\.$/) })
  }
})

test('platforms are named as everywhere else, `local` being that of this machine', () => {
  const platforms = ['local', 'linux/AMD64,linux/arm64/v8', 'linux/amd46']
  const { targets } = readBakeTargets({ target: { a: { platforms }, b: {} } }, { env: {}, host: 'linux/arm64' })
  expect(targets.map((target) => target.platforms)).toEqual([['linux/arm64', 'linux/amd64', 'linux/amd46'], []])
})

test('paths are the workspace’s, also where bake is run elsewhere', () => {
  const a = {
    ...{ context: '..', dockerfile: 'cwd://x/Dockerfile', contexts: { b: 'lib', c: 'cwd://lib', d: '/lib', e: 'target:b', f: 'oci-layout://l:1', g: 'docker-image://x', h: 'https://x.example/a.git' } },
    secret: [{ id: 'x', src: '../s' }, { id: 'y', env: 'Y' }, { id: 'bare' }, { id: 'z', src: '/s' }],
    ssh: [{ id: 'k', paths: ['key', '/key'] }],
    output: [{ type: 'local', dest: 'out' }, { type: 'tar', dest: '-' }, { type: 'image', name: 'r/dest' }],
    'cache-from': [{ type: 'local', src: 'c' }, { type: 'gha', scope: 's' }],
    'cache-to': [{ type: 'local', dest: '../c' }],
  }
  const [there] = readBakeTargets({ target: { a } }, { env: {}, base: 'docker' }).targets
  expect(there).toMatchObject({
    ...{ context: '.', dockerfile: 'cwd://docker/x/Dockerfile', outputs: ['type=local,dest=docker/out', 'type=tar,dest=-', 'type=image,name=r/dest'] },
    ...{ cacheFrom: ['type=local,src=docker/c', 'type=gha,scope=s'], cacheTo: ['type=local,dest=c'], ssh: ['k=docker/key,/key'] },
  })
  expect(there?.contexts.map(({ value }) => value)).toEqual([
    ...['docker/lib', 'cwd://docker/lib', '/lib', 'target:b', 'oci-layout://docker/l:1', 'docker-image://x', 'https://x.example/a.git'],
  ])
  expect(there?.secrets.flatMap((secret) => (secret.kind === 'file' ? secret.path : []))).toEqual(['s', 'docker/bare', '/s'])
  const [plain] = readBakeTargets({ target: { a: {} } }, { env: {}, base: 'docker' }).targets
  expect([plain?.context, plain?.dockerfile]).toEqual(['docker', 'Dockerfile'])
}) // prettier-ignore
