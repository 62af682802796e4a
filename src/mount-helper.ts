/** Runs the helper build of cache mounts on the builder, and removes what it leaves there. */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { helperArgs, pruneArgs, runDocker, type Docker } from './build/buildx.ts'
import { YoungGarbage } from './cache/young-garbage.ts'
import { ArchiveLine, type LineAddress } from './mounts/archive-line.ts'
import {
  helperContext,
  helperDockerfile,
  putInScript,
  takeOutScript,
  type HelperMount,
  type PackedMount,
} from './mounts/helper-build.ts'
import { canHaveLine, findTools, layOutRoot, type HelperFiles } from './mounts/helper-root.ts'

export interface MountHelperOptions {
  readonly docker: Docker
  /** Undefined: the current one. */
  readonly builder: string | undefined
  /** `BUILDKIT_CACHE_MOUNT_NS`; empty where it is not given. */
  readonly namespace: string
  readonly tempRoot: string
  readonly signal: AbortSignal
  /** Called before each run: what it leaves on the builder is found by the token. */
  readonly onRun: (token: string) => void
}

interface HelperRun {
  readonly kind: 'put-in' | 'take-out'
  readonly mounts: readonly HelperMount[]
  /** By name: where archives lie, or are to be written. */
  readonly archives: ReadonlyMap<string, string>
  readonly maxBytes: number
  readonly script: (line: LineAddress | undefined) => string
  /** Where what it made goes to; undefined: nothing is made. */
  readonly output: string | undefined
  readonly timeoutMs: number
}

const PATIENCE_MS = 60_000
const SLOWEST_BYTES_PER_SECOND = 10_000_000

/**
 * Removes the helper's records from a builder that lives on; the mounts stay. It may take seconds, since BuildKit looks at
 * all records.
 */
export async function removeHelperRecords(docker: Docker, builder: string | undefined, token: string): Promise<void> {
  if (!/^[0-9a-f]{16}$/.test(token)) return
  await runDocker(docker, pruneArgs(builder, [`description~=${token}`, 'type!=exec.cachemount']))
}

/** The helper could not do its work; the message is a clause. */
export class HelperError extends Error {}

export class MountHelper {
  readonly #options: MountHelperOptions
  readonly #token = randomBytes(8).toString('hex')
  readonly #garbage = new YoungGarbage()
  #tools: Promise<HelperFiles> | undefined
  /** What the builder runs does not reach this machine's loopback, or may not. */
  #isDeaf = false

  constructor(options: MountHelperOptions) {
    this.#options = options
  }

  /** Looks for the programs beside what else goes on. */
  begin(): void {
    this.#tools ??= findTools(this.#options.docker.env)
    this.#tools.catch(() => undefined) // told when they are used
  }

