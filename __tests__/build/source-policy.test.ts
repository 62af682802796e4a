import { expect, test } from '@jest/globals'
import { sourcePolicy } from '../../src/build/source-policy.ts'

const GOLANG = 'docker.io/library/golang:1.24'

test.each([
  [
    'mapped and pinned',
    { image: GOLANG, ref: 'mirror.example/golang:1', digest: 'sha256:1' },
    'mirror.example/golang:1@sha256:1',
  ],
  ['pinned', { image: GOLANG, ref: GOLANG, digest: 'sha256:1' }, `${GOLANG}@sha256:1`],
  ['mapped to what is pinned already', { image: GOLANG, ref: 'm/x@sha256:2', digest: 'sha256:2' }, 'm/x@sha256:2'],
  [
    'mapped to a local image',
    { image: GOLANG, ref: 'docker.io/library/local:1', digest: undefined },
    'docker.io/library/local:1',
  ],
])('an image is %s, matched exactly', (_name, rule, to) => {
  expect(sourcePolicy([rule])).toEqual({
    rules: [
      {
        action: 'CONVERT',
        selector: { identifier: `docker-image://${GOLANG}`, matchType: 'EXACT' },
        updates: { identifier: `docker-image://${to}` },
      },
    ],
  })
})

test('without anything to change there is no policy', () => {
  const pinned = `${GOLANG}@sha256:1`
  expect(sourcePolicy([])).toBeUndefined()
  expect(sourcePolicy([{ image: GOLANG, ref: GOLANG, digest: undefined }])).toBeUndefined()
  expect(sourcePolicy([{ image: pinned, ref: pinned, digest: 'sha256:1' }])).toBeUndefined()
})
