import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { LONGEST_COMMENT, REPORT_MARKER, VOLATILE_MARKER, type CommentSection } from '../../src/github/comment-body.ts'
import { openGithub } from '../../src/github/rest-client.ts'
import { writeComment, type CommentOptions, type CommentResult } from '../../src/github/sticky-comment.ts'
import { startGithubApi, type GithubApi, type GithubEffect, type GithubOperation } from '../support/github-api.ts'
import { Random } from '../support/random.ts'

let api: GithubApi
let token: string
const PULL = 1
const HEAD = 'a'.repeat(40)
const BOT = 'github-actions[bot]'

beforeEach(async () => {
  api = await startGithubApi()
  token = api.token()
  api.repository.addPull({ headSha: HEAD })
})
afterEach(async () => {
  await api[Symbol.asyncDispose]()
})

function section(key: string, text = `details of ${key}`, more: Partial<CommentSection> = {}): CommentSection {
  return { key, verdict: `Verdict of ${key}`, severity: 1, full: text, compact: `short ${key}`, commit: HEAD, ...more }
}

async function write(
  what: CommentSection,
  options: Partial<CommentOptions> & { token?: string; url?: string } = {},
): Promise<CommentResult> {
  const limits = { retryMs: 1, waitMs: 2000, requestMs: 2000 }
  const client = await openGithub({ token: options.token ?? token, apiUrl: options.url ?? api.url, limits })
  return await writeComment({
    client,
    repository: 'org/repo',
    number: PULL,
    section: what,
    create: true,
    settleMs: 5,
    ...options,
  })
}

function bodies(from = api): readonly string[] {
  return from.repository.commentsOf(PULL).map((comment) => comment.body)
}

/** All that GitHub was asked to change. */
function changes(): readonly GithubOperation[] {
  return api.calls.map((call) => call.operation).filter((name) => /create|update|delete/.test(name))
}

describe('the comment', () => {
  test('is made, says the verdict first, and is then edited in place', async () => {
    const made = await write(section('web', 'first'))
    const [comment] = api.repository.commentsOf(PULL)
    expect(made).toEqual({
      kind: 'written',
      action: 'created',
      url: `https://github.com/org/repo/pull/1#issuecomment-${comment?.id ?? 0}`,
    })
    expect(comment?.body.split('\n').slice(0, 2)).toEqual([REPORT_MARKER, '### Verdict of web'])

    expect(await write(section('web', 'second'))).toMatchObject({ action: 'updated' })
    expect(bodies()).toHaveLength(1)
    expect(bodies()[0]).toContain('second')
    expect(bodies()[0]).not.toContain('first')
  })

  test('is not made where nothing calls for it, but one that is there is kept true', async () => {
    expect(await write(section('web'), { create: false })).toEqual({
      kind: 'skipped',
      reason: 'Pull request #1 has no comment yet, and nothing calls for one.',
    })
    expect(bodies()).toEqual([])
    await write(section('web'))
    expect(await write(section('web', 'other'), { create: false })).toMatchObject({ action: 'updated' })
  })

  test('is not sent again when it says the same, but for volatile lines', async () => {
    const text = (run: number): string => `same\n\n[run ${run}](https://github.com/) ${VOLATILE_MARKER}`
    await write(section('web', text(1)))
    api.reset()
    expect(await write(section('web', text(2), { commit: 'c'.repeat(40) }))).toMatchObject({ action: 'unchanged' })
    expect(api.calls.map((call) => call.operation)).toEqual(['issues/list-comments'])
  })

  test('is found among 250 others, and again when it is the last of them', async () => {
    for (let i = 0; i < 249; i++) api.repository.addComment(PULL, i % 2 === 0 ? 'octocat' : BOT, `remark ${i}`)
    expect(await write(section('web'))).toMatchObject({ action: 'created' })
    expect(await write(section('web', 'other'))).toMatchObject({ action: 'updated' })
    const marked = bodies().filter((body) => body.includes(REPORT_MARKER))
    expect(marked).toHaveLength(1)
    expect(bodies().at(-1)).toContain('other')
    const pages = api.calls.filter((call) => call.operation === 'issues/list-comments').map((call) => call.url)
    expect(pages.slice(0, 3)).toEqual([1, 2, 3].map((page) => expect.stringMatching(`page=${page}$`)))
  })

  test('that somebody else forged is left alone', async () => {
    const forged = api.repository.addComment(PULL, 'mallory', `${REPORT_MARKER}\n### all is well`)
    expect(await write(section('web'))).toMatchObject({ action: 'created' })
    await write(section('web', 'other'))
    expect(api.repository.comments.get(forged.id)).toEqual(forged)
    expect(bodies()).toHaveLength(2)
  })

  test('is its author’s, whoever’s the token is', async () => {
    const alice = api.token({ login: 'alice' })
    api.repository.addComment(PULL, BOT, 'hello')
    expect(await write(section('web'), { token: alice })).toMatchObject({ action: 'created' })
    expect(await write(section('web', 'other'), { token: alice })).toMatchObject({ action: 'updated' })
    expect(api.repository.commentsOf(PULL).map(({ author }) => author)).toEqual([BOT, 'alice'])
    expect(api.count('graphql')).toBeGreaterThan(0)
  })

  test('with a quotation of its marker is none', async () => {
    api.repository.addComment(PULL, BOT, `> ${REPORT_MARKER}\nas they say`)
    expect(await write(section('web'))).toMatchObject({ action: 'created' })
  })

  test('with the lowest id is the one; another that says nothing more goes, one that does stays', async () => {
    await write(section('web'))
    const [first] = api.repository.commentsOf(PULL)
    const copy = api.repository.addComment(PULL, BOT, first?.body ?? '')
    const more = api.repository.addComment(PULL, BOT, (first?.body ?? '').replaceAll('section web', 'section api'))
    await write(section('web', 'other'))
    expect(api.repository.commentsOf(PULL).map(({ id }) => id)).toEqual([first?.id, more.id])
    expect(api.repository.comments.has(copy.id)).toBe(false)
    expect(bodies()[0]).toContain('other')
  })
})

