/**
 * A program of its own, `dist/cache-client.js`: runs the calls of `@actions/cache` that the action asks for. Apart from
 * the action, since the toolkit takes its folders from the environment and the working directory, prints warnings of
 * its own, cannot be cancelled, and keeps much memory. Its folder for archives is RUNNER_TEMP; `tar` on its PATH is
 * the shim of `github-tar.ts`, which unpacks beside the archive and nowhere else.
 */
import { restoreCache, saveCache } from '@actions/cache'
import { AsyncLocalStorage } from 'node:async_hooks'
import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { entryFiles, isAskedFor, moveInto } from './entry-files.ts'
import { CallLog, failure, hideSignatures, missOrFailure, saveFailure } from './github-outcome.ts'
import type { ClientAnswer, ClientOutcome, ClientRequest } from './github-protocol.ts'
import { UNPACKED } from './github-tar.ts'
import { YoungGarbage } from './young-garbage.ts'

/** Parts of 4 MiB that are fetched at once and kept in memory. */
const DOWNLOADS = 4

const garbage = new YoungGarbage()
const calls = new AsyncLocalStorage<CallLog>()

async function restore({ key, path, prefixes }: ClientRequest, log: CallLog): Promise<ClientOutcome> {
  const found = await restoreCache([path], key, [...prefixes], { downloadConcurrency: DOWNLOADS })
  if (found === undefined) return missOrFailure(log)
  // The service matches the key itself as a prefix, too.
  if (!isAskedFor(found, key, prefixes)) return { kind: 'miss' }
  const unpacked = join(archiveFolder(log), UNPACKED, path)
  try {
    await entryFiles(unpacked)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return { kind: 'failed', why: 'entry', reason: `it is no cache entry: ${reason}` }
  }
  await moveInto(unpacked, path)
  return { kind: 'hit', key: found }
}

async function lookUp({ key, path, prefixes }: ClientRequest, log: CallLog): Promise<ClientOutcome> {
  const found = await restoreCache([path], key, [...prefixes], { lookupOnly: true })
  if (found === undefined) return missOrFailure(log)
  return isAskedFor(found, key, prefixes) ? { kind: 'hit', key: found } : { kind: 'miss' }
}

async function save({ key, path }: ClientRequest, log: CallLog): Promise<ClientOutcome> {
  return (await saveCache([path], key)) === -1 ? saveFailure(log) : { kind: 'saved' }
}

/** The folder that the toolkit made for one call's archive. */
function archiveFolder({ archive }: CallLog): string {
  if (archive === undefined) throw new Error('the toolkit does not say where the archive is')
  return dirname(archive)
}

async function answer(request: ClientRequest): Promise<void> {
  const log = new CallLog()
  const outcome = await calls.run(log, async () => {
    try {
      return await garbage.during(() => ({ restore, lookUp, save })[request.op](request, log))
    } catch (error) {
      return failure(error, log)
    } finally {
      // The toolkit deletes the archive, but not its folder.
      if (log.archive !== undefined) {
        await rm(archiveFolder(log), { recursive: true, force: true }).catch(() => undefined)
      }
    }
  })
  process.send?.({ id: request.id, outcome } satisfies ClientAnswer)
}

/** What is printed goes to the log of the call that printed it, and on. */
function listen(stream: NodeJS.WriteStream): void {
  const write = stream.write.bind(stream)
  stream.write = (chunk: Uint8Array | string): boolean => {
    const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString()
    calls.getStore()?.add(text)
    return write(hideSignatures(text))
  }
}

listen(process.stdout)
listen(process.stderr)
process.on('message', (request: ClientRequest) => {
  void answer(request)
})
// Without the action nobody waits for this process, nor for the `tar` that it may have started: the whole group ends.
process.on('disconnect', () => process.kill(0, 'SIGKILL'))
