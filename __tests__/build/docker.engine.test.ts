import { describe, expect, test } from '@jest/globals'
import { chmod, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { UserError } from '../../src/errors.ts'
import { dockerFacts, listBuilders, localImageId, runDocker } from '../../src/build/buildx.ts'
import { chooseBuilder, prepareBuilder, removeBuilder } from '../../src/build/own-builder.ts'
import { workspace } from '../support/engine.ts'

const env = process.env

async function problemOf(run: Promise<unknown>): Promise<string> {
  try {
    await run
  } catch (error) {
    if (error instanceof UserError) return error.message
    throw error
  }
  throw new Error('no error')
}

describe('docker on this machine', () => {
  test('is read for real', async () => {
    const facts = await dockerFacts({ env })
    expect(facts.buildxVersion).toMatch(/^v?\d+\.\d+/)
    expect(facts.serverVersion).toMatch(/^\d+\./)
    expect(facts.containerdStore).toBe(true)
    expect((await listBuilders({ env })).filter((builder) => builder.current)).toHaveLength(1)
  })

  test('a missing docker is one clear message', async () => {
    expect(await problemOf(dockerFacts({ env: { PATH: '/nowhere' } }))).toMatch(
      /`docker` command was not found.*ubuntu-latest/,
    )
  })

  test('an engine that does not run is one clear message', async () => {
    const problem = await problemOf(dockerFacts({ env: { ...env, DOCKER_HOST: 'unix:///nowhere/docker.sock' } }))
    expect(problem).toMatch(/cannot be reached: .*\/nowhere\/docker\.sock.*systemctl start docker/)
    expect(problem.split('\n')).toHaveLength(1)
  })

  test('an image that the engine does not have has no id', async () => {
    expect(await localImageId({ env }, 'stage-build-test/no-such-image:1')).toBeUndefined()
  })
})

describe('a builder of our own', () => {
  const needs = { multiPlatform: false, cacheExport: false, ociOutput: false, pushByDigest: false, loopback: true }

  test('is not needed where the current one can do all', async () => {
    await using space = await workspace()
    const facts = await dockerFacts({ env })
    const builder = await chooseBuilder(
      { env },
      { facts, builders: await listBuilders({ env }), named: undefined, needs, job: 'test', tempRoot: space.tempRoot },
    )
    expect(builder).toMatchObject({ loopback: true, created: undefined, warnings: [] })
  })

  test('is created with the configuration of another, or leaves nothing and the second choice with the reason', async () => {
    await using space = await workspace()
    const config = await mkdtemp(join(tmpdir(), 'stage-build-buildx-'))
    const docker = { env: { ...env, BUILDX_CONFIG: config } }
    const otherwise = { kind: 'use', name: 'default', driver: 'docker', loopback: false, warnings: [] } as const
    const name = `stage-build-test-${process.pid}`
    // Where Docker Hub is out of reach the image cannot be pulled: then this tries the way out.
    const decision = {
      kind: 'create',
      spec: { name, driverOpts: { network: 'host' }, flags: [] },
      config: '[log]\n  format = "text"\n',
      why: 'a test',
      otherwise,
    } as const
    const ready = await prepareBuilder(docker, decision, { tempRoot: space.tempRoot })
    const names = async (): Promise<readonly string[]> => (await listBuilders(docker)).map((builder) => builder.name)
    if (ready.created === undefined) {
      expect(ready).toMatchObject({ name: 'default', loopback: false })
      expect(ready.warnings[0]?.message).toMatch(/could not be started: .*(?:moby\/buildkit|buildkit)/)
    } else {
      expect(await names()).toContain(name)
      await removeBuilder(docker, name)
    }
    expect(await names()).not.toContain(name)
    const containers = await runDocker(docker, ['ps', '--all', '--format', '{{.Names}}'])
    expect(containers.stdout).not.toContain(name)
    expect(await readdir(space.tempRoot)).toEqual([])
    if (ready.created === undefined) {
      const needed = { ...decision, otherwise: undefined }
      expect(await problemOf(prepareBuilder(docker, needed, { tempRoot: space.tempRoot }))).toContain(
        'could not be started',
      )
    }
    await rm(config, { recursive: true, force: true })
  })

  test('carries options, flags and buildkitd.toml as buildx understands them', async () => {
    await using space = await workspace({ 'buildkitd.toml': '[log]\n  format = "json"\n' })
    const config = await mkdtemp(join(tmpdir(), 'stage-build-buildx-'))
    const docker = { env: { ...env, BUILDX_CONFIG: config } }
    const { createArgs } = await import('../../src/build/buildx.ts')
    const spec = {
      name: `stage-build-args-${process.pid}`,
      driverOpts: { network: 'host', image: 'moby/buildkit:v0.25.2', 'env.A': 'b,"c"' },
      flags: ['--allow-insecure-entitlement', 'network.host', '--oci-worker-gc-keepstorage=1,2'],
      configFile: space.path('buildkitd.toml'),
    }
    expect(await runDocker(docker, createArgs(spec))).toMatchObject({ code: 0 })
    const made = (await listBuilders(docker)).find((builder) => builder.name === spec.name)
    expect(made).toMatchObject({
      driver: 'docker-container',
      current: false,
      nodes: [{ driverOpts: spec.driverOpts, flags: spec.flags }],
    })
    expect(made?.nodes[0]?.config).toMatch(/format = "json"/)
    await removeBuilder(docker, spec.name)
    await rm(config, { recursive: true, force: true })
  })
})

test('a socket of somebody else’s is one clear message', async () => {
  if (process.getuid?.() !== 0) return // only root can become somebody else
  const home = await mkdtemp(join(tmpdir(), 'stage-build-nobody-'))
  await chmod(home, 0o755)
  await mkdir(join(home, 'locked'), { mode: 0o700 })
  const { runProcess } = await import('../../src/process.ts')
  const { readDockerInfo } = await import('../../src/build/docker-facts.ts')
  const { stdout, stderr, code } = await runProcess(
    'setpriv',
    ['--reuid=65534', '--regid=65534', '--clear-groups', 'docker', 'info', '--format', '{{json .}}'],
    { env: { ...env, HOME: home, DOCKER_CONFIG: home } },
  ).catch(() => ({ stdout: '', stderr: '', code: 127 }))
  await rm(home, { recursive: true, force: true })
  if (code === 127 || !/permission denied/i.test(stdout + stderr)) return // no setpriv, or docker's binary is out of reach
  const facts = readDockerInfo(stdout, stderr)
  const text =
    'problems' in facts ? facts.problems.map((problem) => `${problem.message} ${problem.mend ?? ''}`).join('\n') : ''
  expect(text).toMatch(/may not talk to the Docker engine.*docker group/)
})
