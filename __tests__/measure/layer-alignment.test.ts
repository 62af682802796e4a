import { describe, expect, test } from '@jest/globals'
import { alignLayers, layerChanges, normalizeHistory } from '../../src/measure/layer-alignment.ts'
import type { LayerSize } from '../../src/measure/sizes.ts'
import { Random } from '../support/random.ts'

/** `content:SIZE instruction`, with the source's line where it has one: `a:10 RUN x @4`. */
function layer(text: string): LayerSize {
  const [, content = '', size = '', instruction = '', line] = /^(\w*):(\d+) (.*?)(?: @(\d+))?$/.exec(text) ?? []
  return {
    digest: `sha256:${content}`,
    diffId: content === '' ? '' : `sha256:${content}`,
    size: Number(size),
    unpacked: Number(size) * 3,
    own: true,
    createdBy: instruction,
    ...(line === undefined ? {} : { source: { file: 'Dockerfile', line: Number(line), text: instruction } }),
  }
}

const layers = (...texts: readonly string[]): readonly LayerSize[] => texts.map(layer)

/** Each pair as `what it was → what it is`, by content. */
function told(before: readonly LayerSize[], now: readonly LayerSize[]): readonly string[] {
  const name = (one: LayerSize | undefined): string => one?.diffId.replace('sha256:', '') ?? '-'
  return alignLayers(before, now).map((pair) => `${name(pair.before)} → ${name(pair.now)}`)
}

describe('which layer was which', () => {
  test.each<[string, readonly string[], readonly string[], readonly string[]]>([
    ['nothing changed', ['a:1 RUN a', 'b:1 RUN b'], ['a:1 RUN a', 'b:1 RUN b'], ['a → a', 'b → b']],
    [
      'a layer put between leaves the others what they were',
      ['a:1 RUN a', 'b:1 COPY b b', 'c:1 RUN c'],
      ['a:1 RUN a', 'x:1 ENV-like x', 'B:1 COPY b b', 'C:1 RUN c'],
      ['a → a', '- → x', 'b → B', 'c → C'],
    ],
    [
      'a layer taken out stands last',
      ['a:1 RUN a', 'b:1 COPY b b', 'c:1 RUN c'],
      ['a:1 RUN a', 'C:1 RUN c'],
      ['a → a', 'c → C', 'b → -'],
    ],
    [
      'equal content counts before equal instructions',
      ['a:1 COPY x x', 'b:1 COPY y y'],
      ['b:1 COPY x x', 'a:1 COPY y y'],
      ['b → b', 'a → a'],
    ],
    [
      'an instruction that stands twice is taken in order',
      ['a:1 RUN x', 'b:1 COPY y y', 'c:1 RUN x'],
      ['A:1 RUN x', 'B:1 COPY y y', 'C:1 RUN x'],
      ['a → A', 'b → B', 'c → C'],
    ],
    [
      'the middle one of three is gone',
      ['a:1 RUN x', 'b:1 COPY y y', 'c:1 RUN x', 'd:1 RUN x'],
      ['B:1 COPY y y', 'C:1 RUN x', 'D:1 RUN x'],
      ['b → B', 'c → C', 'd → D', 'a → -'],
    ],
    [
      'an edited instruction is changed, not added and removed',
      ['a:1 RUN apk add curl git', 'b:1 COPY . .'],
      ['A:9 RUN apk add curl git gcc', 'B:1 COPY . .'],
      ['a → A', 'b → B'],
    ],
    [
      'other instructions of the same kind are others',
      ['a:1 COPY --from=build /app/dist ./dist'],
      ['A:1 COPY --from=build /app/node_modules ./node_modules'],
      ['- → A', 'a → -'],
    ],
    [
      'what a builder and its arguments add makes no other instruction',
      ['a:1 RUN |1 VERSION=1 /bin/sh -c make # buildkit'],
      ['A:1 RUN |2 VERSION=2 SHA=abc /bin/sh -c make # buildkit'],
      ['a → A'],
    ],
    [
      'the text of the Dockerfile counts before the history',
      ['a:1 COPY app-$V / @3', 'b:1 COPY lib-$V / @4'],
      ['B:1 COPY lib-$V / @4', 'A:1 COPY app-$V / @5'],
      ['b → B', 'a → A'],
    ],
    ['layers of unknown content are not the same for that', [':1 ', ':1 '], [':1 '], ['- → ', ' → -', ' → -']],
    ['no layers', [], [], []],
    ['all of them new', [], ['a:1 RUN a'], ['- → a']],
  ])('%s', (_, before, now, expected) => {
    expect(told(layers(...before), layers(...now))).toEqual(expected)
  })

  test('at random: every layer stands in exactly one pair, and the pairs explain the whole difference', () => {
    const random = new Random(5)
    const keywords = ['RUN', 'COPY', 'ADD']
    const some = (): readonly LayerSize[] =>
      Array.from({ length: random.below(12) }, () => {
        const instruction = `${random.pick(keywords) ?? ''} ${random.below(4)} ${random.below(3)}`
        return layer(`${random.below(9)}:${random.below(5)} ${instruction}${random.below(2) === 0 ? ' @3' : ''}`)
      })
    for (let round = 0; round < 2_000; round++) {
      const [before, now] = [some(), some()]
      const pairs = alignLayers(before, now)
      const [was, is] = [pairs.flatMap((pair) => pair.before ?? []), pairs.flatMap((pair) => pair.now ?? [])]
      expect(is).toEqual(now)
      expect(was.length).toBe(before.length)
      expect(new Set(was)).toEqual(new Set(before))
      expect(pairs.some((pair) => pair.before === undefined && pair.now === undefined)).toBe(false)
      // No content is told as gone and as new at once.
      const gone = new Set(pairs.filter((pair) => pair.now === undefined).map((pair) => pair.before?.diffId))
      expect(pairs.some((pair) => pair.before === undefined && gone.has(pair.now?.diffId))).toBe(false)

      const total = (all: readonly LayerSize[]): number => all.reduce((sum, one) => sum + one.size, 0)
      const explained = layerChanges(before, now).reduce(
        (sum, { transfer }) => sum + (transfer.now ?? 0) - (transfer.before ?? 0),
        0,
      )
      expect(explained).toBe(total(now) - total(before))
    }
  })

  test.each<[string, (i: number) => string, (i: number) => string]>([
    ['none of them alike', (i) => `a${i}:1 RUN a${i}`, (i) => `b${i}:1 RUN b${i}`],
    ['in the opposite order', (i) => `a${i}:1 RUN a${i}`, (i) => `a${999 - i}:1 RUN a`],
    ['all of one instruction', (i) => `a${i}:1 RUN x`, (i) => `b${i}:1 RUN x`],
  ])('as many layers as a reader lets through take no long time: %s', (_, before, now) => {
    const many = (textOf: (i: number) => string): readonly LayerSize[] =>
      Array.from({ length: 1_000 }, (_ignored, i) => layer(`${textOf(i)} ${'word '.repeat(200)}`))
    const [was, is] = [many(before), many(now)]
    const start = performance.now()
    const pairs = alignLayers(was, is)
    expect(performance.now() - start).toBeLessThan(500)
    expect(new Set(pairs.flatMap((pair) => [pair.before, pair.now])).size).toBeGreaterThanOrEqual(2_000)
  })
})

