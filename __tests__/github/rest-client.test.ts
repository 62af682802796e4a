import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { openGithub, type GithubClient, type GithubLimits } from '../../src/github/rest-client.ts'
import type { GithubError } from '../../src/github/github-error.ts'
import { startGithubApi, type GithubApi, type GithubEffect } from '../support/github-api.ts'

let api: GithubApi
let token: string
const repo = { owner: 'org', repo: 'repo' }
const GET_PULL = 'GET /repos/{owner}/{repo}/pulls/{pull_number}'
const POST_COMMENT = 'POST /repos/{owner}/{repo}/issues/{issue_number}/comments'

beforeEach(async () => {
  api = await startGithubApi()
  token = api.token()
  api.repository.addPull({ headSha: 'a'.repeat(40), labels: ['size: ok'] })
})
afterEach(async () => {
  await api[Symbol.asyncDispose]()
})

async function open(limits: Partial<GithubLimits> = {}, signal?: AbortSignal): Promise<GithubClient> {
  return await openGithub({ token, apiUrl: api.url, limits: { retryMs: 5, ...limits }, signal })
}

async function errorOf(client: GithubClient, route = GET_PULL): Promise<GithubError> {
  const outcome = await client.request(route, {
    ...repo,
    ...(route === GET_PULL ? { pull_number: 1 } : { issue_number: 1, body: 'x' }),
  })
  if (outcome.ok) throw new Error('it succeeded')
  return outcome.error
}

describe('a request', () => {
  test('gives what GitHub answers', async () => {
    const answer = await (await open()).request(GET_PULL, { ...repo, pull_number: 1 })
    expect(answer).toMatchObject({
      ok: true,
      value: { hasNext: false, data: { number: 1, labels: [{ name: 'size: ok' }] } },
    })
  })

  test.each<[string, GithubEffect, GithubError['kind'], number | undefined, string]>([
    ['a refusal', { status: 403 }, 'forbidden', 403, 'Resource not accessible by integration'],
    ['what is not there', { status: 404 }, 'not-found', 404, 'Not Found'],
    ['what is gone', { status: 410 }, 'not-found', 410, 'This issue was deleted'],
    ['bad values', { status: 422 }, 'invalid', 422, 'Validation Failed'],
    ['a long rate limit', { limitedForMs: 3_000_000 }, 'rate-limited', 403, 'API rate limit exceeded'],
    ['a secondary limit', { secondaryLimit: 403 }, 'rate-limited', 403, 'exceeded a secondary rate limit'],
    ['429', { secondaryLimit: 429 }, 'rate-limited', 429, 'exceeded a secondary rate limit'],
    ['a long wait', { secondaryLimit: 429, retryAfter: 31 }, 'rate-limited', 429, 'exceeded a secondary rate limit'],
    ['a broken server', { status: 502 }, 'unavailable', 502, 'Server Error'],
    ['a broken connection', { reset: 'before' }, 'unavailable', undefined, 'could not be reached'],
  ])('that meets %s gives an error as data', async (_, effect, kind, status, message) => {
    api.fail({ effect })
    const error = await errorOf(await open())
    expect(error).toMatchObject({ kind, status })
    expect(error.message).toContain(message)
  })

  test('with a token that GitHub does not know is forbidden, and no message names the token', async () => {
    const client = await openGithub({ token: 'ghp_secret', apiUrl: api.url })
    expect(await errorOf(client)).toMatchObject({ kind: 'forbidden', status: 401 })
    api.fail({ effect: { status: 422, message: 'you sent ghp_secret\n::error::ghp_secret' } })
    expect((await errorOf(client)).message).toMatch(/^you sent \*\*\* ::error::\*\*\*/)
  })

  test('without a token is not sent', async () => {
    const client = await openGithub({ token: '', apiUrl: api.url })
    expect(await errorOf(client)).toEqual({ kind: 'forbidden', status: undefined, message: 'there is no token' })
    expect(api.calls).toEqual([])
  })

  test('to nowhere is unavailable', async () => {
    const nowhere = api.url
    await api[Symbol.asyncDispose]()
    const client = await openGithub({ token, apiUrl: nowhere, limits: { retryMs: 1 } })
    expect(await errorOf(client)).toMatchObject({ kind: 'unavailable', status: undefined })
    const bad = await openGithub({ token, apiUrl: 'no address at all', limits: { retryMs: 1 } })
    expect(await errorOf(bad)).toMatchObject({ kind: 'unavailable' })
    api = await startGithubApi()
  })
})

