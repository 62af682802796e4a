/**
 * Builds under faults: a small project whose image has the same content whenever and however it is built, the action
 * with the layer cache in GitHub's service (or in a directory), and a check that what came out is that image. Shared by
 * the engine tests and by the random schedule (`script/soak.ts`).
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGunzip } from 'node:zlib'
import { runProcess } from '../../src/process.ts'
import { runAction, runStep, type ActionResult } from './action.ts'
import { GithubCacheService, type TokenScopes } from './github-cache-service.ts'
import { startSlowRegistry, type SlowRegistry } from './slow-registry.ts'

/** What of the project differs from build to build. */
export interface Variant {
  readonly deps: number
  readonly source: number
  readonly config: number
}

export interface LabRun {
  readonly main: ActionResult
  readonly post: ActionResult
  /** Target → what its image holds; empty where the build failed. */
  readonly images: Readonly<Record<string, string>>
  /** Messages of all warnings, of both steps. */
  readonly warnings: readonly string[]
}

export interface LabOptions {
  readonly scopes?: TokenScopes
  readonly inputs?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly signal?: AbortSignal
  readonly onLog?: (text: string) => void
  readonly runnerTemp?: string
  readonly workspace?: string
}

const TARGETS = ['prod', 'debug'] as const

const DOCKERFILE = `FROM alpine:3.22 AS deps
WORKDIR /deps
COPY deps.txt .
RUN i=0; while [ $i -lt 3000 ]; do echo "$i $(cat deps.txt)"; i=$((i+1)); done > big.txt
FROM deps AS build
COPY src /src
RUN cat /src/a.txt big.txt > /out.txt && head -c 400000 /dev/zero > /zero
FROM alpine:3.22 AS prod
COPY --from=build /out.txt /zero /app/
RUN md5sum /app/out.txt > /app/sum
ENV CONFIG=@CONFIG@
FROM build AS debug
RUN echo debug > /debug
CMD ["cat", "/out.txt"]
`

export class FaultLab implements AsyncDisposable {
  readonly service: GithubCacheService
  readonly base: SlowRegistry
  readonly #folder: string
  readonly #references = new Map<string, LabRun['images']>()

  private constructor(service: GithubCacheService, base: SlowRegistry, folder: string) {
    this.service = service
    this.base = base
    this.#folder = folder
  }

