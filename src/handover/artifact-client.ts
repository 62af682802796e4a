/**
 * A program of its own, `dist/artifact-client.js`: carries out one request of the action with `@actions/artifact`. Apart
 * from the action, since to load the toolkit takes half a second, which only runs that hand over pay; it cannot
 * be cancelled, and what it prints is not for users. The toolkit never unpacks: it would write a hostile zip to disk.
 */
import { DefaultArtifactClient, type FindOptions } from '@actions/artifact'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { newestAttempts, secondName } from './artifact-name.ts'
import { failure, plainReason } from './handover-fault.ts'
import type { ArtifactPlace, FetchLimits, HandoverAnswer, HandoverRequest } from './handover-protocol.ts'
import { guarded, watchTransfers } from './transfer-guard.ts'

interface Listed {
  readonly id: number
  readonly name: string
  readonly size: number
  readonly digest?: string | undefined
}

/** Downloads at once. */
const DOWNLOADS = 4
/** Of each artifact from each place. */
const TRIES = 2

const toolkit = new DefaultArtifactClient()

async function upload(request: Extract<HandoverRequest, { op: 'upload' }>): Promise<HandoverAnswer> {
  const { name, file, folder, retentionDays } = request
  // Packed: download-artifact up to v7 unpacks every artifact of a run, and fails for one that is no zip.
  return await twice(async (isSecond) => {
    const called = isSecond ? secondName(name) : name
    const { size = 0 } = await toolkit.uploadArtifact(called, [file], folder, { retentionDays })
    return { kind: 'uploaded', bytes: size }
  })
}

/** The toolkit gives up at the first connection that breaks. */
async function twice<T>(call: (isSecond: boolean) => Promise<T>): Promise<T> {
  try {
    return await call(false)
  } catch (error) {
    if (failure(error).why !== 'service') throw error
    return await call(true)
  }
}

async function fetchAll(request: Extract<HandoverRequest, { op: 'fetch' }>): Promise<HandoverAnswer> {
  const { places, folder, limits } = request
  const newest = newestAttempts(await listed(places))
  const isSmall = ({ size }: Listed): boolean => size <= limits.bytes
  for (const { name } of newest.filter((artifact) => !isSmall(artifact))) {
    answer({ kind: 'left', name, reason: `it is larger than ${limits.bytes} bytes` })
  }
  const small = newest.filter(isSmall)
  for (const { name } of small.slice(limits.artifacts)) {
    answer({ kind: 'left', name, reason: `there are more than ${limits.artifacts}` })
  }
  const waiting = small.slice(0, limits.artifacts)[Symbol.iterator]()
  const workers = Array.from({ length: DOWNLOADS }, async () => {
    // An iterator that is shared: each artifact goes to one of them.
    for (const artifact of waiting) answer(await fetchOne(artifact, places, join(folder, String(artifact.id)), limits))
  })
  await Promise.all(workers)
  return { kind: 'done' }
}

/** Artifacts of all places that answer, each once. @throws when none of them does */
async function listed(places: readonly ArtifactPlace[]): Promise<readonly Listed[]> {
  const answers = await Promise.allSettled(
    places.map(async (place) => await twice(async () => await toolkit.listArtifacts(findBy(place)))),
  )
  const found = answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value.artifacts] : []))
  const [failed] = answers.flatMap((one): unknown[] => (one.status === 'rejected' ? [one.reason] : []))
  if (found.length === 0) throw failed
  return [...new Map(found.flat().map((artifact) => [artifact.id, artifact])).values()]
}

async function fetchOne(
  { id, name, digest }: Listed,
  places: readonly ArtifactPlace[],
  folder: string,
  limits: FetchLimits,
): Promise<HandoverAnswer> {
  let reason = ''
  const tries = places.flatMap((place) => Array.from({ length: TRIES }, () => place))
  const until = performance.now() + limits.timeMs
  for (const [index, place] of tries.entries()) {
    const timeMs = until - performance.now()
    if (timeMs <= 0) break
    const path = join(folder, String(index))
    const options = { path, skipDecompress: true, ...(digest !== undefined && { expectedHash: digest }) }
    try {
      await mkdir(path, { recursive: true })
      const { digestMismatch } = await guarded(
        async () => await toolkit.downloadArtifact(id, { ...options, ...findBy(place) }),
        { maxBytes: limits.bytes, timeMs },
      )
      // Under a name that the service gives.
      const [file, ...others] = await readdir(path)
      if (digestMismatch === true) reason = 'its bytes are not those that were uploaded'
      else if (file === undefined || others.length > 0) reason = 'it is not one file'
      else return { kind: 'fetched', name, file: join(path, file) }
    } catch (error) {
      reason = plainReason(error)
    }
  }
  return { kind: 'left', name, reason }
}

function findBy(place: ArtifactPlace): FindOptions {
  if (place === 'own') return {}
  const { owner, repository, runId, token } = place
  return { findBy: { repositoryOwner: owner, repositoryName: repository, workflowRunId: runId, token } }
}

function answer(message: HandoverAnswer): void {
  process.send?.(message)
}

async function carryOut(request: HandoverRequest): Promise<void> {
  try {
    answer(request.op === 'upload' ? await upload(request) : await fetchAll(request))
  } catch (error) {
    answer(failure(error))
  }
}

watchTransfers()
process.on('message', (request: HandoverRequest) => {
  void carryOut(request)
})
process.on('disconnect', () => process.kill(0, 'SIGKILL'))
