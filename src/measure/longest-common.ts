/** The longest common subsequence of two lists. */

/** Above this, the table would take too much memory and time: pairs are left for others to find. */
const MOST_CELLS = 4_000_000

/**
 * Pairs of items with equal keys, in both lists' order, as many as there can be. Items without a key are in none. Only what
 * lies between the beginning and the end that both have in common takes time in the product of its lengths.
 */
export function longestCommon<T>(
  a: readonly T[],
  b: readonly T[],
  keyOf: (item: T) => string | undefined,
): readonly (readonly [T, T])[] {
  const [left, right] = inCommon(a, b, keyOf)
  // Items are compared by number: texts may be long.
  const same = (i: number, j: number): boolean => left[i]?.number === right[j]?.number
  const shorter = Math.min(left.length, right.length)
  let start = 0
  while (start < shorter && same(start, start)) start++
  let tail = 0
  while (tail < shorter - start && same(left.length - 1 - tail, right.length - 1 - tail)) tail++
  const [rows, columns] = [left.length - start - tail, right.length - start - tail]
  const middle = rows * columns > MOST_CELLS ? [] : walk(rows, columns, (i, j) => same(start + i, start + j))
  const indexes = [
    ...Array.from({ length: start }, (_, i) => [i, i] as const),
    ...middle.map(([i, j]) => [start + i, start + j] as const),
    ...Array.from({ length: tail }, (_, i) => [left.length - tail + i, right.length - tail + i] as const),
  ]
  return indexes.flatMap(([i, j]) => {
    const [from, to] = [left[i], right[j]]
    return from === undefined || to === undefined ? [] : [[from.item, to.item] as const]
  })
}

interface Numbered<T> {
  readonly item: T
  readonly number: number
}

/** The items whose key the other list has, too, with a number for each key. */
function inCommon<T>(
  a: readonly T[],
  b: readonly T[],
  keyOf: (item: T) => string | undefined,
): readonly [readonly Numbered<T>[], readonly Numbered<T>[]] {
  const ofB = new Set(b.map(keyOf))
  const numbers = new Map<string, number>()
  for (const item of a) {
    const key = keyOf(item)
    if (key !== undefined && ofB.has(key) && !numbers.has(key)) numbers.set(key, numbers.size)
  }
  const numbered = (items: readonly T[]): readonly Numbered<T>[] =>
    items.flatMap((item) => {
      const key = keyOf(item)
      const number = key === undefined ? undefined : numbers.get(key)
      return number === undefined ? [] : [{ item, number }]
    })
  return [numbered(a), numbered(b)]
}

/** https://en.wikipedia.org/wiki/Longest_common_subsequence#Code_for_the_dynamic_programming_solution */
function walk(
  rows: number,
  columns: number,
  same: (i: number, j: number) => boolean,
): readonly (readonly [number, number])[] {
  const width = columns + 1
  /** How many pairs the items from i and from j on have. */
  const lengths = new Uint16Array((rows + 1) * width)
  const length = (i: number, j: number): number => lengths[i * width + j] ?? 0
  for (let i = rows - 1; i >= 0; i--) {
    for (let j = columns - 1; j >= 0; j--) {
      lengths[i * width + j] = same(i, j) ? length(i + 1, j + 1) + 1 : Math.max(length(i + 1, j), length(i, j + 1))
    }
  }
  const pairs: (readonly [number, number])[] = []
  let [i, j] = [0, 0]
  while (i < rows && j < columns) {
    if (same(i, j)) pairs.push([i++, j++])
    else if (length(i + 1, j) >= length(i, j + 1)) i++
    else j++
  }
  return pairs
}