describe('what changed', () => {
  test('is told with the largest change first, with the line where the instruction stands now', () => {
    const before = layers('a:10 RUN same @1', 'b:500 RUN gone @2', 'c:100 COPY . . @3')
    const now = layers('a:10 RUN same @1', 'C:90 COPY . . @7', 'n:700 ADD new / @8')
    expect(layerChanges(before, now)).toEqual([
      {
        kind: 'added',
        ...{ instruction: 'ADD new /', line: 8, file: 'Dockerfile' },
        transfer: { now: 700, before: 0 },
        unpacked: { now: 2_100, before: 0 },
      },
      {
        kind: 'removed',
        ...{ instruction: 'RUN gone', line: undefined, file: undefined },
        transfer: { now: 0, before: 500 },
        unpacked: { now: 0, before: 1_500 },
      },
      {
        kind: 'changed',
        ...{ instruction: 'COPY . .', line: 7, file: 'Dockerfile' },
        transfer: { now: 90, before: 100 },
        unpacked: { now: 270, before: 300 },
      },
    ])
  })

  test('the same content in another compression is a change of the transfer alone', () => {
    const [zstd] = layers('a:7 RUN a')
    const [gzip] = layers('a:10 RUN a')
    if (zstd === undefined || gzip === undefined) throw new Error('no layers')
    expect(layerChanges([gzip], [{ ...zstd, unpacked: gzip.unpacked }])).toMatchObject([
      { kind: 'changed', transfer: { now: 7, before: 10 }, unpacked: { now: 30, before: 30 } },
    ])
  })

  test('an unpacked size that is not known is no change', () => {
    const [one] = layers('a:7 RUN a')
    if (one === undefined) throw new Error('no layer')
    expect(layerChanges([one], [{ ...one, unpacked: undefined }])).toEqual([])
  })
})

test.each([
  ['COPY /app/dist ./dist # buildkit', 'COPY /app/dist ./dist'],
  ['RUN /bin/sh -c apk add   curl # buildkit', 'RUN apk add curl'],
  ['RUN |2 A=1 B=a b /bin/sh -c make # buildkit', 'RUN make'],
  ['|1 A=1 /bin/sh -c make', 'RUN make'],
  ['/bin/sh -c apt-get update', 'RUN apt-get update'],
  [`/bin/sh -c #(nop) COPY file:${'0'.repeat(64)} in / `, 'COPY # in /'],
  ['RUN /bin/bash -o pipefail -c make', 'RUN /bin/bash -o pipefail -c make'],
  ['', ''],
])('the history %j means %j', (createdBy, expected) => {
  expect(normalizeHistory(createdBy)).toBe(expected)
})
