import { describe, expect, test } from '@jest/globals'
import type { RequestedTarget } from '../src/plan/targets.ts'
import { shippedTags } from '../src/registry-baseline.ts'

const SHA = 'abcdef0123456789abcdef0123456789abcdef01'
const BASE = '1234567123456712345671234567123456712345'

function shipped(tags: readonly string[], commits = { sha: SHA, wanted: BASE }): string | undefined {
  const targets: readonly RequestedTarget[] = [{ name: 'prod', stage: 0, stageName: 'prod' }]
  return shippedTags({ targets, tagsOf: new Map([['prod', tags]]) }, commits).get('prod')
}

describe('the tag that the base commit’s build had', () => {
  test.each<[string, readonly string[], string | undefined]>([
    ['a whole commit', [`ghcr.io/o/app:${SHA}`], `ghcr.io/o/app:${BASE}`],
    ['a short commit', ['ghcr.io/o/app:sha-abcdef0'], 'ghcr.io/o/app:sha-1234567'],
    ['a commit among other tags', ['o/app:latest', `o/app:v1-${SHA}-x`], `o/app:v1-${BASE}-x`],
    ['no commit', ['ghcr.io/o/app:latest', 'o/app'], undefined],
    ['a commit in the repository’s name alone', [`o/${SHA}:latest`], undefined],
    ['a port that is no tag', ['127.0.0.1:5000/app'], undefined],
    ['no tags', [], undefined],
  ])('%s', (_, tags, expected) => {
    expect(shipped(tags)).toBe(expected)
  })

  test('is not guessed where a commit is not known', () => {
    expect(shipped([`o/app:${SHA}`], { sha: '', wanted: BASE })).toBeUndefined()
    expect(shipped([`o/app:${SHA}`], { sha: SHA, wanted: 'main' })).toBeUndefined()
  })
})
