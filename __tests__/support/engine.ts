/** What engine tests share: docker as the rig made it ready, directories that go away, the stand-in images. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Docker } from '../../src/build/buildx.ts'
import { runDocker } from '../../src/build/buildx.ts'
import type { ImageRule } from '../../src/build/source-policy.ts'

export interface Workspace extends AsyncDisposable {
  readonly directory: string
  /** For the build's private files; a test can see that nothing is left in it. */
  readonly tempRoot: string
  readonly docker: Docker
  path(...parts: readonly string[]): string
  write(files: Readonly<Record<string, string>>): Promise<void>
}

/** A directory with these files; removed at the end of the test (`await using`). */
export async function workspace(files: Readonly<Record<string, string>> = {}): Promise<Workspace> {
  const directory = await mkdtemp(join(tmpdir(), 'stage-build-test-'))
  const root = join(directory, 'workspace')
  const tempRoot = join(directory, 'temp')
  await mkdir(tempRoot, { recursive: true })
  const write = async (more: Readonly<Record<string, string>>): Promise<void> => {
    for (const [name, content] of Object.entries(more)) {
      await mkdir(dirname(join(root, name)), { recursive: true })
      await writeFile(join(root, name), content)
    }
  }
  await mkdir(root, { recursive: true })
  await write(files)
  return {
    directory: root,
    tempRoot,
    docker: { env: process.env, cwd: root },
    path: (...parts) => join(root, ...parts),
    write,
    [Symbol.asyncDispose]: async () => {
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Runs docker and returns what it printed. @throws when it fails. */
export async function docker(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runDocker({ env: process.env }, args)
  if (code !== 0) throw new Error(`docker ${args.join(' ')}: ${stderr}`)
  return stdout.trim()
}

/** `127.0.0.1:PORT` of the rig's registry. */
export function rigRegistry(): string {
  const host = process.env['STAGE_BUILD_REGISTRY']
  if (host === undefined) throw new Error('STAGE_BUILD_REGISTRY is not set; run through script/with-engine')
  return host
}

/** Rules that map these images (`alpine:3.22`) to the rig's stand-ins, pinned, as the plan would. */
export async function standIns(...names: readonly string[]): Promise<readonly ImageRule[]> {
  const lines = (process.env['STAGE_BUILD_EXTERNAL_IMAGES'] ?? '').split('\n')
  return await Promise.all(
    names.map(async (name) => {
      const ref = lines
        .find((line) => line.startsWith(`${name}=`))
        ?.slice(name.length + 1)
        .trim()
      if (ref === undefined) throw new Error(`no stand-in for ${name}`)
      return { image: `docker.io/library/${name}`, ref, digest: await manifestDigest(ref) }
    }),
  )
}

/** Digest of what a reference in a registry without login names; undefined when it is not there. */
export async function manifestDigest(reference: string): Promise<string | undefined> {
  const [, host, path, tag] = /^([^/]+)\/(.+):([^:/]+)$/.exec(reference) ?? []
  const types = ['image.index.v1', 'image.manifest.v1'].map((type) => `application/vnd.oci.${type}+json`)
  const docker = ['manifest.list.v2', 'manifest.v2'].map((type) => `application/vnd.docker.distribution.${type}+json`)
  const response = await fetch(`http://${host ?? ''}/v2/${path ?? ''}/manifests/${tag ?? ''}`, {
    method: 'HEAD',
    headers: { accept: [...types, ...docker].join(', ') },
  })
  return response.ok ? (response.headers.get('docker-content-digest') ?? undefined) : undefined
}
