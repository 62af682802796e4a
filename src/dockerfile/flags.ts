/**
 * Flags before an instruction's arguments: taking them off the line (`extractFlags`), and checking them against what the
 * instruction knows (`readFlags`).
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/parser/split_command.go and
 * https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/instructions/bflag.go
 */
import type { EscapeCharacter } from './directives.ts'
import { SyntaxFault } from './dockerfile-error.ts'
import { isSpace, trimSpaceLeft } from './go-text.ts'
import { withSuggestion } from './suggest.ts'

/** One flag: `--name=value`, or `--name` alone. Quotes and escapes are gone from the value. */
export interface Flag {
  readonly name: string
  readonly value: string | undefined
}

export interface FlagSplit {
  /** The flags as words, `--` and all. */
  readonly flags: readonly string[]
  readonly rest: string
}

/**
 * Takes the words that begin with `--` off the start of the arguments; `--` alone ends them. BuildKit goes through bytes
 * here, not characters, so the bytes of a character beyond ASCII come out as characters of their own (0xa0 is a blank).
 */
export function extractFlags(line: string, escape: EscapeCharacter): FlagSplit {
  if (!trimSpaceLeft(line).startsWith('--')) return { flags: [], rest: line }
  if (!/[\u0080-\uffff]/.test(line)) return extractFromBytes(line, escape)
  const split = extractFromBytes(Buffer.from(line, 'utf8').toString('latin1'), escape)
  return { flags: split.flags, rest: Buffer.from(split.rest, 'latin1').toString('utf8') }
}

function extractFromBytes(line: string, escape: EscapeCharacter): FlagSplit {
  const flags: string[] = []
  let position = 0
  while (position < line.length) {
    while (position < line.length && isSpace(line.charAt(position))) position++
    if (!line.startsWith('--', position)) return { flags, rest: line.slice(position) }
    const { word, quoted, end } = readWord(line, position, escape)
    position = end
    if (word === '--') return { flags, rest: line.slice(position) }
    if (quoted || word !== '') flags.push(word)
  }
  return { flags, rest: '' }
}

interface Word {
  readonly word: string
  readonly quoted: boolean
  readonly end: number
}

/** Reads one word; its quotes and escapes are consumed. */
function readWord(line: string, start: number, escape: EscapeCharacter): Word {
  let word = ''
  let quoted = false
  let quote: string | undefined
  let position = start
  for (; position < line.length; position++) {
    let character = line.charAt(position)
    if (quote === undefined && isSpace(character)) break
    if (character === quote) {
      quote = undefined
      continue
    }
    if (quote === undefined && (character === "'" || character === '"')) {
      quote = character
      quoted = true
      continue
    }
    if (character === escape) {
      if (position + 1 === line.length) continue
      character = line.charAt(++position)
    }
    word += character
  }
  return { word, quoted, end: position }
}

export type FlagKind = 'bool' | 'string' | 'strings'
export type FlagKinds = Readonly<Record<string, FlagKind>>

export interface ReadFlags {
  readonly flags: readonly Flag[]
  /** BuildKit's message for each flag that is not known, where the caller only warns of them. */
  readonly unknown: readonly string[]
}

/** Every flag of every instruction: one of these in other letters, or at another instruction, is never a newer flag. */
const ALL_FLAGS: ReadonlySet<string> = new Set([
  ...['platform', 'from', 'chown', 'chmod', 'link', 'parents', 'exclude', 'keep-git-dir', 'checksum', 'unpack'],
  ...['mount', 'network', 'security', 'device'],
  ...['interval', 'timeout', 'start-period', 'start-interval', 'retries'],
])

/**
 * Checks flags. With `tolerant`, a flag of a newer frontend is not an error: it is listed in `unknown`. A flag that
 * exists elsewhere, or in other letters (`--FROM`), is an error all the same.
 * @throws SyntaxFault in BuildKit's words
 */
export function readFlags(words: readonly string[], kinds: FlagKinds, tolerant: boolean): ReadFlags {
  const flags: Flag[] = []
  const unknown: string[] = []
  const used = new Set<string>()
  for (const word of words) {
    const equals = word.indexOf('=')
    const written = equals === -1 ? word : word.slice(0, equals)
    const value = equals === -1 ? undefined : word.slice(equals + 1)
    if (!word.startsWith('--')) throw new SyntaxFault(`arg should start with -- : ${word}`)
    const name = written.slice(2)
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined
    if (kind === undefined) {
      const message = withSuggestion(`unknown flag: ${written}`, name, Object.keys(kinds), { caseSensitive: true })
      if (!tolerant || ALL_FLAGS.has(name.toLowerCase())) throw new SyntaxFault(message)
      unknown.push(message)
      continue
    }
    if (used.has(name) && kind !== 'strings') throw new SyntaxFault(`duplicate flag specified: ${written}`)
    used.add(name)
    flags.push({ name, value: kind === 'bool' ? boolValue(written, value) : stringValue(written, value) })
  }
  return { flags, unknown }
}

function boolValue(written: string, value: string | undefined): string {
  if (value === '') throw new SyntaxFault(`missing a value on flag: ${written}`)
  const lower = (value ?? 'true').toLowerCase()
  if (lower === 'true' || lower === 'false') return lower
  throw new SyntaxFault(`expecting boolean value for flag ${written}, not: ${value ?? ''}`)
}

function stringValue(written: string, value: string | undefined): string {
  if (value === undefined) throw new SyntaxFault(`missing a value on flag: ${written}`)
  return value
}

/** The value of a flag that may stand once; empty where it is absent, as BuildKit's default. */
export function flagValue(flags: readonly Flag[], name: string): string {
  return flags.find((flag) => flag.name === name)?.value ?? ''
}

/** The values of a flag that may be repeated. */
export function flagValues(flags: readonly Flag[], name: string): readonly string[] {
  return flags.flatMap((flag) => (flag.name === name && flag.value !== undefined ? [flag.value] : []))
}
