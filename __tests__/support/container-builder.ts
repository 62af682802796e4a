/**
 * A builder of buildx's driver `docker-container` where no image of BuildKit can be had: its container leads to the BuildKit
 * of the engine that it runs on. To buildx it is a container like any other; what is pushed by digest, which buildx
 * refuses the engine's own builder, goes through it.
 */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runProcess } from '../../src/process.ts'
import { buildkitOf, relay } from './buildkit-relay.ts'

export interface ContainerBuilder extends AsyncDisposable {
  /** As buildx knows it. */
  readonly name: string
}

const IMAGE = 'stage-build-test/buildkit'

/** What buildx runs in the container: https://github.com/docker/buildx/blob/v0.29.1/driver/docker-container/driver.go */
const PROGRAMS = {
  buildkitd: 'exec sleep 1000000',
  buildctl: 'if [ "$1" = dial-stdio ]; then exec busybox nc 127.0.0.1 "$BUILDKIT_PORT"; fi',
}

/**
 * Makes the builder, on the host's network.
 * @param env what leads docker to the engine
 * @param base an image with a shell and busybox, which the engine can pull
 * @throws Error when it does not come up
 */
export async function startContainerBuilder(env: NodeJS.ProcessEnv, base: string): Promise<ContainerBuilder> {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'container-builder-'))
  stack.defer(async () => {
    await rm(folder, { recursive: true, force: true })
  })
  const docker = async (...args: readonly string[]): Promise<void> => {
    const { code, stderr } = await runProcess('docker', args, { env })
    if (code !== 0) throw new Error(`docker ${args.join(' ')}: ${stderr}`)
  }
  for (const [name, line] of Object.entries(PROGRAMS)) {
    await writeFile(join(folder, name), `#!/bin/sh\n${line}\n`)
    await chmod(join(folder, name), 0o755)
  }
  const dockerfile = `FROM ${base}\nCOPY ${Object.keys(PROGRAMS).join(' ')} /usr/local/bin/\nENTRYPOINT ["buildkitd"]\n`
  await writeFile(join(folder, 'Dockerfile'), dockerfile)
  await docker('build', '--quiet', '--provenance=false', `--tag=${IMAGE}`, folder)
  stack.defer(async () => {
    await docker('image', 'rm', '--force', IMAGE)
  })
  const engine = env['DOCKER_HOST'] ?? ''
  const { server } = stack.use(await relay({ port: 0, host: '127.0.0.1' }, async () => await buildkitOf(engine)))
  const { port } = server.address() as AddressInfo
  const name = `container-${process.pid}-${Date.now().toString(36)}`
  const options = [`image=${IMAGE}`, 'network=host', `env.BUILDKIT_PORT=${port}`]
  await docker(
    ...['buildx', 'create', '--bootstrap', '--driver=docker-container', `--name=${name}`],
    ...options.map((option) => `--driver-opt=${option}`),
  )
  stack.defer(async () => {
    await docker('buildx', 'rm', '--force', name)
  })
  const kept = stack.move()
  return {
    name,
    [Symbol.asyncDispose]: async () => {
      await kept.disposeAsync()
    },
  }
}
