import { describe, expect, test } from '@jest/globals'
import { retagFailure } from '../../src/build/retag-failure.ts'

const TAG = 'ghcr.io/org/app:1.0'

/** As buildx 0.29 prints a refused PUT. */
function refused(status: string, words = ''): string {
  const put = 'unexpected status from PUT request to https://ghcr.io/v2/org/app/manifests/1.0'
  return `failed commit on ref "index-sha256:abc": ${put}: ${status}${words === '' ? '' : `\n${words}`}`
}

describe('a tag that may not be overwritten', () => {
  test.each([
    // ECR, then Harbor, Quay, MSR and ACR, in their own words.
    [
      '400 Bad Request',
      "unknown: The image tag '1.0' already exists in the 'app' repository and cannot be overwritten because the tag is immutable.",
    ],
    ['412 Precondition Failed', "unknown: Failed to process request due to 'app:1.0' configured as immutable."],
    ['409 Conflict', 'unknown: tag is immutable and cannot be overwritten'],
    ['400 Bad Request', 'unknown: tag=1.0 cannot be overwritten because org/app is an immutable repository'],
    ['403 Forbidden', 'denied: The requested tag already exists and cannot be overwritten.'],
    ['412 Precondition Failed', ''],
  ])('%s %s', (status, words) => {
    const { problem, passing } = retagFailure(TAG, refused(status, words))
    expect(problem.message).toContain(
      `${TAG} was not re-tagged: the tag is there with another image, and ghcr.io does not let it be overwritten.`,
    )
    expect(problem.message).toContain(words.replace(/^unknown: /, ''))
    expect(problem.mend).toContain('${{ github.sha }}')
    expect(passing).toBe(false)
  })
})

test('no permission at GitHub names what GitHub needs', () => {
  const { problem, passing } = retagFailure(TAG, refused('403 Forbidden', 'denied: permission_denied: write_package'))
  expect(problem.message).toBe(
    `${TAG} was not re-tagged: ghcr.io does not let this job write it (not logged in, or no permission). It said: denied: permission_denied: write_package.`,
  )
  expect(problem.mend).toContain('permissions: packages: write')
  expect(problem.mend).toContain('the package org/app')
  expect(passing).toBe(false)
})

test.each([
  'push access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials',
  'failed to authorize: failed to fetch oauth token: unexpected status from POST request to https://auth.docker.io/token: 401 Unauthorized',
])('no login: %s', (error) => {
  const { problem } = retagFailure('docker.io/org/app:1', error)
  expect(problem.message).toContain('org/app:1 was not re-tagged: docker.io does not let this job write it')
  expect(problem.mend).toBe(
    'Log in before this step with docker/login-action, with an account or token that may push to org/app.',
  )
})

test.each([
  [refused('429 Too Many Requests', 'toomanyrequests: slow down'), 'refuses more requests', true],
  [refused('503 Service Unavailable'), 'failed with status 503.', true],
  ['failed to do request: Put "https://x/v2/": read tcp 1.2.3.4:5: read: connection reset by peer', 'reached', true],
  ['failed to do request: Head "https://x/v2/": dial tcp: lookup x on 10.0.0.1:53: no such host', 'reached', false],
  ['failed to do request: Head "http://x/v2/": dial tcp 1.2.3.4:1: connect: connection refused', 'reached', false],
  ['ghcr.io/org/app@sha256:00: not found', 'its image is no longer there', false],
  [
    refused('415 Unsupported Media Type', 'unknown: no indexes'),
    'answered with status 415. It said: no indexes.',
    false,
  ],
  ['unknown flag: --prefer-index', 'buildx failed. It said: unknown flag: --prefer-index.', false],
])('%s', (error, words, passing) => {
  const failure = retagFailure(TAG, error)
  expect(failure.problem.message).toContain(words)
  expect(failure.problem.mend).toBeDefined()
  expect(failure.passing).toBe(passing)
})

test('what a registry says is one short line without control characters', () => {
  const { problem } = retagFailure(TAG, refused('400 Bad Request', `unknown: \u001b[31m::error::${'x'.repeat(500)}\n!`))
  expect(problem.message).not.toMatch(/[\n\u001b]/)
  expect(problem.message.length).toBeLessThan(400)
})
