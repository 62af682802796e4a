/** The action with its layer cache on an engine that forgets between runs: what a run did, made, sent and stored. */
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runProcess } from '../../src/process.ts'
import { runAction, type ActionOptions, type ActionResult } from './action.ts'
import type { CacheEntry } from './cache-entries.ts'
import { startCacheService, type CacheService, type CacheServiceStats } from './cache-service.ts'
import { download } from './entry-transfer.ts'
import type { TokenOptions } from './cache-token.ts'
import type { ColdEngine } from './cold-engine.ts'
import type { Workspace } from './engine.ts'
import { standInLines } from './step.ts'

export interface Lab {
  readonly engine: ColdEngine
  readonly service: CacheService
}

export interface LabStep {
  readonly inputs?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string | undefined>>
  /** What the run may read and write. Default: a push to `main`. */
  readonly token?: TokenOptions
  /** The engine keeps what it has: this is no fresh runner. */
  readonly warm?: boolean
  readonly signal?: AbortSignal
  readonly onLog?: (text: string) => void
  /** RUNNER_TEMP, which stays; default: a new folder, which goes. */
  readonly runnerTemp?: string
  /** Called with RUNNER_TEMP before the post step. */
  readonly between?: (runnerTemp: string) => Promise<void>
}

export interface LabRun {
  readonly main: ActionResult
  readonly post: ActionResult
  /** Of both steps, without debug lines. */
  readonly log: string
  readonly warnings: readonly string[]
  readonly errors: readonly string[]
  /** By target, as the summary tells: `3 of 4` steps from the cache. */
  readonly cached: Readonly<Record<string, string>>
  /** Of this run; entries are all that there are. */
  readonly stats: CacheServiceStats
}

export const MAIN: TokenOptions = { ref: 'refs/heads/main', defaultRef: 'refs/heads/main' }

/** Writes the OCI layouts that `layout` reads; nothing in them tells when they were written. */
export const LAYOUTS = { outputs: 'type=oci,tar=false,dest=out/{target}', provenance: 'false' }

/** Draws lots: only a step that runs again gets another. */
export const LOT = 'cat /proc/sys/kernel/random/uuid'

/** With a service of its own. */
export async function openLab(engine: ColdEngine): Promise<Lab & AsyncDisposable> {
  const service = await startCacheService()
  const dispose = async (): Promise<void> => {
    await service[Symbol.asyncDispose]()
  }
  return { engine, service, [Symbol.asyncDispose]: dispose }
}

/** Runs main and post step on a fresh runner. */
export async function labRun(lab: Lab, space: Workspace, options: LabStep = {}): Promise<LabRun> {
  if (options.warm !== true) await lab.engine.chill()
  lab.service.reset()
  return await labStep(lab, space, options)
}

