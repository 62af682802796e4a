import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { readReportEvent, type EventSource, type ReportEvent } from '../../src/github/event.ts'
import { findPullRequest, labelsOfMerged, type PullRequestResult } from '../../src/github/pull-request.ts'
import { openGithub } from '../../src/github/rest-client.ts'
import { startGithubApi, type GithubApi } from '../support/github-api.ts'

let api: GithubApi
let token: string
const HEAD = 'a'.repeat(40)
const NEWER = 'd'.repeat(40)
const BASE = 'b'.repeat(40)
const BUILT = 'c'.repeat(40)
const DENIED = { mend: 'Give the job `permissions: pull-requests: write`.' }

beforeEach(async () => {
  api = await startGithubApi()
  token = api.token()
})
afterEach(async () => {
  await api[Symbol.asyncDispose]()
})

function event(name: string, payload: unknown, more: Partial<EventSource> = {}): ReportEvent {
  return readReportEvent({ name, payload, repository: 'org/repo', ref: 'refs/heads/topic', sha: BUILT, ...more })
}

async function find(what: ReportEvent, by = token): Promise<PullRequestResult> {
  const client = await openGithub({ token: by, apiUrl: api.url, limits: { retryMs: 1 } })
  const result = await findPullRequest(client, 'org/repo', what)
  expect(client.requests).toBeLessThanOrEqual(2)
  return result
}

function pullPayload(head: unknown = { full_name: 'org/repo' }, user = 'octocat'): unknown {
  return {
    pull_request: {
      number: 1,
      user: { login: user },
      labels: [{ name: 'from the payload' }],
      head: { sha: HEAD, ref: 'topic', repo: head },
      base: { sha: BASE, ref: 'main', repo: { full_name: 'org/repo' } },
    },
  }
}

function runPayload(more: object = {}): unknown {
  return {
    workflow_run: {
      head_sha: HEAD,
      head_branch: 'topic',
      head_repository: { full_name: 'mallory/repo' },
      pull_requests: [],
      ...more,
    },
  }
}

describe('pull_request', () => {
  test('is what the payload says, with labels as they are now', async () => {
    api.repository.addPull({ headSha: HEAD, baseSha: NEWER, labels: ['size: ok', '| `x` <b>'] })
    expect(await find(event('pull_request', pullPayload()))).toMatchObject({
      kind: 'found',
      pull: { number: 1, headSha: HEAD, baseRef: 'main', labels: ['size: ok', '| `x` <b>'], isFork: false },
      noComment: undefined,
    })
  })

  test('is found although the token may not look', async () => {
    api.repository.addPull({ headSha: HEAD })
    expect(await find(event('pull_request', pullPayload()), api.token({ pullRequests: 'none' }))).toEqual({
      kind: 'found',
      pull: { number: 1, headSha: HEAD, baseRef: 'main', baseSha: BASE, labels: undefined, isFork: false },
      noComment: undefined,
    })
  })

  test.each([{ full_name: 'mallory/repo' }, null])('of a fork gets no comment from it (%j)', async (head) => {
    api.repository.addPull({ headSha: HEAD, headRepo: head?.full_name ?? null })
    expect(await find(event('pull_request', pullPayload(head)))).toMatchObject({
      pull: { isFork: true },
      noComment: { reason: expect.stringContaining('fork'), mend: expect.stringContaining('workflow_run') },
    })
    expect(await find(event('pull_request_target', pullPayload(head)))).toMatchObject({ noComment: undefined })
  })

  test('that has got a newer commit gets no comment for an older one', async () => {
    api.repository.addPull({ headSha: NEWER })
    expect(await find(event('pull_request', pullPayload()))).toMatchObject({
      pull: { headSha: HEAD },
      noComment: { reason: 'Pull request #1 has a newer commit than the run that is reported.' },
    })
  })

  test('of Dependabot is known as such', () => {
    expect(event('pull_request', pullPayload(undefined, 'dependabot[bot]'))).toMatchObject({ isDependabot: true })
    expect(event('pull_request', pullPayload({ full_name: 'ORG/Repo' }))).toMatchObject({
      isDependabot: false,
      isFork: false,
    })
  })
})

