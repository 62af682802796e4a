import { describe, expect, test } from '@jest/globals'
import { checkPlatform, compareVersions, readBuilders, readDockerInfo } from '../../src/build/docker-facts.ts'

const PLUGIN = { Name: 'buildx', Version: '0.29.1+ds1' }

function info(more: object = {}): string {
  return JSON.stringify({
    ServerVersion: '28.5.2',
    DriverStatus: [['driver-type', 'io.containerd.snapshotter.v1']],
    OSType: 'linux',
    Architecture: 'aarch64',
    ClientInfo: { Version: '28.5.2', Plugins: [{ Name: 'compose', Version: '2' }, PLUGIN] },
    ...more,
  })
}

describe('what docker says of itself', () => {
  test('is read: versions, image store, platform', () => {
    expect(readDockerInfo(info(), '')).toEqual({
      clientVersion: '28.5.2',
      serverVersion: '28.5.2',
      buildxVersion: '0.29.1+ds1',
      containerdStore: true,
      platform: 'linux/arm64',
    })
    const old = info({ DriverStatus: [['Backing Filesystem', 'extfs']], Architecture: 'x86_64' })
    expect(readDockerInfo(old, '')).toMatchObject({ containerdStore: false, platform: 'linux/amd64' })
  })

  test.each([
    ['no buildx', info({ ClientInfo: { Version: '28', Plugins: null } }), '', /no buildx plugin.*setup-buildx-action/],
    [
      'an old buildx',
      info({ ClientInfo: { Plugins: [{ Name: 'buildx', Version: 'v0.12.1-docker' }] } }),
      '',
      /buildx v0\.12\.1-docker is too old/,
    ],
    [
      'no engine',
      info({
        ServerVersion: '',
        ServerErrors: ['Cannot connect to the Docker daemon at unix:///nope.sock. Is the docker daemon running?'],
      }),
      '',
      /cannot be reached: Cannot connect.*systemctl start docker/,
    ],
    [
      'a socket of somebody else’s',
      info({ ServerVersion: '' }),
      'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock',
      /permission denied.*docker group/,
    ],
    ['nothing at all', '', 'boom', /cannot be reached: boom/],
  ])('%s is a problem with its mend', (_name, stdout, stderr, text) => {
    const facts = readDockerInfo(stdout, stderr)
    const problems = 'problems' in facts ? facts.problems : []
    expect(problems).toHaveLength(1)
    expect(`${problems[0]?.message ?? ''} ${problems[0]?.mend ?? ''}`).toMatch(text)
  })

  test('an engine that no build needs need not be there; buildx must be', () => {
    const unneeded = { needsEngine: false }
    expect(readDockerInfo(info({ ServerVersion: '' }), 'no engine', unneeded)).toMatchObject({
      ...{ serverVersion: undefined, buildxVersion: '0.29.1+ds1' },
    })
    const bare = info({ ServerVersion: '', ClientInfo: { Plugins: [] } })
    expect(readDockerInfo(bare, '', unneeded)).toMatchObject({
      problems: [{ message: 'Docker has no buildx plugin.' }],
    })
  })

  test('two faults are told at once', () => {
    const facts = readDockerInfo(info({ ServerVersion: '', ClientInfo: { Plugins: [] } }), '')
    expect('problems' in facts ? facts.problems : []).toHaveLength(2)
  })
})

describe('builders', () => {
  test('of Kubernetes are read with a node for each pod', () => {
    // As `docker buildx ls --format json` of buildx 0.29 has it: one line, the pods that answer with their platforms.
    const line =
      '{"Current":true,"Driver":"kubernetes","Dynamic":false,"LastActivity":"2026-11-20T10:00:00Z","Name":"kube","Nodes":[{"DriverOpts":{"namespace":"ci","replicas":"2"},"Endpoint":"kubernetes:///kube?deployment=kube0","Name":"kube0","Platforms":["linux/arm64"],"Status":"running","Version":"v0.25.2"},{"Endpoint":"kubernetes:///kube?deployment=kube1","Err":"no pods","Name":"kube1","Status":"inactive"}]}'
    expect(readBuilders(line)).toMatchObject([
      {
        ...{ name: 'kube', driver: 'kubernetes', current: true },
        nodes: [
          { driverOpts: { namespace: 'ci', replicas: '2' }, platforms: ['linux/arm64'], error: undefined },
          { platforms: [], error: 'no pods' },
        ],
      },
    ])
  })

  test('are read with options and configuration', () => {
    const lines = [
      '{"Current":false,"Driver":"docker-container","Name":"t1","Nodes":[{"DriverOpts":{"env.A":"b,c","network":"host"},"Endpoint":"unix:///s","Files":{"buildkitd.toml":"W3dvcmtlcl0K"},"Flags":["--debug"],"Name":"t10","Status":"inactive"}]}',
      '{"Current":true,"Driver":"docker","Name":"default","Nodes":[{"Endpoint":"default","Name":"default","Platforms":["linux/amd64"],"Version":"v0.25"}]}',
      '',
    ]
    expect(readBuilders(lines.join('\n'))).toMatchObject([
      {
        name: 't1',
        driver: 'docker-container',
        current: false,
        nodes: [{ driverOpts: { 'env.A': 'b,c', network: 'host' }, flags: ['--debug'], config: '[worker]\n' }],
      },
      { name: 'default', driver: 'docker', current: true, nodes: [{ platforms: ['linux/amd64'], config: undefined }] },
    ])
  })
})

test.each([
  ['0.19.0', 'v0.19.0', 0],
  ['0.29.1+ds1', '0.19.0', 1],
  ['0.9.1', '0.19.0', -1],
  ['v1', '0.19.0', 1],
  ['0.36.1', '0.36', 1],
])('version %s against %s is %d', (a, b, expected) => {
  expect(compareVersions(a, b)).toBe(expected)
})

test('only Linux runners build', () => {
  expect(checkPlatform('linux')).toEqual([])
  expect(checkPlatform('darwin')[0]?.message).toContain('macOS')
  expect(checkPlatform('win32')[0]).toMatchObject({ mend: expect.stringContaining('ubuntu-latest') as unknown })
})
