/**
 * Carries a save plan out: packs side by side, and the index, which in the end names only packs that were saved. Run by the main
 * step or, after it ended, by the post step, so a plan is plain data. Never rejects.
 */
import { link, mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CacheBackend, EntryPlace, SaveResult } from './cache-backend.ts'
import { serializeIndex, type CacheIndex } from './cache-index.ts'
import { indexFile } from './index-loader.ts'
import { blobFile, PackStore } from './pack-store.ts'

/** Blobs of an older pack. */
export interface PackContent extends EntryPlace {
  /** Digest → bytes. */
  readonly blobs: Readonly<Record<string, number>>
}

/** A pack to be saved. Its own blobs lie in its directory already; those of older packs are fetched first. */
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

export interface SaveReport {
  /** Entries that were saved, the index among them. */
  readonly entries: number
  readonly bytes: number
  readonly indexSaved: boolean
  readonly failures: readonly Extract<SaveResult, { kind: 'failed' }>[]
}

const PATIENCE_MS = 30_000
const SLOWEST_BYTES_PER_SECOND = 2_000_000

/** How long saving may take. */
export function savingTimeout(bytes: number): number {
  return PATIENCE_MS + (bytes / SLOWEST_BYTES_PER_SECOND) * 1_000
}

/** With this much or less to send, the index is sent beside it and not after it: all is there in half a second. */
const SMALL_BYTES = 32 << 20

interface Gathered {
  readonly job: PackJob
  readonly blobs: Readonly<Record<string, number>>
  readonly bytes: number
}

export async function executeSave(
  plan: SavePlan,
  { backend, root }: { readonly backend: CacheBackend; readonly root: string },
): Promise<SaveReport> {
  const place = { backend, root }
  const failures: Extract<SaveResult, { kind: 'failed' }>[] = []
  const gathered = (await Promise.all(plan.packs.map(async (job) => await gatherJob(job, place)))).filter(
    ({ blobs }) => Object.keys(blobs).length > 0,
  )
  if (plan.packs.length > 0 && gathered.length === 0) return { entries: 0, bytes: 0, indexSaved: false, failures }
  const isSmall = gathered.reduce((sum, { bytes }) => sum + bytes, 0) <= SMALL_BYTES
  const early = isSmall ? saveIndex(plan.index, documentOf(plan, gathered), place) : undefined
  const saved: Gathered[] = []
  await Promise.all(
    gathered.map(async (pack) => {
      const { key, path } = pack.job
      const result = await backend.save({ key, path, timeoutMs: savingTimeout(pack.bytes) })
      if (result.kind === 'failed') failures.push(result)
      else saved.push(pack)
    }),
  )
  const first = await early
  const bytes = saved.reduce((sum, pack) => sum + pack.bytes, 0)
  const none = { entries: first?.kind === 'saved' ? 1 : 0, bytes, indexSaved: false, failures }
  // Without any of them there is nothing new to say; but what was said too early must be taken back.
  if (gathered.length > 0 && saved.length === 0 && first?.kind !== 'saved') return none
  const isRight = first !== undefined && saved.length === gathered.length
  const result = isRight ? first : await saveIndex(indexAgain(plan, first), documentOf(plan, saved), place)
  if (result.kind === 'failed') failures.push(result)
  const indexSaved = result.kind === 'saved'
  return { entries: saved.length + (indexSaved ? 1 : 0), bytes, indexSaved, failures }
}

function documentOf(plan: SavePlan, packs: readonly Gathered[]): CacheIndex {
  const added = packs.map(({ job, blobs }) => [job.key, { path: job.path, createdAt: job.createdAt, blobs }] as const)
  return { ...plan.document, packs: { ...plan.document.packs, ...Object.fromEntries(added) } }
}

/** A key is used once, also by a save that failed. */
function indexAgain({ index }: SavePlan, first: SaveResult | undefined): SavePlan['index'] {
  if (first === undefined) return index
  const key = `${index.key}-2`
  return { ...index, key, file: indexFile(key) }
}

async function gatherJob(
  job: PackJob,
  place: { readonly backend: CacheBackend; readonly root: string },
): Promise<Gathered> {
  const blobs = await gather(job, place)
  return { job, blobs, bytes: Object.values(blobs).reduce((sum, blob) => sum + blob, 0) }
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
  index: SavePlan['index'],
  document: CacheIndex,
  { backend, root }: { readonly backend: CacheBackend; readonly root: string },
): Promise<SaveResult> {
  const folder = join(root, index.path)
  try {
    // What was restored there has been read; the entry is the whole directory.
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, index.file), serializeIndex(document))
  } catch (error) {
    return { kind: 'failed', why: 'limited', reason: error instanceof Error ? error.message : String(error) }
  }
  return await backend.save({ key: index.key, path: index.path, timeoutMs: savingTimeout(0) })
}

/** Puts blobs that lie elsewhere under the session's folder into a pack's directory, without copying them. */
export async function fillPack(root: string, path: string, files: ReadonlyMap<string, string>): Promise<void> {
  const folder = join(root, path)
  await mkdir(folder, { recursive: true })
  for (const [digest, file] of files) await link(file, join(folder, blobFile(digest)))
}