/** The same beside others: nothing is forgotten or set to zero before. */
export async function labStep(lab: Lab, space: Workspace, options: LabStep = {}): Promise<LabRun> {
  // A layout that is there already would get a second image.
  await rm(space.path('out'), { recursive: true, force: true })
  const runnerTemp = options.runnerTemp ?? (await mkdtemp(join(tmpdir(), 'cache-lab-')))
  const step = actionOptions(lab, space, { ...options, runnerTemp })
  const main = await runAction({ ...step, signal: options.signal })
  await options.between?.(runnerTemp)
  const post = await runAction({ ...step, state: main.state })
  if (options.runnerTemp === undefined) await rm(runnerTemp, { recursive: true, force: true })
  if (main.stderr + post.stderr !== '') throw new Error(`on stderr: ${main.stderr}${post.stderr}`)
  if (post.code !== 0 || post.leftovers.length > 0) {
    throw new Error(`the post step: ${String(post.code)}, ${post.leftovers.join(' ')}\n${post.stdout}`)
  }
  const all = [...main.annotations, ...post.annotations]
  return {
    ...{ main, post },
    log: `${main.stdout}${post.stdout}`.replaceAll(/^::debug::.*\n/gm, ''),
    warnings: all.filter(({ level }) => level === 'warning').map(({ message }) => message),
    errors: all.filter(({ level }) => level === 'error').map(({ message }) => message),
    cached: Object.fromEntries(
      [...main.summary.matchAll(/^\| `([^`]+)` \|.*\| (\d+ of \d+) \|$/gm)].map(([, name = '', text = '']) => [
        name,
        text,
      ]),
    ),
    stats: lab.service.stats(),
  }
}

/** What a step is started with. */
export function actionOptions({ service }: Lab, space: Workspace, options: LabStep): ActionOptions {
  const { token = MAIN, runnerTemp, onLog } = options
  return {
    workspace: space.directory,
    inputs: { 'skip-unchanged': 'false', 'external-images': standInLines(), ...options.inputs },
    env: { ...service.env(token), GITHUB_REF: token.ref, ...options.env },
    ...{ runnerTemp, onLog },
  }
}

/** A run that must succeed without a warning. @throws Error with its log when it does not */
export async function labBuild(lab: Lab, space: Workspace, options: LabStep = {}): Promise<LabRun> {
  const run = await labRun(lab, space, options)
  if (run.main.code !== 0) throw new Error(`the step failed:\n${run.log}`)
  if (run.warnings.length > 0) throw new Error(`it warns: ${run.warnings.join('\n')}\n${run.main.stdout.slice(-9_000)}`)
  return run
}

/** By target: steps that were not cached. */
export function stepsRun({ cached }: LabRun): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(cached).map(([name, text]) => {
      const [some = 0, all = 0] = text.split(' of ').map(Number)
      return [name, all - some]
    }),
  )
}

export interface Layout {
  /** Of the configuration. */
  readonly config: string
  /** Digests, the base's first. */
  readonly layers: readonly string[]
}

interface Descriptor {
  readonly digest: string
}

/** The image in an OCI layout. @throws when it has several platforms */
export async function layout(directory: string): Promise<Layout> {
  const read = async (...path: readonly string[]): Promise<unknown> =>
    JSON.parse(await readFile(join(directory, ...path), 'utf8'))
  const { manifests } = (await read('index.json')) as { readonly manifests: readonly Descriptor[] }
  const [root] = manifests
  const manifest = (await read('blobs', ...(root?.digest ?? '').split(':'))) as {
    readonly config: Descriptor
    readonly layers: readonly Descriptor[]
  }
  return { config: manifest.config.digest, layers: manifest.layers.map(({ digest }) => digest) }
}

/** What the service keeps of an entry, unpacked: path → bytes. */
export type Unpacked = ReadonlyMap<string, Buffer>

/** Fetches and unpacks all entries, by key. */
export async function unpackEntries(service: CacheService): Promise<ReadonlyMap<string, Unpacked>> {
  const entries = await Promise.all(
    service.stats().entries.map(async (entry) => [entry.key, await unpack(service, entry)] as const),
  )
  return new Map(entries)
}

/** Digests of the blobs in the entries of the service; those in several are named several times. */
export async function storedBlobs(service: CacheService): Promise<readonly string[]> {
  const files = [...(await unpackEntries(service)).values()].flatMap((entry) => [...entry.keys()])
  const names = files.map((path) => path.split('/').at(-1) ?? '')
  return names.filter((name) => name.startsWith('sha256-')).map((name) => name.replace('-', ':'))
}

/** Digests of the blobs in the packs that the index saved last refers to; those in several are named several times. */
export async function liveBlobs(service: CacheService): Promise<readonly string[]> {
  const index = [...(await unpackEntries(service))].findLast(([key]) => key.startsWith('sb1-index-'))?.[1]
  const bytes = [...(index ?? [])].find(([path]) => path.endsWith('.json'))?.[1] ?? Buffer.from('{}')
  const { packs = {} } = JSON.parse(bytes.toString()) as {
    readonly packs?: Readonly<Record<string, { readonly blobs: object }>>
  }
  return Object.values(packs).flatMap(({ blobs }) => Object.keys(blobs))
}

export async function unpack(service: CacheService, entry: CacheEntry): Promise<Unpacked> {
  const folder = await mkdtemp(join(tmpdir(), 'cache-lab-'))
  try {
    const archive = join(folder, 'archive')
    await writeFile(archive, await download(service, entry))
    const files = join(folder, 'files')
    const { code, stderr } = await runProcess('sh', ['-c', 'mkdir "$1" && tar -xf "$0" -C "$1"', archive, files], {
      env: process.env,
    })
    if (code !== 0) throw new Error(stderr)
    const found = (await readdir(files, { recursive: true, withFileTypes: true })).filter((one) => one.isFile())
    return new Map(
      await Promise.all(
        found.map(async ({ parentPath, name }) => {
          const path = join(parentPath, name)
          return [path.slice(files.length + 1), await readFile(path)] as const
        }),
      ),
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
