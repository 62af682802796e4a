import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findBaseCommit, listFirstParents, type BaseResult } from '../../src/github/base-commits.ts'
import { readReportEvent, type EventSource } from '../../src/github/event.ts'
import { openGithub, type GithubClient } from '../../src/github/rest-client.ts'
import { readHead } from '../../src/git.ts'
import { runProcess } from '../../src/process.ts'
import { startGithubApi, type GithubApi } from '../support/github-api.ts'

let api: GithubApi
let folder: string
beforeEach(async () => {
  api = await startGithubApi()
  folder = await mkdtemp(join(tmpdir(), 'stage-build-base-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
  await api[Symbol.asyncDispose]()
})

async function git(...args: readonly string[]): Promise<string> {
  const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.com', '-c', 'init.defaultBranch=main']
  const result = await runProcess('git', [...identity, '-C', folder, ...args])
  if (result.code !== 0) throw new Error(result.stderr)
  return result.stdout.trim()
}

async function commit(message: string): Promise<string> {
  await git('commit', '-q', '--allow-empty', '-m', message)
  return await git('rev-parse', 'HEAD')
}

interface History {
  readonly old: string
  readonly newer: string
  readonly head: string
  readonly merge: string
}

/** main: old – newer; topic, from old: head; and GitHub's merge of both. GitHub knows them, too. */
async function history(): Promise<History> {
  await git('init', '-q')
  const old = await commit('old')
  await git('checkout', '-q', '-b', 'topic')
  const head = await commit('head')
  await git('checkout', '-q', 'main')
  const newer = await commit('newer')
  await git('checkout', '-q', '--detach')
  await git('merge', '-q', '--no-ff', '-m', 'Merge head into newer', 'topic')
  const merge = await git('rev-parse', 'HEAD')
  const { commits, branches } = api.repository
  for (const [sha, parents] of [
    [old, []],
    [head, [old]],
    [newer, [old]],
  ] as const) {
    commits.set(sha, { sha, parents })
  }
  branches.set('main', newer)
  return { old, newer, head, merge }
}

async function open(token = api.token()): Promise<GithubClient> {
  return await openGithub({ token, apiUrl: api.url, limits: { retryMs: 1 } })
}

async function find(source: Partial<EventSource>, directory = folder, token?: string): Promise<BaseResult> {
  return await findBaseCommit({
    client: await open(token),
    repository: 'org/repo',
    event: readReportEvent({
      name: 'push',
      payload: {},
      repository: 'org/repo',
      ref: 'refs/heads/main',
      sha: '',
      ...source,
    }),
    checkedOut: await readHead(directory),
    defaultBranch: 'main',
  })
}

function pull(headSha: string, baseSha: string): Partial<EventSource> {
  const pull_request = { number: 1, head: { sha: headSha }, base: { sha: baseSha, ref: 'main' } }
  return { name: 'pull_request', payload: { pull_request } }
}

describe('the base of a pull request', () => {
  test('is the other parent of the merge commit, not the event’s base', async () => {
    const { old, newer, head } = await history()
    expect(await find(pull(head, old))).toEqual({ kind: 'found', base: { commit: newer, source: 'merge-parent' } })
    expect(api.calls).toEqual([])
  })

  test('is that in a checkout of depth 1, too, where git’s own history hides it', async () => {
    const { old, newer, head } = await history()
    const shallow = await mkdtemp(join(tmpdir(), 'stage-build-shallow-'))
    try {
      await git('branch', 'merged')
      await git('clone', '-q', '--depth=1', '--branch=merged', `file://${folder}`, shallow)
      const seen = await runProcess('git', ['-C', shallow, 'rev-list', '--parents', 'HEAD'])
      expect(seen.stdout.trim().split(' ')).toHaveLength(1)
      expect(await find(pull(head, old), shallow)).toMatchObject({ base: { commit: newer, source: 'merge-parent' } })
    } finally {
      await rm(shallow, { recursive: true })
    }
  })

  test('whose head is checked out is where it left the base branch', async () => {
    const { old, newer, head } = await history()
    await git('checkout', '-q', 'topic')
    expect(await find(pull(head, newer))).toEqual({ kind: 'found', base: { commit: old, source: 'merge-base' } })
    expect(api.calls).toHaveLength(1)
  })

  test('whose head is checked out, and is itself a merge, is no parent of that', async () => {
    const { old, newer, merge } = await history()
    api.repository.commits.set(merge, { sha: merge, parents: [newer, api.repository.addCommit('x', old)] })
    expect(await find(pull(merge, newer))).toMatchObject({ base: { commit: newer, source: 'merge-base' } })
  })

  test('is the event’s, with a doubt, where nothing better can be had', async () => {
    const { old, newer, head } = await history()
    const other = 'e'.repeat(40)
    expect(await find(pull(other, old))).toEqual({
      kind: 'found',
      base: { commit: old, source: 'payload', doubt: expect.stringContaining('another commit is checked out') },
    })
    expect(await find(pull(head, old), tmpdir())).toMatchObject({
      base: { doubt: expect.stringContaining('no checkout') },
    })
    await git('checkout', '-q', 'topic')
    const blind = api.token({ pullRequests: 'none' })
    expect(await find(pull(head, newer), folder, blind)).toMatchObject({
      base: { commit: newer, source: 'payload', doubt: expect.stringContaining('GitHub answered 403') },
    })
  })
})

describe('the base of', () => {
  test('a push is what the branch was at before', async () => {
    const { old, newer } = await history()
    expect(await find({ payload: { before: old, after: newer } })).toMatchObject({
      base: { commit: old, source: 'before' },
    })
  })

  test('the first push of a branch is where it left the default branch', async () => {
    const { old, head } = await history()
    const payload = { before: '0'.repeat(40), after: head }
    expect(await find({ payload, ref: 'refs/heads/topic' })).toMatchObject({
      base: { commit: old, source: 'merge-base' },
    })
  })

  test('a merge group is what it is merged on', async () => {
    const { newer, merge } = await history()
    const payload = { merge_group: { head_sha: merge, base_sha: newer } }
    expect(await find({ name: 'merge_group', payload })).toMatchObject({
      base: { commit: newer, source: 'merge-group' },
    })
  })

  test('a dispatch on the default branch, or a schedule, is the commit before', async () => {
    const { old, newer } = await history()
    await git('checkout', '-q', 'main')
    for (const name of ['workflow_dispatch', 'schedule']) {
      expect(await find({ name, sha: newer })).toEqual({ kind: 'found', base: { commit: old, source: 'parent' } })
    }
  })

  test('a dispatch on another branch is where it left the default branch', async () => {
    const { old, head } = await history()
    const source = { name: 'workflow_dispatch', ref: 'refs/heads/topic', sha: head }
    await git('checkout', '-q', 'topic')
    expect(await find(source)).toMatchObject({ base: { commit: old, source: 'merge-base' } })
  })

  test('a workflow_run, or of nothing known, is none', async () => {
    const payload = { workflow_run: { head_sha: 'a'.repeat(40) } }
    expect(await find({ name: 'workflow_run', payload })).toMatchObject({ kind: 'none' })
    expect(await find({ name: 'workflow_dispatch' }, tmpdir())).toMatchObject({ kind: 'none' })
  })
})

describe('the line of first parents', () => {
  /** main-0 – main-1 – …, and a branch of `side` commits merged into each. */
  function grow(length: number, side: number): readonly string[] {
    const line = [api.repository.addCommit('main-0')]
    for (let i = 1; i <= length; i++) {
      const before = line.at(-1) ?? ''
      let branch = before
      for (let k = 0; k < side; k++) branch = api.repository.addCommit(`side-${i}-${k}`, branch)
      line.push(api.repository.addCommit(`main-${i}`, before, ...(side > 0 ? [branch] : [])))
    }
    return line.toReversed()
  }

  test('leaves merged branches out', async () => {
    const line = grow(30, 2)
    expect(await listFirstParents(await open(), 'org/repo', line[0] ?? '', 20)).toEqual({
      ok: true,
      value: line.slice(0, 20),
    })
    expect(api.calls).toHaveLength(1)
  })

  test('ends with history, and goes on over three pages at most', async () => {
    const line = grow(40, 10)
    const list = async (from: number, limit: number): Promise<unknown> =>
      await listFirstParents(await open(), 'org/repo', line[from] ?? '', limit)
    expect(await list(35, 20)).toEqual({ ok: true, value: line.slice(35) })
    api.reset()
    expect(await list(0, 15)).toEqual({ ok: true, value: line.slice(0, 15) })
    expect(api.calls).toHaveLength(2)
    api.reset()
    const far = (await list(0, 100)) as { readonly value: readonly string[] }
    expect(api.calls).toHaveLength(3)
    expect(far.value).toEqual(line.slice(0, far.value.length))
    expect(far.value.length).toBeGreaterThan(25)
  })

  test('of a commit that GitHub does not know is an error as data', async () => {
    const outcome = await listFirstParents(await open(), 'org/repo', 'f'.repeat(40), 20)
    expect(outcome).toMatchObject({ ok: false, error: { kind: 'not-found' } })
  })
})
