/**
 * `mode: cleanup`: deletes what of the layer cache in GitHub's service is of no use any more. Indexes are read through the
 * cache backend, which sees those of this branch and the default one; entries are listed and deleted through GitHub's API.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openBackend, serviceIsHere } from './cache-backends.ts'
import { cacheScopes } from './cache/cache-keys.ts'
import {
  indexesToRead,
  isOurs,
  uselessAtSight,
  unreferencedPacks,
  withoutNamed,
  type UselessEntry,
} from './cache/cleanup-plan.ts'
import { readIndexEntry } from './cache/index-loader.ts'
import { UserError, type Problem } from './errors.ts'
import { GithubAccess } from './github-access.ts'
import { deleteEntry, listEntries, listOpenPulls } from './github/cache-entries.ts'
import { describeError, type GithubError } from './github/github-error.ts'
import type { GithubClient } from './github/rest-client.ts'
import { sideBySide } from './images/side-by-side.ts'
import type { CleanupSummary } from './report/cleanup-summary.ts'
import { count } from './report/words.ts'

export interface CleanupOptions {
  readonly dryRun: boolean
  readonly token: string | undefined
  readonly defaultBranch: string | undefined
  readonly env: NodeJS.ProcessEnv
  readonly signal: AbortSignal
  readonly debug: (line: string) => void
  readonly log: (line: string) => void
  /** The input. */
  readonly retries: number
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** What stage-build calls its entries. */
const PREFIX = 'sb1-'
/** One request each; a job may take minutes for it. */
const LIMITS = { requests: 5_000, totalMs: 15 * 60_000, waitMs: 5 * 60_000 }
/** Deletions after which the rest is left to the next run. */
const MOST_DELETIONS = 500
/** GitHub asks for a second between requests that change something. */
const PACE_MS = 1_000
/** They are unpacked into one folder. */
const READERS = 1

/**
 * Finds what is of no use, and deletes it unless `dryRun`.
 * @throws UserError away from GitHub, without a token, and where the entries cannot be listed or deleted
 */
export async function cleanUp(options: CleanupOptions): Promise<CleanupSummary> {
  const { dryRun, token, env, signal, now } = options
  const repository = env['GITHUB_REPOSITORY'] ?? ''
  if (repository === '' || token === undefined) throw new UserError([NOT_ON_GITHUB])
  const client = new GithubAccess({ token, env, signal, limits: LIMITS })
  const listed = await listEntries(client, repository, PREFIX)
  if (!listed.ok) throw new UserError([deniedProblem('listed', listed.error)])
  const entries = listed.value.entries.filter(isOurs)
  const pulls = await listOpenPulls(client, repository)
  const notes = [
    ...(listed.value.isCut ? ['There are more entries than were looked at: run this again.'] : []),
    ...(pulls.ok
      ? []
      : [`Entries of pull requests stay: which are closed is not known (${describeError(pulls.error)}).`]),
  ]
  const facts = { entries, openPulls: pulls.ok ? pulls.value : undefined, now }
  const atSight = uselessAtSight(facts)
  const refs = cacheScopes(env, { defaultBranch: options.defaultBranch }).map(({ ref }) => ref)
  const named = await packsNamed(indexesToRead(facts, atSight, refs), options)
  const unread = [...named.values()].filter((keys) => keys === undefined).length
  if (unread > 0)
    notes.push(`${count(unread, 'index', 'indexes')} could not be read: the layers of what they are about stay.`)
  const useless = [...withoutNamed(atSight, refs, named), ...unreferencedPacks(facts, refs, named)]
  const deletion = dryRun ? { gone: [], notes: [] } : await deleteAll(useless, { client, repository, signal })
  const gone = new Set(useless.map(({ entry }) => entry))
  return {
    dryRun,
    rows: useless.map(({ entry, why }) => ({
      ...{ key: entry.key, ref: entry.ref, size: entry.size, age: now - entry.createdAt },
      why: whyText(why),
    })),
    deleted: totals(deletion.gone),
    kept: totals(entries.filter((entry) => !gone.has(entry))),
    notes: [...notes, ...deletion.notes],
  }
}

/** By index, the keys of the packs that it names; undefined where it cannot be read. */
async function packsNamed(
  keys: readonly string[],
  { env, now, debug, log, retries, signal }: CleanupOptions,
): Promise<ReadonlyMap<string, readonly string[] | undefined>> {
  if (!serviceIsHere(env) || keys.length === 0) return new Map(keys.map((key) => [key, undefined]))
  const root = join(env['RUNNER_TEMP'] ?? tmpdir(), `stage-build-cleanup-${randomBytes(8).toString('hex')}`)
  await mkdir(root, { mode: 0o700, recursive: true })
  const backend = openBackend({ kind: 'github' }, { root, env, debug, log, retries, signal })
  try {
    const read = await sideBySide([...keys], READERS, async (key) => {
      const index = await readIndexEntry(key, { backend, root, now })
      return [key, index === undefined ? undefined : Object.keys(index.packs)] as const
    })
    return new Map(read)
  } finally {
    await backend.close()
    await rm(root, { recursive: true, force: true })
  }
}

async function deleteAll(
  useless: readonly UselessEntry[],
  { client, repository, signal }: { readonly client: GithubClient; readonly repository: string; readonly signal: AbortSignal }, // prettier-ignore
): Promise<{ readonly gone: readonly UselessEntry['entry'][]; readonly notes: readonly string[] }> {
  const gone: UselessEntry['entry'][] = []
  const failures: string[] = []
  for (const { entry } of useless.slice(0, MOST_DELETIONS)) {
    if (signal.aborted) return { gone, notes: ['The run was cancelled: the rest is left to the next one.'] }
    if (gone.length > 0) await client.pause(PACE_MS)
    const result = await deleteEntry(client, repository, entry.id)
    if (result.ok) gone.push(entry)
    else if (result.error.kind === 'forbidden') throw new UserError([deniedProblem('deleted', result.error)])
    else failures.push(describeError(result.error))
    if (!result.ok && result.error.kind === 'rate-limited') break
  }
  const left = useless.length - gone.length
  const why = failures[0] === undefined ? '' : ` (${failures[0]})`
  return { gone, notes: left === 0 ? [] : [`${count(left, 'entry is', 'entries are')} left to the next run${why}.`] }
}

function totals(entries: readonly { readonly size: number }[]): { readonly entries: number; readonly bytes: number } {
  return { entries: entries.length, bytes: entries.reduce((sum, { size }) => sum + size, 0) }
}

function whyText(why: UselessEntry['why']): string {
  if (why.kind === 'closed') return `pull request ${why.pull} is closed`
  return why.kind === 'superseded' ? 'a later index stands in for it' : 'no index names it'
}

const NOT_ON_GITHUB: Problem = {
  input: 'mode',
  message: '`mode: cleanup` cleans GitHub’s cache service, and this is not GitHub Actions, or `github-token` is empty.',
  mend: 'Run it in a workflow. A directory cache keeps itself within `cache-max-size`.',
}

function deniedProblem(what: 'listed' | 'deleted', error: GithubError): Problem {
  return {
    input: 'mode',
    message: `\`mode: cleanup\`: the cache’s entries could not be ${what}: ${describeError(error)}.`,
    mend: error.kind === 'forbidden' ? 'Give the job `permissions: actions: write`.' : 'Run the job again later.',
  }
}