  /**
   * Unpacks archives into their mounts.
   * @throws HelperError, ToolMissingError
   */
  async putIn(archives: readonly (HelperMount & { readonly path: string; readonly bytes: number })[]): Promise<void> {
    const bytes = archives.reduce((sum, archive) => sum + archive.bytes, 0)
    await this.#run({
      ...{ kind: 'put-in', mounts: archives, maxBytes: 0, output: undefined },
      archives: new Map(archives.map(({ name, path }) => [name, path])),
      script: (line) =>
        putInScript(
          archives.map(({ name }) => name),
          line,
        ),
      timeoutMs: timeoutFor(bytes),
    })
  }

  /**
   * Packs mounts: `NAME.list` and, unless it would be too large, `NAME.tar` in the folder that is returned, which is made.
   * @throws HelperError, ToolMissingError
   */
  async takeOut(
    mounts: readonly (HelperMount & PackedMount)[],
    { maxBytes, folder }: { readonly maxBytes: number; readonly folder: string },
  ): Promise<string> {
    const [out, streamed] = [join(folder, 'out'), join(folder, 'streamed')]
    await mkdir(streamed, { recursive: true })
    const archives = new Map(mounts.map(({ name }) => [name, join(streamed, `${name}.tar`)]))
    const hadLine = await this.#run({
      ...{ kind: 'take-out', mounts, maxBytes, archives, output: folder },
      script: (line) => takeOutScript(mounts, { maxBytes, line }),
      timeoutMs: timeoutFor(mounts.length * maxBytes),
    })
    for (const [name, path] of hadLine ? archives : []) {
      // One that is a little too large is whole in the helper's eyes, and was broken off here.
      if (existsSync(join(out, `${name}.whole`)) && existsSync(path)) await rename(path, join(out, `${name}.tar`))
    }
    return out
  }

  /** @returns whether archives went through a line: where they cannot, BuildKit copies them. */
  async #run(run: HelperRun): Promise<boolean> {
    this.begin()
    const files = (await this.#tools) ?? new Map<string, string>()
    const timeout = AbortSignal.timeout(run.timeoutMs)
    const signal = AbortSignal.any([this.#options.signal, timeout])
    const failure = async (line: ArchiveLine | undefined): Promise<string | undefined> => {
      const failed = await this.#build(run, { files, line: line?.address, signal })
      if (timeout.aborted) throw new HelperError(`it took more than ${Math.round(run.timeoutMs / 1_000)} s`)
      return failed
    }
    if (!this.#isDeaf && canHaveLine(files)) {
      const { archives, maxBytes } = run
      await using line = await ArchiveLine.open({
        ...{ kind: run.kind === 'put-in' ? 'give' : 'take', archives, maxBytes, signal },
      })
      const failed = await this.#garbage.during(async () => await failure(line))
      await line.settled()
      if (failed === undefined) return true
      if (line.wasUsed || signal.aborted) throw new HelperError(failed)
      this.#isDeaf = true
    }
    const failed = await failure(undefined)
    if (failed !== undefined) throw new HelperError(failed)
    return false
  }

  /** @returns what went wrong */
  async #build(
    { kind, mounts, archives, script, output }: HelperRun,
    {
      files,
      line,
      signal,
    }: { readonly files: HelperFiles; readonly line: LineAddress | undefined; readonly signal: AbortSignal },
  ): Promise<string | undefined> {
    const { docker, builder, namespace, tempRoot } = this.#options
    // No result of the other kind of run stands beside this one's.
    const token = `${this.#token}${kind === 'put-in' ? 'i' : 'o'}`
    const folder = await mkdtemp(join(tempRoot, 'stage-build-mounts-'))
    try {
      const [root, dockerfile] = [join(folder, 'root'), join(folder, 'Dockerfile')]
      const inRoot = kind === 'put-in' && line === undefined ? archives : new Map<string, string>()
      await layOutRoot(root, { files, scripts: new Map([[`${kind}.sh`, script(line)]]), archives: inRoot })
      const hasLine = line !== undefined
      await writeFile(dockerfile, helperDockerfile(kind, { token, mounts, hasLine }))
      const context = join(folder, 'context')
      await mkdir(context)
      const args = helperArgs({
        ...{ builder, dockerfile, context, root, rootName: helperContext(token), output },
        buildArgs: namespace === '' ? [] : [`BUILDKIT_CACHE_MOUNT_NS=${namespace}`],
        allow: hasLine ? ['network.host'] : [],
      })
      this.#options.onRun(this.#token)
      const { code, stderr } = await runDocker(docker, args, { env: PLAIN_BUILD, signal })
      return code === 0 ? undefined : lastError(stderr)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
}

/** In whole milliseconds. */
function timeoutFor(bytes: number): number {
  return PATIENCE_MS + Math.ceil((bytes / SLOWEST_BYTES_PER_SECOND) * 1_000)
}

/** What the user's environment asks of builds is not for this one. */
const PLAIN_BUILD: NodeJS.ProcessEnv = {
  BUILDX_NO_DEFAULT_ATTESTATIONS: '1',
  BUILDX_METADATA_PROVENANCE: 'disabled',
  DOCKER_DEFAULT_PLATFORM: '',
  EXPERIMENTAL_BUILDKIT_SOURCE_POLICY: '',
}

/** What tar said, or else what buildx did. */
function lastError(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '')
  const said = lines.findLast((line) => /^#\d+ [\d.]+ (?:\/bin\/)?(?:tar|find|sh): /.test(line))
  return said?.replace(/^#\d+ [\d.]+ /, '') ?? lines.at(-1)?.replace(/^ERROR: /, '') ?? 'no reason given'
}
