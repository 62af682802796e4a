import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  artifactName,
  newestAttempts,
  parseArtifactName,
  secondName,
  type Leg,
} from '../../src/handover/artifact-name.ts'

const leg = (target: string, platform = 'linux/amd64', id = 'app'): Leg => ({ id, cells: [{ target, platform }] })

describe('a name', () => {
  test('tells people which leg it is', () => {
    expect(artifactName(leg('prod', 'linux/arm64/v8'), 3)).toMatch(
      /^stage-build\.[0-9a-f]{16}\.prod\.linux-arm64-v8\.attempt-3$/,
    )
  })

  test('is its own for every identity, target, platform and attempt, also where the words are the same', () => {
    const legs = [
      leg('a/b'),
      leg('a:b'),
      leg('a-b'),
      leg('A-b'),
      leg('a-b', 'linux-amd64'),
      leg('a-b', 'linux/amd64', 'x'),
    ]
    const long = [leg(`${'x'.repeat(500)}1`), leg(`${'x'.repeat(500)}2`), leg('ü'), leg('ä'), leg('')]
    const several: Leg = { id: 'app', cells: [...leg('a').cells, ...leg('b').cells] }
    const names = [...legs, ...long, several].flatMap((one) => [artifactName(one, 1), artifactName(one, 2)])
    expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(names.length)
  })

  test('does not hang on the order of targets', () => {
    const [a, b] = [...leg('a').cells, ...leg('b').cells] as const
    const cells = [a, b].filter((cell) => cell !== undefined)
    expect(artifactName({ id: '', cells }, 1)).toBe(artifactName({ id: '', cells: [...cells].reverse() }, 1))
  })

  test('of any text keeps the rules, is bounded, and can be read', () => {
    const text = fc.string({ unit: 'binary', maxLength: 300 })
    const cells = fc.array(fc.record({ target: text, platform: text }), { maxLength: 5 })
    fc.assert(
      fc.property(text, cells, fc.integer({ min: 1, max: 999_999 }), (id, all, attempt) => {
        const name = artifactName({ id, cells: all }, attempt)
        expect(name).toMatch(/^[A-Za-z0-9._-]{1,130}$/)
        const parsed = parseArtifactName(name)
        expect(parsed?.attempt).toBe(attempt)
        expect(name.startsWith(`${String(parsed?.leg)}.attempt-`)).toBe(true)
      }),
    )
  })
})

test.each([
  'coverage',
  'stage-build.x',
  `${artifactName(leg('a'), 1)}0000000`,
  `${artifactName(leg('a'), 1)}\n`,
  `x${artifactName(leg('a'), 1)}`,
])('%j is not ours', (name) => {
  expect(parseArtifactName(name)).toBeUndefined()
})

test('of each leg the highest attempt is taken, by number; of two uploads the newer', () => {
  const named = (target: string, attempt: number, id: number): { name: string; id: number } => ({
    name: artifactName(leg(target), attempt),
    id,
  })
  const again = { name: secondName(named('b', 1, 0).name), id: 4 }
  const listed = [named('a', 9, 1), named('a', 10, 2), named('b', 1, 3), again, { name: 'coverage', id: 5 }]
  expect(newestAttempts(listed).map(({ id }) => id)).toEqual([2, 4])
})