describe('push', () => {
  const push = event('push', { before: BASE, after: HEAD })

  test('has the open pull request whose head it is', async () => {
    api.repository.addPull({ headSha: HEAD, state: 'closed' })
    api.repository.addPull({ headSha: HEAD, headRepo: 'mallory/repo' })
    const child = api.repository.addCommit('child', HEAD)
    api.repository.addPull({ headSha: child })
    api.repository.addPull({ headSha: HEAD, labels: ['x'] })
    expect(await find(push)).toMatchObject({ kind: 'found', pull: { number: 4, labels: ['x'] }, noComment: undefined })
  })

  test('has none where there is none, or several', async () => {
    expect(await find(push)).toEqual({
      kind: 'none',
      reason: 'There is no open pull request for the pushed commit of branch topic.',
    })
    api.repository.addPull({ headSha: HEAD })
    api.repository.addPull({ headSha: HEAD, baseRef: 'next' })
    expect(await find(push)).toEqual({
      kind: 'none',
      reason: 'There are several open pull requests for the pushed commit of branch topic: #1, #2.',
    })
  })

  test('that merged a pull request knows its labels', async () => {
    const labels = async (branch: string, by = token): Promise<readonly string[]> => {
      const client = await openGithub({ token: by, apiUrl: api.url, limits: { retryMs: 1 } })
      return await labelsOfMerged(client, 'org/repo', { after: BUILT, branch })
    }
    expect(await labels('main')).toEqual([])
    api.repository.addPull({ headSha: BUILT, state: 'closed', labels: ['never merged'] })
    api.repository.addPull({
      headSha: HEAD,
      state: 'closed',
      labels: ['fork'],
      headRepo: 'mallory/repo',
      mergeSha: BUILT,
    })
    expect([await labels('main'), await labels('next')]).toEqual([['fork'], []])
    expect(await labels('main', api.token({ pullRequests: 'none' }))).toEqual([])
  })

  test('of a tag is no push to a branch', async () => {
    expect(await find(event('push', {}, { ref: 'refs/tags/v1' }))).toEqual({
      kind: 'none',
      reason: 'A run for push has no pull request.',
    })
  })
})

describe('merge_group', () => {
  test.each([
    [`refs/heads/gh-readonly-queue/main/pr-2-${BASE}`],
    [`refs/heads/gh-readonly-queue/release/1/pr-7-${BASE}/pr-2-${BASE}`],
  ])('has its pull request, without a comment (%s)', async (head_ref) => {
    api.repository.addPull({ headSha: NEWER })
    api.repository.addPull({ headSha: HEAD, labels: ['size: ok'] })
    const queued = event('merge_group', { merge_group: { head_sha: BUILT, base_sha: BASE, head_ref } })
    expect(await find(queued)).toMatchObject({
      pull: { number: 2, labels: ['size: ok'] },
      noComment: { reason: 'Runs of the merge queue write no comment.' },
    })
  })

  test('with another name of its branch has none', async () => {
    const queued = event('merge_group', { merge_group: { head_ref: 'refs/heads/pr-2-x' } })
    expect(await find(queued)).toMatchObject({ kind: 'none' })
    expect(api.calls).toEqual([])
  })
})