describe('another try', () => {
  test('follows a broken server and a broken connection, twice', async () => {
    api.fail({ effect: { status: 503 }, times: 1 })
    api.fail({ effect: { reset: 'before' }, times: 1 })
    const client = await open()
    expect((await client.request(GET_PULL, { ...repo, pull_number: 1 })).ok).toBe(true)
    expect(client.requests).toBe(3)

    api.fail({ effect: { status: 500 } })
    await errorOf(client)
    expect(client.requests).toBe(6)
  })

  test('does not follow a comment that may have been made', async () => {
    api.fail({ effect: { reset: 'after' }, times: 1 })
    expect(await errorOf(await open(), POST_COMMENT)).toMatchObject({ kind: 'unavailable' })
    expect(api.repository.commentsOf(1)).toHaveLength(1)
    expect(api.calls).toHaveLength(1)
  })

  test('follows a limit when GitHub says, also for a comment, which was not made', async () => {
    api.fail({ effect: { secondaryLimit: 403, retryAfter: 1 }, times: 1 })
    const started = performance.now()
    const answer = await (await open()).request(POST_COMMENT, { ...repo, issue_number: 1, body: 'x' })
    expect(answer.ok).toBe(true)
    expect(performance.now() - started).toBeGreaterThan(950)
    expect(api.repository.commentsOf(1)).toHaveLength(1)
  })

  test('follows the hourly limit that ends soon', async () => {
    api.fail({ effect: { limitedForMs: 500 }, times: 1 })
    const answer = await (await open()).request(GET_PULL, { ...repo, pull_number: 1 })
    expect(answer.ok).toBe(true)
    expect(api.count('pulls/get')).toBeGreaterThan(1)
  })
})

describe('a run', () => {
  test('waits no longer than it may in total, however often GitHub asks it to', async () => {
    api.fail({ effect: { secondaryLimit: 429, retryAfter: 1 } })
    const client = await open({ waitMs: 2500 })
    const started = performance.now()
    expect(await errorOf(client)).toMatchObject({ kind: 'rate-limited' })
    expect(await errorOf(client)).toMatchObject({ kind: 'rate-limited' })
    expect(performance.now() - started).toBeLessThan(4000)
    // Two waits and three tries; then no wait is left.
    expect(client.requests).toBe(4)
  })

  test('sends no more requests than it may', async () => {
    const client = await open({ requests: 2 })
    for (let i = 0; i < 2; i++) await client.request(GET_PULL, { ...repo, pull_number: 1 })
    const message = 'a run sends GitHub at most 2 requests'
    expect(await errorOf(client)).toEqual({ kind: 'unavailable', status: undefined, message })
    expect(api.calls).toHaveLength(2)
  })

  test('does not wait for a slow answer', async () => {
    api.fail({ effect: { delayMs: 3000 }, times: 1 })
    const client = await open({ requestMs: 200 })
    const started = performance.now()
    expect((await client.request(GET_PULL, { ...repo, pull_number: 1 })).ok).toBe(true)
    expect(performance.now() - started).toBeLessThan(2000)

    api.fail({ effect: { delayMs: 3000 } })
    const hasty = await open({ totalMs: 300 })
    const again = performance.now()
    expect(await errorOf(hasty)).toMatchObject({ kind: 'unavailable' })
    expect(performance.now() - again).toBeLessThan(1500)
  })

  test('that is cancelled ends at once', async () => {
    api.fail({ effect: { delayMs: 3000 } })
    const started = performance.now()
    const client = await open({}, AbortSignal.timeout(100))
    expect(await errorOf(client)).toMatchObject({ kind: 'unavailable', message: 'the run was cancelled' })
    expect(performance.now() - started).toBeLessThan(1500)
  })
})

describe('a query', () => {
  test('gives data', async () => {
    const outcome = await (await open()).query('query { viewer { login } }')
    expect(outcome).toEqual({ ok: true, value: { viewer: { login: 'github-actions[bot]' } } })
  })

  test('that is refused is data, too', async () => {
    api.fail({ operation: 'graphql', effect: { status: 403 } })
    expect(await (await open()).query('query { viewer { login } }')).toMatchObject({ error: { kind: 'forbidden' } })
  })
})
