/**
 * BuildKit's "did you mean": the option within two edits of a value. Ties go to the first option given (BuildKit walks a
 * map, so its own answer varies there).
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/util/suggest/error.go
 */

const NEAR = 3

export interface SuggestOptions {
  readonly caseSensitive: boolean
}

/** `message`, with ` (did you mean X?)` when an option is near `value`. */
export function withSuggestion(
  message: string,
  value: string,
  options: readonly string[],
  { caseSensitive }: SuggestOptions,
): string {
  const match = suggestion(value, options, caseSensitive)
  return match === undefined ? message : `${message} (did you mean ${match}?)`
}

/** The option nearest to `value`; undefined when none is near, or when `value` is one of them. */
export function suggestion(value: string, options: readonly string[], caseSensitive = true): string | undefined {
  const wanted = caseSensitive ? value : value.toLowerCase()
  let best: string | undefined
  let bestDistance = NEAR
  for (const option of options) {
    const candidate = caseSensitive ? option : option.toLowerCase()
    if (candidate === wanted) return undefined
    const distance = boundedDistance(wanted, candidate, bestDistance)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  if (best === undefined || caseSensitive) return best
  if (value === value.toLowerCase()) return best
  return value === value.toUpperCase() ? best.toUpperCase() : best
}

/** Levenshtein distance, or `bound` as soon as it cannot be smaller. */
function boundedDistance(a: string, b: string, bound: number): number {
  if (Math.abs(a.length - b.length) >= bound) return bound
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    let least = i
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      const value = Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + cost)
      current.push(value)
      least = Math.min(least, value)
    }
    if (least >= bound) return bound
    previous = current
  }
  return previous[b.length] ?? 0
}