  /** @param registry `127.0.0.1:PORT` of the rig's registry */
  static async open(registry: string): Promise<FaultLab> {
    const free = { latencyMs: 0, bytesPerSecond: 0 }
    const service = await GithubCacheService.start()
    service.uploadsPerMinute = 100_000
    return new FaultLab(service, await startSlowRegistry(registry, free), await mkdtemp(join(tmpdir(), 'fault-lab-')))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.service[Symbol.asyncDispose]()
    await this.base[Symbol.asyncDispose]()
    await rm(this.#folder, { recursive: true, force: true })
  }

  /** Makes the engine forget all that it built and pulled: a fresh runner. */
  async chill(): Promise<void> {
    for (const args of [
      ['buildx', 'prune', '-af'],
      ['image', 'prune', '-af'],
    ]) {
      const { code, stderr } = await runProcess('docker', args)
      if (code !== 0) throw new Error(stderr)
    }
  }

  /** A directory of its own with the project's files. */
  async project({ deps, source, config }: Variant): Promise<string> {
    const workspace = await mkdtemp(join(this.#folder, 'project-'))
    await mkdir(join(workspace, 'src'))
    await writeFile(join(workspace, 'Dockerfile'), DOCKERFILE.replace('@CONFIG@', String(config)))
    await writeFile(join(workspace, 'deps.txt'), `dependencies ${deps}\n`)
    await writeFile(join(workspace, 'src', 'a.txt'), `source ${source}\n`)
    return workspace
  }

  /** Runs main and post step on a variant of the project. */
  async run(variant: Variant, options: LabOptions = {}): Promise<LabRun> {
    const workspace = options.workspace ?? (await this.project(variant))
    const { main, post } = await runStep(this.#options(workspace, options))
    return await this.#read(workspace, main, post)
  }

  /** As `run`, but only the main step; for what ends in between. */
  async runMain(variant: Variant, options: LabOptions = {}): Promise<ActionResult> {
    return await runAction(this.#options(await this.project(variant), options))
  }

  /** What the images of a variant hold when nothing is cached. */
  async reference(variant: Variant): Promise<LabRun['images']> {
    const key = JSON.stringify(variant)
    const known = this.#references.get(key)
    if (known !== undefined) return known
    const { main, images } = await this.run(variant, { inputs: { cache: 'off', 'no-cache': 'true' } })
    if (main.code !== 0) throw new Error(`the reference cannot be built:\n${main.stdout}`)
    this.#references.set(key, images)
    return images
  }

  /** What is wrong with a run that should have succeeded; empty where nothing is. */
  async faultsOf(run: LabRun, variant: Variant, mostWarnings = 1): Promise<readonly string[]> {
    const expected = await this.reference(variant)
    const left = run.post.leftovers
    return [
      ...(run.main.code === 0 ? [] : [`main ended with ${String(run.main.code)}`]),
      ...(run.post.code === 0 ? [] : [`post ended with ${String(run.post.code)}`]),
      ...(run.main.stderr + run.post.stderr === '' ? [] : [`on stderr: ${run.main.stderr}${run.post.stderr}`]),
      ...(run.warnings.length <= mostWarnings ? [] : [`${run.warnings.length} warnings: ${run.warnings.join(' | ')}`]),
      ...(left.length === 0 ? [] : [`left behind: ${left.join(', ')}`]),
      ...TARGETS.filter((name) => run.images[name] !== expected[name]).map(
        (name) => `${name} differs:\n${String(run.images[name])}\nshould be\n${String(expected[name])}`,
      ),
    ]
  }

  #options(workspace: string, options: LabOptions): Parameters<typeof runStep>[0] {
    const { scopes = { ref: 'refs/heads/main' }, signal, onLog, runnerTemp } = options
    return {
      workspace,
      ...{ signal, onLog, runnerTemp },
      inputs: {
        'skip-unchanged': 'false',
        targets: TARGETS.join(','),
        'external-images': `alpine:3.22=${this.base.host}/library/alpine:3.22`,
        outputs: 'type=oci,tar=false,dest=out/{target}',
        provenance: 'false',
        ...options.inputs,
      },
      env: { ...this.service.env(scopes), GITHUB_REF: scopes.ref, ...options.env },
    }
  }

  async #read(workspace: string, main: ActionResult, post: ActionResult): Promise<LabRun> {
    const images: Record<string, string> = {}
    if (main.code === 0) {
      for (const name of TARGETS) images[name] = await contentOf(join(workspace, 'out', name))
    }
    const warnings = [...main.annotations, ...post.annotations]
      .filter(({ level }) => level === 'warning')
      .map(({ message }) => message)
    return { main, post, images, warnings }
  }
}

interface Descriptor {
  readonly digest: string
}

/** An OCI layout's image as text that hangs on its content alone: layers' entries and bytes, and the configuration. */
export async function contentOf(layout: string): Promise<string> {
  const blob = (digest: string): string => join(layout, 'blobs', ...digest.split(':'))
  const json = async (path: string): Promise<unknown> => JSON.parse(await readFile(path, 'utf8'))
  const index = (await json(join(layout, 'index.json'))) as { readonly manifests: readonly Descriptor[] }
  const [root] = index.manifests
  if (root === undefined) throw new Error(`${layout} holds ${(await readdir(layout)).join(', ')}`)
  const manifest = (await json(blob(root.digest))) as {
    readonly config: Descriptor
    readonly layers: readonly Descriptor[]
  }
  const config = (await json(blob(manifest.config.digest))) as {
    readonly config: unknown
    readonly history: readonly { readonly created_by?: string }[]
  }
  const layers = await Promise.all(manifest.layers.map(async ({ digest }) => await layerContent(blob(digest))))
  const steps = config.history.map((entry) => entry.created_by ?? '')
  return [JSON.stringify(config.config), ...steps, ...layers].join('\n')
}

async function layerContent(path: string): Promise<string> {
  const hash = createHash('sha256')
  const { names, bytes } = await readTar(createReadStream(path).pipe(createGunzip()))
  for (const chunk of bytes) hash.update(chunk)
  return `${names.join(' ')} ${hash.digest('hex').slice(0, 16)}`
}

/** Names, modes and sizes of a small tar's entries, and the bytes of its files. */
async function readTar(
  stream: AsyncIterable<Buffer>,
): Promise<{ readonly names: readonly string[]; readonly bytes: readonly Buffer[] }> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  const tar = Buffer.concat(chunks)
  const names: string[] = []
  const bytes: Buffer[] = []
  for (let at = 0; at + 512 <= tar.length;) {
    const field = (from: number, to: number): string => tar.toString('latin1', at + from, at + to).replace(/\0.*$/s, '')
    const name = field(0, 100)
    if (name === '') break
    const size = parseInt(field(124, 136), 8) || 0
    const type = field(156, 157)
    // Extended headers hold times, which differ.
    if (type !== 'x') {
      names.push(`${name}:${field(100, 107)}:${type}:${size}:${field(157, 257)}`)
      bytes.push(tar.subarray(at + 512, at + 512 + size))
    }
    at += 512 + Math.ceil(size / 512) * 512
  }
  return { names, bytes }
}
