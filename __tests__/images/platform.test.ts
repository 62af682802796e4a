import { describe, expect, test } from '@jest/globals'
import { formatPlatform, nativeMachine, parsePlatform, platformRank } from '../../src/images/platform.ts'

describe('a platform', () => {
  test.each([
    ['linux/amd64', 'linux/amd64'],
    ['linux/amd64/v1', 'linux/amd64'],
    ['linux/amd64/v3', 'linux/amd64/v3'],
    ['Linux/x86_64', 'linux/amd64'],
    ['linux/aarch64', 'linux/arm64'],
    ['linux/arm64/v8', 'linux/arm64'],
    ['linux/arm64/v9', 'linux/arm64/v9'],
    ['linux/arm', 'linux/arm/v7'],
    ['linux/arm/6', 'linux/arm/v6'],
    ['linux/armhf', 'linux/arm/v7'],
    ['linux/i386', 'linux/386'],
    ['macos/arm64', 'darwin/arm64'],
    ['windows(10.0.17763)/amd64', 'windows/amd64'],
  ])('%s is %s', (text, normal) => {
    expect(formatPlatform(parsePlatform(text))).toBe(normal)
  })

  test.each(['', 'linux', 'linux/', 'a/b/c/d', 'linux/*', 'linux/amd64\n'])('%j is none', (text) => {
    expect(() => parsePlatform(text)).toThrow('is not a platform')
  })
})

test.each([
  ['linux/amd64', 'linux/amd64'],
  ['linux/amd64/v3', 'linux/amd64'],
  ['linux/386', 'linux/amd64'],
  ['linux/arm/v6', 'linux/arm64'],
  ['linux/arm64/v8', 'linux/arm64'],
  ['linux/riscv64', 'linux/riscv64'],
])('a machine that runs %s by itself is of %s', (platform, machine) => {
  expect(nativeMachine(platform)).toBe(machine)
})

describe('what serves a platform, the best first', () => {
  test.each([
    ['linux/amd64', ['linux/amd64', 'linux/386'], ['linux/amd64/v2', 'linux/arm64', 'windows/amd64']],
    ['linux/amd64/v3', ['linux/amd64/v3', 'linux/amd64/v2', 'linux/amd64/v1', 'linux/386'], ['linux/amd64/v4']],
    ['linux/arm/v7', ['linux/arm/v7', 'linux/arm/v6', 'linux/arm/v5'], ['linux/arm/v8', 'linux/arm64']],
    ['linux/arm64', ['linux/arm64/v8', 'linux/arm/v8', 'linux/arm/v7', 'linux/arm/v6'], ['linux/arm64/v9']],
    ['linux/arm64/v8.2', ['linux/arm64/v8.2', 'linux/arm64/v8.1', 'linux/arm64', 'linux/arm/v7'], ['linux/arm64/v8.3']],
    [
      'linux/arm64/v9.1',
      ['linux/arm64/v9.1', 'linux/arm64/v9', 'linux/arm64/v8.6', 'linux/arm64/v8'],
      ['linux/arm64/v8.7'],
    ],
    ['linux/s390x', ['linux/s390x'], ['linux/ppc64le']],
  ])('%s', (wanted, serving, others) => {
    const ranks = serving.map((text) => platformRank(parsePlatform(wanted), parsePlatform(text)))
    expect(ranks).not.toContain(undefined)
    expect(ranks).toEqual(ranks.toSorted((a, b) => (a ?? 0) - (b ?? 0)))
    for (const text of others) expect(platformRank(parsePlatform(wanted), parsePlatform(text))).toBeUndefined()
  })
})
