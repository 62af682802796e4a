import { expect, test } from '@jest/globals'
import { parseChallenges } from '../../src/images/auth-challenge.ts'

test.each([
  ['', []],
  ['Basic realm="x"', [['basic', { realm: 'x' }]]],
  [
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"',
    [
      [
        'bearer',
        { realm: 'https://auth.docker.io/token', service: 'registry.docker.io', scope: 'repository:a/b:pull,push' },
      ],
    ],
  ],
  [
    'Negotiate, Basic realm=plain , Bearer Realm = "a \\"b\\"", error="x"',
    [
      ['negotiate', {}],
      ['basic', { realm: 'plain' }],
      ['bearer', { realm: 'a "b"', error: 'x' }],
    ],
  ],
  ['Bearer realm="unclosed', [['bearer', {}]]],
  ['"nonsense"', []],
])('the challenges of %j', (header, expected) => {
  const read = parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)])
  expect(read).toEqual(expected)
})
