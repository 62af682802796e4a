import { describe, expect, test } from '@jest/globals'
import { measuredRun, recordPlaces, runAttempt } from '../../src/handover/fork-run.ts'

const SHA = '0123456789'.repeat(4)

function event(run: Readonly<Record<string, unknown>> = {}): unknown {
  const head = { head_sha: SHA, head_branch: 'topic', head_repository: { full_name: 'fork/app' } }
  const workflow_run = { id: 34, run_attempt: 2, event: 'pull_request', conclusion: 'success', ...head, ...run }
  return { action: 'completed', repository: { full_name: 'org/app' }, workflow_run }
}

describe('the run of a workflow_run event', () => {
  test('of a fork: its artifacts are in the repository that the pull request is for', () => {
    expect(measuredRun(event())).toEqual({
      ...{ id: 34, attempt: 2, owner: 'org', repository: 'app', headSha: SHA, headRepository: 'fork/app' },
      ...{ headBranch: 'topic', event: 'pull_request', conclusion: 'success' },
    })
  })

  test('of a fork that is gone', () => {
    expect(measuredRun(event({ head_repository: null, conclusion: null }))).toMatchObject({
      headRepository: undefined,
      conclusion: undefined,
    })
  })

  test.each([
    ['another event', { repository: { full_name: 'org/app' }, pull_request: {} }],
    ['no event', undefined],
    ['text', 'workflow_run'],
    ['no number', event({ id: '34' })],
    ['a number that is none', event({ id: 1.5 })],
    ['no commit', event({ head_sha: 'main' })],
    ['a commit with more', event({ head_sha: `${SHA}\n` })],
    ['a repository with more', { ...(event() as object), repository: { full_name: 'org/app/../x' } }],
  ])('%s', (_, value) => {
    expect(measuredRun(value)).toBeUndefined()
  })
})

describe('where records lie', () => {
  const env = { GITHUB_REPOSITORY: 'org/app', GITHUB_RUN_ID: '35', GITHUB_RUN_ATTEMPT: '1' }
  const other = { owner: 'org', repository: 'app', runId: 34, token: 't' }

  test('in the run that the event is about, which takes a token', () => {
    expect(recordPlaces(measuredRun(event()), env, 't')).toEqual([other])
    expect(recordPlaces(measuredRun(event()), env, undefined)).toEqual([])
    expect(recordPlaces(measuredRun(event()), env, '')).toEqual([])
  })

  test('in this run; from the second attempt on the REST API has those of earlier ones', () => {
    expect(recordPlaces(undefined, env, 't')).toEqual(['own'])
    const again = { ...env, GITHUB_RUN_ATTEMPT: '2' }
    expect(recordPlaces(undefined, again, 't')).toEqual(['own', { ...other, runId: 35 }])
    expect(recordPlaces(undefined, again, undefined)).toEqual(['own'])
    expect(recordPlaces(undefined, { ...again, GITHUB_RUN_ID: 'x' }, 't')).toEqual(['own'])
    expect([runAttempt(again), runAttempt({}), runAttempt({ GITHUB_RUN_ATTEMPT: '0' })]).toEqual([2, 1, 1])
  })
})
