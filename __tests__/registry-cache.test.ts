import { describe, expect, test } from '@jest/globals'
import { importsOf, namesRegistryCache, registryRefs, sharedCaches } from '../src/registry-cache.ts'

const TWO = [{ name: 'app' }, { name: 'web' }]

test('registries are found in lines as buildx writes them, and in bare references', () => {
  const lines = [
    'type=registry,ref=ghcr.io/org/cache:{target},mode=max',
    ' TYPE=registry,"ref=ghcr.io/org/b"',
    'ghcr.io/org/bare:main',
    'type=gha,scope=x',
    'type=local,dest=registry',
    '"broken',
  ]
  expect(registryRefs(lines)).toEqual(['ghcr.io/org/cache:{target}', 'ghcr.io/org/b', 'ghcr.io/org/bare:main'])
  expect([namesRegistryCache(lines), namesRegistryCache(['type=gha']), namesRegistryCache([])]).toEqual([
    true,
    false,
    false,
  ])
})

test('what is exported is imported where nothing else is named', () => {
  const cacheTo = ['type=registry,ref=r/cache:{target},mode=max,ignore-error=true', 'type=local,dest=x']
  expect(importsOf({ cacheFrom: [], cacheTo })).toEqual(['type=registry,ref=r/cache:{target}'])
  expect(importsOf({ cacheFrom: ['type=gha'], cacheTo })).toEqual(['type=gha'])
  expect(importsOf({ cacheFrom: [], cacheTo: ['type=gha'] })).toEqual([])
})

describe('several targets', () => {
  test.each([
    ['type=registry,ref=r/cache:main,mode=max', 'ref=r/cache:main-{target}'],
    ['type=registry,ref=127.0.0.1:5000/cache', 'ref=127.0.0.1:5000/cache:{target}'],
  ])('may not write one over the other: %s', (line, mend) => {
    expect(sharedCaches({ cacheTo: [line] }, TWO)).toEqual([
      {
        input: 'cache-to',
        message: expect.stringMatching(
          /^`cache-to`: 2 targets would each write their cache to `[^`]+`, one over/,
        ) as unknown,
        mend: `Put \`{target}\` into it: \`${mend}\`.`,
      },
    ])
  })

  test('have one each with `{target}`; a single one needs none, nor do other kinds of cache', () => {
    expect(sharedCaches({ cacheTo: ['type=registry,ref=r/cache-{target}'] }, TWO)).toEqual([])
    expect(sharedCaches({ cacheTo: ['type=registry,ref=r/cache'] }, TWO.slice(0, 1))).toEqual([])
    expect(sharedCaches({ cacheTo: ['type=gha,scope=x'] }, TWO)).toEqual([])
  })
})
