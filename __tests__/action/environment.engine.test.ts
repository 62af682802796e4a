/** What a user reads when the machine is at fault: docker, its plugin, its socket, its disk. */
import { describe, expect, test } from '@jest/globals'
import { randomUUID } from 'node:crypto'
import { chmod, copyFile, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { runProcess } from '../../src/process.ts'
import { docker } from '../support/engine.ts'
import { attempt, NO_ENGINE } from '../support/refusal.ts'

const FILES = { Dockerfile: 'FROM scratch\nCOPY x /\n', x: '1' }
/** Mounting and changing users need root: here and in CI's own engine there is; elsewhere these are skipped. */
const asRoot = process.getuid?.() === 0 ? test : test.skip

interface Rig extends AsyncDisposable {
  readonly directory: string
  readonly docker: string
  readonly buildx: string
  /** PATH with `docker` being this shell script. */
  path(script: string): Promise<string>
}

async function rig(): Promise<Rig> {
  const directory = await mkdtemp(join(tmpdir(), 'stage-build-client-'))
  await chmod(directory, 0o755)
  const found = await runProcess('sh', ['-c', 'command -v docker'])
  const buildx = await docker(
    'info',
    '--format',
    '{{range .ClientInfo.Plugins}}{{if eq .Name "buildx"}}{{.Path}}{{end}}{{end}}',
  )
  return {
    directory,
    docker: await realpath(found.stdout.trim()),
    buildx,
    path: async (script) => {
      await writeFile(join(directory, 'docker'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
      return [directory, process.env['PATH']].join(delimiter)
    },
    [Symbol.asyncDispose]: async () => {
      await rm(directory, { recursive: true, force: true })
    },
  }
}

describe('docker', () => {
  asRoot('without its buildx plugin', async () => {
    await using client = await rig()
    const hide = `mount -t tmpfs none ${dirname(client.buildx)} && exec ${client.docker} "$@"`
    const PATH = await client.path(`exec unshare --mount sh -c '${hide}' docker "$@"`)
    const { code, errors } = await attempt({ files: FILES, env: { PATH, DOCKER_CONFIG: client.directory } })
    expect(code).toBe(1)
    expect(errors).toEqual([
      'stage-build: Docker has no buildx plugin. Add a `docker/setup-buildx-action` step before this one, or install the docker-buildx plugin.',
    ])
  })

  asRoot('whose socket this user may not use', async () => {
    await using client = await rig()
    const plugins = join(client.directory, 'cli-plugins')
    await mkdir(plugins)
    await copyFile(await realpath(client.buildx), join(plugins, 'docker-buildx'))
    await copyFile(client.docker, join(client.directory, 'client'))
    const drop = 'setpriv --reuid=65534 --regid=65534 --clear-groups'
    const PATH = await client.path(`exec ${drop} ${client.directory}/client "$@"`)
    const { errors } = await attempt({ files: FILES, env: { PATH, DOCKER_CONFIG: client.directory } })
    expect(errors).toEqual([
      'stage-build: This user may not talk to the Docker engine (permission denied on its socket). Add the runner’s user to the docker group (`sudo usermod -aG docker "$USER"`) and restart the runner.',
    ])
  })

  test('whose engine does not run', async () => {
    const { errors } = await attempt({ files: FILES, env: NO_ENGINE })
    expect(errors).toEqual([
      expect.stringMatching(/^stage-build: The Docker engine cannot be reached: .*nonexistent\/docker\.sock.*Start it/),
    ])
  })
})

describe('a full disk', () => {
  // What another run of the test left in the engine is of no use to this one.
  const Dockerfile = `FROM alpine:3.22\nRUN : ${randomUUID()} && head -c 8000000 /dev/urandom > /big\n`

  asRoot.each([
    ['type=tar,dest=out.tar', /The disk is full \(no space left on device\)\. Free space before this step/],
    ['type=local,dest=.', /The output could not be written.*the disk that `dest` in `outputs` is on is full/],
  ])('under %s is told as one', async (output, message) => {
    const small = await mkdtemp(join(tmpdir(), 'stage-build-small-'))
    const mounted = await runProcess('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', small])
    expect(mounted.code).toBe(0)
    try {
      const outputs = output.replace('dest=', `dest=${small}/`)
      const { code, errors } = await attempt({ files: { Dockerfile }, inputs: { outputs } })
      expect(code).toBe(1)
      expect(errors).toEqual([expect.stringMatching(message)])
    } finally {
      await runProcess('umount', [small])
      await rm(small, { recursive: true, force: true })
    }
  })
})

describe('a layer that the engine has lost from its disk', () => {
  asRoot.each([
    ['an export', ''],
    ['a command', 'RUN cat /two\n'],
    ['a copy', 'FROM scratch\nCOPY --from=base /two /\n'],
  ])('is built anew where %s needs it, and told of', async (_, more) => {
    const id = randomUUID()
    const files = { Dockerfile: `FROM alpine:3.22 AS base\nRUN echo ${id} > /${id}\nRUN echo two > /two\n` }
    const inputs = { outputs: 'type=local,dest=out' }
    expect((await attempt({ files, inputs })).code).toBe(0)
    const { stdout: root } = await runProcess('docker', ['info', '--format', '{{.DockerRootDir}}'])
    const snapshots = join(root.trim(), 'containerd/daemon/io.containerd.snapshotter.v1.overlayfs/snapshots')
    const { stdout: found } = await runProcess('sh', ['-c', 'ls -d "$0"/*/fs/"$1"', snapshots, id])
    const lost = dirname(dirname(found.trim()))
    expect(dirname(lost)).toBe(snapshots)
    await rm(lost, { recursive: true })
    const { code, warnings } = await attempt({ files: { Dockerfile: files.Dockerfile + more }, inputs })
    expect(warnings).toEqual([
      'stage-build: A layer of the builder’s own cache is gone from its disk: what was left to build was built without that cache.',
    ])
    expect(code).toBe(0)
  })
})

describe('a log of fifty stages', () => {
  test('has few lines for each, every one with its stage', async () => {
    const id = `${process.pid}-${performance.now()}`
    const stages = Array.from(
      { length: 50 },
      (_, i) => `FROM ${i === 0 ? 'alpine:3.22' : 's0'} AS s${i}\nRUN echo ${id} ${i} | tee /out\n`,
    )
    const copies = stages.map((_, i) => `COPY --from=s${i} /out /h${i}\n`)
    const files = { Dockerfile: `${stages.join('')}FROM scratch AS all\n${copies.join('')}` }
    const { code, stdout } = await attempt({ files })
    expect(code).toBe(0)
    const lines = stdout.split('\n').filter((line) => !line.startsWith('::debug::')) // GitHub hides those
    const log = lines.filter((line) => line.startsWith('[s') || /^[▸✓✗] \[s\d/.test(line))
    // Header, output and end of each.
    expect(log).toHaveLength(150)
    for (let i = 0; i < 50; i++) expect(log.filter((line) => line.includes(`[s${i} `))).toHaveLength(3)
    const others = lines.filter((line) => !log.includes(line))
    expect(others.filter((line) => /^✓ \[all \d+\/50\] COPY/.test(line))).toHaveLength(50)
    expect(others.length).toBeLessThan(75)
  })
})
