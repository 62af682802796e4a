/** Bytes as people read them: decimal units with three digits, as the Docker CLI shows them. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']

/** `6.47 MB`, `295 MB`, `0 B`; decimal units (1 MB is 10⁶ bytes), three significant digits. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  // 999.5 and above would round to four digits.
  while (value >= (unit === 0 ? 1_000 : 999.5) && unit < UNITS.length - 1) {
    value /= 1_000
    unit++
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2
  return `${value.toFixed(digits)} ${UNITS[unit] ?? ''}`
}

/** The signed difference, with a real minus: `+38.4 MB`, `−600 kB`, `0 B`. */
export function formatDelta(bytes: number): string {
  return bytes === 0 ? formatBytes(0) : `${bytes < 0 ? '−' : '+'}${formatBytes(Math.abs(bytes))}`
}
