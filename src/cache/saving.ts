/**
 * Carries a save plan out: packs side by side, then the index, which names only packs that were saved. Run by the main
 * step or, after it ended, by the post step, so a plan is plain data. Never rejects.
 */
import { link, mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CacheBackend, EntryPlace, SaveResult } from './cache-backend.ts'
import { serializeIndex, type CacheIndex } from './cache-index.ts'
import { blobFile, PackStore } from './pack-store.ts'

/** Blobs of an older pack. */
export interface PackContent extends EntryPlace {
  /** Digest → bytes. */
  readonly blobs: Readonly<Record<string, number>>
}

/**
 * A pack to be saved. Its own blobs lie in its directory already; those of older packs are fetched first. The one that has
 * the index's key is saved with it.
 */
export interface PackJob extends PackContent {
  readonly createdAt: string
  readonly from: readonly PackContent[]
}

export interface SavePlan {
  readonly packs: readonly PackJob[]
  readonly index: EntryPlace & { readonly file: string }
  /** The index, with the packs that are saved already. */
  readonly document: CacheIndex
}

type Failure = Extract<SaveResult, { kind: 'failed' }>

export interface SaveReport {
  /** Entries that were saved, the index among them. */
  readonly entries: number
  readonly bytes: number
  readonly indexSaved: boolean
  readonly failures: readonly Failure[]
}

/** What is sent to the backend, and what must be fetched before that. */
export function bytesToMove({ packs }: SavePlan): number {
  const blobs = packs.flatMap((pack) => [pack, ...pack.from]).flatMap((pack) => Object.values(pack.blobs))
  return blobs.reduce((sum, size) => sum + size, 0)
}

const PATIENCE_MS = 30_000
const SLOWEST_BYTES_PER_SECOND = 2_000_000

/** How long saving may take. */
export function savingTimeout(bytes: number): number {
  return PATIENCE_MS + (bytes / SLOWEST_BYTES_PER_SECOND) * 1_000
}

/** The plan, without the packs whose saves were begun before it was made and failed since then. */
export function withoutFailed(
  plan: SavePlan,
  results: ReadonlyMap<string, SaveResult>,
): { readonly plan: SavePlan; readonly failures: readonly Failure[] } {
  const packs = Object.entries(plan.document.packs).filter(([key]) => results.get(key)?.kind !== 'failed')
  const failures = Object.keys(plan.document.packs).flatMap((key) => {
    const result = results.get(key)
    return result?.kind === 'failed' ? [result] : []
  })
  return { plan: { ...plan, document: { ...plan.document, packs: Object.fromEntries(packs) } }, failures }
}

/** @param begun the saves of packs that the plan counts as saved; they go on beside its own */
export async function executeSave(
  planned: SavePlan,
  {
    backend,
    root,
    begun,
  }: {
    readonly backend: CacheBackend
    readonly root: string
    readonly begun?: Promise<ReadonlyMap<string, SaveResult>>
  },
): Promise<SaveReport> {
  const failures: Failure[] = []
  const packs: Record<string, { path: string; createdAt: string; blobs: Record<string, number> }> = {}
  let bytes = 0
  const small = planned.packs.find(({ key }) => key === planned.index.key)
  await Promise.all(
    planned.packs.map(async (job) => {
      if (job === small) return
      const blobs = await gather(job, { backend, root })
      const size = Object.values(blobs).reduce((sum, blob) => sum + blob, 0)
      if (Object.keys(blobs).length === 0) return
      const result = await backend.save({ key: job.key, path: job.path, timeoutMs: savingTimeout(size) })
      if (result.kind === 'failed') failures.push(result)
      else {
        packs[job.key] = { path: job.path, createdAt: job.createdAt, blobs }
        bytes += size
      }
    }),
  )
  const saved = Object.keys(packs).length
  const results = (await begun) ?? new Map<string, SaveResult>()
  const { plan, failures: lost } = withoutFailed(planned, results)
  failures.push(...lost)
  const withIndex = small === undefined ? {} : await gather(small, { backend, root })
  const files = Object.keys(withIndex).map(blobFile)
  const tried = plan.packs.length + lost.length
  const isAnySaved = saved + files.length > 0 || [...results.values()].some(({ kind }) => kind === 'saved')
  if (tried > 0 && !isAnySaved) return { entries: 0, bytes, indexSaved: false, failures }
  if (small !== undefined && files.length > 0) {
    packs[small.key] = { path: small.path, createdAt: small.createdAt, blobs: withIndex }
  }
  const document: CacheIndex = { ...plan.document, packs: { ...plan.document.packs, ...packs } }
  const result = await saveIndex(plan, document, { backend, root, blobs: { path: small?.path ?? '', files } })
  if (result.kind === 'failed') failures.push(result)
  const indexSaved = result.kind === 'saved'
  if (indexSaved) bytes += Object.values(withIndex).reduce((sum, size) => sum + size, 0)
  return { entries: saved + (indexSaved ? 1 : 0), bytes, indexSaved, failures }
}

/** The blobs that lie in the job's directory after those of older packs were put there. */
async function gather(
  job: PackJob,
  { backend, root }: { readonly backend: CacheBackend; readonly root: string },
): Promise<Record<string, number>> {
  const store = new PackStore({ backend, root })
  for (const { key, path, blobs } of job.from) {
    const pack = { key, path, blobs: new Map(Object.entries(blobs)) }
    store.add(pack)
    // The main step may have fetched it already.
    if ((await sizeOf(join(root, path))) !== undefined) store.assumeFetched(pack)
  }
  await mkdir(join(root, job.path), { recursive: true }).catch(() => undefined)
  const there: Record<string, number> = {}
  for (const [digest, size] of Object.entries(job.blobs)) {
    const path = join(root, job.path, blobFile(digest))
    try {
      if ((await sizeOf(path)) === undefined) {
        const older = await store.fileOf(digest)
        if (older !== undefined) await link(older, path)
      }
      if ((await sizeOf(path)) === size) there[digest] = size
    } catch {
      // Not to be had: the new index does without it.
    }
  }
  return there
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch {
    return undefined
  }
}

async function saveIndex(
  { index }: SavePlan,
  document: CacheIndex,
  {
    backend,
    root,
    blobs,
  }: {
    readonly backend: CacheBackend
    readonly root: string
    /** Files that are saved with it, and where they lie. */
    readonly blobs: { readonly path: string; readonly files: readonly string[] }
  },
): Promise<SaveResult> {
  const folder = join(root, index.path)
  try {
    // What was restored there has been read; the entry is the whole directory.
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, index.file), serializeIndex(document))
    for (const file of blobs.files) await link(join(root, blobs.path, file), join(folder, file))
  } catch (error) {
    return unsaved(error)
  }
  return await backend.save({ key: index.key, path: index.path, timeoutMs: savingTimeout(0) })
}

/** Of an entry that could not be put together on this machine's disk. */
export function unsaved(error: unknown): SaveResult {
  return { kind: 'failed', why: 'limited', reason: error instanceof Error ? error.message : String(error) }
}

/** Puts blobs that lie elsewhere under the session's folder into a pack's directory, without copying them. */
export async function fillPack(root: string, path: string, files: ReadonlyMap<string, string>): Promise<void> {
  const folder = join(root, path)
  await mkdir(folder, { recursive: true })
  for (const [digest, file] of files) await link(file, join(folder, blobFile(digest)))
}
