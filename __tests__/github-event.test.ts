import { describe, expect, test } from '@jest/globals'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { readEvent, type GithubEvent } from '../src/github-event.ts'

const NOTHING: Omit<GithubEvent, 'payload'> = { defaultBranch: undefined, headSha: undefined, isFork: false }

async function eventOf(content: string): Promise<GithubEvent> {
  const folder = await mkdtemp(join(tmpdir(), 'stage-build-event-'))
  try {
    const path = join(folder, 'event.json')
    await writeFile(path, content)
    return await readEvent({ GITHUB_EVENT_PATH: path })
  } finally {
    await rm(folder, { recursive: true })
  }
}

function pull(head: unknown, base: unknown): unknown {
  return {
    action: 'synchronize',
    repository: { full_name: 'org/shop', default_branch: 'main' },
    pull_request: {
      head: { sha: 'a'.repeat(40), ref: 'x', repo: head },
      base: { sha: 'b'.repeat(40), ref: 'main', repo: base },
    },
  }
}

const SHOP = { full_name: 'org/shop' }

describe('the event', () => {
  test.each<[string, unknown, Omit<GithubEvent, 'payload'>]>([
    [
      'a push',
      { ref: 'refs/heads/x', repository: { default_branch: 'trunk' } },
      { ...NOTHING, defaultBranch: 'trunk' },
    ],
    ['a schedule', { schedule: '0 0 * * *' }, NOTHING],
    ['a pull request', pull(SHOP, SHOP), { defaultBranch: 'main', headSha: 'a'.repeat(40), isFork: false }],
    [
      'a fork’s pull request',
      pull({ full_name: 'somebody/shop' }, SHOP),
      { defaultBranch: 'main', headSha: 'a'.repeat(40), isFork: true },
    ],
    [
      'a pull request of a fork that was deleted',
      pull(null, SHOP),
      { defaultBranch: 'main', headSha: 'a'.repeat(40), isFork: true },
    ],
    [
      'numbers where text should be',
      { repository: { default_branch: 7 }, pull_request: { head: { sha: {} } } },
      NOTHING,
    ],
    ['empty text', { repository: { default_branch: '' }, pull_request: { head: { sha: '' } } }, NOTHING],
    ['a list', [], NOTHING],
    ['null', null, NOTHING],
  ])('%s', async (_, event, expected) => {
    expect(await eventOf(JSON.stringify(event))).toEqual({ ...expected, payload: event })
  })

  test('that cannot be read says nothing', async () => {
    expect(await eventOf('{')).toEqual({ ...NOTHING, payload: undefined })
    expect(await readEvent({})).toEqual({ ...NOTHING, payload: undefined })
    expect(await readEvent({ GITHUB_EVENT_PATH: '' })).toEqual({ ...NOTHING, payload: undefined })
    expect(await readEvent({ GITHUB_EVENT_PATH: '/nowhere/event.json' })).toEqual({ ...NOTHING, payload: undefined })
    expect(await readEvent({ GITHUB_EVENT_PATH: tmpdir() })).toEqual({ ...NOTHING, payload: undefined })
  })

  test('whatever it is, reading it does not throw', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), fc.jsonValue(), async (head, repository) => {
        const { defaultBranch, headSha } = await eventOf(JSON.stringify({ repository, pull_request: head }))
        expect(['string', 'undefined']).toContain(typeof defaultBranch)
        expect(['string', 'undefined']).toContain(typeof headSha)
      }),
    )
  })
})
