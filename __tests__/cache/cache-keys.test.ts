import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  cacheScopes,
  indexKeys,
  mayWrite,
  newIndexKey,
  newPack,
  packPrefix,
  type WriteQuestion,
} from '../../src/cache/cache-keys.ts'

describe('cacheScopes', () => {
  test.each<[string, NodeJS.ProcessEnv, string | undefined, readonly string[]]>([
    ['the default branch', { GITHUB_REF: 'refs/heads/main' }, 'main', ['own refs/heads/main']],
    ['a branch', { GITHUB_REF: 'refs/heads/x/y' }, 'main', ['own refs/heads/x/y', 'default refs/heads/main']],
    [
      'a pull request',
      { GITHUB_REF: 'refs/pull/7/merge', GITHUB_BASE_REF: 'release/1' },
      'main',
      ['own refs/pull/7/merge', 'base refs/heads/release/1', 'default refs/heads/main'],
    ],
    [
      'a pull request to the default branch',
      { GITHUB_REF: 'refs/pull/7/merge', GITHUB_BASE_REF: 'main' },
      'main',
      ['own refs/pull/7/merge', 'base refs/heads/main'],
    ],
    [
      'a tag',
      { GITHUB_REF: 'refs/tags/main', GITHUB_BASE_REF: '' },
      'main',
      ['own refs/tags/main', 'default refs/heads/main'],
    ],
    ['an unreadable event', { GITHUB_REF: 'refs/heads/x' }, undefined, ['own refs/heads/x']],
    ['a machine of one’s own', {}, undefined, ['own local']],
    ['an empty ref', { GITHUB_REF: '' }, undefined, ['own local']],
  ])('%s', (_, env, defaultBranch, expected) => {
    expect(cacheScopes(env, { defaultBranch }).map(({ source, ref }) => `${source} ${ref}`)).toEqual(expected)
  })
})

describe('mayWrite', () => {
  const push: WriteQuestion = {
    mode: 'auto',
    eventName: 'push',
    ref: 'refs/heads/main',
    isFork: false,
    backend: 'github',
  }
  test.each<[string, Partial<WriteQuestion>, boolean]>([
    ['a push', {}, true],
    ['a push to a directory', { backend: 'directory' }, true],
    ['no event', { eventName: undefined, ref: 'local', backend: 'directory' }, true],
    ['a schedule', { eventName: 'schedule' }, true],
    ['a pull request', { eventName: 'pull_request', ref: 'refs/pull/7/merge' }, true],
    ['a fork’s pull request, in a scope of its own', { eventName: 'pull_request', isFork: true }, true],
    [
      'a fork’s pull request and a shared disk',
      { eventName: 'pull_request', isFork: true, backend: 'directory' },
      false,
    ],
    ['a fork, a shared disk and an order', { isFork: true, backend: 'directory', mode: 'read-write' }, false],
    [
      'an outsider’s comment and a shared disk',
      { eventName: 'issue_comment', backend: 'directory', mode: 'read-write' },
      false,
    ],
    ['a tag', { ref: 'refs/tags/v1' }, false],
    ['a tag, ordered', { ref: 'refs/tags/v1', mode: 'read-write' }, true],
    ['a merge queue', { eventName: 'merge_group' }, false],
    ['a merge queue, ordered', { eventName: 'merge_group', mode: 'read-write' }, true],
    ['pull_request_target', { eventName: 'pull_request_target' }, false],
    ['issue_comment', { eventName: 'issue_comment' }, false],
    ['workflow_run', { eventName: 'workflow_run' }, false],
    ['reading only', { mode: 'read-only' }, false],
    ['no cache', { mode: 'off' }, false],
  ])('%s', (_, question, expected) => {
    expect(mayWrite({ ...push, ...question })).toBe(expected)
  })
})

describe('keys', () => {
  const shop = { id: 'shop', scope: '', ref: 'refs/heads/main', targets: ['a', 'b'], platforms: ['linux/amd64'] }

  test('any are short, without what GitHub refuses, and as a reader of indexes expects them', () => {
    const text = fc.string({ unit: 'binary', maxLength: 600 })
    fc.assert(
      fc.property(
        text,
        text,
        text,
        fc.array(text),
        fc.date({ min: new Date(0), noInvalidDate: true }),
        (id, scope, ref, targets, date) => {
          const { prefix, anyLeg } = indexKeys({ id, scope, ref, targets, platforms: [] })
          const key = newIndexKey(prefix, { now: date.getTime() })
          expect(key).toMatch(/^sb1-index-[0-9a-f]{16}-[0-9a-f]{16}-[0-9a-f]{16}-none-[0-9a-f]{12,}-[0-9a-f]{8}$/)
          expect([key.startsWith(prefix), prefix.startsWith(anyLeg)]).toEqual([true, true])
          const pack = newPack(packPrefix({ id, scope }))
          expect(pack.key).toMatch(/^sb1-pack-[0-9a-f]{16}-[0-9a-f]{32}$/)
          expect(pack.path).toBe(`packs/${pack.key.slice(-32)}`)
          expect(Math.max(key.length, pack.key.length)).toBeLessThanOrEqual(512)
        },
      ),
    )
  })

  test('the order of targets and platforms is no matter', () => {
    const turned = { ...shop, targets: ['b', 'a'] }
    expect(indexKeys(turned)).toEqual(indexKeys(shop))
  })

  test.each<[string, Partial<typeof shop>, 'leg' | 'all']>([
    ['targets', { targets: ['a'] }, 'leg'],
    ['targets that read the same together', { targets: ['ab'] }, 'leg'],
    ['platforms', { platforms: ['linux/arm64'] }, 'leg'],
    ['a target in place of a platform', { targets: ['a', 'b', 'linux/amd64'], platforms: [] }, 'leg'],
    ['another ref', { ref: 'refs/heads/other' }, 'all'],
    ['another project', { id: 'other' }, 'all'],
    ['another scope', { scope: 'other' }, 'all'],
    ['an id that ends as a scope begins', { id: 'sho', scope: 'p' }, 'all'],
  ])('%s: %j makes other keys', (_, change, kind) => {
    const [keys, others] = [indexKeys(shop), indexKeys({ ...shop, ...change })]
    expect(others.prefix).not.toBe(keys.prefix)
    expect(others.anyLeg === keys.anyLeg).toBe(kind === 'leg')
  })

  test('later ones sort after earlier ones, and none comes twice', () => {
    const { prefix } = indexKeys(shop)
    const times = [0, 1, 999, Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 1) + 1, Date.UTC(2400, 0, 1)]
    const keys = times.map((time) => newIndexKey(prefix, { now: time }))
    expect(keys.toSorted()).toEqual(keys)
    expect(newIndexKey(prefix, { now: 0 })).not.toBe(newIndexKey(prefix, { now: 0 }))
    expect(newPack('x-').key).not.toBe(newPack('x-').key)
  })

  test('packs of another project have other keys', () => {
    expect(packPrefix({ id: 'a', scope: '' })).not.toBe(packPrefix({ id: 'a', scope: 'b' }))
  })
})
