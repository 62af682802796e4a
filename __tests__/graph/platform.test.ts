/** Platforms as they are named: by buildx's rules (platformutil.Parse) and containerd's one form. */
import { expect, test } from '@jest/globals'
import { namedPlatforms } from '../../src/graph/platform.ts'

test.each([
  ['linux/amd64', 'linux/amd64'],
  ['linux/arm64', 'linux/arm64'],
  ['linux/arm/v7', 'linux/arm/v7'],
  ['linux/arm64/v8', 'linux/arm64'],
  ['Linux/AMD64', 'linux/amd64'],
  ['linux/x86_64', 'linux/amd64'],
  ['linux/amd64/v1', 'linux/amd64'],
  ['linux/amd64/v2', 'linux/amd64/v2'],
  ['linux/aarch64', 'linux/arm64'],
  ['linux/arm', 'linux/arm/v7'],
  ['linux/arm/6', 'linux/arm/v6'],
  ['armhf', 'linux/arm/v7'],
  ['amd64', 'linux/amd64'],
  ['linux', 'linux/arm64'],
  ['windows(10.0.17763)/amd64', 'windows(10.0.17763)/amd64'],
])('%s is %s', (written, named) => {
  expect(namedPlatforms([written], 'linux/arm64')).toEqual([named])
})

test('`local` is the machine that asks; what is one platform is named once', () => {
  expect(namedPlatforms(['local'], 'linux/arm64')).toEqual(['linux/arm64'])
  expect(namedPlatforms(['linux/amd64', 'Local', 'linux/arm64/v8'], 'linux/arm64')).toEqual([
    'linux/amd64',
    'linux/arm64',
  ])
  expect(namedPlatforms(['local', 'linux/arm'], 'linux/arm/v7')).toEqual(['linux/arm/v7'])
  expect(namedPlatforms([], 'linux/arm64')).toEqual([])
})

test('a text may name several', () => {
  expect(namedPlatforms(['linux/amd64,linux/arm64', 'local,amd64'], 'linux/amd64')).toEqual([
    'linux/amd64',
    'linux/arm64',
  ])
})

test('what is none stays as it is written, to be told', () => {
  const wrong = ['linux/AMD46', 'Linus/amd64', 'a/b/c/d', '', 'linux/*', ' linux/amd64']
  expect(namedPlatforms(wrong, 'linux/amd64')).toEqual(wrong)
})
