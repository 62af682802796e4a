/** What the stand-in of GitHub's artifact service has: artifacts in memory, their bytes in files. */
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { backendIds, type RunToken } from './artifact-token.ts'
import type { BlobStore } from './cache-blobs.ts'
import { CacheEntries, type BlobPart } from './cache-entries.ts'

export interface StoredArtifact {
  readonly id: number
  readonly name: string
  /** As the uploader says; `sha256:…`, or empty. */
  readonly digest: string
  readonly size: number
  readonly expired: boolean
  /** Milliseconds since 1970. */
  readonly createdAt: number
  /** Of the uploading attempt and job. */
  readonly run: string
  readonly job: string
}

/** What its uploader says of it may be a lie. */
export interface PlantedArtifact {
  readonly by: RunToken
  readonly name: string
  readonly bytes: Buffer
  readonly size?: number
  readonly digest?: string
  readonly mimeType?: string
  /** Of the download, in `content-disposition`. */
  readonly fileName?: string
  readonly expired?: boolean
}

interface Facts {
  readonly run: string
  readonly job: string
  readonly name: string
  readonly mimeType: string
  readonly fileName: string
  digest: string
  size: number
  expired: boolean
}

/** Every artifact is of one version, so that a name is taken once in a run. */
const VERSION = '7'

/** Names are kept as in a cache with a scope for each attempt of a run. */
export class ArtifactStore implements BlobStore {
  readonly #folder: string
  readonly #entries = new CacheEntries({ maxBytes: Infinity, uploadsPerMinute: Infinity })
  readonly #facts = new Map<number, Facts>()
  /** The run's number, by its inner id. */
  readonly #runs = new Map<string, number>()

  constructor(folder: string) {
    this.#folder = folder
  }

  openRun(token: RunToken): void {
    this.#runs.set(backendIds(token).run, token.runId)
  }

  /** @returns undefined where the name is taken, finished or not */
  create(artifact: Pick<Facts, 'run' | 'job' | 'name' | 'mimeType'>): number | undefined {
    const made = this.#entries.reserve(scope(artifact.run), artifact.name, VERSION)
    if (made.kind !== 'reserved') return undefined
    const extension = artifact.mimeType === 'application/zip' ? '.zip' : ''
    const fileName = `${artifact.name}${extension}`
    this.#facts.set(made.id, { ...artifact, fileName, digest: '', size: 0, expired: false })
    return made.id
  }

  finalize(run: string, name: string, size: number, digest: string): number | 'unknown' | 'size' {
    const id = this.#entries.finalize(scope(run), name, VERSION, size)
    const facts = typeof id === 'number' ? this.#facts.get(id) : undefined
    if (facts !== undefined) Object.assign(facts, { digest, size })
    return id
  }

  async plant(artifact: PlantedArtifact): Promise<number> {
    this.openRun(artifact.by)
    const { bytes, name, mimeType = 'application/zip' } = artifact
    const ids = backendIds(artifact.by)
    const id = this.create({ ...ids, name, mimeType })
    if (id === undefined) throw new Error(`${name} is there already`)
    const file = join(this.#folder, `planted-${id}`)
    await writeFile(file, bytes)
    await this.put(id, { file, size: bytes.length })
    const digest = artifact.digest ?? `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    this.finalize(ids.run, name, bytes.length, digest)
    const { size = bytes.length, expired = false, fileName = `${name}.zip` } = artifact
    const facts = this.#facts.get(id)
    if (facts !== undefined) Object.assign(facts, { size, expired, fileName })
    return id
  }

  /**
   * What a run's token lists: artifacts of all attempts, though it opens only those of its own.
   * https://github.com/actions/download-artifact/issues/486
   */
  visible(run: string, name: string, id: string): readonly unknown[] {
    const runId = this.#runs.get(run)
    return this.list()
      .filter((artifact) => this.#runs.get(artifact.run) === runId)
      .filter((artifact) => (name === '' || artifact.name === name) && (id === '' || String(artifact.id) === id))
      .map((artifact) => ({
        workflow_run_backend_id: artifact.run,
        workflow_job_run_backend_id: artifact.job,
        database_id: String(artifact.id),
        name: artifact.name,
        size: String(artifact.size),
        created_at: new Date(artifact.createdAt).toISOString(),
        ...(artifact.digest === '' ? {} : { digest: artifact.digest }),
      }))
  }

  find(run: string, name: string): StoredArtifact | undefined {
    return this.list().find((artifact) => artifact.run === run && artifact.name === name && !artifact.expired)
  }

  byNumber(id: number): StoredArtifact | undefined {
    return this.list().find((artifact) => artifact.id === id)
  }

  /** All attempts' artifacts; undefined for a run that is not known. */
  ofRun(runId: number, name: string): readonly StoredArtifact[] | undefined {
    if (![...this.#runs.values()].includes(runId)) return undefined
    return this.list().filter(
      ({ run, ...rest }) => this.#runs.get(run) === runId && (name === '' || rest.name === name),
    )
  }

  remove(run: string, name: string): number | undefined {
    const id = this.find(run, name)?.id
    if (id !== undefined) void this.#entries.evict((entry) => entry.id === id)
    return id
  }

  /** Finished ones; oldest first. */
  list(): readonly StoredArtifact[] {
    return this.#entries.list().flatMap(({ id, createdAt }) => {
      const facts = this.#facts.get(id)
      if (facts === undefined) return []
      const { name, digest, size, expired, run, job } = facts
      return [{ id, name, digest, size, expired, createdAt, run, job }]
    })
  }

  headersOf(id: number): Readonly<Record<string, string>> {
    const { mimeType = '', fileName = '' } = this.#facts.get(id) ?? {}
    return { 'content-type': mimeType, 'content-disposition': `attachment; filename="${fileName}"` }
  }

  byId(id: number): ReturnType<BlobStore['byId']> {
    return this.#entries.byId(id)
  }

  use(): void {
    // Artifacts go by age, not by use.
  }

  async put(id: number, part: BlobPart): Promise<void> {
    await this.#entries.put(id, part)
  }

  async putBlock(id: number, block: string, part: BlobPart): Promise<void> {
    await this.#entries.putBlock(id, block, part)
  }

  async commit(id: number, blocks: readonly string[]): Promise<boolean> {
    return await this.#entries.commit(id, blocks)
  }
}

function scope(run: string): readonly { readonly Scope: string; readonly Permission: number }[] {
  return [{ Scope: run, Permission: 3 }]
}
