/** Runs the helper build of cache mounts on the builder, and removes what it leaves there. */
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { helperArgs, pruneArgs, runDocker, type Docker } from './build/buildx.ts'
import {
  helperContext,
  helperDockerfile,
  PUT_IN,
  takeOutScript,
  type HelperMount,
  type PackedMount,
} from './mounts/helper-build.ts'
import { findTools, layOutRoot, type HelperFiles } from './mounts/helper-root.ts'

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
  readonly mounts: readonly HelperMount[]
  /** By name: where archives lie. */
  readonly archives: ReadonlyMap<string, string>
  readonly script: string
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
  #tools: Promise<HelperFiles> | undefined

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
    await this.#run('put-in', {
      mounts: archives,
      archives: new Map(archives.map(({ name, path }) => [name, path])),
      script: PUT_IN,
      output: undefined,
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
    await mkdir(folder, { recursive: true })
    await this.#run('take-out', {
      ...{ mounts, archives: new Map(), output: folder },
      script: takeOutScript(mounts, maxBytes),
      timeoutMs: timeoutFor(mounts.length * maxBytes),
    })
    return join(folder, 'out')
  }

  async #run(kind: 'put-in' | 'take-out', run: HelperRun): Promise<void> {
    const { docker, builder, namespace, tempRoot } = this.#options
    this.begin()
    const files = (await this.#tools) ?? new Map<string, string>()
    // No result of the other kind of run stands beside this one's.
    const token = `${this.#token}${kind === 'put-in' ? 'i' : 'o'}`
    const folder = await mkdtemp(join(tempRoot, 'stage-build-mounts-'))
    try {
      const [root, dockerfile] = [join(folder, 'root'), join(folder, 'Dockerfile')]
      await layOutRoot(root, { files, scripts: new Map([[`${kind}.sh`, run.script]]), archives: run.archives })
      await writeFile(dockerfile, helperDockerfile(kind, { token, mounts: run.mounts }))
      const context = join(folder, 'context')
      await mkdir(context)
      const args = helperArgs({
        ...{ builder, dockerfile, context, root, rootName: helperContext(token), output: run.output },
        buildArgs: namespace === '' ? [] : [`BUILDKIT_CACHE_MOUNT_NS=${namespace}`],
      })
      this.#options.onRun(this.#token)
      const timeout = AbortSignal.timeout(run.timeoutMs)
      const { code, stderr } = await runDocker(docker, args, {
        env: PLAIN_BUILD,
        signal: AbortSignal.any([this.#options.signal, timeout]),
      })
      if (timeout.aborted) throw new HelperError(`it took more than ${Math.round(run.timeoutMs / 1_000)} s`)
      if (code !== 0) throw new HelperError(lastError(stderr))
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
