import { describe, expect, test } from '@jest/globals'
import type { PackageSize } from '../../src/measure/comparison.ts'
import { packageChanges } from '../../src/measure/package-changes.ts'
import { MAX_PACKAGES } from '../../src/measure/packages.ts'

/** `npm:name@version=bytes` */
function packages(...texts: readonly string[]): readonly PackageSize[] {
  return texts.map((text) => {
    const [, manager = '', name = '', version = '', bytes = ''] = /^(\w+):(.+)@(.+)=(\d+)$/.exec(text) ?? []
    return { manager: manager as PackageSize['manager'], name, version, bytes: Number(bytes) }
  })
}

/** The other way round. */
function told(before: readonly PackageSize[], now: readonly PackageSize[]): readonly string[] {
  return packageChanges(before, now).map(
    ({ manager, name, version, versionBefore, ...bytes }) =>
      `${manager}:${name} ${versionBefore ?? '-'} → ${version ?? '-'} ${bytes.before} → ${bytes.now}`,
  )
}

test.each<[string, readonly string[], readonly string[], readonly string[]]>([
  ['the same', ['npm:a@1=5'], ['npm:a@1=5'], []],
  ['new and gone', ['npm:a@1=500000'], ['npm:b@2=600000'], ['npm:b - → 2 0 → 600000', 'npm:a 1 → - 500000 → 0']],
  ['another version of the same size', ['apk:openssl@3.3.1=5'], ['apk:openssl@3.3.2=5'], ['apk:openssl 3.3.1 → 3.3.2 5 → 5']],
  ['little more of the same version', ['npm:a@1=5'], ['npm:a@1=10004'], []],
  ['more of the same version', ['npm:a@1=5'], ['npm:a@1=10005'], ['npm:a 1 → 1 5 → 10005']],
  ['of one name, by two managers', ['npm:git@1=5'], ['apk:git@1=5'], ['apk:git - → 1 0 → 5', 'npm:git 1 → - 5 → 0']],
  ['once more, in another version', ['npm:a@1=50000'], ['npm:a@1=50000', 'npm:a@2=70000'], ['npm:a 1 → 1, 2 50000 → 120000']],
  ['once more, in the same version', ['npm:a@1=50000'], ['npm:a@1=50000', 'npm:a@1=50000'], ['npm:a 1 → 1 50000 → 100000']],
  ['in many versions', [], ['npm:a@5=1', 'npm:a@4=1', 'npm:a@3=1', 'npm:a@2=1', 'npm:a@1=1'], ['npm:a - → 1, 2, 3 and 2 more 0 → 5']],
  ['named like what every object has', [], ['npm:__proto__@1=7', 'npm:constructor@1=8'], ['npm:constructor - → 1 0 → 8', 'npm:__proto__ - → 1 0 → 7']],
  ['the largest change first, then by name', ['npm:z@1=90000'], ['npm:b@1=20000', 'npm:a@1=20000'], ['npm:z 1 → - 90000 → 0', 'npm:a - → 1 0 → 20000', 'npm:b - → 1 0 → 20000']],
])('%s', (_, before, now, expected) => {
  expect(told(packages(...before), packages(...now))).toEqual(expected)
}) // prettier-ignore

describe('of lists that are full', () => {
  const many = (count: number): readonly string[] =>
    Array.from({ length: count }, (_, index) => `npm:p${index}@1=${20_000 + index}`)
  const full = many(MAX_PACKAGES)

  test('what is only pushed out of one of them is not told as gone, nor what comes back as new', () => {
    const crowded = packages('npm:new@1=700000', ...full.slice(1))
    expect(told(packages(...full), crowded)).toEqual(['npm:new - → 1 0 → 700000'])
    expect(told(crowded, packages(...full))).toEqual(['npm:new 1 → - 700000 → 0'])
  })

  test('another version of what both tell is told', () => {
    const updated = packages(...full.slice(0, -1), 'npm:p499@2=20499')
    expect(told(packages(...full), updated)).toEqual(['npm:p499 1 → 2 20499 → 20499'])
  })

  test('what is not in the one that tells all is new, however small; what is small may be in the other', () => {
    const few = packages('npm:large@1=90000', 'npm:small@1=10', 'npm:p0@1=20000', 'npm:p0@2=20')
    const changes = told(few, packages(...full))
    expect(changes).toHaveLength(MAX_PACKAGES)
    expect(changes[0]).toBe('npm:large 1 → - 90000 → 0')
    expect(changes.filter((change) => /small|p0 /.test(change))).toEqual([])
    expect(changes.at(-1)).toBe('npm:p1 - → 1 0 → 20001')
  })
})
