/**
 * The entries of a repository's cache for Actions, as GitHub's API lists and deletes them.
 * https://docs.github.com/en/rest/actions/cache
 */
import { field, list, positive, text } from '../json-fields.ts'
import { success, undocumented, type Outcome } from './github-error.ts'
import { pagesOf } from './pages.ts'
import type { GithubClient } from './rest-client.ts'

export interface ListedEntry {
  readonly id: number
  readonly ref: string
  readonly key: string
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  /** Bytes. */
  readonly size: number
}

export interface ListedEntries {
  readonly entries: readonly ListedEntry[]
  /** There are more than are ever listed. */
  readonly isCut: boolean
}

const ENTRIES = 'GET /repos/{owner}/{repo}/actions/caches'
const ENTRY = 'DELETE /repos/{owner}/{repo}/actions/caches/{cache_id}'
const PULLS = 'GET /repos/{owner}/{repo}/pulls'
const MOST_PAGES = 100

/** All entries whose keys begin so, the oldest first, so that what is added meanwhile is only missed. Never rejects. */
export async function listEntries(
  client: GithubClient,
  repository: string,
  prefix: string,
): Promise<Outcome<ListedEntries>> {
  const parameters = { key: prefix, sort: 'created_at', direction: 'asc' }
  const pages = await allPages(client, ENTRIES, { ...parametersOf(repository), ...parameters })
  if (!pages.ok) return pages
  const entries: ListedEntry[] = []
  for (const page of pages.value.pages) {
    const caches = field(page, 'actions_caches')
    if (!Array.isArray(caches)) return undocumented('list of cache entries')
    entries.push(...list(caches).flatMap((one) => entryOf(one) ?? []))
  }
  return success({ entries, isCut: pages.value.isCut })
}

/** Numbers of the pull requests that are open; a failure where there are more than are ever listed. Never rejects. */
export async function listOpenPulls(client: GithubClient, repository: string): Promise<Outcome<ReadonlySet<number>>> {
  const pages = await allPages(client, PULLS, { ...parametersOf(repository), state: 'open', sort: 'created', direction: 'asc' }) // prettier-ignore
  if (!pages.ok) return pages
  if (pages.value.isCut || !pages.value.pages.every((page) => Array.isArray(page))) {
    return undocumented('complete list of pull requests')
  }
  const numbers = pages.value.pages.flatMap((page) => list(page).map((pull) => positive(field(pull, 'number'))))
  return success(new Set(numbers.filter((number) => number !== undefined)))
}

/** Deletes one; one that is gone already is no failure. Never rejects. */
export async function deleteEntry(client: GithubClient, repository: string, id: number): Promise<Outcome<undefined>> {
  const answer = await client.request(ENTRY, { ...parametersOf(repository), cache_id: id })
  return answer.ok || answer.error.kind === 'not-found' ? success(undefined) : answer
}

async function allPages(
  client: GithubClient,
  route: string,
  parameters: Readonly<Record<string, unknown>>,
): Promise<Outcome<{ readonly pages: readonly unknown[]; readonly isCut: boolean }>> {
  const pages: unknown[] = []
  let isCut = false
  for await (const page of pagesOf(client, route, { ...parameters, most: MOST_PAGES })) {
    if (!page.ok) return page
    pages.push(page.value.data)
    isCut = page.value.hasNext
  }
  return success({ pages, isCut })
}

function parametersOf(repository: string): { readonly owner: string; readonly repo: string } {
  const [owner = '', repo = ''] = repository.split('/')
  return { owner, repo }
}

function entryOf(value: unknown): ListedEntry | undefined {
  const [id, ref, key] = [positive(field(value, 'id')), text(field(value, 'ref')), text(field(value, 'key'))]
  const createdAt = Date.parse(text(field(value, 'created_at')) ?? '')
  const size = Number(field(value, 'size_in_bytes'))
  if (id === undefined || ref === undefined || key === undefined || Number.isNaN(createdAt)) return undefined
  return { id, ref, key, createdAt, size: Number.isFinite(size) && size > 0 ? size : 0 }
}
