/**
 * Which layer of an image was which in an earlier one: the same content first, then the same instruction, then one that was
 * edited. By their order alone, one layer put between would make every later one look changed.
 */
import type { Change, LayerChange } from './comparison.ts'
import { longestCommon } from './longest-common.ts'
import type { LayerSize } from './sizes.ts'

/** A layer and what it was; one of the two is missing where it was added or removed. */
export interface LayerPair {
  readonly before: LayerSize | undefined
  readonly now: LayerSize | undefined
}

/** Instructions that share half their words are one instruction, edited. */
const ALIKE = 0.5
/** Words of an instruction that count, and instructions that are compared word by word: else it would take too long. */
const MOST_WORDS = 60
const MOST_EDITED = 200
const LONGEST_KEY = 2_000

/** Every layer of both lists in exactly one pair: those of now in their order, then those that are gone. */
export function alignLayers(before: readonly LayerSize[], now: readonly LayerSize[]): readonly LayerPair[] {
  const found = new Map<LayerSize, LayerSize>()
  const left = { before, now }
  const match = (pairs: readonly (readonly [LayerSize, LayerSize])[]): void => {
    for (const [was, is] of pairs) found.set(is, was)
    const taken = new Set(pairs.map(([was]) => was))
    left.before = left.before.filter((layer) => !taken.has(layer))
    left.now = left.now.filter((layer) => !found.has(layer))
  }
  for (const keyOf of [contentKey, writtenKey, historyKey]) {
    match(longestCommon(left.before, left.now, keyOf))
    match(anywhere(left.before, left.now, keyOf))
  }
  if (left.before.length <= MOST_EDITED && left.now.length <= MOST_EDITED) match(edited(left.before, left.now))
  return [
    ...now.map((layer) => ({ before: found.get(layer), now: layer })),
    ...left.before.map((layer) => ({ before: layer, now: undefined })),
  ]
}

/** What changed in size, the largest change in transfer first. Layers that weigh what they weighed are not told. */
export function layerChanges(before: readonly LayerSize[], now: readonly LayerSize[]): readonly LayerChange[] {
  const told = alignLayers(before, now).flatMap((pair): readonly LayerChange[] => {
    const change = changeOf(pair)
    return change.transfer.now === change.transfer.before && !differs(change.unpacked) ? [] : [change]
  })
  const weight = ({ transfer, unpacked }: LayerChange): readonly [number, number] => [span(transfer), span(unpacked)]
  return told.toSorted((a, b) => {
    const [[transferA, unpackedA], [transferB, unpackedB]] = [weight(a), weight(b)]
    return transferB - transferA || unpackedB - unpackedA
  })
}

/** What a layer was made by, as the image's history tells, without what a builder adds and what changes from build to build. */
export function normalizeHistory(createdBy: string): string {
  return createdBy
    .slice(0, LONGEST_KEY)
    .replace(/\s+# buildkit\s*$/, '')
    .replace(/^\/bin\/sh -c #\(nop\)\s+/, '')
    .replace(/^(RUN )?\|\d+ .*?(?=\/bin\/(?:ba)?sh )/s, '$1')
    .replace(/^(?:RUN )?\/bin\/sh -c /, 'RUN ')
    .replaceAll(/(?:sha256|file|dir|multi):[0-9a-f]{64}/g, '#')
    .replaceAll(/\s+/g, ' ')
    .trim()
}

function contentKey({ diffId }: LayerSize): string | undefined {
  return diffId === '' ? undefined : diffId
}

function writtenKey({ source }: LayerSize): string | undefined {
  return source === undefined ? undefined : source.text.slice(0, LONGEST_KEY).replaceAll(/\s+/g, ' ').trim()
}

function historyKey({ createdBy }: LayerSize): string | undefined {
  const key = normalizeHistory(createdBy)
  return key === '' ? undefined : key
}

type Pairs = readonly (readonly [LayerSize, LayerSize])[]

/** What was moved: of several with one key the first belongs to the first. */
function anywhere(
  before: readonly LayerSize[],
  now: readonly LayerSize[],
  keyOf: (layer: LayerSize) => string | undefined,
): Pairs {
  const waiting = Map.groupBy(before, keyOf)
  const next = new Map<string, number>()
  return now.flatMap((layer): Pairs => {
    const key = keyOf(layer)
    if (key === undefined) return []
    const at = next.get(key) ?? 0
    const was = waiting.get(key)?.[at]
    next.set(key, at + 1)
    return was === undefined ? [] : [[was, layer]]
  })
}

function edited(before: readonly LayerSize[], now: readonly LayerSize[]): Pairs {
  const waiting = before.map((layer) => ({ layer, words: wordsOf(layer) }))
  return now.flatMap((layer): Pairs => {
    const words = wordsOf(layer)
    const scores = waiting.map((candidate) => likeness(candidate.words, words))
    const best = Math.max(0, ...scores)
    const [was] = best < ALIKE ? [] : waiting.splice(scores.indexOf(best), 1)
    return was === undefined ? [] : [[was.layer, layer]]
  })
}

function wordsOf(layer: LayerSize): readonly string[] {
  return (writtenKey(layer) ?? historyKey(layer) ?? '').split(' ').slice(0, MOST_WORDS)
}

/** The share of words that two instructions have in common, 0 to 1; 0 where they are of different kinds. */
function likeness(a: readonly string[], b: readonly string[]): number {
  if (a[0] === undefined || a[0] === '' || a[0] !== b[0]) return 0
  // The word that both begin with says nothing of how much was edited.
  const [restA, restB] = [new Set(a.slice(1)), new Set(b.slice(1))]
  const total = restA.size + restB.size
  return total === 0 ? 0 : (2 * [...restA].filter((word) => restB.has(word)).length) / total
}

function changeOf({ before, now }: LayerPair): LayerChange {
  const layer = now ?? before
  return {
    kind: before === undefined ? 'added' : now === undefined ? 'removed' : 'changed',
    transfer: { now: now === undefined ? 0 : now.size, before: before === undefined ? 0 : before.size },
    unpacked: { now: now === undefined ? 0 : now.unpacked, before: before === undefined ? 0 : before.unpacked },
    instruction: layer?.source?.text ?? normalizeHistory(layer?.createdBy ?? ''),
    // Where a removed instruction stood says nothing of the Dockerfile as it is now.
    line: now?.source?.line,
    file: now?.source?.file,
  }
}

/** A size that is not known does not differ. */
function differs({ now, before }: Change): boolean {
  return now !== undefined && before !== undefined && now !== before
}

function span({ now, before }: Change): number {
  return now === undefined || before === undefined ? 0 : Math.abs(now - before)
}
