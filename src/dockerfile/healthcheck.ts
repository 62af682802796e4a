/**
 * What can be wrong with a HEALTHCHECK. Its values matter to no stage, so nothing of it is kept.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/instructions/parse.go (parseHealthcheck)
 */
import { SyntaxFault } from './dockerfile-error.ts'
import { flagValue, type Flag } from './flags.ts'
import { goQuote } from './go-text.ts'

const NANOSECONDS: ReadonlyMap<string, number> = new Map([
  ['ns', 1],
  ['us', 1e3],
  ['µs', 1e3],
  ['μs', 1e3],
  ['ms', 1e6],
  ['s', 1e9],
  ['m', 60e9],
  ['h', 3600e9],
])

/** @throws SyntaxFault in BuildKit's words */
export function checkHealthcheck(type: string, command: readonly string[], flags: readonly Flag[]): void {
  if (type !== 'CMD') throw new SyntaxFault(`Unknown type ${goQuote(type)} in HEALTHCHECK (try CMD)`)
  if (command.length === 0) throw new SyntaxFault('Missing command after HEALTHCHECK CMD')
  for (const name of ['interval', 'timeout', 'start-period', 'start-interval']) {
    const nanoseconds = parseDuration(flagValue(flags, name))
    if (nanoseconds !== 0 && nanoseconds < 1e6) {
      throw new SyntaxFault(`Interval ${goQuote(name)} cannot be less than 1ms`)
    }
  }
  checkRetries(flagValue(flags, 'retries'))
}

/** Go's time.ParseDuration; empty counts as 0. */
function parseDuration(text: string): number {
  if (text === '' || /^[+-]?0$/.test(text)) return 0
  const quoted = goQuote(text)
  let rest = text.replace(/^[+-]/, '')
  if (rest === '') throw new SyntaxFault(`time: invalid duration ${quoted}`)
  let total = 0
  while (rest !== '') {
    const match = /^([0-9]*(?:\.[0-9]*)?)([^.0-9]*)/.exec(rest)
    const number = match?.[1] ?? ''
    const unit = match?.[2] ?? ''
    if (number === '' || number === '.') throw new SyntaxFault(`time: invalid duration ${quoted}`)
    if (unit === '') throw new SyntaxFault(`time: missing unit in duration ${quoted}`)
    const factor = NANOSECONDS.get(unit)
    if (factor === undefined) throw new SyntaxFault(`time: unknown unit ${goQuote(unit)} in duration ${quoted}`)
    total += Number(number) * factor
    rest = rest.slice(number.length + unit.length)
  }
  return text.startsWith('-') ? -total : total
}

function checkRetries(text: string): void {
  if (text === '') return
  if (!/^[+-]?[0-9]+$/.test(text)) {
    throw new SyntaxFault(`strconv.ParseInt: parsing ${goQuote(text)}: invalid syntax`)
  }
  const value = Number(text)
  if (Math.abs(value) >= 2 ** 31)
    throw new SyntaxFault(`strconv.ParseInt: parsing ${goQuote(text)}: value out of range`)
  if (value < 0) throw new SyntaxFault(`--retries cannot be negative (${value})`)
}
