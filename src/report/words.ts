/**
 * Numbers and lists as English words: durations, counts, percentages, enumerations. Bytes are `measure/format.ts`'s.
 */

/** `840 ms`, `14.2 s`, `2 min 5 s`, `1 h 3 min`, `2 h`, `3 days 4 h`; `ms` is milliseconds. */
export function formatDuration(ms: number): string {
  if (ms < 999.5) return `${Math.max(0, Math.round(ms))} ms`
  const tenths = Math.round(ms / 100)
  if (tenths < 600) return `${(tenths / 10).toFixed(1)} s`
  const seconds = Math.round(ms / 1_000)
  if (seconds < 3_600) return withRest(`${Math.floor(seconds / 60)} min`, seconds % 60, 's')
  const minutes = Math.round(seconds / 60)
  if (minutes < 48 * 60) return withRest(`${Math.floor(minutes / 60)} h`, minutes % 60, 'min')
  const hours = Math.round(minutes / 60)
  return withRest(`${Math.floor(hours / 24)} days`, hours % 24, 'h')
}

function withRest(whole: string, rest: number, unit: string): string {
  return rest === 0 ? whole : `${whole} ${rest} ${unit}`
}

/** `1 target`, `3 targets`, `2 branches` with the plural given. */
export function count(n: number, singular: string, plural = `${singular}s`): string {
  return `${n} ${n === 1 ? singular : plural}`
}

/** `a`, `a and b`, `a, b and c`; past `max` words: `a, b and 3 more`. */
export function list(words: readonly string[], max = words.length): string {
  const shown = words.length > max ? [...words.slice(0, max), `${words.length - max} more`] : words
  return shown.length < 2 ? (shown[0] ?? '') : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1) ?? ''}`
}

/**
 * The change from `before` to `after` with one decimal and a real minus: `−97.8 %`. Undefined where `before` is 0: no
 * percentage is true then.
 */
export function formatChange(before: number, after: number): string | undefined {
  if (before === 0) return undefined
  const percent = (100 * (after - before)) / before
  // Only equality is 0 %, and only nothing is −100 %.
  if (percent === 0) return '0 %'
  const digits = Math.abs(percent).toFixed(1)
  if (digits === '0.0') return percent < 0 ? '−<0.1 %' : '+<0.1 %'
  if (digits === '100.0' && percent < 0 && after > 0) return `−99.9 %`
  return `${percent < 0 ? '−' : '+'}${digits} %`
}

/** A ref as people call it: `main`, `pull/7/merge`. */
export function shortRef(ref: string): string {
  return ref.replace(/^refs\/(?:heads|tags)\//, '').replace(/^refs\//, '')
}