describe('sections', () => {
  test('of other identities are kept as they are; the worst comes first', async () => {
    await write(section('web'))
    await write(section('api', '| a |\n| - |\n| <b>1</b> |', { severity: 5 }))
    await write(section('worker', 'w', { severity: 3 }))
    const [body = ''] = bodies()
    expect(body.match(/^### .*$/gm)).toEqual(['### Verdict of api', '### Verdict of worker', '### Verdict of web'])
    expect(body).toContain('| a |\n| - |\n| <b>1</b> |')
    expect(body).toContain('details of web')
  })

  test('of another commit are marked, and do not head the comment', async () => {
    await write(section('api', 'a', { severity: 9, commit: 'c'.repeat(40) }))
    await write(section('web'))
    const [body = ''] = bodies()
    expect(body.match(/^### .*$/gm)).toEqual(['### Verdict of web', '### Verdict of api'])
    expect(body).toContain(`Of another commit, ${'c'.repeat(40)}.`)
    await write(section('api', 'a', { severity: 9 }))
    expect(bodies()[0]).not.toContain('Of another commit')
  })

  test.each([
    ['-->', '<script>'],
    ['<!-- /stage-build:section web -->', '--'],
    ['', ' '],
    ['a\nb', 'a b'],
    ['\ud800', 'ünï/cödé · 🐳'],
    ['k'.repeat(60_000), `${'k'.repeat(60_000)}2`],
  ])('with hostile keys (%.30j, %.30j) stay apart', async (one, other) => {
    await write(section(one, 'text of one', { verdict: 'One' }))
    await write(section(other, 'text of other', { verdict: 'Other' }))
    await write(section(one, 'new text of one', { verdict: 'One' }))
    const [body = ''] = bodies()
    expect(body.match(/^### .*$/gm)?.sort()).toEqual(['### One', '### Other'])
    expect(body).toContain('new text of one')
    expect(body).toContain('text of other')
    expect(body.match(/<!--.*?-->/gs)).toHaveLength(7)
  })

  test('cannot end themselves or others by what they hold', async () => {
    const hostile = [
      '<!-- /stage-build:section web -->',
      '<!-- stage-build:section api -->',
      '<!-- stage-build:data e30 -->',
      'forged',
      '<!-- /stage-build:section api -->',
      REPORT_MARKER,
      'the end\u0000\r\n',
    ].join('\n')
    await write(section('api', 'true'))
    await write(section('web', hostile))
    expect(await write(section('web', hostile))).toMatchObject({ action: 'unchanged' })
    expect(await write(section('api', 'true'))).toMatchObject({ action: 'unchanged' })
    await write(section('web', 'calm'))
    expect(bodies()[0]).not.toContain('forged')
  })

  test('survive an edit by hand in GitHub’s editor, which writes CRLF', async () => {
    await write(section('web', 'one\n\ntwo'))
    const [comment] = api.repository.commentsOf(PULL)
    api.repository.editComment(comment?.id ?? 0, (comment?.body ?? '').replaceAll('\n', '\r\n'))
    expect(await write(section('web', 'one\n\ntwo'))).toMatchObject({ action: 'unchanged' })
    expect(await write(section('api'))).toMatchObject({ action: 'updated' })
    expect(bodies()[0]).toContain('one\n\ntwo')
  })
})

describe('a long comment', () => {
  const long = 'x'.repeat(40_000)

  test('takes the compact form of what comes last', async () => {
    await write(section('web', long))
    await write(section('api', long))
    const [body = ''] = bodies()
    expect(body.length).toBeLessThanOrEqual(LONGEST_COMMENT)
    expect(body).toContain(long)
    expect(body).toContain('short api')
    api.reset()
    expect(await write(section('api', long))).toMatchObject({ action: 'unchanged' })
    expect(changes()).toEqual([])
  })

  test('has room for everybody’s verdict', async () => {
    const longer = 'y'.repeat(LONGEST_COMMENT - 500)
    await write(section('web', longer))
    await write(section('api', long, { compact: long }))
    for (let i = 0; i < 3; i++) await write(section(`more-${i}`, long, { compact: long }))
    const [body = ''] = bodies()
    expect(body.length).toBeLessThanOrEqual(LONGEST_COMMENT)
    expect(body.match(/^### .*$/gm)?.sort()).toEqual(
      ['api', 'more-0', 'more-1', 'more-2', 'web'].map((key) => `### Verdict of ${key}`),
    )
  })

  test('that GitHub finds too long all the same is sent once more, compact', async () => {
    api.fail({ operation: 'issues/create-comment', effect: { status: 422 }, times: 1 })
    expect(await write(section('web', 'long'))).toMatchObject({ action: 'created' })
    expect(bodies()[0]).toContain('short web')

    api.fail({ operation: 'issues/update-comment', effect: { status: 422 }, times: 1 })
    expect(await write(section('web', 'very long', { compact: 'shorter' }))).toMatchObject({ action: 'updated' })
    expect(bodies()[0]).toContain('shorter')

    api.fail({ operation: 'issues/update-comment', effect: { status: 422 } })
    expect(await write(section('web', 'too long', { compact: 'still' }))).toMatchObject({ kind: 'refused' })
  })
})

describe('what fails is told', () => {
  const MEND = 'Give the job `permissions: pull-requests: write`.'

  test.each(['create', 'update'])('a token that may only read cannot %s', async (what) => {
    if (what === 'update') await write(section('web', 'before'))
    expect(await write(section('web'), { token: api.token({ pullRequests: 'read' }) })).toEqual({
      kind: 'refused',
      reason:
        'The comment on pull request #1 was not written: GitHub answered 403: ' +
        'Resource not accessible by integration - https://docs.github.com/rest.',
      mend: MEND,
      lacksRights: true,
    })
  })

  test('a token that may not even read', async () => {
    const result = await write(section('web'), { token: api.token({ pullRequests: 'none' }) })
    expect(result).toMatchObject({ kind: 'refused', mend: MEND })
  })

  test('a locked conversation', async () => {
    const message = 'Unable to create comment because issue is locked.'
    api.fail({ operation: 'issues/create-comment', effect: { status: 403, message } })
    expect(await write(section('web'))).toMatchObject({
      mend: 'Unlock the conversation of the pull request.',
      lacksRights: false,
    })
  })

  const effects: readonly GithubEffect[] = [
    ...[400, 401, 403, 404, 410, 418, 422, 500, 502, 503].map((status) => ({ status })),
    { limitedForMs: 3_000_000 },
    { secondaryLimit: 403 },
    { secondaryLimit: 429, retryAfter: 60 },
    { reset: 'before' },
    { reset: 'after' },
    { garbage: '<html>unicorn' },
  ]
  const operations: readonly (GithubOperation | undefined)[] = [
    undefined,
    'issues/list-comments',
    'issues/create-comment',
    'issues/get-comment',
    'issues/update-comment',
    'graphql',
  ]
  test.each(operations)('%s, in whatever way, first or later', async (operation) => {
    for (const effect of effects) {
      for (const isLater of [false, true]) {
        for (const comment of [...api.repository.comments.keys()]) api.repository.comments.delete(comment)
        api.reset()
        if (isLater) await write(section('web', 'before'))
        if (operation === 'graphql') api.repository.addComment(PULL, 'mallory', REPORT_MARKER)
        api.fail({ ...(operation === undefined ? {} : { operation }), effect })
        const result = await write(section('web'))
        expect(['written', 'refused']).toContain(result.kind)
        if (result.kind === 'refused')
          expect(result.reason).toMatch(/^The comment on pull request #1 was not written: .+\.$/)
        if (operation === undefined) expect(result.kind).toBe('refused')
        expect(api.calls.length).toBeLessThanOrEqual(25 + (isLater ? 3 : 0))
      }
    }
  })

  test.each<[string, GithubOperation, GithubEffect]>([
    ['a comment that was made although the connection broke', 'issues/create-comment', { reset: 'after' }],
    ['a comment that was not made', 'issues/create-comment', { reset: 'before' }],
    ['an answer that is none', 'issues/create-comment', { status: 502 }],
    ['a limit', 'issues/create-comment', { secondaryLimit: 403, retryAfter: 1 }],
    ['a broken list', 'issues/list-comments', { status: 503 }],
  ])('%s is overcome, and there is one comment', async (_, operation, effect) => {
    api.fail({ operation, effect, times: 1 })
    expect(await write(section('web'))).toMatchObject({ kind: 'written' })
    expect(bodies()).toHaveLength(1)
  })

  test('a comment that is deleted meanwhile is made anew', async () => {
    await write(section('web', 'before'))
    api.fail({ operation: 'issues/get-comment', effect: { status: 404 }, times: 1 })
    const [comment] = api.repository.commentsOf(PULL)
    const writing = write(section('web'))
    api.repository.comments.delete(comment?.id ?? 0)
    expect(await writing).toMatchObject({ kind: 'written' })
    expect(bodies()).toHaveLength(1)
  })
})

describe('writers at once', () => {
  const keys = Array.from({ length: 8 }, (_, i) => `job-${i}`)

  test.each([
    ['two', 2, 8],
    ['eight', 8, 4],
  ])('%s lose nothing, however they are interleaved', async (_, writers, rounds) => {
    for (let seed = 1; seed <= rounds; seed++) {
      const random = new Random(seed)
      await using slow = await startGithubApi({ latency: () => random.below(12) })
      slow.repository.addPull({ headSha: HEAD })
      const own = slow.token()
      const isThere = seed % 2 === 0
      const options = { token: own, url: slow.url, settleMs: 80 }
      if (isThere) await write(section('first'), options)
      const results = await Promise.all(keys.slice(0, writers).map((key) => write(section(key), options)))
      expect(results.map(({ kind }) => kind)).toEqual(results.map(() => 'written'))
      expect({ seed, comments: bodies(slow).length }).toEqual({ seed, comments: 1 })
      const [body = ''] = bodies(slow)
      const told = [...body.matchAll(/^details of (.*)$/gm)].map(([, key]) => key)
      expect({ seed, told: told.sort() }).toEqual({
        seed,
        told: [...(isThere ? ['first'] : []), ...keys.slice(0, writers)].sort(),
      })
    }
  })
})