describe('workflow_run', () => {
  const ofFork = event('workflow_run', runPayload())

  test('has the pull request that GitHub names', async () => {
    api.repository.addPull({ headSha: HEAD })
    const head_repository = { full_name: 'org/repo' }
    const run = event('workflow_run', runPayload({ pull_requests: [{ number: 1 }], head_repository }))
    expect(await find(run)).toMatchObject({ kind: 'found', pull: { number: 1 }, noComment: undefined })
  })

  test('of a fork has the one open pull request from there', async () => {
    api.repository.addPull({ headSha: HEAD })
    api.repository.addPull({ headSha: HEAD, headRepo: 'mallory/other' })
    api.repository.addPull({ headSha: HEAD, headRepo: 'mallory/repo', headRef: 'another' })
    api.repository.addPull({ headSha: HEAD, headRepo: 'mallory/repo', state: 'closed' })
    api.repository.addPull({ headSha: HEAD, headRepo: 'mallory/repo', labels: ['x'] })
    expect(await find(ofFork)).toMatchObject({
      kind: 'found',
      pull: { number: 5, isFork: true, labels: ['x'] },
      noComment: undefined,
    })
  })

  test('is not led astray by a number of another repository', async () => {
    api.repository.addPull({ headSha: HEAD })
    api.repository.addPull({ headSha: HEAD, headRepo: 'mallory/repo' })
    const run = event('workflow_run', runPayload({ pull_requests: [{ number: 1 }] }))
    expect(await find(run)).toMatchObject({ kind: 'found', pull: { number: 2 } })
  })

  test.each(['fork', 'own'])('is dropped when the pull request has moved on (%s)', async (whose) => {
    const headRepo = whose === 'fork' ? 'mallory/repo' : 'org/repo'
    api.repository.addPull({ headSha: NEWER, headRepo })
    const pull_requests = whose === 'fork' ? [] : [{ number: 1 }]
    const run = event('workflow_run', runPayload({ pull_requests, head_repository: { full_name: headRepo } }))
    expect(await find(run)).toEqual({
      kind: 'none',
      reason: 'Pull request #1 has a newer commit than the run that is reported.',
    })
  })

  test('has none where the fork is gone, or where two fit', async () => {
    expect(await find(event('workflow_run', runPayload({ head_repository: null })))).toMatchObject({
      reason: 'The repository that the pull request came from is gone.',
    })
    for (const baseRef of ['main', 'next']) {
      api.repository.addPull({ headSha: HEAD, headRepo: 'mallory/repo', baseRef })
    }
    expect(await find(ofFork)).toMatchObject({ kind: 'none', reason: expect.stringContaining('several') })
  })
})

test('workflow_dispatch has the open pull request of its branch, if that is the commit', async () => {
  api.repository.addPull({ headSha: HEAD, headRef: 'topic' })
  expect(await find(event('workflow_dispatch', {}, { sha: HEAD }))).toMatchObject({ pull: { number: 1 } })
  expect(await find(event('workflow_dispatch', {}, { sha: NEWER }))).toMatchObject({ kind: 'none' })
  expect(await find(event('workflow_dispatch', {}, { ref: 'refs/tags/v1' }))).toMatchObject({ kind: 'none' })
})

test('a schedule has none', async () => {
  expect(await find(event('schedule', {}))).toEqual({ kind: 'none', reason: 'A run for schedule has no pull request.' })
})

test.each([
  ['a push', event('push', { after: HEAD })],
  ['a run of a fork', event('workflow_run', runPayload())],
  ['a dispatch', event('workflow_dispatch', {})],
  ['a queue', event('merge_group', { merge_group: { head_ref: `gh-readonly-queue/main/pr-1-${BASE}` } })],
])('%s that may not look, or meets faults, says so', async (_, what) => {
  expect(await find(what, api.token({ pullRequests: 'none' }))).toMatchObject({ kind: 'none', ...DENIED })
  for (const effect of [{ status: 400 }, { garbage: '[' }, { limitedForMs: 3_000_000 }]) {
    api.reset()
    api.fail({ effect })
    const result = await find(what)
    expect(result).toMatchObject({ kind: 'none', mend: undefined })
    expect(result.kind === 'none' && result.reason).toMatch(/^The pull request could not be looked up: .+\.$/)
  }
})

test('any payload is an event of some kind, with no name that was not checked', () => {
  const hostile = fc.anything({ maxDepth: 4, key: fc.constantFrom('pull_request', 'head', 'sha', 'repo', 'full_name') })
  const names = fc.constantFrom('pull_request', 'push', 'merge_group', 'workflow_run', 'workflow_dispatch', 'issues')
  const merged = fc.tuple(hostile, fc.constantFrom(pullPayload(), runPayload(), {}))
  fc.assert(
    fc.property(names, merged, fc.string(), (name, [one, other], word) => {
      const payload = word.length % 2 === 0 ? one : { ...(other as object), workflow_run: one, merge_group: one }
      const read = event(name, payload, { ref: word, sha: word })
      for (const key of ['headSha', 'baseSha', 'before', 'after'] as const) {
        if (key in read && (read as Record<string, unknown>)[key] !== undefined) {
          expect((read as Record<string, unknown>)[key]).toMatch(/^[0-9a-f]{40}$/)
        }
      }
    }),
  )
})
