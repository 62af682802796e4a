import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { getOctokit } from '@actions/github'
import { startGithubApi, type GithubApi } from './github-api.ts'

const repo = { owner: 'org', repo: 'repo' }
let api: GithubApi
let octokit: ReturnType<typeof getOctokit>

beforeEach(async () => {
  api = await startGithubApi()
  octokit = getOctokit(api.token(), { baseUrl: api.url })
  api.repository.addPull({ headSha: 'a'.repeat(40) })
})
afterEach(async () => {
  await api[Symbol.asyncDispose]()
})

test('octokit’s own pagination follows its links', async () => {
  for (let i = 0; i < 250; i++) api.repository.addComment(1, 'octocat', `remark ${i}`)
  const all = await octokit.paginate(octokit.rest.issues.listComments, { ...repo, issue_number: 1, per_page: 100 })
  expect(all.map(({ body }) => body)).toEqual(Array.from({ length: 250 }, (_, i) => `remark ${i}`))
  expect(api.calls).toHaveLength(3)
  const page = await octokit.rest.issues.listComments({ ...repo, issue_number: 1, page: 2 })
  expect(page.data).toHaveLength(30)
  expect(page.headers.link?.match(/rel="\w+"/g)?.sort()).toEqual(
    ['first', 'last', 'next', 'prev'].map((rel) => `rel="${rel}"`),
  )
})

test('a body has 65,536 characters at most', async () => {
  const body = 'x'.repeat(65_536)
  await octokit.rest.issues.createComment({ ...repo, issue_number: 1, body })
  await expect(octokit.rest.issues.createComment({ ...repo, issue_number: 1, body: `${body}x` })).rejects.toMatchObject(
    {
      status: 422,
      message: expect.stringContaining('Body is too long (maximum is 65536 characters)'),
    },
  )
})

test('a token may do what it may', async () => {
  const body = 'x'
  const reader = getOctokit(api.token({ pullRequests: 'read' }), { baseUrl: api.url })
  expect((await reader.rest.issues.listComments({ ...repo, issue_number: 1 })).status).toBe(200)
  await expect(reader.rest.issues.createComment({ ...repo, issue_number: 1, body })).rejects.toMatchObject({
    status: 403,
  })
  const stranger = getOctokit('ghp_unknown', { baseUrl: api.url })
  await expect(stranger.rest.pulls.get({ ...repo, pull_number: 1 })).rejects.toMatchObject({ status: 401 })
  await expect(octokit.rest.pulls.get({ ...repo, pull_number: 2 })).rejects.toMatchObject({ status: 404 })
})

test.each<[string, () => Promise<unknown>, string]>([
  ['a parameter', () => octokit.request('GET /repos/org/repo/pulls', { fork: 'yes' }), 'the query has fork'],
  ['a value', () => octokit.request('GET /repos/org/repo/pulls', { state: 'ajar' }), 'state is ajar'],
  ['a size', () => octokit.request('GET /repos/org/repo/pulls', { per_page: 101 }), 'per_page is 101, more than 100'],
  ['a number', () => octokit.request('GET /repos/org/repo/pulls/one'), 'pull_number is one, not an integer'],
  ['a body', () => octokit.request('POST /repos/org/repo/issues/1/comments', { body: 1 }), '/body must be string'],
  ['a field', () => octokit.request('POST /repos/org/repo/issues/1/comments', { body: 'x', to: 1 }), 'the body has to'],
  ['a path', () => octokit.request('GET /repos/org/repo/labels'), 'which the stand-in does not have'],
])('what GitHub does not document is a violation: %s', async (_, ask, violation) => {
  await ask().catch(() => undefined)
  expect(api.violations).toEqual([expect.stringContaining(violation)])
  await expect(api[Symbol.asyncDispose]()).rejects.toThrow(violation)
  api = await startGithubApi()
})

test('so is an answer of its own', async () => {
  api.repository.addPull({ headSha: 'a'.repeat(40), state: 'ajar' as 'open' })
  await octokit.rest.pulls.get({ ...repo, pull_number: 2 })
  expect(api.violations).toEqual([expect.stringContaining('answer to pulls/get: /state')])
  api.violations.length = 0
})
