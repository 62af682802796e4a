/** Which archives of cache mounts a save keeps: after the layers, what is new first. */
import { describe, expect, test } from '@jest/globals'
import type { CacheIndex } from '../../src/cache/cache-index.ts'
import { archivesOf, planMounts, type IndexedMount, type MountQuestion } from '../../src/cache/mount-archives.ts'

const OLD = '2026-11-19T00:00:00.000Z'
const NEW = '2026-11-20T00:00:00.000Z'
const digest = (letter: string): string => `sha256:${letter.repeat(64)}`
const archive = (letter: string, bytes: number, savedAt = OLD): IndexedMount => ({
  ...{ digest: digest(letter), bytes, content: digest('c'), savedAt },
})
const packKey = (letter: string): string => `sb1-pack-0123456789abcdef-${letter.repeat(32)}`
const pack = (...letters: readonly string[]): CacheIndex['packs'][string] => ({
  path: `packs/${(letters[0] ?? '').repeat(32)}`,
  createdAt: OLD,
  blobs: Object.fromEntries(letters.map((letter) => [digest(letter), 10])),
})

/** With mounts `go` and `npm` in packs of their own, and a pack of layers. */
const OWN: CacheIndex = {
  ...{ version: 1, createdAt: OLD, ref: 'refs/heads/main', targets: {}, records: {} },
  packs: { [packKey('a')]: pack('a'), [packKey('b')]: pack('b'), [packKey('f')]: pack('f') },
  mounts: { go: archive('a', 10), npm: archive('b', 10) },
}

function plan(question: Partial<MountQuestion>): ReturnType<typeof planMounts> {
  const nothing = { gone: new Set<string>(), damaged: new Set<string>(), fresh: {}, named: undefined }
  return planMounts({ own: OWN, ...nothing, room: 1_000, ...question })
}

describe('of archives', () => {
  test('those of mounts that were not used stay, with their packs and no others', () => {
    const { mounts, packs, newPacks, bytes } = plan({ fresh: { go: archive('d', 20, NEW) } })
    expect(mounts).toEqual({ go: archive('d', 20, NEW), npm: archive('b', 10) })
    expect(Object.keys(packs)).toEqual([packKey('b')])
    expect(newPacks).toEqual([new Map([[digest('d'), 20]])])
    expect(bytes).toBe(20)
  })

  test('those go that no Dockerfile names any more, or that are gone or damaged', () => {
    expect(Object.keys(plan({ named: new Set(['npm']) }).mounts)).toEqual(['npm'])
    expect(Object.keys(plan({ gone: new Set([packKey('a')]) }).mounts)).toEqual(['npm'])
    expect(Object.keys(plan({ damaged: new Set([digest('b')]) }).mounts)).toEqual(['go'])
  })

  test('what there is no room for beside the layers is left out, the older first', () => {
    const fresh = { go: archive('d', 20, NEW), apt: archive('e', 15, NEW) }
    expect(plan({ fresh, room: 35 })).toMatchObject({ mounts: fresh, packs: {}, dropped: [] })
    expect(plan({ fresh, room: 34 })).toMatchObject({
      mounts: { apt: fresh.apt, npm: OWN.mounts['npm'] },
      dropped: ['go'],
    })
    expect(plan({ fresh, room: -5 })).toMatchObject({ mounts: {}, newPacks: [], dropped: ['go', 'apt'] })
  })

  test('two mounts with the same content need one', () => {
    const fresh = { go: archive('d', 20, NEW), apt: archive('d', 20, NEW) }
    expect(plan({ fresh }).newPacks).toEqual([new Map([[digest('d'), 20]])])
  })

  test('the own branch’s are found first, and only what can be had', () => {
    const base = { ref: 'refs/heads/base', source: 'base', index: { ...OWN, mounts: { go: archive('d', 20) } } }
    const own = { ref: 'refs/heads/main', source: 'own', index: OWN }
    const found = archivesOf('go', [own, base], () => true)
    expect(found.map(({ ref, isOwn }) => [ref, isOwn])).toEqual([[own.ref, true], [base.ref, false]]) // prettier-ignore
    expect(archivesOf('go', [own, base], (blob) => blob === digest('d'))).toMatchObject([{ ref: base.ref }])
    expect(archivesOf('constructor', [own, base], () => true)).toEqual([])
  })
})
