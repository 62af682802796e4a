import { expect, test } from '@jest/globals'
import { pushesByDigest } from '../../src/build/output-lines.ts'

test.each([
  ['type=image,name=ghcr.io/o/a,push-by-digest=true,name-canonical=true,push=true', true],
  ['type=registry,"name=ghcr.io/o/a,ghcr.io/o/b",push-by-digest=true', true],
  ['type=image,name=ghcr.io/o/a,push=true', false],
  ['type=image,name=ghcr.io/o/push-by-digest=true,push-by-digest=false', false],
  ['out', false],
])('%s is pushed by digest: %s', (line, isIt) => {
  expect(pushesByDigest(['type=local,dest=x', line])).toBe(isIt)
})
